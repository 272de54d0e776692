//! Descriptions of grains: rows of numbers that say what they sound like.

use super::cut::Grain;
use crate::features::{Chroma, LogMel, PITCH_CLASSES, PitchBands};

/// Slices of a grain over which the mel bands are averaged.
const SLICES: usize = 6;
/// One unit of loudness in a description: the usual deviation of a band.
pub(super) const DB_PER_UNIT: f32 = 12.0;
/// The weight of a pitch class against that of a mel band.
const CHROMA_WEIGHT: f32 = 6.0;
/// Bands are not told apart below this much under the song's loudest.
const RANGE_DB: f32 = 75.0;

/// The sound of a whole song at one transposition, to describe its grains by.
pub(super) struct Described<'a> {
    pub mel: &'a LogMel,
    pub pitches: &'a PitchBands,
    pub chroma: &'a Chroma,
    pub shift: i32,
    pub loudest_db: f32,
}

impl Described<'_> {
    /// Numbers in a [`description`](Self::description).
    pub fn width(&self) -> usize {
        self.mel.bands() * SLICES + PITCH_CLASSES
    }

    /// Numbers in an [`edge`](Self::edge).
    pub fn edge_width(&self) -> usize {
        self.mel.bands() + PITCH_CLASSES
    }

    /// Adds what a grain sounds like: its mel bands slice by slice and its notes.
    pub fn description(&self, grain: &Grain, to: &mut Vec<f32>) {
        for slice in 0..SLICES {
            let at =
                |slice: usize| grain.start_seconds + grain.seconds() * slice as f64 / SLICES as f64;
            self.mel_between(at(slice), at(slice + 1), to);
        }
        self.notes_between(grain.start_seconds, grain.end_seconds, CHROMA_WEIGHT, to);
    }

    /// Adds the level of each semitone a little way before a cut: of frames whose spectra have nothing
    /// of what comes after it.
    pub fn level_before(&self, cut_seconds: f64, to: &mut Vec<f32>) {
        let hop = PitchBands::HOP_SECONDS;
        self.level_between(cut_seconds - 6.0 * hop, cut_seconds - 2.0 * hop, to);
    }

    /// As [`level_before`](Self::level_before), after it.
    pub fn level_after(&self, cut_seconds: f64, to: &mut Vec<f32>) {
        let hop = PitchBands::HOP_SECONDS;
        self.level_between(cut_seconds + 3.0 * hop, cut_seconds + 7.0 * hop, to);
    }

    fn level_between(&self, from_seconds: f64, to_seconds: f64, to: &mut Vec<f32>) {
        let first = to.len();
        let floor = -PitchBands::RANGE_DB / DB_PER_UNIT;
        to.resize(first + PitchBands::BANDS, floor);
        let hop = PitchBands::HOP_SECONDS;
        let Some((from, end)) = frames(from_seconds, to_seconds, hop, self.pitches.frames()) else {
            return;
        };
        let scale = 1.0 / (DB_PER_UNIT * (end - from) as f32);
        let rows = &self.pitches.levels_db()[from * PitchBands::BANDS..end * PitchBands::BANDS];
        for (band, level) in to[first..].iter_mut().enumerate() {
            // A semitone is a band.
            let Some(source) = band.checked_add_signed(-self.shift as isize) else { continue };
            if source < PitchBands::BANDS {
                let column = rows.iter().skip(source).step_by(PitchBands::BANDS);
                *level = column.sum::<f32>() * scale;
            }
        }
    }

    /// Adds what sounds right before a cut: what comes next has to go on from there.
    pub fn edge(&self, cut_seconds: f64, grain_seconds: f64, to: &mut Vec<f32>) {
        let hop = self.mel.hop_seconds();
        // The last two frames whose windows do not reach beyond the cut.
        self.mel_between(cut_seconds - 3.0 * hop, cut_seconds - 1.0 * hop, to);
        let weight = CHROMA_WEIGHT / (SLICES as f32).sqrt();
        self.notes_between(cut_seconds - grain_seconds, cut_seconds, weight, to);
    }

    fn mel_between(&self, from_seconds: f64, to_seconds: f64, to: &mut Vec<f32>) {
        let bands = self.mel.bands();
        let first = to.len();
        to.resize(first + bands, 0.0);
        let Some((from, end)) =
            frames(from_seconds, to_seconds, self.mel.hop_seconds(), self.mel.frames())
        else {
            to[first..].fill(-RANGE_DB / DB_PER_UNIT);
            return;
        };
        let scale = 1.0 / (DB_PER_UNIT * (end - from) as f32);
        for row in self.mel.db()[from * bands..end * bands].chunks_exact(bands) {
            for (sum, db) in to[first..].iter_mut().zip(row) {
                *sum += (db - self.loudest_db).max(-RANGE_DB) * scale;
            }
        }
    }

    fn notes_between(&self, from_seconds: f64, to_seconds: f64, weight: f32, to: &mut Vec<f32>) {
        let first = to.len();
        to.resize(first + PITCH_CLASSES, 0.0);
        let hop = self.chroma.hop_seconds();
        let Some((from, end)) = frames(from_seconds, to_seconds, hop, self.chroma.frames()) else {
            return;
        };
        let strengths = &self.chroma.strengths()[from * PITCH_CLASSES..end * PITCH_CLASSES];
        for row in strengths.chunks_exact(PITCH_CLASSES) {
            for (class, strength) in row.iter().enumerate() {
                let moved = (class as i32 + self.shift).rem_euclid(PITCH_CLASSES as i32) as usize;
                to[first + moved] += strength;
            }
        }
        let length = to[first..].iter().map(|s| s * s).sum::<f32>().sqrt();
        if length > 0.0 {
            to[first..].iter_mut().for_each(|strength| *strength *= weight / length);
        }
    }
}

/// The frames between two times: at least one, none before the beginning or after the end.
fn frames(from: f64, to: f64, hop_seconds: f64, frames: usize) -> Option<(usize, usize)> {
    if to <= 0.0 || frames == 0 {
        return None;
    }
    let from = ((from / hop_seconds).round().max(0.0) as usize).min(frames - 1);
    let to = ((to / hop_seconds).round() as usize).clamp(from + 1, frames.max(from + 1));
    Some((from, to))
}
