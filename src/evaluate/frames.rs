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
        let (low, high) = kept_bands(shift);
        let mut values = Vec::with_capacity(bands.frames() / group * (high - low));
        for rows in bands.levels_db().chunks_exact(group * PitchBands::BANDS) {
            for band in low..high {
                let sum: f32 = rows.iter().skip(band).step_by(PitchBands::BANDS).sum();
                // Around the middle of the range, so that sums of products keep their precision.
                values.push(sum / group as f32 + PitchBands::RANGE_DB / 2.0);
            }
        }
        Self::new(values, high - low)
    }

    /// Those `bands` of `mel` as if it were `semitones` higher, with every `group` frames averaged; what
    /// is more than `range_db` below the loudest point counts as silence, and the first `late` frames are
    /// left out.
    pub fn of_mel(
        mel: &LogMel,
        (group, range_db): (usize, f32),
        late: usize,
        semitones: i32,
        bands: Range<usize>,
    ) -> Self {
        let settings = mel.settings();
        let last = mel.bands() - 1;
        // The places that the bands' sound comes from, most of them between two bands.
        let places: Vec<(usize, f32)> = bands
            .map(|band| {
                let hz = settings.center_hz(band) / ratio(semitones);
                let place = settings.band_at(hz).clamp(0.0, last as f64);
                (place as usize, place.fract() as f32)
            })
            .collect();
        let loudest = mel.db().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut values = Vec::with_capacity(mel.frames() / group * places.len());
        let mut mean = vec![0.0; mel.bands()];
        let levels = mel.db().get(late * mel.bands()..).unwrap_or_default();
        for rows in levels.chunks_exact(group * mel.bands()) {
            mean.fill(0.0);
            for row in rows.chunks_exact(mel.bands()) {
                for (sum, level) in mean.iter_mut().zip(row) {
                    // Around the middle of the range, as above.
                    let level = (level - loudest).max(-range_db);
                    *sum += (level + range_db / 2.0) / group as f32;
                }
            }
            values.extend(places.iter().map(|(below, part)| {
                mean[*below] + (mean[(below + 1).min(last)] - mean[*below]) * part
            }));
        }
        Self::new(values, places.len())
    }

    /// The mel bands that a sound still has when it is `semitones` higher.
    pub fn mel_bands_left(mel: &LogMel, semitones: i32) -> Range<usize> {
        let settings = mel.settings();
        let has = |band: &usize| {
            let before = settings.band_at(settings.center_hz(*band) / ratio(semitones));
            (-1e-6..=(mel.bands() - 1) as f64 + 1e-6).contains(&before)
        };
        let left: Vec<usize> = (0..mel.bands()).filter(has).collect();
        left.first().copied().unwrap_or(0)..left.last().map_or(0, |last| last + 1)
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
    pub fn statistics(&self, start: usize, window: usize) -> (f64, f64) {
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

/// How many times the frequency is that is `semitones` higher.
fn ratio(semitones: i32) -> f64 {
    2f64.powf(f64::from(semitones) / 12.0)
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
