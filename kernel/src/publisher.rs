//! Messages on their way to the front ends.

use anyhow::Context;
use bytes::Bytes;
use jupyter_protocol::{Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The protocol this kernel speaks (Jupyter's messaging documentation).
pub const PROTOCOL_VERSION: &str = "5.5";
/// Messages waiting for a front end to take them; a cell that prints faster waits.
const QUEUE_LENGTH: usize = 64;

/// A message of any type with any content.
pub fn message(kind: &str, content: Value, parent: Option<&JupyterMessage>) -> JupyterMessage {
    let content = UnknownMessage { msg_type: kind.to_owned(), content };
    let content = JupyterMessageContent::UnknownMessage(content);
    let mut message = JupyterMessage::new(content, parent);
    message.header.username = "kernel".to_owned();
    message.header.version = PROTOCOL_VERSION.to_owned();
    message
}

/// The content of a message made by [`message`] or [`request`].
pub fn content(message: &JupyterMessage) -> &Value {
    static NOTHING: Value = Value::Null;
    match &message.content {
        JupyterMessageContent::UnknownMessage(message) => &message.content,
        _ => &NOTHING,
    }
}

/// A received message, its content kept as it came: front ends leave out fields that the
/// specification gives defaults to, and a typed parse would drop the whole message.
pub fn request(identities: Vec<Bytes>, parts: &[Bytes]) -> anyhow::Result<JupyterMessage> {
    let [header, parent, metadata, asked, buffers @ ..] = parts else {
        anyhow::bail!("expected header, parent header, metadata and content");
    };
    let header: Header = serde_json::from_slice(header).context("its header")?;
    let content = UnknownMessage {
        msg_type: header.msg_type.clone(),
        content: serde_json::from_slice(asked).context("its content")?,
    };
    Ok(JupyterMessage {
        zmq_identities: identities,
        header,
        // An empty object stands for none.
        parent_header: serde_json::from_slice(parent).ok(),
        metadata: serde_json::from_slice(metadata).context("its metadata")?,
        content: JupyterMessageContent::UnknownMessage(content),
        buffers: buffers.to_vec(),
        channel: None,
    })
}

/// Sends what the kernel says to all front ends, in order.
///
/// Its methods block while the queue is full: never call them from asynchronous code.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<JupyterMessage>,
    cell: Arc<Mutex<Cell>>,
}

/// The cell that output belongs to.
#[derive(Clone, Default)]
pub struct Parent {
    request: Option<Arc<JupyterMessage>>,
    /// Counts cells, from 1; 0 before the first.
    pub number: u64,
    /// The cell's code has started to run, whatever came of it.
    pub has_begun: bool,
}

impl Parent {
    /// Whether what threads write now is an earlier cell's: nothing of this one has run.
    pub fn is_before_its_code(&self) -> bool {
        self.number > 1 && !self.has_begun
    }
}

/// The last cell that was started; output belongs to it, whoever writes it and when.
struct Cell {
    parent: Parent,
    is_running: bool,
    /// When it ended, or the kernel started.
    ended: Instant,
}

impl Publisher {
    pub fn new() -> (Self, mpsc::Receiver<JupyterMessage>) {
        let (queue, messages) = mpsc::channel(QUEUE_LENGTH);
        let cell = Cell { parent: Parent::default(), is_running: false, ended: Instant::now() };
        (Publisher { queue, cell: Arc::new(Mutex::new(cell)) }, messages)
    }

    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the kernel is busy, and output belongs to this request's cell.
    pub fn begin_cell(&self, request: &JupyterMessage) {
        let mut cell = self.cell();
        let number = cell.parent.number + 1;
        cell.parent = Parent { request: Some(Arc::new(request.clone())), number, has_begun: false };
        cell.is_running = true;
        self.state("busy", Some(request));
    }

    /// The cell's code starts to run.
    pub fn cell_began(&self) {
        self.cell().parent.has_begun = true;
    }

    /// The cell that output belongs to now.
    pub fn parent(&self) -> Parent {
        self.cell().parent.clone()
    }

    /// The cell is over; what its threads say later is still its output.
    pub fn end_cell(&self) {
        let mut cell = self.cell();
        cell.is_running = false;
        cell.ended = Instant::now();
        self.state("idle", cell.parent.request.as_deref());
    }

    /// Whether a cell runs or is being compiled.
    pub fn is_in_cell(&self) -> bool {
        self.cell().is_running
    }

    /// How long there has been no cell; none while there is one.
    pub fn idle_time(&self) -> Option<Duration> {
        let cell = self.cell();
        (!cell.is_running).then(|| cell.ended.elapsed())
    }

    /// A request that runs no cell was taken up.
    pub fn taken_up(&self, request: &JupyterMessage) {
        self.state("busy", Some(request));
    }

    /// A request that runs no cell was answered. Front ends show the last state they heard of, so
    /// that of a running cell is said again.
    pub fn answered(&self, request: &JupyterMessage) {
        let cell = self.cell();
        self.state("idle", Some(request));
        if cell.is_running {
            self.state("busy", cell.parent.request.as_deref());
        }
    }

    /// The kernel is there.
    pub fn starting(&self) {
        self.state("starting", None);
    }

    fn state(&self, state: &str, parent: Option<&JupyterMessage>) {
        self.publish_for("status", json!({ "execution_state": state }), parent);
    }

    /// Publishes as the last cell's output.
    pub fn publish(&self, kind: &str, content: Value) {
        self.publish_below(&self.parent(), kind, content);
    }

    /// Publishes as this cell's output, which may no longer be the last.
    pub fn publish_below(&self, parent: &Parent, kind: &str, content: Value) {
        self.publish_for(kind, content, parent.request.as_deref());
    }

    /// Publishes on behalf of any request.
    pub fn publish_for(&self, kind: &str, content: Value, parent: Option<&JupyterMessage>) {
        let mut message = message(kind, content, parent);
        // Topics on iopub are not routed: a request's socket identities do not belong there.
        message.zmq_identities = vec![topic(kind).into()];
        // An error means that the kernel is shutting down.
        let _ = self.queue.blocking_send(message);
    }

    pub fn text(&self, stream: &str, text: &str) {
        self.text_below(&self.parent(), stream, text);
    }

    /// Publishes as this cell's text, which may no longer be the last.
    pub fn text_below(&self, parent: &Parent, stream: &str, text: &str) {
        if !text.is_empty() {
            self.publish_below(parent, "stream", json!({ "name": stream, "text": text }));
        }
    }
}

/// What a message on iopub can be subscribed to by.
pub fn topic(kind: &str) -> String {
    format!("kernel.{kind}")
}
