//! A channel of questions and answers: shell, control, standard input.

use super::envelope::Envelope;
use super::outbox::Weight;
use super::socket::{Peer, Service};
use super::zmtp::{Kind, encode};
use crate::notes::note;
use bytes::Bytes;
use jupyter_protocol::JupyterMessage;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Handler<T> = Box<dyn Fn(T) + Send + Sync>;

/// Takes signed messages from its clients and sends each answer to whom it is for.
pub struct Router {
    channel: &'static str,
    envelope: Envelope,
    peers: Mutex<HashMap<Bytes, Arc<Peer>>>,
    take: Handler<JupyterMessage>,
    miss: Handler<Bytes>,
}

impl Router {
    /// `take` gets each message, `miss` the identity of each client that left.
    pub fn new(
        channel: &'static str,
        envelope: Envelope,
        take: impl Fn(JupyterMessage) + Send + Sync + 'static,
        miss: impl Fn(Bytes) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (take, miss) = (Box::new(take), Box::new(miss));
        Arc::new(Router { channel, envelope, peers: Mutex::default(), take, miss })
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<Bytes, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn knows(&self, identity: &[u8]) -> bool {
        self.peers().contains_key(identity)
    }

    /// Sends a message to the client that it names; never waits.
    pub fn send(&self, mut message: JupyterMessage) {
        if message.zmq_identities.is_empty() {
            return note(format!("{}: a message without a receiver was dropped", self.channel));
        }
        let identity = message.zmq_identities.remove(0);
        let kind = message.message_type().to_owned();
        let peer = self.peers().get(&identity).cloned();
        let sent = match peer {
            Some(peer) => {
                self.envelope.seal(message).map_err(|error| error.to_string()).and_then(|parts| {
                    let pushed = peer.outbox.push(encode(&parts), Weight::Needed);
                    pushed.map_err(|refusal| refusal.to_string())
                })
            }
            None => Err("the client has left".to_owned()),
        };
        if let Err(reason) = sent {
            note(format!("{}: {kind} was not delivered: {reason}", self.channel));
        }
    }

    /// Whether everything that was sent is on its way.
    pub fn is_idle(&self) -> bool {
        self.peers().values().all(|peer| peer.outbox.is_empty())
    }
}

impl Service for Router {
    const KIND: Kind = Kind::Router;

    fn channel(&self) -> &'static str {
        self.channel
    }

    fn came(&self, peer: &Arc<Peer>) {
        // A client that comes back before its old connection is known to be lost takes its place.
        self.peers().insert(peer.identity.clone(), peer.clone());
    }

    fn receive(&self, peer: &Arc<Peer>, mut parts: Vec<Bytes>) {
        parts.insert(0, peer.identity.clone());
        match self.envelope.open(parts) {
            Ok(message) => (self.take)(message),
            // Unsigned and wrongly signed ones, too, as the specification asks.
            Err(error) => note(format!("{}: a message was dropped: {error:#}", self.channel)),
        }
    }

    fn left(&self, peer: &Arc<Peer>) {
        let mut peers = self.peers();
        if peers.get(&peer.identity).is_some_and(|present| Arc::ptr_eq(present, peer)) {
            peers.remove(&peer.identity);
            drop(peers);
            (self.miss)(peer.identity.clone());
        }
    }
}
