//! A channel of questions and answers: shell, control, standard input.

use super::envelope::Envelope;
use super::outbox::Weight;
use super::socket::{Peer, Service, identity};
use super::zmtp::{Kind, encode};
use crate::notes::note;
use bytes::Bytes;
use jupyter_protocol::JupyterMessage;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Handler<T> = Box<dyn Fn(T) + Send + Sync>;

/// Takes signed messages from its clients and sends each answer to whom it is for.
///
/// The first identity of a message is the address of the connection that it came by.
pub struct Router {
    channel: &'static str,
    envelope: Envelope,
    /// In the order of their coming.
    peers: Mutex<Vec<Arc<Peer>>>,
    take: Handler<JupyterMessage>,
    miss: Handler<Bytes>,
}

impl Router {
    /// `take` gets each message, `miss` the address of each connection that ended.
    pub fn new(
        channel: &'static str,
        envelope: Envelope,
        take: impl Fn(JupyterMessage) + Send + Sync + 'static,
        miss: impl Fn(Bytes) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (take, miss) = (Box::new(take), Box::new(miss));
        Arc::new(Router { channel, envelope, peers: Mutex::default(), take, miss })
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection with this address; otherwise the client's latest, as on another channel.
    fn find(&self, address: &[u8]) -> Option<Arc<Peer>> {
        let peers = self.peers();
        let exact = peers.iter().find(|peer| peer.address() == address);
        let is_same =
            |peer: &&Arc<Peer>| !peer.identity.is_empty() && peer.identity == identity(address);
        exact.or_else(|| peers.iter().rev().find(is_same)).cloned()
    }

    pub fn knows(&self, address: &[u8]) -> bool {
        self.find(address).is_some()
    }

    /// Sends a message to the client whose address is the message's first identity; never waits. The
    /// address that it went to, if it did.
    pub fn send(&self, mut message: JupyterMessage) -> Option<Bytes> {
        let kind = message.message_type().to_owned();
        let address = message.zmq_identities.first().cloned().unwrap_or_default();
        let sent = match self.find(&address) {
            Some(peer) => {
                message.zmq_identities.remove(0);
                self.deliver(&peer, message).map(|()| peer.address())
            }
            None => Err("the client has left".to_owned()),
        };
        let refused =
            |reason| note(format!("{}: {kind} was not delivered: {reason}", self.channel));
        sent.map_err(refused).ok()
    }

    fn deliver(&self, peer: &Peer, message: JupyterMessage) -> Result<(), String> {
        let parts = self.envelope.seal(message).map_err(|error| error.to_string())?;
        let pushed = peer.outbox.push(encode(&parts), Weight::Needed);
        pushed.map_err(|refusal| refusal.to_string())
    }

    /// Whether everything that was sent is on its way.
    pub fn is_idle(&self) -> bool {
        self.peers().iter().all(|peer| peer.outbox.is_empty())
    }
}

impl Service for Router {
    const KIND: Kind = Kind::Router;

    fn channel(&self) -> &'static str {
        self.channel
    }

    fn came(&self, peer: &Arc<Peer>) {
        self.peers().push(peer.clone());
    }

    fn receive(&self, peer: &Arc<Peer>, mut parts: Vec<Bytes>) {
        parts.insert(0, peer.address());
        match self.envelope.open(parts) {
            Ok(message) => (self.take)(message),
            // Unsigned and wrongly signed ones, too, as the specification asks.
            Err(error) => note(format!("{}: a message was dropped: {error:#}", self.channel)),
        }
    }

    fn left(&self, peer: &Arc<Peer>) {
        self.peers().retain(|present| !Arc::ptr_eq(present, peer));
        (self.miss)(peer.address());
    }
}
