//! The analyser, a process of its own that completes and describes code: rust-analyzer.
//!
//! It holds the standard library and the notebook's library, which takes seconds and hundreds of
//! megabytes to load. Apart from the kernel it cannot delay a cell, and should it crash, the next
//! request starts another one.

use crate::analyser_folder::AnalyserFolder;
use crate::analysis::{Answer, Client, Event, Question, QuestionKind};
use crate::processes::{descendants, processor_ticks};
use anyhow::{Context, Result};
use lsp_server::Message;
use rustix::process::{Pid, setpriority_process};
use std::collections::HashSet;
use std::io::BufReader;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// How soon after an analyser was started another one may be.
const RESTART_PAUSE: Duration = Duration::from_secs(3);

/// By how much it gives way to cells, in Unix's niceness.
const NICENESS: i32 = 5;
/// Parsers recurse.
const STACK_BYTES: usize = 64 << 20;

/// How long one that owes an answer may do nothing at all. rust-analyzer sometimes loses an event and
/// then waits for it without end (its issue 22891).
const STUCK: Duration = Duration::from_secs(10);
/// The same while a tool of its runs, which may wait for a network or for another cargo.
const STUCK_IN_TOOL: Duration = Duration::from_secs(60);
/// How often it is looked at for that.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// What a process that waits may use of a processor all the same, in ticks.
const NEXT_TO_NOTHING: u64 = 1;

/// How long one that has read a part only answers before a key has it replaced: a tool may have failed
/// for a moment. Each time it is twice as long, since the standard library's source, for one, may be
/// missing for good.
const PARTIAL_PAUSE: Duration = Duration::from_secs(3);
/// How often that is doubled.
const PARTIAL_DOUBLINGS: u32 = 8;

/// How long a question waits for the analyser to be loaded, at first and soon before it should be.
const LOADING_PATIENCE: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1500)];
/// From when on it should be.
const SOON: Duration = Duration::from_secs(3);

/// How far the analyser is.
#[derive(Default)]
pub struct Loading {
    /// The question to load, and the changes of dependencies it knew of.
    pub asked: Option<(u64, u64)>,
    pub asked_at: Option<Instant>,
    /// The changes of dependencies that are loaded.
    pub loaded: Option<u64>,
}

impl Loading {
    /// How long a question that nothing is known of waits: a moment at first, longer when the
    /// analyser should be there soon.
    pub fn patience(&self) -> Duration {
        let is_soon = self.asked_at.is_some_and(|at| at.elapsed() > SOON);
        LOADING_PATIENCE[usize::from(is_soon)]
    }
}

/// Something that comes from an analyser.
pub struct Heard {
    /// Which analyser it was, the first being 1.
    pub from: u64,
    /// None where the analyser ended.
    pub answer: Option<Answer>,
}

/// Makes cells come first: what the process has not begun yet, its threads, are as nice as it is.
fn give_way(process: &Child) {
    let _ = setpriority_process(Some(Pid::from_child(process)), NICENESS);
}

/// A process that does nothing, as far as is seen.
struct Stillness {
    since: Instant,
    /// The processor time that it and its tools had used by then.
    ticks: u64,
    looked_at: Instant,
}

/// The analyser's process, if there is one.
#[derive(Default)]
pub struct Analyser {
    running: Option<(Child, Sender<Event>)>,
    asked: u64,
    /// The questions that are not answered yet.
    owed: HashSet<u64>,
    stillness: Option<Stillness>,
    /// How many in a row have read a part only.
    partial: u32,
    /// From when on this one is replaced, if it is one of them.
    replace_at: Option<Instant>,
    started: u64,
    last_started: Option<Instant>,
}

impl Analyser {
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn never_started(&self) -> bool {
        self.started == 0
    }

    /// Whether this is from the analyser that runs now.
    pub fn is_present(&self, heard: &Heard) -> bool {
        self.is_running() && heard.from == self.started
    }

    /// Whether it was started so long ago.
    pub fn is_older_than(&self, time: Duration) -> bool {
        self.last_started.is_some_and(|at| at.elapsed() > time)
    }

    /// Whether one may be started: one that crashes at its start is not started again at once.
    pub fn may_start(&self) -> bool {
        self.last_started.is_none() || self.is_older_than(RESTART_PAUSE)
    }

    /// Starts it; `hear` is called by threads of its own.
    pub fn start(
        &mut self,
        folder: &AnalyserFolder,
        hear: impl Fn(Heard) + Clone + Send + 'static,
    ) -> Result<()> {
        self.end();
        self.last_started = Some(Instant::now());
        let mut process = folder
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the analyser could not be started")?;
        give_way(&process);
        let stdin = process.stdin.take().context("the analyser has no standard input")?;
        let stdout = process.stdout.take().context("the analyser has no standard output")?;
        self.started += 1;
        let from = self.started;
        let answer = {
            let hear = hear.clone();
            move |answer| hear(Heard { from, answer: Some(answer) })
        };
        let client = Client::new(folder.clone(), stdin, answer)?;
        let (events, received) = channel();
        self.running = Some((process, events.clone()));
        std::thread::spawn(move || {
            let mut messages = BufReader::new(stdout);
            while let Ok(Some(message)) = Message::read(&mut messages) {
                if events.send(Event::Message(message)).is_err() {
                    break;
                }
            }
            let _ = events.send(Event::End);
        });
        std::thread::Builder::new().name("analyser".to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                if let Err(error) = client.run(&received) {
                    eprintln!("analyser: {error:#}");
                }
                hear(Heard { from, answer: None });
            },
        )?;
        Ok(())
    }

    /// Notes that a question is answered.
    pub fn has_answered(&mut self, number: u64) {
        self.owed.remove(&number);
        self.stillness = None;
    }

    /// Notes that it has read all that cells depend on, or only a part of it.
    pub fn has_loaded(&mut self, is_all: bool) {
        let pause = PARTIAL_PAUSE * 2u32.pow(self.partial.min(PARTIAL_DOUBLINGS));
        self.replace_at = (!is_all).then(|| Instant::now() + pause);
        self.partial = if is_all { 0 } else { self.partial + 1 };
    }

    /// Why it has to be replaced, if it has to; `is_wanted` says that somebody waits for an answer.
    pub fn fault(&mut self, is_wanted: bool) -> Option<&'static str> {
        if self.is_stuck() {
            return Some("owes an answer and does nothing");
        }
        let is_overdue = self.replace_at.is_some_and(|replace_at| replace_at < Instant::now());
        (is_wanted && is_overdue).then_some("has read a part only")
    }

    /// Whether it owes an answer, and neither it nor a tool of its has done anything for long.
    fn is_stuck(&mut self) -> bool {
        let Some((process, _)) = self.running.as_ref().filter(|_| !self.owed.is_empty()) else {
            return false;
        };
        let now = Instant::now();
        if self.stillness.as_ref().is_some_and(|still| now - still.looked_at < LOOK_PAUSE) {
            return false;
        }
        let process = Pid::from_child(process);
        let mut all = descendants(process);
        let limit = if all.is_empty() { STUCK } else { STUCK_IN_TOOL };
        all.push(process);
        let ticks = processor_ticks(&all);
        match &mut self.stillness {
            // Where a tool ended and took its time with it, something happened, too.
            Some(still) if ticks.abs_diff(still.ticks) <= NEXT_TO_NOTHING => {
                still.looked_at = now;
                now - still.since > limit
            }
            stillness => {
                *stillness = Some(Stillness { since: now, ticks, looked_at: now });
                false
            }
        }
    }

    /// Asks; the question's number is returned, or none if there is no analyser.
    pub fn ask(&mut self, kind: QuestionKind, mut question: Question) -> Option<u64> {
        let (_, events) = self.running.as_ref()?;
        self.asked += 1;
        (question.number, question.kind) = (self.asked, kind);
        if events.send(Event::Question(question)).is_err() {
            self.end();
            return None;
        }
        self.owed.insert(self.asked);
        Some(self.asked)
    }

    pub fn end(&mut self) {
        self.owed.clear();
        (self.stillness, self.replace_at) = (None, None);
        if let Some((mut process, _)) = self.running.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Analyser {
    fn drop(&mut self) {
        self.end();
    }
}
