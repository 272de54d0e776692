//! Answers Tab and Shift-Tab at once, by a thread of its own, whatever the cells do.
//!
//! What is known without the analyser is known at once. The analyser is asked as soon as it is
//! loaded, one question at a time; a newer completion makes an older one pointless, which is then
//! answered with what is known.

use crate::analyser::{Analyser, Heard, Loading};
use crate::analysis::{Answer, Question, QuestionKind};
use crate::completeness::is_parseable;
use crate::key_replies::{
    byte_offset, code_and_cursor, completed, described_as, escaped, no_completions, not_found,
};
use crate::known::{self, Known, Surroundings};
use crate::outline::SharedOutline;
use crate::publisher::{Publisher, content, message};
use jupyter_protocol::JupyterMessage;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long there must be no cell before the analyser is loaded in the background.
const LOAD_DELAY: Duration = Duration::from_millis(700);
/// After this long it is loaded in any case: cells may follow each other for hours. Not earlier, since
/// loading takes seconds of a processor that a notebook's first cells want.
const LATEST_LOAD: Duration = Duration::from_secs(12);
/// How long there must be no cell where nothing tells of a person at the keys: a program that runs a
/// notebook hardly ever waits, and nobody would ask.
const UNATTENDED_LOAD_DELAY: Duration = Duration::from_secs(15);
/// How long there must be no cell before the analyser gets ready for what it has defined.
const WARM_DELAY: Duration = Duration::from_millis(300);
/// How long a question to a loaded analyser may take where nothing is known without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long it may take where something is.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
/// How long after a key the analyser is still wanted.
const KEY_MEMORY: Duration = Duration::from_secs(1);
/// How long the analyser is kept without being asked.
const IDLE_LIMIT: Duration = Duration::from_secs(600);
/// The same where nothing tells of a person at the keys: a program runs the notebook, and the analyser
/// would hold hundreds of megabytes for nobody.
const UNATTENDED_LIMIT: Duration = Duration::from_secs(40);
const TICK: Duration = Duration::from_millis(150);
/// Parsers recurse.
const STACK_BYTES: usize = 64 << 20;

/// What the keys' thread waits for.
enum Event {
    Request(Box<JupyterMessage>),
    /// There is a front end with a person at its keys.
    Attended,
    Heard(Heard),
}

/// The way to the keys' thread.
#[derive(Clone)]
pub struct KeySender(Sender<Event>);

impl KeySender {
    /// Hands over a `complete_request` or an `inspect_request`, which will be answered.
    pub fn send(&self, request: JupyterMessage) {
        let _ = self.0.send(Event::Request(Box::new(request)));
    }

    /// Tells of what only a front end for people does, such as asking for the history.
    pub fn attended(&self) {
        let _ = self.0.send(Event::Attended);
    }
}

/// Starts the keys' thread.
pub fn start(
    outline: SharedOutline,
    surroundings: Surroundings,
    publisher: Publisher,
    replies: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
) -> std::io::Result<KeySender> {
    let (sender, events) = channel();
    let mut keys = Keys {
        outline,
        surroundings,
        publisher,
        replies,
        sender: sender.clone(),
        analyser: Analyser::default(),
        loading: Loading::default(),
        in_flight: None,
        pending: Vec::new(),
        warmed: None,
        warming: None,
        last_asked: Instant::now(),
        prepared: None,
        is_attended: false,
    };
    let thread = std::thread::Builder::new().name("keys".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(move || keys.run(&events))?;
    Ok(KeySender(sender))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Complete,
    Inspect,
}

/// A request that the analyser may know more about.
struct Pending {
    request: JupyterMessage,
    kind: Kind,
    code: String,
    /// In bytes.
    cursor: usize,
    /// What is answered if the analyser does not answer by the deadline.
    known: Value,
    deadline: Instant,
    asked: Option<Asked>,
}

/// The question, and how much of its source comes before the cell.
#[derive(Clone, Copy)]
struct Asked {
    number: u64,
    offset: usize,
}

struct Keys {
    outline: SharedOutline,
    surroundings: Surroundings,
    publisher: Publisher,
    replies: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    sender: Sender<Event>,
    analyser: Analyser,
    loading: Loading,
    /// The question that is being answered.
    in_flight: Option<u64>,
    pending: Vec<Pending>,
    /// The outline's changes that the analyser was warmed up for, or is being.
    warmed: Option<u64>,
    /// The question that it is being warmed up by.
    warming: Option<u64>,
    last_asked: Instant,
    /// When the analyser was first seen to be allowed.
    prepared: Option<Instant>,
    is_attended: bool,
}

impl Keys {
    fn run(&mut self, events: &Receiver<Event>) {
        loop {
            let event = events.recv_timeout(self.wait());
            let handled = catch_unwind(AssertUnwindSafe(|| match event {
                Ok(Event::Request(request)) => {
                    self.is_attended = true;
                    self.take(*request);
                }
                Ok(Event::Attended) => self.is_attended = true,
                Ok(Event::Heard(heard)) => self.hear(heard),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("this thread has a sender"),
            }));
            if handled.is_err() {
                eprintln!("keys: a request could not be answered");
            }
            self.give_up_late_ones();
            self.ask_next();
            self.look_after_the_analyser();
        }
    }

    fn wait(&self) -> Duration {
        let deadlines = self.pending.iter().map(|pending| pending.deadline);
        let next = deadlines.min().map(|at| at.saturating_duration_since(Instant::now()));
        next.map_or(TICK, |left| left.min(TICK))
    }

    fn is_loaded(&self) -> bool {
        self.loading.loaded.is_some()
    }

    fn take(&mut self, request: JupyterMessage) {
        self.last_asked = Instant::now();
        let kind = match request.message_type() {
            "inspect_request" => Kind::Inspect,
            _ => Kind::Complete,
        };
        let (code, characters) = code_and_cursor(content(&request));
        let cursor = byte_offset(&code, characters);
        if kind == Kind::Complete {
            // People type on: what the older one asked is no longer of interest.
            while let Some(at) = self.pending.iter().position(|it| it.kind == Kind::Complete) {
                let older = self.pending.remove(at);
                if older.asked.map(|asked| asked.number) == self.in_flight {
                    self.in_flight = None;
                }
                self.reply(&older.request, kind, older.known);
            }
        }
        // Whatever happens below, the request is answered.
        let unknown = match kind {
            Kind::Complete => no_completions(characters),
            Kind::Inspect => not_found(),
        };
        if !is_parseable(&code) {
            return self.reply(&request, kind, unknown);
        }
        let looked_up = catch_unwind(AssertUnwindSafe(|| match kind {
            Kind::Complete => self.known_completions(&code, cursor),
            Kind::Inspect => self.known_description(&code, cursor),
        }));
        let (known, is_something, is_all) = looked_up.unwrap_or((unknown, false, true));
        let may_ask = self.is_loaded() || !is_something;
        if is_all || !may_ask {
            return self.reply(&request, kind, known);
        }
        let patience = match (self.is_loaded(), is_something) {
            (true, true) => SHORT_PATIENCE,
            (true, false) => PATIENCE,
            (false, _) => self.loading.patience(),
        };
        let deadline = Instant::now() + patience;
        self.pending.push(Pending { request, kind, code, cursor, known, deadline, asked: None });
    }

    /// The reply, whether it holds anything, and whether nobody knows more.
    fn known_completions(&self, code: &str, cursor: usize) -> (Value, bool, bool) {
        let outline = self.outline.lock();
        let Known { start, completions, is_all } =
            known::complete(code, cursor, &outline, &self.surroundings);
        let is_something = !completions.is_empty();
        (completed(code, start, cursor, completions), is_something, is_all)
    }

    fn known_description(&self, code: &str, cursor: usize) -> (Value, bool, bool) {
        match known::describe(code, cursor, &self.outline.lock()) {
            Some(plain) => {
                let html = format!("<pre>{}</pre>", escaped(&plain));
                (described_as(&plain, &html), true, false)
            }
            None => (not_found(), false, false),
        }
    }

    fn hear(&mut self, heard: Heard) {
        if !self.analyser.is_present(&heard) {
            return;
        }
        let Some(answer) = heard.answer else {
            // It crashed, most likely on the question; the next key starts another one.
            self.forget_analyser();
            return;
        };
        self.analyser.has_answered(answer.number);
        if let Some((number, changes)) = self.loading.asked
            && number == answer.number
        {
            self.loading.asked = None;
            // Dependencies that cannot be loaded are not asked of this analyser again.
            if answer.is_loaded || answer.is_partial || self.is_loaded() {
                self.loading.loaded = Some(changes);
                self.analyser.has_loaded(answer.is_loaded);
            } else {
                eprintln!("keys: the analyser has read nothing; it is replaced");
                self.forget_analyser();
            }
            return;
        }
        if self.warming == Some(answer.number) {
            self.warming = None;
        }
        if self.in_flight == Some(answer.number) {
            self.in_flight = None;
        }
        let is_asked = |it: &Pending| it.asked.is_some_and(|asked| asked.number == answer.number);
        if let Some(at) = self.pending.iter().position(is_asked) {
            let pending = self.pending.remove(at);
            let reply = answered(&pending, answer);
            self.reply(&pending.request, pending.kind, reply);
        }
    }

    fn forget_analyser(&mut self) {
        self.analyser.end();
        self.loading = Loading::default();
        self.in_flight = None;
        (self.warmed, self.warming) = (None, None);
        let now = Instant::now();
        self.pending.iter_mut().for_each(|pending| pending.deadline = now);
    }

    fn give_up_late_ones(&mut self) {
        let now = Instant::now();
        while let Some(at) = self.pending.iter().position(|pending| pending.deadline <= now) {
            let pending = self.pending.remove(at);
            if pending.asked.map(|asked| asked.number) == self.in_flight {
                self.in_flight = None;
            }
            self.reply(&pending.request, pending.kind, pending.known);
        }
    }

    /// Asks the analyser about the next request, unless it is busy with one.
    fn ask_next(&mut self) {
        if !self.is_loaded() || self.in_flight.is_some() {
            return;
        }
        let Some(pending) = self.pending.iter_mut().find(|pending| pending.asked.is_none()) else {
            return;
        };
        let (source, offset) = self.outline.lock().source_with(&pending.code);
        let position = offset + pending.cursor;
        // What was not warm yet is made so later.
        if self.warming.take().is_some() {
            self.warmed = None;
        }
        let kind = match pending.kind {
            Kind::Complete => QuestionKind::Complete,
            Kind::Inspect => QuestionKind::Describe,
        };
        let question = Question { source, position, ..Question::default() };
        match self.analyser.ask(kind, question) {
            Some(number) => {
                pending.asked = Some(Asked { number, offset });
                self.in_flight = Some(number);
            }
            None => self.forget_analyser(),
        }
    }

    /// Starts it, lets it load what cells can name, makes it ready for the next key, or ends it.
    fn look_after_the_analyser(&mut self) {
        let Some(folder) = self.outline.lock().analyser() else { return };
        let prepared = *self.prepared.get_or_insert_with(Instant::now);
        let is_wanted = !self.pending.is_empty();
        if !self.analyser.is_running() {
            let delay = if self.is_attended { LOAD_DELAY } else { UNATTENDED_LOAD_DELAY };
            let is_late = self.is_attended && prepared.elapsed() > LATEST_LOAD;
            let is_due = self.analyser.never_started() && (self.idle_for(delay) || is_late);
            if (is_due || is_wanted || self.was_asked_lately()) && self.analyser.may_start() {
                let sender = self.sender.clone();
                let hear = move |heard| drop(sender.send(Event::Heard(heard)));
                if let Err(error) = self.analyser.start(&folder, hear) {
                    eprintln!("{error:#}");
                }
            }
            return;
        }
        let limit = if self.is_attended { IDLE_LIMIT } else { UNATTENDED_LIMIT };
        let is_unwanted =
            self.analyser.is_older_than(limit) && self.last_asked.elapsed() > limit && !is_wanted;
        let fault = self.analyser.fault(is_wanted);
        if let Some(fault) = fault {
            eprintln!("keys: the analyser {fault}; it is replaced");
        }
        // The next key starts another one.
        if is_unwanted || fault.is_some() {
            self.forget_analyser();
            return;
        }
        let (changes, dependency_changes) = {
            let outline = self.outline.lock();
            (outline.changes(), outline.dependency_changes())
        };
        if self.loading.asked.is_none() && self.loading.loaded != Some(dependency_changes) {
            let question = self.warm_up();
            let number = self.analyser.ask(QuestionKind::Load, question);
            self.loading.asked = number.map(|number| (number, dependency_changes));
            self.loading.asked_at = Some(Instant::now());
            self.warmed = Some(changes);
        }
        let is_ready = self.is_loaded() && !is_wanted && self.in_flight.is_none();
        if is_ready && self.warmed != Some(changes) && self.idle_for(WARM_DELAY) {
            self.warmed = Some(changes);
            let question = self.warm_up();
            self.warming = self.analyser.ask(QuestionKind::Warm, question);
        }
    }

    fn idle_for(&self, time: Duration) -> bool {
        self.publisher.idle_time().is_some_and(|idle| idle >= time)
    }

    /// Whether a key was pressed since the analyser ended or crashed.
    fn was_asked_lately(&self) -> bool {
        self.last_asked.elapsed() < KEY_MEMORY && !self.analyser.never_started()
    }

    /// Lets the analyser look at the notebook's values before anyone asks for their methods.
    fn warm_up(&self) -> Question {
        let outline = self.outline.lock();
        let (source, warm, sure) = outline.source_to_warm_up();
        let sure = Some(sure);
        Question { source, warm, sure, dependencies: outline.dependencies(), ..Question::default() }
    }

    fn reply(&self, request: &JupyterMessage, kind: Kind, reply: Value) {
        let kind = match kind {
            Kind::Complete => "complete_reply",
            Kind::Inspect => "inspect_reply",
        };
        let _ = self.replies.send(message(kind, reply, Some(request)));
        self.publisher.answered(request);
    }
}

fn answered(pending: &Pending, answer: Answer) -> Value {
    let Pending { code, cursor, known, asked, kind, .. } = pending;
    let offset = asked.map_or(0, |asked| asked.offset);
    match (kind, answer.description) {
        (Kind::Inspect, Some((plain, html))) => described_as(&plain, &html),
        (Kind::Complete, _) if !answer.completions.is_empty() => {
            let start = answer.start.saturating_sub(offset);
            let end = answer.end.saturating_sub(offset).max(*cursor).min(code.len());
            completed(code, start, end, answer.completions)
        }
        _ => known.clone(),
    }
}
