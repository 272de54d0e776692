//! How songs become grains.

use crate::audio::Need;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How songs are cut into grains and described.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrainSettings {
    /// About how long a grain is; the beat decides. Usual: 0.21 s.
    pub grain_seconds: f64,
    /// In which transpositions grains are on offer, in semitones; 0 comes first.
    pub shifts: Vec<i32>,
    /// Numbers that describe a grain to the network. Usual: 48.
    pub components: usize,
    /// Beats less sure than this are not heeded, and cuts are made at onsets instead; 0 to 1. Usual: 0.2,
    /// less than what is called clear: cuts along a beat that is only guessed join better than none.
    pub least_beat_confidence: f64,
    /// Candidates that one step of training chooses among, at most: what a step costs.
    pub chapter_candidates: usize,
}

impl Default for GrainSettings {
    fn default() -> Self {
        Self {
            grain_seconds: 0.21,
            shifts: vec![0, 1, -1, 2, -2],
            components: 48,
            least_beat_confidence: 0.2,
            chapter_candidates: 4_096,
        }
    }
}

/// Bytes that a second of a song takes while it is cut: samples, semitones, notes …
const OF_SONG: f64 = 150_000.0;
/// … mel bands in a transposition …
const OF_SHIFT: f64 = 22_000.0;
/// … and what a grain in a transposition sounds like.
const OF_CANDIDATE: f64 = 4_800.0;

impl GrainSettings {
    /// What songs take of memory while they are cut; a guest takes it, too.
    pub fn need(&self) -> Need {
        let of_shift = OF_SHIFT + OF_CANDIDATE / self.grain_seconds;
        let bytes = OF_SONG + self.shifts.len() as f64 * of_shift;
        Need { work: "to learn from", bytes_per_second: bytes as u64 }
    }

    /// Whether songs can be cut that way.
    pub(super) fn check(&self) -> Result<()> {
        if !(0.05..=2.0).contains(&self.grain_seconds) {
            return Err(Error::argument("grain_seconds", "0.05 to 2 s", self.grain_seconds));
        }
        let distinct = self.shifts.iter().collect::<HashSet<_>>().len();
        let fits = self.shifts.first() == Some(&0)
            && distinct == self.shifts.len()
            && self.shifts.iter().all(|shift| shift.abs() <= 12);
        if !fits {
            let expected = "0, then other semitones from -12 to 12, each once";
            return Err(Error::argument("shifts", expected, format!("{:?}", self.shifts)));
        }
        Error::refuse_zero([("components", self.components)])?;
        Ok(())
    }
}
