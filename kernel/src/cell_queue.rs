//! Runs cells in the order they were sent, one after the other.

use crate::engine::{Outcome, Task};
use crate::history::SharedHistory;
use crate::inputs::Inputs;
use crate::publisher::{Publisher, content, message};
use jupyter_protocol::JupyterMessage;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The cells' side of the shell channel.
pub struct CellQueue {
    pub requests: Receiver<JupyterMessage>,
    pub replies: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    pub inputs: Arc<Inputs>,
    pub publisher: Publisher,
    pub engine: Sender<Task>,
    pub history: SharedHistory,
    pub execution_count: i64,
}

impl CellQueue {
    /// Runs cells until the kernel ends.
    pub fn run(mut self) {
        while let Ok(request) = self.requests.recv() {
            self.publisher.begin_cell(&request);
            let executed = catch_unwind(AssertUnwindSafe(|| self.execute(&request)));
            let reply = executed.unwrap_or_else(|_| self.lost("the kernel panicked on this cell"));
            let failed = reply["status"] == "error";
            let _ = self.replies.send(message("execute_reply", reply, Some(&request)));
            let stops = failed && content(&request)["stop_on_error"].as_bool().unwrap_or(true);
            // What was there when the cell failed is not run.
            let behind: Vec<JupyterMessage> =
                if stops { self.requests.try_iter().collect() } else { Vec::new() };
            self.publisher.end_cell();
            for request in behind {
                self.abort(&request);
            }
        }
    }

    /// Answers a cell that was sent before an earlier one failed.
    fn abort(&self, request: &JupyterMessage) {
        self.publisher.taken_up(request);
        let reply = json!({
            "status": "aborted", "execution_count": self.execution_count,
            "ename": "Aborted", "evalue": "an earlier cell failed", "traceback": [],
        });
        let _ = self.replies.send(message("execute_reply", reply, Some(request)));
        self.publisher.answered(request);
    }

    fn execute(&mut self, request: &JupyterMessage) -> Value {
        let asked = content(request);
        let code = asked["code"].as_str().unwrap_or_default().to_owned();
        let flag = |name: &str, default| asked[name].as_bool().unwrap_or(default);
        let silent = flag("silent", false);
        let is_kept = !silent && flag("store_history", true);
        if is_kept {
            self.execution_count += 1;
            self.history.lock().push(self.execution_count, &code);
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
        let _ = self.engine.send(Task { code, cell, input, reply });
        match outcome.recv() {
            Ok(Outcome::Done(Some(data))) if is_help => {
                succeeded(cell, json!([{ "source": "page", "data": data, "start": 0 }]))
            }
            Ok(Outcome::Done(result)) => {
                if let Some(data) = result
                    && !silent
                {
                    if is_kept && let Some(text) = data.get("text/plain").and_then(Value::as_str) {
                        self.history.lock().set_output(text);
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
            Err(_) => self.lost("the evaluation thread is gone: restart the kernel"),
        }
    }

    fn lost(&self, why: &str) -> Value {
        json!({
            "status": "error", "execution_count": self.execution_count, "ename": "KernelError",
            "evalue": why, "traceback": [],
        })
    }
}

fn succeeded(cell: i64, payload: Value) -> Value {
    json!({ "status": "ok", "execution_count": cell, "payload": payload, "user_expressions": {} })
}
