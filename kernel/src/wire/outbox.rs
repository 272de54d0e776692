//! What waits to be written to one client.

use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// More than this in a queue, and whoever fills it should wait.
const ROOM: usize = 1 << 20;
/// More than this waits for no client.
const LIMIT: usize = 64 << 20;
/// What a client must know to go on may wait beyond that.
const RESERVE: usize = 16 << 20;
/// Written at once; after each of these the client counts as one that reads.
const CHUNK: usize = 64 << 10;

/// How a message matters to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The client's picture of the kernel is wrong without it.
    Needed,
    /// Output, without which the client goes on.
    Output,
}

/// One client's queue; its owner writes it out with a [`Writer`].
pub struct Outbox {
    queue: mpsc::UnboundedSender<Bytes>,
    load: Arc<Load>,
    /// The client did not read for a while; nobody waits for it until it has caught up.
    is_stalled: AtomicBool,
}

struct Load {
    bytes: AtomicUsize,
    eased: Notify,
    /// When the client last took something, or when it began to have something to take.
    moved: Mutex<Instant>,
}

impl Load {
    fn moves(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn stands_still_for(&self) -> Duration {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Writes out what an [`Outbox`] takes.
pub struct Writer {
    queue: mpsc::UnboundedReceiver<Bytes>,
    load: Arc<Load>,
}

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Gone,
    /// The client is not reading, and too much waits for it already.
    Full,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Gone => write!(formatter, "the client has left"),
            Refusal::Full => {
                let limit = LIMIT >> 20;
                write!(formatter, "the client does not read, and {limit} MiB wait for it")
            }
        }
    }
}

pub fn outbox() -> (Outbox, Writer) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let load = Load {
        bytes: AtomicUsize::new(0),
        eased: Notify::new(),
        moved: Mutex::new(Instant::now()),
    };
    let load = Arc::new(load);
    let outbox = Outbox { queue: sender, load: load.clone(), is_stalled: false.into() };
    (outbox, Writer { queue: receiver, load })
}

impl Outbox {
    /// Queues a message, at once.
    pub fn push(&self, message: Bytes, weight: Weight) -> Result<(), Refusal> {
        let limit = match weight {
            Weight::Needed => LIMIT + RESERVE,
            Weight::Output => LIMIT,
        };
        if self.load.bytes.load(Ordering::Acquire) > limit {
            return Err(Refusal::Full);
        }
        if self.load.bytes.fetch_add(message.len(), Ordering::AcqRel) == 0 {
            self.load.moves();
        }
        self.queue.send(message).map_err(|_| Refusal::Gone)
    }

    pub fn is_empty(&self) -> bool {
        self.load.bytes.load(Ordering::Acquire) == 0 || self.queue.is_closed()
    }

    /// Waits until little is queued, however long that takes.
    pub async fn room(&self) {
        while let Some(eased) = self.easing() {
            eased.await;
        }
    }

    /// Waits until little is queued, unless the client does not read at all for `patience`, counted
    /// from before the call: then nobody waits for it any more until it has caught up. True when that
    /// happens.
    pub async fn room_within(&self, patience: Duration) -> bool {
        while let Some(eased) = self.easing() {
            if self.is_stalled.load(Ordering::Acquire) {
                return false;
            }
            let left = patience.saturating_sub(self.load.stands_still_for());
            if timeout(left, eased).await.is_err() {
                return !self.is_stalled.swap(true, Ordering::AcqRel);
            }
        }
        self.is_stalled.store(false, Ordering::Release);
        false
    }

    /// The next time that the client takes something, while much is queued.
    fn easing(&self) -> Option<impl Future<Output = ()>> {
        let eased = self.load.eased.notified();
        (self.load.bytes.load(Ordering::Acquire) > ROOM && !self.queue.is_closed()).then_some(eased)
    }
}

impl Writer {
    /// Writes until the outbox is dropped or the client refuses.
    pub async fn run(mut self, mut sink: impl AsyncWrite + Unpin) -> std::io::Result<()> {
        while let Some(message) = self.queue.recv().await {
            for chunk in message.chunks(CHUNK) {
                sink.write_all(chunk).await?;
                self.load.bytes.fetch_sub(chunk.len(), Ordering::AcqRel);
                self.load.moves();
                self.load.eased.notify_waiters();
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.load.eased.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    const PATIENCE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_was_queued_is_written_in_order() {
        let (outbox, writer) = outbox();
        for text in ["one ", "two ", "three"] {
            outbox.push(Bytes::from_static(text.as_bytes()), Weight::Output).unwrap();
        }
        assert!(!outbox.is_empty());
        let (mut reading, writing) = tokio::io::duplex(8);
        let written = tokio::spawn(writer.run(writing));
        let mut found = [0; 13];
        reading.read_exact(&mut found).await.unwrap();
        assert_eq!(&found, b"one two three");
        drop(reading);
        assert!(outbox.push(Bytes::from_static(b"more"), Weight::Output).is_ok());
        assert!(written.await.unwrap().is_err());
        assert_eq!(outbox.push(Bytes::new(), Weight::Output), Err(Refusal::Gone));
        outbox.room().await;
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_waited_for_once() {
        let (outbox, writer) = outbox();
        let (mut reading, writing) = tokio::io::duplex(8);
        tokio::spawn(writer.run(writing));
        outbox.push(vec![0; ROOM + CHUNK].into(), Weight::Output).unwrap();
        assert!(outbox.room_within(PATIENCE).await);
        assert!(!outbox.room_within(Duration::from_secs(3600)).await);
        let mut all = vec![0; ROOM + CHUNK];
        reading.read_exact(&mut all).await.unwrap();
        assert!(!outbox.room_within(PATIENCE).await);
        outbox.push(vec![0; ROOM + CHUNK].into(), Weight::Output).unwrap();
        assert!(outbox.room_within(PATIENCE).await, "it had caught up, so it is waited for again");
    }

    #[tokio::test]
    async fn those_that_do_not_read_are_waited_for_together() {
        let (one, _unread) = outbox();
        let (other, _unread_too) = outbox();
        for outbox in [&one, &other] {
            outbox.push(vec![0; ROOM + 1].into(), Weight::Output).unwrap();
        }
        let patience = Duration::from_millis(300);
        let begun = Instant::now();
        assert!(one.room_within(patience).await && other.room_within(patience).await);
        assert!(begun.elapsed() < patience * 3 / 2, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn output_is_refused_before_what_is_needed() {
        let (outbox, _writer) = outbox();
        outbox.push(vec![0; LIMIT + 1].into(), Weight::Output).unwrap();
        assert_eq!(outbox.push(Bytes::from_static(b"text"), Weight::Output), Err(Refusal::Full));
        outbox.push(vec![0; RESERVE].into(), Weight::Needed).unwrap();
        assert_eq!(outbox.push(Bytes::from_static(b"idle"), Weight::Needed), Err(Refusal::Full));
    }
}
