//! Where the time goes while songs are stored.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Decode,
    Encode,
    Hash,
    Loudness,
    Fingerprint,
}

/// Adds up the time of all threads.
#[derive(Default)]
pub(super) struct Clock([AtomicU64; 5]);

impl Clock {
    pub(super) fn time<T>(&self, share: Share, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        let nanoseconds = begun.elapsed().as_nanos() as u64;
        self.0[share as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    pub(super) fn shares(&self) -> Shares {
        let [decode, encode, hash, loudness, fingerprint] = &self.0;
        let of = |share: &AtomicU64| Duration::from_nanos(share.load(Ordering::Relaxed));
        Shares {
            decode: of(decode),
            encode: of(encode),
            hash: of(hash),
            loudness: of(loudness),
            fingerprint: of(fingerprint),
        }
    }
}

/// Time spent on songs by kind of work, of all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Reading and decoding the songs' files.
    pub decode: Duration,
    /// Rounding, encoding as FLAC, its checksum, writing.
    pub encode: Duration,
    /// Hashes of files and samples.
    pub hash: Duration,
    /// Measuring loudness.
    pub loudness: Duration,
    /// Making fingerprints.
    pub fingerprint: Duration,
}
