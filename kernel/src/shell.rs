//! Answers the shell channel, one request after the other.

use crate::activity::Activity;
use crate::completeness;
use crate::engine::{Outcome, Task};
use crate::history::History;
use crate::kernel_info;
use crate::publisher::{Publisher, content, message};
use crate::runner::InputReader;
use crate::server::Wires;
use jupyter_protocol::JupyterMessage;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a cell that waits for input looks whether it was interrupted.
const INPUT_POLL: Duration = Duration::from_millis(50);

pub struct Shell {
    requests: Receiver<JupyterMessage>,
    /// Received already, not yet answered: what was there when a cell failed. Cells among it are
    /// not run.
    behind_failure: VecDeque<JupyterMessage>,
    replies: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    inputs: Arc<Inputs>,
    publisher: Publisher,
    engine: Sender<Task>,
    history: History,
    execution_count: i64,
}

impl Shell {
    pub fn new(
        wires: Wires,
        publisher: Publisher,
        activity: Arc<Activity>,
        engine: Sender<Task>,
    ) -> Self {
        let inputs = Inputs {
            requests: wires.stdin_requests,
            replies: Mutex::new(wires.stdin_replies),
            publisher: publisher.clone(),
            activity,
        };
        Shell {
            requests: wires.shell_requests,
            behind_failure: VecDeque::new(),
            replies: wires.shell_replies,
            inputs: Arc::new(inputs),
            publisher,
            engine,
            history: History::default(),
            execution_count: 0,
        }
    }

    /// Answers requests until the kernel ends.
    pub fn run(mut self) {
        self.publisher.status("starting");
        loop {
            let behind_failure = self.behind_failure.pop_front();
            let is_aborted = behind_failure.as_ref().is_some_and(is_cell);
            let Some(request) = behind_failure.or_else(|| self.requests.recv().ok()) else {
                return;
            };
            self.publisher.set_parent(&request);
            self.publisher.status("busy");
            let answer = if is_aborted {
                Some(("execute_reply", self.aborted()))
            } else {
                self.answer(&request)
            };
            if let Some((kind, reply)) = answer {
                let stops = kind == "execute_reply" && reply["status"] == "error";
                let _ = self.replies.send(message(kind, reply, Some(&request)));
                if stops && content(&request)["stop_on_error"].as_bool().unwrap_or(true) {
                    self.behind_failure.extend(self.requests.try_iter());
                }
            }
            self.publisher.status("idle");
        }
    }

    /// The reply to a cell that was sent before an earlier one failed.
    fn aborted(&self) -> Value {
        json!({
            "status": "aborted", "execution_count": self.execution_count,
            "ename": "Aborted", "evalue": "an earlier cell failed", "traceback": [],
        })
    }

    fn answer(&mut self, request: &JupyterMessage) -> Option<(&'static str, Value)> {
        let asked = content(request);
        Some(match request.message_type() {
            "kernel_info_request" => ("kernel_info_reply", kernel_info::reply()),
            "execute_request" => ("execute_reply", self.execute(request)),
            "complete_request" => {
                let (code, cursor) = code_and_cursor(asked);
                let reply = self.ask(|reply| Task::Complete { code, cursor, reply });
                ("complete_reply", reply)
            }
            "inspect_request" => {
                let (code, cursor) = code_and_cursor(asked);
                let reply = self.ask(|reply| Task::Inspect { code, cursor, reply });
                ("inspect_reply", reply)
            }
            "is_complete_request" => {
                let answer = completeness::of(asked["code"].as_str().unwrap_or_default());
                let mut reply = json!({ "status": answer.status() });
                if answer.status() == "incomplete" {
                    reply["indent"] = answer.indent().into();
                }
                ("is_complete_reply", reply)
            }
            "history_request" => ("history_reply", self.history.reply(asked)),
            "comm_info_request" => ("comm_info_reply", json!({ "status": "ok", "comms": {} })),
            "comm_open" => {
                // No comm target lives here; the specification asks to close it at once.
                let id = asked["comm_id"].clone();
                self.publisher.publish("comm_close", json!({ "comm_id": id, "data": {} }));
                return None;
            }
            // `comm_msg` and `comm_close` of comms that were never open, and what is not known.
            _ => return None,
        })
    }

    fn ask(&self, task: impl FnOnce(Sender<Value>) -> Task) -> Value {
        let (reply, answer) = channel();
        let _ = self.engine.send(task(reply));
        answer.recv().unwrap_or_else(|_| json!({ "status": "error" }))
    }

    fn execute(&mut self, request: &JupyterMessage) -> Value {
        let asked = content(request);
        let code = asked["code"].as_str().unwrap_or_default().to_owned();
        let flag = |name: &str, default| asked[name].as_bool().unwrap_or(default);
        let silent = flag("silent", false);
        if !silent && flag("store_history", true) {
            self.execution_count += 1;
            self.history.push(self.execution_count, &code);
        }
        let cell = self.execution_count;
        if !silent {
            let content = json!({ "code": code, "execution_count": cell });
            self.publisher.publish("execute_input", content);
        }
        if code.trim().is_empty() {
            return succeeded(cell, json!([]));
        }
        let input = self.inputs.reader(request, flag("allow_stdin", false));
        let (reply, outcome) = channel();
        let is_help = code.trim().starts_with(":help") || code.trim().starts_with(":doc");
        let _ = self.engine.send(Task::Execute { code, cell, input, reply });
        match outcome.recv() {
            Ok(Outcome::Done(Some(data))) if is_help => {
                succeeded(cell, json!([{ "source": "page", "data": data, "start": 0 }]))
            }
            Ok(Outcome::Done(result)) => {
                if let Some(data) = result
                    && !silent
                {
                    if let Some(text) = data.get("text/plain").and_then(Value::as_str) {
                        self.history.set_output(text);
                    }
                    let content = json!({ "execution_count": cell, "data": data, "metadata": {} });
                    self.publisher.publish("execute_result", content);
                }
                succeeded(cell, json!([]))
            }
            Ok(Outcome::Failed(failure)) => {
                let mut content = json!({
                    "ename": failure.name, "evalue": failure.value, "traceback": failure.traceback,
                });
                self.publisher.publish("error", content.clone());
                content["status"] = "error".into();
                content["execution_count"] = cell.into();
                content
            }
            Err(_) => json!({
                "status": "error", "execution_count": cell, "ename": "KernelError",
                "evalue": "the evaluation thread is gone: restart the kernel", "traceback": [],
            }),
        }
    }
}

fn is_cell(request: &JupyterMessage) -> bool {
    request.message_type() == "execute_request"
}

fn succeeded(cell: i64, payload: Value) -> Value {
    json!({ "status": "ok", "execution_count": cell, "payload": payload, "user_expressions": {} })
}

fn code_and_cursor(asked: &Value) -> (String, usize) {
    let code = asked["code"].as_str().unwrap_or_default().to_owned();
    let end = code.chars().count();
    let cursor = asked["cursor_pos"].as_u64().and_then(|cursor| usize::try_from(cursor).ok());
    (code, cursor.unwrap_or(end).min(end))
}

/// The way from a cell that asks for a line to the front end and back.
struct Inputs {
    requests: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    replies: Mutex<Receiver<JupyterMessage>>,
    publisher: Publisher,
    activity: Arc<Activity>,
}

impl Inputs {
    fn reader(self: &Arc<Self>, request: &JupyterMessage, allowed: bool) -> InputReader {
        let (inputs, request) = (self.clone(), request.clone());
        Arc::new(move |prompt, is_password| {
            if allowed {
                return inputs.read(&request, prompt, is_password);
            }
            let note = "This front end takes no input here: the cell finds the input at its end.\n";
            inputs.publisher.text("stderr", note);
            None
        })
    }

    /// The line that the front end's user types; none once the cell is interrupted.
    fn read(&self, request: &JupyterMessage, prompt: &str, is_password: bool) -> Option<String> {
        let replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        // Answers to questions of cells that were interrupted.
        while replies.try_recv().is_ok() {}
        let question = json!({ "prompt": prompt, "password": is_password });
        let _ = self.requests.send(message("input_request", question, Some(request)));
        loop {
            match replies.recv_timeout(INPUT_POLL) {
                Ok(reply) => {
                    let line = content(&reply)["value"].as_str().unwrap_or_default();
                    // One line is one answer.
                    return Some(line.replace(['\n', '\r'], " "));
                }
                Err(RecvTimeoutError::Timeout) if self.activity.interrupts() == 0 => {}
                Err(_) => return None,
            }
        }
    }
}
