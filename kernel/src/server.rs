//! The five sockets of the Jupyter protocol.

use crate::activity::{Activity, Interrupt, Phase};
use crate::kernel_info;
use crate::publisher::{Publisher, content, message, request, topic};
use anyhow::{Context, Result};
use jupyter_protocol::{ConnectionInfo, JupyterMessage};
use jupyter_zmq_client::{
    KernelIoPubXPubConnection, RawMessage, RouterRecvConnection, RouterSendConnection,
    SubscriptionEvent, create_kernel_control_connection, create_kernel_heartbeat_connection,
    create_kernel_iopub_xpub_connection, create_kernel_shell_connection,
    create_kernel_stdin_connection,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;
use zeromq::{SocketRecv, SocketSend};

/// How long a cell may take to stop before the notebook is told what a second interrupt does.
const STOP_PATIENCE: Duration = Duration::from_millis(1500);
/// How long a front end that takes no output may keep the others waiting for a message.
const STALL_PATIENCE: Duration = Duration::from_secs(2);
/// How long a channel rests after an error.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// How long the last messages have to leave.
const FAREWELL: Duration = Duration::from_millis(60);

/// The blocking side's ends of the sockets.
pub struct Wires {
    pub shell_requests: blocking::Receiver<JupyterMessage>,
    pub shell_replies: mpsc::UnboundedSender<JupyterMessage>,
    pub stdin_requests: mpsc::UnboundedSender<JupyterMessage>,
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
    let session = uuid();
    let mut heartbeat = create_kernel_heartbeat_connection(connection).await?;
    let iopub = create_kernel_iopub_xpub_connection(connection, &session).await?;
    let shell = create_kernel_shell_connection(connection, &session).await?;
    let control = create_kernel_control_connection(connection, &session).await?;
    let stdin = create_kernel_stdin_connection(connection, &session).await?;
    tokio::spawn(async move {
        loop {
            match heartbeat.socket.recv().await {
                // Sent back as it came, by the specification.
                Ok(beat) => tell_failure("heartbeat", heartbeat.socket.send(beat).await),
                Err(error) => pause_after("heartbeat", &error).await,
            }
        }
    });
    tokio::spawn(publish(iopub, messages));

    let (shell_sender, shell_receiver) = shell.split();
    let (stdin_sender, stdin_receiver) = stdin.split();
    let (request_sender, shell_requests) = blocking::channel();
    let (input_sender, stdin_replies) = blocking::channel();
    let (shell_replies, replies) = mpsc::unbounded_channel();
    let (stdin_requests, inputs) = mpsc::unbounded_channel();
    tokio::spawn(send_all("shell", shell_sender, replies));
    tokio::spawn(send_all("stdin", stdin_sender, inputs));
    let (shutdown_sender, mut shutdown) = mpsc::unbounded_channel();
    let shell_shutdown = shutdown_sender.clone();
    tokio::spawn(receive_all("shell", shell_receiver, move |request| {
        if request.message_type() == "shutdown_request" {
            let _ = shell_shutdown.send(request);
        } else {
            let _ = request_sender.send(request);
        }
    }));
    tokio::spawn(receive_all("stdin", stdin_receiver, move |reply| {
        let _ = input_sender.send(reply);
    }));
    let replies = shell_replies.clone();
    start(Wires { shell_requests, shell_replies, stdin_requests, stdin_replies })?;

    let (control_sender, control_receiver) = control.split();
    let (control_replies, control_queue) = mpsc::unbounded_channel();
    tokio::spawn(send_all("control", control_sender, control_queue));
    let control = Control { replies: control_replies, publisher, activity };
    control.serve(control_receiver, &mut shutdown, &replies).await
}

/// Tells on standard error what could not be sent; the client that it was for is gone, and the kernel
/// goes on.
fn tell_failure<T, E: std::fmt::Display>(channel: &str, sent: Result<T, E>) {
    if let Err(error) = sent {
        eprintln!("{channel}: a message could not be delivered: {error}");
    }
}

/// A client left in the middle of something. Should the socket itself fail, the loop around this must
/// not spin.
fn pause_after(channel: &str, error: &dyn std::fmt::Display) -> tokio::time::Sleep {
    eprintln!("{channel}: a client left: {error}");
    tokio::time::sleep(RETRY_PAUSE)
}

fn uuid() -> String {
    // A message gets a fresh session id of its own; one of them serves for all.
    message("status", json!({}), None).header.session
}

/// Sends what the cells publish, and welcomes who subscribes (JEP 65).
async fn publish(
    mut iopub: KernelIoPubXPubConnection,
    mut messages: mpsc::Receiver<JupyterMessage>,
) {
    loop {
        tokio::select! {
            event = iopub.recv_subscription() => match event {
                Ok(SubscriptionEvent::Subscribe(subscription)) => {
                    let content = json!({ "subscription": subscription });
                    let mut welcome = message("iopub_welcome", content, None);
                    // The subscriber asked for this topic, so this is one that reaches it.
                    welcome.zmq_identities = vec![subscription.into_bytes().into()];
                    broadcast(&mut iopub, welcome).await;
                }
                Ok(_) => {}
                Err(error) => pause_after("iopub", &error).await,
            },
            message = messages.recv() => match message {
                Some(message) => broadcast(&mut iopub, message).await,
                // Every publisher is gone: the kernel ends.
                None => return,
            }
        }
    }
}

async fn broadcast(iopub: &mut KernelIoPubXPubConnection, message: JupyterMessage) {
    match tokio::time::timeout(STALL_PATIENCE, iopub.send(message)).await {
        Ok(sent) => tell_failure("iopub", sent),
        Err(_) => eprintln!("iopub: a front end takes no output; a message may not reach it"),
    }
}

async fn send_all(
    channel: &'static str,
    mut socket: RouterSendConnection,
    mut messages: mpsc::UnboundedReceiver<JupyterMessage>,
) {
    while let Some(message) = messages.recv().await {
        tell_failure(channel, socket.send(message).await);
    }
}

async fn receive_all(
    channel: &'static str,
    mut socket: RouterRecvConnection,
    take: impl Fn(JupyterMessage),
) {
    loop {
        let multipart = match socket.socket.recv().await {
            Ok(multipart) => multipart,
            Err(error) => {
                pause_after(channel, &error).await;
                continue;
            }
        };
        match RawMessage::from_multipart(multipart, &socket.mac) {
            Ok(raw) => match request(raw) {
                Ok(message) => take(message),
                Err(error) => eprintln!("dropped a malformed message: {error}"),
            },
            // Unsigned or wrongly signed: dropped, as the specification asks.
            Err(error) => eprintln!("dropped a message: {error}"),
        }
    }
}

struct Control {
    replies: mpsc::UnboundedSender<JupyterMessage>,
    publisher: Publisher,
    activity: Arc<Activity>,
}

impl Control {
    /// Returns when a client asks for a shutdown, or at SIGTERM; for no other reason.
    async fn serve(
        self,
        receiver: RouterRecvConnection,
        shutdown: &mut mpsc::UnboundedReceiver<JupyterMessage>,
        shell: &mpsc::UnboundedSender<JupyterMessage>,
    ) -> Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupts = signal(SignalKind::interrupt()).context("no SIGINT handler")?;
        let mut terminations = signal(SignalKind::terminate()).context("no SIGTERM handler")?;
        let (sender, mut requests) = mpsc::unbounded_channel();
        tokio::spawn(receive_all("control", receiver, move |request| {
            let _ = sender.send(request);
        }));
        loop {
            tokio::select! {
                Some(request) = requests.recv() => {
                    if let Some(reply) = self.answer(&request).await {
                        let stop = reply.message_type() == "shutdown_reply";
                        let _ = self.replies.send(reply.clone());
                        self.status(&request, "idle").await;
                        if stop {
                            return self.farewell(reply).await;
                        }
                    }
                }
                Some(request) = shutdown.recv() => {
                    let reply = shutdown_reply(&request);
                    let _ = shell.send(reply.clone());
                    return self.farewell(reply).await;
                }
                Some(()) = interrupts.recv() => { self.interrupt(); }
                Some(()) = terminations.recv() => return Ok(()),
                // Not even the loss of every channel ends a kernel; it answers its own signals.
                else => std::future::pending().await,
            }
        }
    }

    async fn answer(&self, request: &JupyterMessage) -> Option<JupyterMessage> {
        match request.message_type() {
            "interrupt_request" => {
                self.status(request, "busy").await;
                self.interrupt();
                Some(message("interrupt_reply", json!({ "status": "ok" }), Some(request)))
            }
            "shutdown_request" => {
                self.status(request, "busy").await;
                Some(shutdown_reply(request))
            }
            "kernel_info_request" => {
                self.status(request, "busy").await;
                Some(message("kernel_info_reply", kernel_info::reply(), Some(request)))
            }
            _ => None,
        }
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

    async fn status(&self, request: &JupyterMessage, state: &str) {
        self.announce(message("status", json!({ "execution_state": state }), Some(request))).await;
    }

    async fn announce(&self, mut message: JupyterMessage) {
        message.zmq_identities = vec![topic(message.message_type()).into()];
        // Never waits for a slow front end: the stop button must work while a cell floods it.
        let _ = self.publisher.queue().try_send(message);
    }

    async fn farewell(&self, reply: JupyterMessage) -> Result<()> {
        self.announce(reply).await;
        self.activity.kill_all();
        tokio::time::sleep(FAREWELL).await;
        Ok(())
    }
}

fn shutdown_reply(request: &JupyterMessage) -> JupyterMessage {
    let restart = content(request)["restart"].as_bool().unwrap_or(false);
    message("shutdown_reply", json!({ "status": "ok", "restart": restart }), Some(request))
}
