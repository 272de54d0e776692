//! The one who talks to rust-analyzer: questions in, messages to and fro, answers out.

use super::completions::{self, completed};
use super::descriptions::{described, description};
use super::unread::{has_methods, misses_crates};
use super::{Answer, Question, QuestionKind, settings, text};
use crate::analyser_folder::AnalyserFolder;
use anyhow::{Context, Result};
use lsp_server::{Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidOpenTextDocument, Initialized, Notification as NotificationKind,
};
use lsp_types::request::{Completion, HoverRequest, Initialize, Request as RequestKind};
use lsp_types::{
    CompletionParams, DidChangeTextDocumentParams, DidOpenTextDocumentParams, HoverParams,
    InitializedParams, TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem,
    TextDocumentPositionParams, Uri, VersionedTextDocumentIdentifier,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write;
use std::sync::mpsc::Receiver;

/// How many of the notebook's variables are made ready for completion at once.
const WARM_VARIABLES: usize = 12;

/// What the client waits for.
pub enum Event {
    Question(Question),
    Message(Message),
    /// The server is gone.
    End,
}

/// rust-analyzer's notification of what it is doing.
enum ServerStatus {}

/// See rust-analyzer's LSP extensions, "Server Status".
#[derive(Deserialize, Serialize)]
struct ServerStatusParams {
    health: String,
    quiescent: bool,
    message: Option<String>,
}

impl NotificationKind for ServerStatus {
    type Params = ServerStatusParams;
    const METHOD: &'static str = "experimental/serverStatus";
}

/// rust-analyzer's request to read the manifest again.
enum ReloadWorkspace {}

impl RequestKind for ReloadWorkspace {
    type Params = ();
    type Result = ();
    const METHOD: &'static str = "rust-analyzer/reloadWorkspace";
}

/// What a request was sent for.
enum Purpose {
    Initialize,
    Reload,
    Answer(Question),
    Warm(Warming),
}

/// A question whose positions are made ready, one by one.
struct Warming {
    question: Question,
    /// Which of its positions the server was asked about.
    asked: usize,
    /// Which one comes next.
    next: usize,
}

impl Warming {
    /// Whether this answer shows that the server knows no crate.
    fn shows_blindness(&self, response: &Response) -> bool {
        self.question.kind == QuestionKind::Load
            && self.question.sure == Some(self.asked)
            && response.error.is_none()
            && !has_methods(response.result.as_ref())
    }
}

/// How far the server is with the cells' package.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Workspace {
    /// It was not asked to start yet.
    Unasked,
    /// It reads the package.
    Loading,
    /// It has read the package.
    Loaded,
}

/// Talks to a server through `input`, its standard input; `answer` hears the answers.
pub struct Client<W, F> {
    folder: AnalyserFolder,
    input: W,
    answer: F,
    file: Uri,
    /// The cells' text as the server knows it, and its version.
    source: String,
    version: i32,
    requests: i32,
    sent: HashMap<RequestId, Purpose>,
    workspace: Workspace,
    /// The question to load that waits for the server.
    loading: Option<Question>,
    /// The manifest was written while the server was reading it.
    is_outdated: bool,
}

impl<W: Write, F: Fn(Answer)> Client<W, F> {
    pub fn new(folder: AnalyserFolder, input: W, answer: F) -> Result<Self> {
        let file = uri_of(&folder.source())?;
        Ok(Client {
            folder,
            input,
            answer,
            file,
            source: String::new(),
            version: 0,
            requests: 0,
            sent: HashMap::new(),
            workspace: Workspace::Unasked,
            loading: None,
            is_outdated: false,
        })
    }

    /// Works until the server is gone, or cannot be told anything.
    pub fn run(mut self, events: &Receiver<Event>) -> Result<()> {
        for event in events {
            match event {
                Event::Question(question) if question.kind == QuestionKind::Load => {
                    self.load(question)?;
                }
                Event::Question(question) => self.ask(question)?,
                Event::Message(message) => self.hear(message)?,
                Event::End => break,
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Response(response) => self.take(response),
            // Registrations, progress, configuration: nothing is promised, nothing needed.
            Message::Request(request) => self.write(Response::new_ok(request.id, Value::Null)),
            Message::Notification(notification) => self.follow(notification),
        }
    }

    /// Has the manifest read that this question asks for; the answer comes when it was.
    fn load(&mut self, question: Question) -> Result<()> {
        self.folder.write_manifest(&question.dependencies)?;
        // Only the last one's dependencies are still wanted.
        if let Some(older) = self.loading.replace(question) {
            self.say_nothing(older.number);
        }
        match self.workspace {
            Workspace::Unasked => {
                self.workspace = Workspace::Loading;
                let parameters =
                    settings::initialize(&self.folder.manifest(), &self.folder.left_out());
                self.request::<Initialize>(&parameters, Purpose::Initialize)
            }
            Workspace::Loading => {
                self.is_outdated = true;
                Ok(())
            }
            Workspace::Loaded => self.reload(),
        }
    }

    fn reload(&mut self) -> Result<()> {
        self.is_outdated = false;
        self.workspace = Workspace::Loading;
        self.request::<ReloadWorkspace>(&(), Purpose::Reload)
    }

    fn follow(&mut self, notification: Notification) -> Result<()> {
        let Ok(status) = notification.extract::<ServerStatusParams>(ServerStatus::METHOD) else {
            return Ok(());
        };
        if !status.quiescent || self.workspace != Workspace::Loading {
            return Ok(());
        }
        if self.is_outdated {
            return self.reload();
        }
        self.workspace = Workspace::Loaded;
        let Some(question) = self.loading.take() else { return Ok(()) };
        let message = status.message.unwrap_or_default();
        if !message.is_empty() {
            eprintln!("analyser: {message}");
        }
        if status.health == "error" {
            self.say_nothing(question.number);
            return Ok(());
        }
        if misses_crates(&message, &self.folder.manifest()) {
            self.tell_of_part(question.number);
            return Ok(());
        }
        self.tell(&question.source)?;
        self.warm(question, 0)
    }

    /// Makes the server compute what completion at the question's positions needs, one by one.
    fn warm(&mut self, question: Question, next: usize) -> Result<()> {
        match question.warm.get(next).filter(|_| next < WARM_VARIABLES) {
            Some(position) => {
                let parameters = self.completion_at(&question.source, *position);
                let warming = Warming { question, asked: next, next: next + 1 };
                self.request::<Completion>(&parameters, Purpose::Warm(warming))
            }
            None => {
                let is_loaded = question.kind == QuestionKind::Load;
                (self.answer)(Answer { number: question.number, is_loaded, ..Answer::default() });
                Ok(())
            }
        }
    }

    fn ask(&mut self, question: Question) -> Result<()> {
        if self.workspace == Workspace::Unasked {
            self.say_nothing(question.number);
            return Ok(());
        }
        // Whoever presses a key does not wait for what may be asked later.
        for purpose in self.sent.values_mut() {
            if let Purpose::Warm(warming) = purpose {
                warming.next = warming.question.warm.len();
            }
        }
        self.tell(&question.source)?;
        match question.kind {
            QuestionKind::Complete => {
                let parameters = self.completion_at(&question.source, question.position);
                self.request::<Completion>(&parameters, Purpose::Answer(question))
            }
            QuestionKind::Describe => match described(&question.source, question.position) {
                Some(name) => {
                    let at = self.place(&question.source, name.start);
                    let parameters = HoverParams {
                        text_document_position_params: at,
                        work_done_progress_params: Default::default(),
                    };
                    self.request::<HoverRequest>(&parameters, Purpose::Answer(question))
                }
                None => {
                    self.say_nothing(question.number);
                    Ok(())
                }
            },
            QuestionKind::Warm | QuestionKind::Load => self.warm(question, 0),
        }
    }

    fn take(&mut self, response: Response) -> Result<()> {
        let purpose = self.sent.remove(&response.id);
        if let Some(Purpose::Warm(warming)) = &purpose
            && warming.shows_blindness(&response)
        {
            self.tell_of_part(warming.question.number);
            return Ok(());
        }
        let Response { result, error, .. } = response;
        match purpose {
            Some(Purpose::Initialize) => {
                if let Some(error) = error {
                    anyhow::bail!("rust-analyzer does not start: {}", error.message);
                }
                self.notify::<Initialized>(&InitializedParams {})?;
                self.open()
            }
            Some(Purpose::Warm(warming)) => self.warm(warming.question, warming.next),
            Some(Purpose::Answer(question)) => {
                // An error mostly says that a newer question made this one pointless.
                let answer = result.and_then(|result| answer(&question, result));
                let number = question.number;
                (self.answer)(Answer { number, ..answer.unwrap_or_default() });
                Ok(())
            }
            Some(Purpose::Reload) | None => Ok(()),
        }
    }

    fn open(&mut self) -> Result<()> {
        let text_document = TextDocumentItem {
            uri: self.file.clone(),
            language_id: "rust".to_owned(),
            version: self.version,
            text: self.source.clone(),
        };
        self.notify::<DidOpenTextDocument>(&DidOpenTextDocumentParams { text_document })
    }

    /// Makes the server see this text as the cells' one.
    fn tell(&mut self, source: &str) -> Result<()> {
        if self.source == source {
            return Ok(());
        }
        source.clone_into(&mut self.source);
        self.version += 1;
        let change = TextDocumentContentChangeEvent {
            range: None,
            range_length: None,
            text: source.to_owned(),
        };
        self.notify::<DidChangeTextDocument>(&DidChangeTextDocumentParams {
            text_document: VersionedTextDocumentIdentifier {
                uri: self.file.clone(),
                version: self.version,
            },
            content_changes: vec![change],
        })
    }

    fn place(&self, source: &str, offset: usize) -> TextDocumentPositionParams {
        TextDocumentPositionParams {
            text_document: TextDocumentIdentifier { uri: self.file.clone() },
            position: text::position(source, offset),
        }
    }

    fn completion_at(&self, source: &str, offset: usize) -> CompletionParams {
        CompletionParams {
            text_document_position: self.place(source, offset),
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
            context: None,
        }
    }

    fn say_nothing(&self, number: u64) {
        (self.answer)(Answer { number, ..Answer::default() });
    }

    fn tell_of_part(&self, number: u64) {
        (self.answer)(Answer { number, is_partial: true, ..Answer::default() });
    }

    fn request<R: RequestKind>(&mut self, parameters: &R::Params, purpose: Purpose) -> Result<()> {
        self.requests += 1;
        let id = RequestId::from(self.requests);
        self.sent.insert(id.clone(), purpose);
        self.write(Request::new(id, R::METHOD.to_owned(), parameters))
    }

    fn notify<N: NotificationKind>(&mut self, parameters: &N::Params) -> Result<()> {
        self.write(Notification::new(N::METHOD.to_owned(), parameters))
    }

    fn write(&mut self, message: impl Into<Message>) -> Result<()> {
        message.into().write(&mut self.input).context("rust-analyzer does not listen")
    }
}

/// What the server's result says to the question.
fn answer(question: &Question, result: Value) -> Option<Answer> {
    let mut answer = Answer::default();
    match question.kind {
        QuestionKind::Complete => {
            let items = serde_json::from_value(result).ok()?;
            let found = completed(completions::items(items), &question.source, question.position)?;
            (answer.start, answer.end, answer.completions) = found;
        }
        QuestionKind::Describe => {
            answer.description = Some(description(&serde_json::from_value(result).ok()?)?);
        }
        QuestionKind::Load | QuestionKind::Warm => {}
    }
    Some(answer)
}

/// The address of a file: bytes that an address cannot hold are written as their numbers.
fn uri_of(path: &std::path::Path) -> Result<Uri> {
    let mut address = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address += &format!("%{byte:02X}"),
        }
    }
    address.parse().with_context(|| format!("{} has no address", path.display()))
}

#[cfg(test)]
mod tests;
