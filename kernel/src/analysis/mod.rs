//! The analyser's process: rust-analyzer, asked one JSON line at a time.
//!
//! Three kinds of threads: the first owns what is loaded and takes questions, of which a newer one
//! cancels an older one; one thread answers; others load and warm up, with lower priority.

mod completions;
mod descriptions;
mod project;
mod protocol;

pub use descriptions::described;
pub use protocol::{Answer, Completion, Question, QuestionKind};

use anyhow::Result;
use project::Project;
use ra_ap_hir::ChangeWithProcMacros;
use ra_ap_ide::{Analysis, AnalysisHost, Cancellable, FileId};
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Threads that load give way to cells, by this much in Unix's niceness.
const LOADING_NICENESS: i32 = 5;
/// rust-analyzer recurses deeply.
const STACK_BYTES: usize = 64 << 20;
/// How many of the notebook's variables are made ready for completion at once.
const WARM_VARIABLES: usize = 12;

/// What the first thread waits for.
enum Event {
    Question(Question),
    Loaded(Question, Box<Project>, Result<ChangeWithProcMacros>),
    /// The kernel is gone.
    End,
}

/// Answers questions until standard input ends; `folder` is the cells' package, `library` the
/// manifest's line of the notebook's library.
pub fn run(folder: &Path, library: Option<String>) -> Result<()> {
    let (events, received) = channel();
    let questions = events.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(std::io::Result::ok) {
            match serde_json::from_str(&line) {
                Ok(question) => drop(questions.send(Event::Question(question))),
                Err(error) => eprintln!("not a question: {error}"),
            }
        }
        let _ = questions.send(Event::End);
    });
    let host = Host { analysis: AnalysisHost::default(), file: None, source: None };
    let project = Some(Box::new(Project::new(folder, library)?));
    let mut server = Server { host, project, events, waiting: Vec::new() };
    let serve = move || server.serve(&received);
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(serve)?;
    thread.join().map_err(|_| anyhow::anyhow!("the analyser panicked"))
}

/// What is loaded.
struct Host {
    analysis: AnalysisHost,
    /// The file that questions are about, once it is loaded.
    file: Option<FileId>,
    /// Its text.
    source: Option<String>,
}

struct Server {
    host: Host,
    /// Where it is while nothing is being loaded.
    project: Option<Box<Project>>,
    events: Sender<Event>,
    /// Questions to load that came while something else was being loaded.
    waiting: Vec<Question>,
}

impl Server {
    fn serve(&mut self, received: &Receiver<Event>) {
        for event in received {
            match event {
                Event::End => return,
                Event::Question(question) if question.kind == QuestionKind::Load => {
                    self.load(question);
                }
                Event::Question(question) => self.answer(question),
                Event::Loaded(question, project, loaded) => {
                    self.take(question, &project, loaded);
                    self.project = Some(project);
                    self.load_next();
                }
            }
        }
    }

    /// Takes over what was loaded, and tells the kernel once it is ready for questions.
    fn take(
        &mut self,
        question: Question,
        project: &Project,
        loaded: Result<ChangeWithProcMacros>,
    ) {
        match loaded {
            Ok(change) => {
                self.host.analysis.apply_change(change);
                self.host.file = Some(project.file());
                self.host.source = None;
                self.answer(question);
            }
            Err(error) => {
                eprintln!("{error:#}");
                say(&Answer { number: question.number, ..Answer::default() });
            }
        }
    }

    fn load_next(&mut self) {
        // Only the last one's dependencies are still wanted.
        let next = self.waiting.pop();
        for Question { number, .. } in self.waiting.drain(..) {
            say(&Answer { number, ..Answer::default() });
        }
        if let Some(question) = next {
            self.load(question);
        }
    }

    /// Reads the crates that a cell can name, on a thread of its own.
    fn load(&mut self, question: Question) {
        let Some(mut project) = self.project.take() else {
            self.waiting.push(question);
            return;
        };
        let events = self.events.clone();
        start("loading", move || {
            give_way();
            let loaded = catch_unwind(AssertUnwindSafe(|| project.load(&question.dependencies)))
                .unwrap_or_else(|_| Err(anyhow::anyhow!("rust-analyzer panicked while loading")));
            let _ = events.send(Event::Loaded(question, project, loaded));
        });
    }

    /// Gives the question to a thread; whatever is still being answered is cancelled.
    fn answer(&mut self, question: Question) {
        let Some(file) = self.host.file else {
            say(&Answer { number: question.number, ..Answer::default() });
            return;
        };
        if self.host.source.as_ref() == Some(&question.source) {
            self.host.analysis.trigger_cancellation();
        } else {
            let mut change = ChangeWithProcMacros::default();
            change.change_file(file, Some(question.source.clone()));
            self.host.analysis.apply_change(change);
            self.host.source = Some(question.source.clone());
        }
        let analysis = self.host.analysis.analysis();
        start("analysis", move || {
            let Question { number, kind, .. } = question;
            let is_loaded = kind == QuestionKind::Load;
            if is_loaded || kind == QuestionKind::Warm {
                give_way();
            }
            let answered = catch_unwind(AssertUnwindSafe(|| answer(&analysis, file, &question)));
            // A snapshot that is kept would keep the next question waiting.
            drop(analysis);
            let answer = answered.ok().and_then(Cancellable::ok);
            say(&Answer { number, is_loaded, ..answer.unwrap_or_default() });
        });
    }
}

fn answer(analysis: &Analysis, file: FileId, question: &Question) -> Cancellable<Answer> {
    let Question { source, position, .. } = question;
    let mut answer = Answer::default();
    match question.kind {
        QuestionKind::Describe => {
            answer.description = descriptions::describe(analysis, file, source, *position)?;
        }
        QuestionKind::Complete => {
            let found = completions::complete(analysis, file, source, *position)?;
            (answer.start, answer.end, answer.completions) = found;
        }
        QuestionKind::Load | QuestionKind::Warm => {
            for position in question.warm.iter().take(WARM_VARIABLES) {
                completions::complete(analysis, file, source, *position)?;
            }
        }
    }
    Ok(answer)
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    if let Err(error) = thread.spawn(work) {
        eprintln!("could not start a thread: {error}");
    }
}

/// Lowers the calling thread's priority.
fn give_way() {
    let _ = rustix::process::nice(LOADING_NICENESS);
}

fn say(answer: &Answer) {
    if let Ok(line) = serde_json::to_string(answer) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
