//! What a pool keeps of a song: where it is, and what it sounds like.

use crate::dataset::SongSource;
use crate::features::PitchBands;
use std::ops::Range;

/// A song of the pool.
#[derive(Clone, Debug)]
pub struct PoolSong {
    /// Where its samples are.
    pub source: SongSource,
    /// What people call it.
    pub title: String,
    /// What was put up with in it, one sentence each.
    pub warnings: Vec<String>,
    /// Tells it from other songs and from another version of itself.
    pub fingerprint: u64,
    /// Its length.
    pub duration_seconds: f64,
    /// Its sample rate.
    pub sample_rate_hz: u32,
    /// Its channels.
    pub channel_count: usize,
    /// Its beats in a minute, or `None` where it was cut at onsets.
    pub beats_per_minute: Option<f64>,
    /// The beats of its bars, likewise.
    pub beats_in_bar: Option<usize>,
    /// Which grains of the pool are its.
    pub grains: Range<usize>,
    /// Its sections, as ranges of grains of the pool.
    pub sections: Vec<Range<usize>>,
    /// What it sounds like, semitone by semitone, on a grid of 16 ms.
    pub bands: PitchBands,
}
