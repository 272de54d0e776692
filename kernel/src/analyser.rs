//! The analyser: a process of its own that completes and describes code.
//!
//! It holds rust-analyzer with the standard library and the notebook's library, which takes seconds
//! and hundreds of megabytes to load. Apart from the kernel it cannot delay a cell, and should it
//! crash, the next request starts another one.

use crate::session::AnalyserFolder;
use anyhow::{Context, Result};
use evcxr::{CommandContext, EvalContext};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Marks the process; its value is the notebook's dependency on the library.
pub const DEPENDENCY_ENV: &str = "NEURAL_COMPOSER_KERNEL_ANALYSER";
/// How long the analyser is kept without being asked.
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// The analyser gives way to the cells, by this much in Unix's niceness.
const NICENESS: i32 = 5;

/// A question; `source` is all the notebook's definitions, then the cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question {
    pub number: u64,
    pub kind: QuestionKind,
    pub source: String,
    /// Bytes from the start of `source`.
    pub position: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuestionKind {
    /// Nothing is asked, but afterwards everything is loaded.
    Load,
    Complete,
    Describe,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answer {
    pub number: u64,
    pub completions: Vec<Completion>,
    /// What the completions replace, in bytes of the question's source.
    pub start: usize,
    pub end: usize,
    /// Plain text and HTML.
    pub description: Option<(String, String)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Completion {
    pub code: String,
    pub kind: String,
    pub label: String,
}

/// Whether this process was started to analyse.
pub fn is_analyser() -> bool {
    std::env::var_os(DEPENDENCY_ENV).is_some()
}

/// Answers questions, one JSON object a line, until standard input ends.
pub fn run() -> Result<()> {
    let _ = rustix::process::nice(NICENESS);
    let (sender, questions) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
            if let Ok(question) = serde_json::from_str::<Question>(&line) {
                let _ = sender.send(question);
            }
        }
        // The kernel is gone; whatever is being analysed is of no use.
        std::process::exit(0);
    });
    let thread = std::thread::Builder::new().name("analysis".to_owned()).stack_size(32 << 20);
    let analysis = thread.spawn(move || analyse(&questions))?;
    analysis.join().unwrap_or_else(|_| anyhow::bail!("the analyser panicked"))
}

fn analyse(questions: &Receiver<Question>) -> Result<()> {
    let runtime = Command::new(std::env::current_exe()?);
    let (context, outputs) =
        EvalContext::with_subprocess_command(runtime).context("the analyser could not start")?;
    drop(outputs);
    let mut context = CommandContext::with_eval_context(context);
    let dependency = std::env::var(DEPENDENCY_ENV).unwrap_or_default();
    if !dependency.is_empty() {
        context.execute(&dependency).map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    let mut out = std::io::stdout();
    for question in questions {
        let number = question.number;
        let answer = catch_unwind(AssertUnwindSafe(|| answer(&mut context, &question)));
        let answer = answer.unwrap_or_else(|_| Answer { number, ..Answer::default() });
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
    }
    Ok(())
}

fn answer(context: &mut CommandContext, question: &Question) -> Answer {
    let mut answer = Answer { number: question.number, ..Answer::default() };
    let Question { source, position, .. } = question;
    match question.kind {
        QuestionKind::Describe => {
            if let Ok((plain, html)) = context.hover_at(source, *position)
                && plain != "No documentation found"
            {
                answer.description = Some((plain, html));
            }
        }
        QuestionKind::Load | QuestionKind::Complete => {
            if let Ok(found) = context.completions(source, *position) {
                (answer.start, answer.end) = (found.start_offset, found.end_offset);
                answer.completions = found
                    .completions
                    .into_iter()
                    .map(|completion| Completion {
                        code: completion.code,
                        kind: completion.kind.to_owned(),
                        label: completion.label,
                    })
                    .collect();
            }
        }
    }
    answer
}

/// The kernel's side: starts the analyser when it is first needed, or needed again.
pub struct Analyser {
    folder: AnalyserFolder,
    running: Option<Running>,
    asked: u64,
    last_asked: Instant,
}

struct Running {
    process: Child,
    stdin: ChildStdin,
    answers: Receiver<Answer>,
}

impl Analyser {
    pub fn new(folder: AnalyserFolder) -> Self {
        Analyser { folder, running: None, asked: 0, last_asked: Instant::now() }
    }

    /// Starts loading, without waiting for it.
    pub fn load(&mut self) {
        let _ = self.send(QuestionKind::Load, "std::mem::sw".to_owned(), 12);
    }

    /// Gives its memory back if it was not asked for long; the next question starts another one.
    pub fn rest(&mut self) {
        if self.last_asked.elapsed() > IDLE_LIMIT {
            self.end();
        }
    }

    /// Asks, and waits for the answer as long as `patience`.
    pub fn ask(
        &mut self,
        kind: QuestionKind,
        source: String,
        position: usize,
        patience: Duration,
    ) -> Option<Answer> {
        let number = self.send(kind, source, position).ok()?;
        let deadline = Instant::now() + patience;
        let running = self.running.as_mut()?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match running.answers.recv_timeout(left) {
                Ok(answer) if answer.number == number => return Some(answer),
                // An answer that came too late for its question.
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.end();
                    return None;
                }
            }
        }
    }

    fn send(&mut self, kind: QuestionKind, source: String, position: usize) -> Result<u64> {
        self.asked += 1;
        self.last_asked = Instant::now();
        let question = Question { number: self.asked, kind, source, position };
        let line = serde_json::to_string(&question)?;
        if self.running.is_none() {
            self.running = Some(self.start()?);
        }
        if let Some(running) = &mut self.running
            && writeln!(running.stdin, "{line}").is_err()
        {
            self.end();
        }
        Ok(self.asked)
    }

    fn start(&self) -> Result<Running> {
        let mut process = self
            .folder
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = process.stdin.take().context("no standard input")?;
        let stdout = process.stdout.take().context("no standard output")?;
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                if let Ok(answer) = serde_json::from_str(&line) {
                    let _ = sender.send(answer);
                }
            }
        });
        Ok(Running { process, stdin, answers })
    }

    fn end(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.process.kill();
            let _ = running.process.wait();
        }
    }
}

impl Drop for Analyser {
    fn drop(&mut self) {
        self.end();
    }
}
