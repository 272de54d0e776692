//! Sound as frames of bands whose windows can be correlated.

use crate::features::{LogMel, PitchBands};
use std::ops::Range;

/// Frames × bands, with what every correlation needs of each frame.
pub(super) struct Frames {
    pub(super) values: Vec<f32>,
    pub(super) bands: usize,
    /// Sum, and sum of squares, of the values of all frames before each; one more than frames.
    sums: Vec<(f64, f64)>,
}

impl Frames {
    pub fn new(values: Vec<f32>, bands: usize) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        let (mut sum, mut squares) = (0.0, 0.0);
        for frame in values.chunks_exact(bands) {
            sum += frame.iter().map(|v| f64::from(*v)).sum::<f64>();
            squares += frame.iter().map(|v| f64::from(v * v)).sum::<f64>();
            sums.push((sum, squares));
        }
        Self { values, bands, sums }
    }

    /// `bands` with every `group` frames averaged, `shift` bands left out below (or above, if
    /// negative).
    pub fn of(bands: &PitchBands, group: usize, shift: i32) -> Self {
        Self::later(bands, group, shift, 0)
    }

    /// As [`of`](Self::of), from frame `late` on.
    pub fn later(bands: &PitchBands, group: usize, shift: i32, late: usize) -> Self {
        let (low, high) = kept_bands(shift);
        let mut values = Vec::with_capacity(bands.frames() / group * (high - low));
        let levels = bands.levels_db().get(late * PitchBands::BANDS..).unwrap_or_default();
        for rows in levels.chunks_exact(group * PitchBands::BANDS) {
            for band in low..high {
                let sum: f32 = rows.iter().skip(band).step_by(PitchBands::BANDS).sum();
                // Around the middle of the range, so that sums of products keep their precision.
                values.push(sum / group as f32 + PitchBands::RANGE_DB / 2.0);
            }
        }
        Self::new(values, high - low)
    }

    /// What `bands` sound like to a listener.
    pub fn as_heard(bands: &PitchBands) -> Self {
        Self::new(bands.as_heard(), PitchBands::BANDS)
    }

    /// `mel` from frame `late` on, with every `group` frames averaged; what is more than `range_db` below
    /// the loudest point counts as silence.
    pub fn of_mel(mel: &LogMel, group: usize, late: usize, range_db: f32) -> Self {
        let loudest = mel.db().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut values = Vec::with_capacity(mel.frames() / group * mel.bands());
        let levels = mel.db().get(late * mel.bands()..).unwrap_or_default();
        for rows in levels.chunks_exact(group * mel.bands()) {
            for band in 0..mel.bands() {
                // Around the middle of the range, as above.
                let level = |level: &f32| (level - loudest).max(-range_db) + range_db / 2.0;
                let sum: f32 = rows.iter().skip(band).step_by(mel.bands()).map(level).sum();
                values.push(sum / group as f32);
            }
        }
        Self::new(values, mel.bands())
    }

    /// Without the lowest `left_out` bands.
    pub fn above(&self, left_out: usize) -> Self {
        let left_out = left_out.min(self.bands.saturating_sub(1));
        let rows = self.values.chunks_exact(self.bands);
        let values = rows.flat_map(|row| &row[left_out..]).copied().collect();
        Self::new(values, self.bands - left_out)
    }

    /// The frames in `range`.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self::new(
            self.values[range.start * self.bands..range.end * self.bands].to_vec(),
            self.bands,
        )
    }

    /// The same sound played `speed` times as fast: frames interpolated between their neighbours.
    pub fn at_speed(&self, speed: f64) -> Self {
        let last = self.len().saturating_sub(1);
        let count = (self.len() as f64 / speed) as usize;
        let mut values = Vec::with_capacity(count * self.bands);
        for frame in 0..count {
            let at = frame as f64 * speed;
            let (index, part) = (at as usize, at.fract() as f32);
            let (a, b) = (self.frame(index.min(last)), self.frame((index + 1).min(last)));
            values.extend(a.iter().zip(b).map(|(a, b)| a + (b - a) * part));
        }
        Self::new(values, self.bands)
    }

    pub fn len(&self) -> usize {
        self.sums.len() - 1
    }

    pub fn frame(&self, index: usize) -> &[f32] {
        &self.values[index * self.bands..][..self.bands]
    }

    /// Mean and summed squared deviation of the values in `window` frames from `start`.
    fn statistics(&self, start: usize, window: usize) -> (f64, f64) {
        let ((sum, squares), (sum_before, squares_before)) =
            (self.sums[start + window], self.sums[start]);
        let count = (window * self.bands) as f64;
        let mean = (sum - sum_before) / count;
        (mean, (squares - squares_before - count * mean * mean).max(0.0))
    }

    /// How to make correlations of products with that window.
    pub fn scale(&self, start: usize, window: usize) -> Scale {
        let (mean, squares) = self.statistics(start, window);
        let flat = (window * self.bands) as f64 * FLAT_DB * FLAT_DB;
        Scale { mean, inverse_length: if squares < flat { 0.0 } else { squares.sqrt().recip() } }
    }
}

/// A window whose values deviate less than this from their mean holds nothing.
const FLAT_DB: f64 = 1.5;

/// The bands that are left when what was `shift` semitones lower is laid over it.
fn kept_bands(shift: i32) -> (usize, usize) {
    let away = shift.unsigned_abs() as usize;
    if shift >= 0 { (away, PitchBands::BANDS) } else { (0, PitchBands::BANDS - away) }
}

/// What makes a correlation of a sum of products; an inverse of 0 where a window holds nothing.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub mean: f64,
    pub inverse_length: f64,
}
