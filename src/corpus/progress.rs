//! How far a build is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far a build is with the songs that have to be decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BuildProgress {
    /// Songs that are decoded and stored.
    pub done: usize,
    /// Songs that were to be decoded.
    pub total: usize,
    /// How much sound was decoded, in seconds.
    pub sound_seconds: f64,
    /// Since the first of them was begun.
    pub elapsed: Duration,
    /// How long the others may take; nothing before the first is done.
    pub left: Option<Duration>,
}

impl BuildProgress {
    /// Seconds of sound decoded in a second.
    pub fn times_real_time(&self) -> f64 {
        self.sound_seconds / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Counts what is done, on any thread.
pub(super) struct Meter<'a> {
    watch: &'a (dyn Fn(&BuildProgress) + Sync),
    begun: Instant,
    total: usize,
    all_bytes: u64,
    /// Songs, bytes of their files, seconds of sound.
    done: Mutex<(usize, u64, f64)>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        bytes: impl ExactSizeIterator<Item = u64>,
        watch: &'a (dyn Fn(&BuildProgress) + Sync),
    ) -> Self {
        let total = bytes.len();
        let (begun, all_bytes, done) = (Instant::now(), bytes.sum(), Mutex::new((0, 0, 0.0)));
        Self { watch, begun, total, all_bytes, done }
    }

    pub(super) fn count(&self) -> usize {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// A song is done.
    pub(super) fn done(&self, bytes: u64, seconds: f64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let (songs, done_bytes, sound_seconds) = (done.0 + 1, done.1 + bytes, done.2 + seconds);
        *done = (songs, done_bytes, sound_seconds);
        let elapsed = self.begun.elapsed();
        let rest = self.all_bytes.saturating_sub(done_bytes) as f64 / done_bytes.max(1) as f64;
        let left = Some(elapsed.mul_f64(rest.min(1e6)));
        let (done, total) = (songs, self.total);
        (self.watch)(&BuildProgress { done, total, sound_seconds, elapsed, left });
    }
}
