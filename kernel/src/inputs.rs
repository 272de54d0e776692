//! The way from a cell that asks for a line to the front end and back.

use crate::activity::Activity;
use crate::publisher::{Publisher, content, message};
use jupyter_protocol::JupyterMessage;
use serde_json::json;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a cell that waits for input looks whether it was interrupted.
const INPUT_POLL: Duration = Duration::from_millis(50);

/// Asks the front end for a line: prompt, and whether it is a password. None if there is no input.
pub type InputReader = Arc<dyn Fn(&str, bool) -> Option<String> + Send + Sync>;

/// The stdin channel.
pub struct Inputs {
    pub requests: tokio::sync::mpsc::UnboundedSender<JupyterMessage>,
    pub replies: Mutex<Receiver<JupyterMessage>>,
    pub publisher: Publisher,
    pub activity: Arc<Activity>,
}

impl Inputs {
    /// What asks the front end that sent a cell.
    pub fn reader(self: &Arc<Self>, request: &JupyterMessage, allowed: bool) -> InputReader {
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
                    // Without one, whoever was asked has left.
                    let line = content(&reply)["value"].as_str()?;
                    // One line is one answer.
                    return Some(line.replace(['\n', '\r'], " "));
                }
                Err(RecvTimeoutError::Timeout) if self.activity.interrupts() == 0 => {}
                Err(_) => return None,
            }
        }
    }
}
