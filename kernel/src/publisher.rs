//! Messages on their way to the front ends.

use anyhow::Context;
use bytes::Bytes;
use jupyter_protocol::{Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Sends output of the cell being run to all front ends, in order.
///
/// Its methods block while the queue is full: never call them from asynchronous code.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<JupyterMessage>,
    parent: Arc<Mutex<Option<JupyterMessage>>>,
}

impl Publisher {
    pub fn new() -> (Self, mpsc::Receiver<JupyterMessage>) {
        let (queue, messages) = mpsc::channel(QUEUE_LENGTH);
        (Publisher { queue, parent: Arc::default() }, messages)
    }

    /// From now on output belongs to this request's cell.
    pub fn set_parent(&self, parent: &JupyterMessage) {
        let mut parent = parent.clone();
        // Topics on iopub are not routed: the request's socket identities do not belong there.
        parent.zmq_identities.clear();
        *self.parent.lock().unwrap_or_else(PoisonError::into_inner) = Some(parent);
    }

    /// Whether the request being answered runs a cell.
    pub fn is_in_cell(&self) -> bool {
        let parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner);
        parent.as_ref().is_some_and(|parent| parent.message_type() == "execute_request")
    }

    pub fn publish(&self, kind: &str, content: Value) {
        let parent = self.parent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut message = message(kind, content, parent.as_ref());
        message.zmq_identities = vec![topic(kind).into()];
        // An error means that the kernel is shutting down.
        let _ = self.queue.blocking_send(message);
    }

    pub fn text(&self, stream: &str, text: &str) {
        if !text.is_empty() {
            self.publish("stream", json!({ "name": stream, "text": text }));
        }
    }

    pub fn status(&self, state: &str) {
        self.publish("status", json!({ "execution_state": state }));
    }
}

/// What a message on iopub can be subscribed to by.
pub fn topic(kind: &str) -> String {
    format!("kernel.{kind}")
}
