//! A display that is redrawn while a job runs.

use super::bundle::Bundle;
use super::output::{Destination, Output};
use super::protocol::Operation;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How far a long job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps done, epochs for example.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
    /// One line that says the same and more in words.
    pub line: String,
}

/// A display that is replaced while a job runs.
///
/// Under our own kernel it is redrawn at most four times a second. Where a cell's output cannot be
/// replaced (stock evcxr, a file), occasional lines say how far the job is and the final state
/// follows; on a terminal there is a progress bar.
///
/// ```
/// use neural_composer::display::{Bundle, Live, Progress};
/// let mut live = Live::new();
/// for done in 1..=100 {
///     let progress = Progress { done, total: 100, line: format!("{done} of 100") };
///     live.update(&progress, || Bundle::from_text(&format!("{done} %")));
/// }
/// live.finish("all done", || Bundle::from_text("100 %"));
/// ```
pub struct Live {
    output: Output,
    id: String,
    shown: bool,
    frames: RateLimit,
    lines: RateLimit,
    bar: Option<ProgressBar>,
}

/// Between two redrawings of a display.
pub const FRAME_INTERVAL: Duration = Duration::from_millis(250);

/// Between two plain lines, at first; it grows with the time the job takes.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

impl Live {
    /// A display where the program's output goes.
    pub fn new() -> Self {
        Self::to(Output::new())
    }

    /// A display through `output`.
    pub fn to(output: Output) -> Self {
        let bar = (output.destination() == Destination::Terminal).then(progress_bar);
        Self {
            output,
            id: unique_id(),
            shown: false,
            frames: RateLimit::new(FRAME_INTERVAL),
            lines: RateLimit::new(LINE_INTERVAL),
            bar,
        }
    }

    /// The display's id in the protocol.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Shows a new state if it is time to; `bundle` is only called then.
    pub fn update(&mut self, progress: &Progress, bundle: impl FnOnce() -> Bundle) {
        let now = Instant::now();
        match self.output.destination() {
            Destination::OwnKernel => {
                if self.frames.allows(now) {
                    self.send(&bundle());
                }
            }
            Destination::Terminal => {
                if let Some(bar) = &self.bar {
                    bar.set_length(progress.total);
                    bar.set_position(progress.done);
                    bar.set_message(super::plain::clean(&progress.line));
                }
            }
            Destination::Evcxr | Destination::File => {
                if self.lines.allows(now) {
                    self.lines.grow();
                    self.output.write(&format!("{}\n", super::plain::clean(&progress.line)));
                }
            }
        }
    }

    /// Shows something of its own below the display, which stays as it is when the display is redrawn:
    /// sound that plays goes on. Returns whether it was shown; only our own kernel can while a cell
    /// runs.
    pub fn append(&mut self, bundle: &Bundle) -> bool {
        let can = self.output.destination() == Destination::OwnKernel;
        if can {
            self.output.write(&bundle.event(Operation::Display, None).to_line());
        }
        can
    }

    /// Tells how to go on should the cell's process die; only our own kernel passes that on.
    pub fn advise(&mut self, words: &str) {
        if self.output.destination() == Destination::OwnKernel {
            self.output.write(&Bundle::from_text(words).event(Operation::Resume, None).to_line());
        }
    }

    /// Shows the final state, always.
    pub fn finish(mut self, line: &str, bundle: impl FnOnce() -> Bundle) {
        let line = super::plain::clean(line);
        match self.output.destination() {
            Destination::OwnKernel => self.send(&bundle()),
            Destination::Evcxr => {
                let content = bundle().evcxr_content();
                self.output.write(&format!("{line}\n{content}"));
            }
            Destination::Terminal => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                self.output.write(&format!("{line}\n"));
            }
            Destination::File => self.output.write(&format!("{line}\n")),
        }
    }

    fn send(&mut self, bundle: &Bundle) {
        let op = if self.shown { Operation::Update } else { Operation::Display };
        self.shown = true;
        self.output.write(&bundle.event(op, Some(self.id.clone())).to_line());
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

/// Different for every display of every process that writes into the same notebook.
fn unique_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_micros());
    format!("nc-{:x}-{started:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Lets something happen only so often.
struct RateLimit {
    interval: Duration,
    last: Option<Instant>,
}

impl RateLimit {
    fn new(interval: Duration) -> Self {
        Self { interval, last: None }
    }

    fn allows(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.duration_since(last) >= self.interval);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Half as often from now on, down to every two minutes: a night of training stays readable.
    fn grow(&mut self) {
        self.interval = self.interval.mul_f64(1.3).min(Duration::from_secs(120));
    }
}
