//! The five channels of the Jupyter protocol.

use crate::activity::{Activity, Interrupt, Phase};
use crate::kernel_info;
use crate::publisher::{Publisher, content, message, topic};
use crate::wire::{Echo, Envelope, Iopub, Router, bind};
use anyhow::{Context, Result};
use bytes::Bytes;
use jupyter_protocol::{ConnectionInfo, JupyterMessage};
use serde_json::json;
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// How long a cell may take to stop before the notebook is told what a second interrupt does.
const STOP_PATIENCE: Duration = Duration::from_millis(1500);
/// How long the last messages have to leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a client may take to connect its socket for questions to the user.
const INPUT_PATIENCE: Duration = Duration::from_secs(2);
/// How often what is waited for is looked for.
const POLL: Duration = Duration::from_millis(10);

/// The blocking side's ends of the channels.
pub struct Wires {
    pub shell_requests: blocking::Receiver<JupyterMessage>,
    pub shell_replies: mpsc::UnboundedSender<JupyterMessage>,
    pub stdin_requests: mpsc::UnboundedSender<JupyterMessage>,
    /// A reply without a value says that the client has left.
    pub stdin_replies: blocking::Receiver<JupyterMessage>,
}

/// Binds the sockets and serves them; `start` gets the blocking side once they are bound. Returns
/// when the kernel was asked to shut down.
pub async fn serve(
    connection: &ConnectionInfo,
    publisher: Publisher,
    messages: mpsc::Receiver<JupyterMessage>,
    activity: Arc<Activity>,
    start: impl FnOnce(Wires) -> Result<()>,
) -> Result<()> {
    let envelope = Envelope::new(connection, uuid())?;
    let (control_sender, requests) = mpsc::unbounded_channel();
    let (request_sender, shell_requests) = blocking::channel();
    let (input_sender, stdin_replies) = blocking::channel();
    let (shell_replies, replies) = mpsc::unbounded_channel();
    let (stdin_requests, questions) = mpsc::unbounded_channel();

    let control = router("control", &envelope, {
        let sender = control_sender.clone();
        move |request| drop(sender.send((Channel::Control, request)))
    });
    let shell = router("shell", &envelope, move |request| {
        if request.message_type() == "shutdown_request" {
            let _ = control_sender.send((Channel::Shell, request));
        } else {
            let _ = request_sender.send(request);
        }
    });
    let inputs = Arc::new(Inputs { replies: input_sender, asked: Mutex::default() });
    let (taken, missed) = (inputs.clone(), inputs.clone());
    let stdin = Router::new(
        "stdin",
        envelope.clone(),
        move |reply| taken.take(reply),
        move |address| missed.give_up(&address),
    );
    let iopub = Iopub::new(envelope);
    bind(connection, connection.hb_port, Arc::new(Echo)).await?;
    bind(connection, connection.iopub_port, iopub.clone()).await?;
    bind(connection, connection.shell_port, shell.clone()).await?;
    bind(connection, connection.control_port, control.clone()).await?;
    bind(connection, connection.stdin_port, stdin.clone()).await?;
    tokio::spawn(publish(iopub.clone(), messages));
    tokio::spawn(send_all(shell.clone(), replies));
    tokio::spawn(ask_all(stdin, inputs, questions));
    start(Wires { shell_requests, shell_replies, stdin_requests, stdin_replies })?;
    Control { shell, control, iopub, publisher, activity }.serve(requests).await
}

fn router(
    channel: &'static str,
    envelope: &Envelope,
    take: impl Fn(JupyterMessage) + Send + Sync + 'static,
) -> Arc<Router> {
    Router::new(channel, envelope.clone(), take, |_| {})
}

fn uuid() -> String {
    // A message gets a fresh session id of its own; one of them serves for all.
    message("status", json!({}), None).header.session
}

/// Sends what the cells publish.
async fn publish(iopub: Arc<Iopub>, mut messages: mpsc::Receiver<JupyterMessage>) {
    while let Some(message) = messages.recv().await {
        iopub.publish(message).await;
    }
}

async fn send_all(router: Arc<Router>, mut messages: mpsc::UnboundedReceiver<JupyterMessage>) {
    while let Some(message) = messages.recv().await {
        router.send(message);
    }
}

/// Sends the questions of cells to those who ran them.
async fn ask_all(
    router: Arc<Router>,
    inputs: Arc<Inputs>,
    mut questions: mpsc::UnboundedReceiver<JupyterMessage>,
) {
    while let Some(question) = questions.recv().await {
        let Some(address) = question.zmq_identities.first().cloned() else { continue };
        let deadline = Instant::now() + INPUT_PATIENCE;
        while !router.knows(&address) && Instant::now() < deadline {
            sleep(POLL).await;
        }
        inputs.ask(&router, question);
    }
}

/// What users answer to cells, and the question that is open.
struct Inputs {
    replies: blocking::Sender<JupyterMessage>,
    /// The question, and the address of whom it was sent to.
    asked: Mutex<Option<(JupyterMessage, Bytes)>>,
}

impl Inputs {
    fn asked(&self) -> MutexGuard<'_, Option<(JupyterMessage, Bytes)>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, router: &Router, question: JupyterMessage) {
        // No answer is taken before the question is noted.
        let mut asked = self.asked();
        match router.send(question.clone()) {
            Some(address) => *asked = Some((question, address)),
            None => self.answer_nothing(&question),
        }
    }

    fn take(&self, reply: JupyterMessage) {
        if reply.message_type() == "input_reply" {
            self.asked().take();
            let _ = self.replies.send(reply);
        }
    }

    /// A client has left: if it was asked, the cell would wait for ever.
    fn give_up(&self, address: &Bytes) {
        if let Some((question, _)) = self.asked().take_if(|(_, asked)| asked == address) {
            self.answer_nothing(&question);
        }
    }

    fn answer_nothing(&self, question: &JupyterMessage) {
        let _ = self.replies.send(message("input_reply", json!({}), Some(question)));
    }
}

/// Where a request came from, and where its reply goes.
#[derive(Debug, Clone, Copy)]
enum Channel {
    Control,
    Shell,
}

struct Control {
    shell: Arc<Router>,
    control: Arc<Router>,
    iopub: Arc<Iopub>,
    publisher: Publisher,
    activity: Arc<Activity>,
}

impl Control {
    /// Returns when a client asks for a shutdown, or at SIGTERM; for no other reason.
    async fn serve(
        self,
        mut requests: mpsc::UnboundedReceiver<(Channel, JupyterMessage)>,
    ) -> Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupts = signal(SignalKind::interrupt()).context("no SIGINT handler")?;
        let mut terminations = signal(SignalKind::terminate()).context("no SIGTERM handler")?;
        loop {
            tokio::select! {
                Some((channel, request)) = requests.recv() => {
                    if request.message_type() == "shutdown_request" {
                        self.shut_down(channel, &request).await;
                        return Ok(());
                    }
                    self.answer(&request);
                }
                Some(()) = interrupts.recv() => self.interrupt(),
                Some(()) = terminations.recv() => return Ok(()),
            }
        }
    }

    fn answer(&self, request: &JupyterMessage) {
        let (kind, reply) = match request.message_type() {
            "interrupt_request" => ("interrupt_reply", json!({ "status": "ok" })),
            "kernel_info_request" => ("kernel_info_reply", kernel_info::reply()),
            _ => return,
        };
        self.status(request, "busy");
        if kind == "interrupt_reply" {
            self.interrupt();
        }
        self.control.send(message(kind, reply, Some(request)));
        self.status(request, "idle");
    }

    fn interrupt(&self) {
        if self.activity.interrupt() != Interrupt::AskedToStop {
            return;
        }
        let (activity, publisher) = (self.activity.clone(), self.publisher.clone());
        tokio::spawn(async move {
            tokio::time::sleep(STOP_PATIENCE).await;
            if activity.phase() == Phase::Running && activity.interrupts() == 1 {
                tokio::task::spawn_blocking(move || {
                    publisher.text(
                        "stderr",
                        "Interrupted: waiting for the cell to reach its next batch or block. \
                         Interrupt again to end it at once and lose all variables.\n",
                    );
                });
            }
        });
    }

    fn status(&self, request: &JupyterMessage, state: &str) {
        self.announce(message("status", json!({ "execution_state": state }), Some(request)));
    }

    /// Never waits for a slow front end: the stop button must work while a cell floods it.
    fn announce(&self, mut message: JupyterMessage) {
        message.zmq_identities = vec![topic(message.message_type()).into()];
        self.iopub.send(message);
    }

    async fn shut_down(&self, channel: Channel, request: &JupyterMessage) {
        let restart = content(request)["restart"].as_bool().unwrap_or(false);
        let content = json!({ "status": "ok", "restart": restart });
        let reply = message("shutdown_reply", content, Some(request));
        self.status(request, "busy");
        let router = match channel {
            Channel::Control => &self.control,
            Channel::Shell => &self.shell,
        };
        router.send(reply.clone());
        self.announce(reply);
        self.status(request, "idle");
        self.activity.kill_all();
        let deadline = Instant::now() + FAREWELL;
        let is_sent = || router.is_idle() && self.iopub.is_idle();
        while !is_sent() && Instant::now() < deadline {
            sleep(POLL).await;
        }
    }
}
