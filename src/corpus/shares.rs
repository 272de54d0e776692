//! Where the time goes while songs are stored.

use crate::Result;
use crate::processes::Processes;
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

    /// The time of all `processes`.
    pub(super) fn shares(&self, processes: &Processes) -> Result<Shares> {
        let of = |share: &AtomicU64| Duration::from_nanos(share.load(Ordering::Relaxed));
        let here: Vec<f64> = self.0.iter().map(|share| of(share).as_secs_f64()).collect();
        let all = processes.sum(&here)?;
        let of = |share: Share| Duration::from_secs_f64(all[share as usize]);
        Ok(Shares {
            decode: of(Share::Decode),
            encode: of(Share::Encode),
            hash: of(Share::Hash),
            loudness: of(Share::Loudness),
            fingerprint: of(Share::Fingerprint),
        })
    }
}

/// Time spent on songs by kind of work, of all threads and processes together.
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
