//! A progress bar around any iterator.

use super::bundle::Bundle;
use super::live::{Live, Progress};
use super::output::Output;
use super::{html, plain};
use crate::interrupt::Listener;
use std::time::{Duration, Instant};

/// Wraps any iterator so that it shows how far it is, and ends it when the user asks to stop.
///
/// In a notebook a bar is redrawn a few times a second with count, share and time left; on a terminal
/// there is a bar, into a file go occasional lines.
///
/// ```
/// use neural_composer::prelude::*;
/// let mut sum = 0;
/// for number in progress(1..=100) {
///     sum += number;
/// }
/// assert_eq!(sum, 5050);
/// ```
pub fn progress<I: IntoIterator>(items: I) -> Watched<I::IntoIter> {
    Watched::to(Output::new(), items.into_iter())
}

/// An iterator that shows how far it is. See [`progress`].
pub struct Watched<I> {
    items: I,
    /// Nothing once the last state was shown.
    live: Option<Live>,
    /// How many items there will be, where that is known.
    total: Option<u64>,
    /// Items handed out.
    handed_out: u64,
    start: Instant,
    told: Option<Instant>,
    stop: Listener,
}

/// Between two looks at the display: a loop of millions of short steps is not slowed down.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// How an iteration ended.
enum End {
    /// There is nothing more.
    Complete,
    /// The user asked to stop.
    Stopped,
    /// The loop was left: by `break`, by `?`.
    Left,
}

impl<I: Iterator> Watched<I> {
    /// Shows through `output` how far `items` are.
    pub fn to(output: Output, items: I) -> Self {
        let total = match items.size_hint() {
            (least, Some(most)) if least == most => Some(least as u64),
            _ => None,
        };
        Self {
            items,
            live: Some(Live::to(output)),
            total,
            handed_out: 0,
            start: Instant::now(),
            told: None,
            stop: Listener::here(),
        }
    }
}

impl<I: Iterator> Iterator for Watched<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        if self.stop.requested() {
            self.finish(End::Stopped);
            return None;
        }
        // What was handed out before has been dealt with now.
        self.tell();
        let next = self.items.next();
        match next {
            Some(_) => self.handed_out += 1,
            None => self.finish(End::Complete),
        }
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A stop may come at any time.
        (0, self.items.size_hint().1)
    }
}

impl<I> Watched<I> {
    fn tell(&mut self) {
        let now = Instant::now();
        if self.told.is_some_and(|told| now.duration_since(told) < LOOK_EVERY) {
            return;
        }
        self.told = Some(now);
        let (done, line) = (self.handed_out, self.line());
        let total = self.total.unwrap_or(0).max(done);
        if let Some(live) = &mut self.live {
            let progress = Progress { done, total, line: line.clone() };
            live.update(&progress, || bundle(done, self.total, &line));
        }
    }

    fn line(&self) -> String {
        let (done, seconds) = (self.handed_out, self.start.elapsed().as_secs_f64());
        let count = plain::count(done);
        match self.total {
            None if done == 0 => "begins".into(),
            None => format!("{count} done in {}", plain::duration(seconds)),
            Some(total) => {
                let share = 100.0 * done as f64 / total.max(1) as f64;
                let left = match done {
                    0 => String::new(),
                    _ => {
                        let left = seconds / done as f64 * total.saturating_sub(done) as f64;
                        format!(", {} left", plain::duration(left))
                    }
                };
                format!("{count} of {}, {share:.0} %{left}", plain::count(total))
            }
        }
    }

    fn finish(&mut self, end: End) {
        let Some(live) = self.live.take() else { return };
        let done = match end {
            // The loop's body was left while it dealt with the last item.
            End::Left => self.handed_out.saturating_sub(1),
            _ => self.handed_out,
        };
        let all = match self.total {
            Some(total) => format!(" of {}", plain::count(total)),
            None => String::new(),
        };
        let (count, took) =
            (plain::count(done), plain::duration(self.start.elapsed().as_secs_f64()));
        let line = match end {
            End::Complete => format!("{count}{all} done in {took}"),
            End::Stopped => format!("stopped by the user after {count}{all}, {took}"),
            End::Left => format!("left after {count}{all}, {took}"),
        };
        live.finish(&line, || bundle(done, self.total, &line));
    }
}

impl<I> Drop for Watched<I> {
    fn drop(&mut self) {
        // A loop that never began has nothing to say.
        if self.handed_out > 0 {
            self.finish(End::Left);
        }
    }
}

/// A bar, with the same in words for readers that do not see it.
fn bundle(done: u64, total: Option<u64>, line: &str) -> Bundle {
    let bar = match total {
        Some(total) => format!("<progress max=\"{}\" value=\"{done}\"></progress> ", total.max(1)),
        None => String::new(),
    };
    let body = format!("<label class=\"nc-progress\">{bar}{}</label>", html::escape(line));
    Bundle::new(&body, None, line)
}
