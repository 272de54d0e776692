//! Takes the shell channel's requests: cells are queued, keys handed over, all else is answered.

use crate::activity::Activity;
use crate::cell_queue::CellQueue;
use crate::cells::source::without_commands;
use crate::completeness::{self, Completeness};
use crate::engine::Task;
use crate::history::SharedHistory;
use crate::inputs::Inputs;
use crate::kernel_info;
use crate::keys::{self, KeySender};
use crate::known::Surroundings;
use crate::outline::SharedOutline;
use crate::publisher::{Publisher, content, message};
use crate::server::Wires;
use jupyter_protocol::JupyterMessage;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

/// Parsers recurse.
const STACK_BYTES: usize = 64 << 20;

/// What answers the shell channel.
struct Shell {
    requests: Receiver<JupyterMessage>,
    replies: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    cells: Sender<JupyterMessage>,
    keys: KeySender,
    publisher: Publisher,
    history: SharedHistory,
    outline: SharedOutline,
}

/// Starts the threads that answer the shell channel: one for cells, one for keys, one for the rest.
pub fn start(
    wires: Wires,
    publisher: Publisher,
    activity: Arc<Activity>,
    engine: Sender<Task>,
    outline: SharedOutline,
    surroundings: Surroundings,
) -> std::io::Result<()> {
    let inputs = Inputs {
        requests: wires.stdin_requests,
        replies: Mutex::new(wires.stdin_replies),
        publisher: publisher.clone(),
        activity,
    };
    let history = SharedHistory::default();
    let (cells, requests) = channel();
    let queue = CellQueue {
        requests,
        replies: wires.shell_replies.clone(),
        inputs: Arc::new(inputs),
        publisher: publisher.clone(),
        engine,
        history: history.clone(),
        execution_count: 0,
    };
    std::thread::Builder::new().name("cells".to_owned()).spawn(|| queue.run())?;
    let replies = wires.shell_replies;
    let keys = keys::start(outline.clone(), surroundings, publisher.clone(), replies.clone())?;
    let requests = wires.shell_requests;
    let shell = Shell { requests, replies, cells, keys, publisher, history, outline };
    let thread = std::thread::Builder::new().name("shell".to_owned()).stack_size(STACK_BYTES);
    thread.spawn(move || shell.run())?;
    Ok(())
}

impl Shell {
    /// Takes requests until the kernel ends.
    fn run(self) {
        self.publisher.starting();
        while let Ok(request) = self.requests.recv() {
            match request.message_type() {
                "execute_request" => {
                    let _ = self.cells.send(request);
                }
                "complete_request" | "inspect_request" => {
                    self.publisher.taken_up(&request);
                    self.keys.send(request);
                }
                _ => self.serve(&request),
            }
        }
    }

    fn serve(&self, request: &JupyterMessage) {
        self.publisher.taken_up(request);
        match catch_unwind(AssertUnwindSafe(|| self.answer(request))) {
            Ok(Some((kind, reply))) => {
                let _ = self.replies.send(message(kind, reply, Some(request)));
            }
            Ok(None) => {}
            Err(_) => eprintln!("shell: a {} could not be answered", request.message_type()),
        }
        self.publisher.answered(request);
    }

    fn answer(&self, request: &JupyterMessage) -> Option<(&'static str, Value)> {
        let asked = content(request);
        if matches!(
            request.message_type(),
            "history_request" | "comm_info_request" | "comm_open" | "is_complete_request"
        ) {
            self.keys.attended();
        }
        Some(match request.message_type() {
            "kernel_info_request" => ("kernel_info_reply", kernel_info::reply()),
            "is_complete_request" => {
                let answer = self.completeness(asked["code"].as_str().unwrap_or_default());
                let mut reply = json!({ "status": answer.status() });
                if answer.status() == "incomplete" {
                    reply["indent"] = answer.indent().into();
                }
                ("is_complete_reply", reply)
            }
            "history_request" => ("history_reply", self.history.lock().reply(asked)),
            "comm_info_request" => ("comm_info_reply", json!({ "status": "ok", "comms": {} })),
            "comm_open" => {
                // No comm target lives here; the specification asks to close it at once.
                let content = json!({ "comm_id": asked["comm_id"], "data": {} });
                self.publisher.publish_for("comm_close", content, Some(request));
                return None;
            }
            // `comm_msg` and `comm_close` of comms that were never open, and what is not known.
            _ => return None,
        })
    }

    fn completeness(&self, code: &str) -> Completeness {
        if !completeness::is_parseable(code) {
            return completeness::of(code);
        }
        let outline = self.outline.lock();
        completeness::of(&without_commands(code, &|name| outline.knows(name)))
    }
}
