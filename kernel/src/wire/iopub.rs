//! The channel that all front ends listen to.

use super::envelope::Envelope;
use super::outbox::Weight;
use super::socket::{Peer, Service};
use super::zmtp::{Kind, encode};
use crate::notes::note;
use crate::publisher::message;
use bytes::Bytes;
use jupyter_protocol::JupyterMessage;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a front end that takes no output may keep a cell, and the others, waiting.
const STALL_PATIENCE: Duration = Duration::from_secs(2);

/// Sends every message to every subscriber.
pub struct Iopub {
    envelope: Envelope,
    subscribers: Mutex<Vec<Subscriber>>,
}

struct Subscriber {
    peer: Arc<Peer>,
    topics: Vec<Bytes>,
}

impl Iopub {
    pub fn new(envelope: Envelope) -> Arc<Self> {
        Arc::new(Iopub { envelope, subscribers: Mutex::default() })
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message when its subscribers have room for it; waits for those that read.
    pub async fn publish(&self, message: JupyterMessage) {
        for peer in self.send(message) {
            if peer.outbox.room_within(STALL_PATIENCE).await {
                note("iopub: a front end does not read; nothing waits for it any more".to_owned());
            }
        }
    }

    /// Sends a message at once, whatever waits already; returns who was to get it.
    pub fn send(&self, message: JupyterMessage) -> Vec<Arc<Peer>> {
        let topic = message.zmq_identities.first().cloned().unwrap_or_default();
        let targets: Vec<_> = self
            .subscribers()
            .iter()
            .filter(|subscriber| subscriber.topics.iter().any(|wanted| topic.starts_with(wanted)))
            .map(|subscriber| subscriber.peer.clone())
            .collect();
        let weight = match message.message_type() {
            "stream" | "display_data" | "update_display_data" => Weight::Output,
            _ => Weight::Needed,
        };
        match self.envelope.seal(message) {
            Ok(parts) => {
                let encoded = encode(&parts);
                for peer in &targets {
                    // It was told of when the front end stopped reading.
                    let _ = peer.outbox.push(encoded.clone(), weight);
                }
            }
            Err(error) => note(format!("iopub: a message was dropped: {error:#}")),
        }
        targets
    }

    /// Whether everything that was sent is on its way.
    pub fn is_idle(&self) -> bool {
        self.subscribers().iter().all(|subscriber| subscriber.peer.outbox.is_empty())
    }

    /// Tells a subscriber that messages of this topic reach it from now on (JEP 65).
    fn welcome(&self, peer: &Peer, topic: &Bytes) {
        let content = json!({ "subscription": String::from_utf8_lossy(topic) });
        let mut welcome = message("iopub_welcome", content, None);
        welcome.zmq_identities = vec![topic.clone()];
        if let Ok(parts) = self.envelope.seal(welcome) {
            let _ = peer.outbox.push(encode(&parts), Weight::Needed);
        }
    }
}

impl Service for Iopub {
    const KIND: Kind = Kind::Publisher;

    fn channel(&self) -> &'static str {
        "iopub"
    }

    fn came(&self, peer: &Arc<Peer>) {
        self.subscribers().push(Subscriber { peer: peer.clone(), topics: Vec::new() });
    }

    fn receive(&self, peer: &Arc<Peer>, parts: Vec<Bytes>) {
        let [part] = parts.as_slice() else { return };
        let Some((&subscribes @ (0 | 1), topic)) = part.split_first() else {
            return note("iopub: a message that is no subscription was dropped".to_owned());
        };
        let topic = part.slice_ref(topic);
        let mut subscribers = self.subscribers();
        let Some(subscriber) =
            subscribers.iter_mut().find(|subscriber| Arc::ptr_eq(&subscriber.peer, peer))
        else {
            return;
        };
        if subscribes == 1 {
            // Before anything of this topic can reach it, as nothing else is sent meanwhile.
            self.welcome(peer, &topic);
            subscriber.topics.push(topic);
        } else if let Some(place) = subscriber.topics.iter().position(|found| *found == topic) {
            subscriber.topics.remove(place);
        }
    }

    fn left(&self, peer: &Arc<Peer>) {
        self.subscribers().retain(|subscriber| !Arc::ptr_eq(&subscriber.peer, peer));
    }
}
