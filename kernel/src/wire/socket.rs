//! One listening socket: accepts clients and gives each a task of its own.

use super::outbox::{Outbox, Weight, outbox};
use super::zmtp::{Incoming, Kind, Reader, encode, pong};
use crate::notes::note;
use anyhow::{Context, Result};
use bytes::Bytes;
use jupyter_protocol::ConnectionInfo;
use jupyter_protocol::connection_info::Transport;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// How long a client has to introduce itself.
const INTRODUCTION: Duration = Duration::from_secs(30);
/// How long accepting rests after an error: there may be no file descriptors left for a while.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A connected client.
pub struct Peer {
    /// What the client calls itself on all its sockets, or nothing.
    pub identity: Bytes,
    /// No other connection ever has this number.
    number: u64,
    pub outbox: Outbox,
}

impl Peer {
    fn new(identity: Bytes, outbox: Outbox) -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Peer { identity, number: COUNT.fetch_add(1, Ordering::Relaxed), outbox })
    }

    /// Tells this connection from all others, those of the same client, too.
    pub fn address(&self) -> Bytes {
        [&self.identity[..], &self.number.to_be_bytes()].concat().into()
    }
}

/// The identity in an address.
pub fn identity(address: &[u8]) -> &[u8] {
    address.split_last_chunk::<8>().map_or(address, |(identity, _)| identity)
}

/// What a socket does with its clients.
pub trait Service: Send + Sync + 'static {
    const KIND: Kind;
    /// The channel's name, for notes.
    fn channel(&self) -> &'static str;
    fn came(&self, _peer: &Arc<Peer>) {}
    fn receive(&self, peer: &Arc<Peer>, message: Vec<Bytes>);
    fn left(&self, _peer: &Arc<Peer>) {}
}

/// Sends everything back as it came: the heartbeat.
pub struct Echo;

impl Service for Echo {
    const KIND: Kind = Kind::Reply;

    fn channel(&self) -> &'static str {
        "heartbeat"
    }

    fn receive(&self, peer: &Arc<Peer>, message: Vec<Bytes>) {
        // Who does not want it has left.
        let _ = peer.outbox.push(encode(&message), Weight::Needed);
    }
}

/// Listens at this port of the connection, and serves clients from now on.
pub async fn bind<S: Service>(
    connection: &ConnectionInfo,
    port: u16,
    service: Arc<S>,
) -> Result<()> {
    let channel = service.channel();
    match connection.transport {
        Transport::TCP => {
            let ip = if connection.ip == "*" { "0.0.0.0" } else { connection.ip.as_str() };
            let listener = TcpListener::bind((ip, port))
                .await
                .with_context(|| format!("{channel}: could not listen at {ip}, port {port}"))?;
            tokio::spawn(accept(service, async move || {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }));
        }
        Transport::IPC => {
            let path = PathBuf::from(format!("{}-{port}", connection.ip));
            remove_dead_socket(&path);
            let listener = UnixListener::bind(&path)
                .with_context(|| format!("{channel}: could not listen at {}", path.display()))?;
            tokio::spawn(accept(service, async move || Ok(listener.accept().await?.0)));
        }
    }
    Ok(())
}

/// A socket's file stays when its process is killed.
fn remove_dead_socket(path: &std::path::Path) {
    let refused = std::os::unix::net::UnixStream::connect(path);
    if refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        let _ = std::fs::remove_file(path);
    }
}

trait Stream: Send + 'static {
    fn halves(
        self,
    ) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static);
}

impl Stream for TcpStream {
    fn halves(
        self,
    ) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        self.into_split()
    }
}

impl Stream for UnixStream {
    fn halves(
        self,
    ) -> (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static) {
        self.into_split()
    }
}

async fn accept<S: Service, T: Stream>(
    service: Arc<S>,
    mut next: impl AsyncFnMut() -> std::io::Result<T>,
) {
    loop {
        match next().await {
            Ok(stream) => {
                tokio::spawn(converse(service.clone(), stream));
            }
            Err(error) => {
                note(format!("{}: could not accept a client: {error}", service.channel()));
                sleep(RETRY_PAUSE).await;
            }
        }
    }
}

/// One client, from its greeting until it leaves.
async fn converse<S: Service>(service: Arc<S>, stream: impl Stream) {
    let (source, mut sink) = stream.halves();
    let mut reader = Reader::new(source);
    let channel = service.channel();
    let identity = match timeout(INTRODUCTION, reader.shake_hands(&mut sink, S::KIND)).await {
        Ok(Ok(identity)) => identity,
        // It looked whether somebody listens here.
        Ok(Err(error)) if is_departure(&error) => return,
        Ok(Err(error)) => return note(format!("{channel}: a client was turned away: {error}")),
        Err(_) => return note(format!("{channel}: a client that said nothing was turned away")),
    };
    let (outbox, writer) = outbox();
    let peer = Peer::new(identity, outbox);
    service.came(&peer);
    let ended = tokio::select! {
        read = receive(&*service, &peer, reader) => read,
        written = writer.run(sink) => written,
    };
    service.left(&peer);
    if let Err(error) = ended
        && !is_departure(&error)
    {
        note(format!("{channel}: a client was cut off: {error}"));
    }
}

async fn receive<S: Service>(
    service: &S,
    peer: &Arc<Peer>,
    mut reader: Reader,
) -> std::io::Result<()> {
    while let Some(incoming) = reader.next().await? {
        match incoming {
            Incoming::Message(message) => service.receive(peer, message),
            Incoming::Ping(context) => {
                let _ = peer.outbox.push(pong(&context), Weight::Needed);
            }
        }
        // Who does not read answers is asked no further questions.
        peer.outbox.room().await;
    }
    Ok(())
}

/// How clients leave, politely or not.
fn is_departure(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
