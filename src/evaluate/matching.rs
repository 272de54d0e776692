//! Where two sounds are alike: correlation of windows of one with windows of the other.

use crate::features::PitchBands;
use rayon::prelude::*;

/// Frames × bands, with what every correlation needs of each frame.
pub(super) struct Frames {
    values: Vec<f32>,
    bands: usize,
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
}

/// A window whose values deviate less than this from their mean holds nothing.
const FLAT_DB: f64 = 1.5;

/// The bands that are left when what was `shift` semitones lower is laid over it.
fn kept_bands(shift: i32) -> (usize, usize) {
    let away = shift.unsigned_abs() as usize;
    if shift >= 0 { (away, PitchBands::BANDS) } else { (0, PitchBands::BANDS - away) }
}

/// The place of `source` that a window of `piece` resembles most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Match {
    /// Pearson's correlation, 1 for the same.
    pub correlation: f32,
    /// First frame of the window in the source.
    pub frame: usize,
}

/// For each window of `window` frames of `piece` the most similar window of `source`; windows that
/// hold nothing match nothing. Every place is compared with every place.
pub(super) fn best_matches(piece: &Frames, source: &Frames, window: usize) -> Vec<Match> {
    let starts = (piece.len() + 1).saturating_sub(window);
    let places = (source.len() + 1).saturating_sub(window);
    if starts == 0 || places == 0 {
        return vec![Match::default(); starts];
    }
    let per_task = (starts + places).div_ceil(8 * rayon::current_num_threads());
    let diagonals: Vec<isize> = (-(starts as isize - 1)..places as isize).collect();
    let found: Vec<Vec<Match>> = diagonals
        .par_chunks(per_task)
        .map(|diagonals| {
            let mut best = vec![Match::default(); starts];
            let mut products = Vec::new();
            for diagonal in diagonals {
                along(piece, source, *diagonal, window, &mut products, |start, correlation| {
                    if correlation > best[start].correlation {
                        let frame = (start as isize + diagonal) as usize;
                        best[start] = Match { correlation, frame };
                    }
                });
            }
            best
        })
        .collect();
    let mut best = vec![Match::default(); starts];
    for part in found {
        for (best, candidate) in best.iter_mut().zip(part) {
            if candidate.correlation > best.correlation {
                *best = candidate;
            }
        }
    }
    best
}

/// Visits (start in the piece, correlation) of all windows of `piece` that lie `diagonal` frames
/// earlier than those of `source` they are compared with. The products of frames are added up along
/// the way, so that the length of the window costs nothing.
pub(super) fn along(
    piece: &Frames,
    source: &Frames,
    diagonal: isize,
    window: usize,
    products: &mut Vec<f64>,
    mut visit: impl FnMut(usize, f32),
) {
    let first = (-diagonal).max(0) as usize;
    let end = (source.len() as isize - diagonal).clamp(0, piece.len() as isize) as usize;
    if end < first + window {
        return;
    }
    products.clear();
    products.push(0.0);
    let mut sum = 0.0;
    for index in first..end {
        let other = (index as isize + diagonal) as usize;
        sum += f64::from(dot(piece.frame(index), source.frame(other)));
        products.push(sum);
    }
    let count = (window * piece.bands) as f64;
    for start in first..=end - window {
        let other = (start as isize + diagonal) as usize;
        let windows = (piece.statistics(start, window), source.statistics(other, window));
        let flat = count * FLAT_DB * FLAT_DB;
        if windows.0.1 < flat || windows.1.1 < flat {
            continue;
        }
        let product = products[start - first + window] - products[start - first];
        visit(start, pearson(product, count, windows));
    }
}

/// The correlation of one window of `piece` with the window of `source` that starts `diagonal` frames
/// later; 0 where that is outside.
pub(super) fn correlation_at(
    piece: &Frames,
    source: &Frames,
    start: usize,
    diagonal: isize,
    window: usize,
) -> f32 {
    let Some(other) = start.checked_add_signed(diagonal) else { return 0.0 };
    if start + window > piece.len() || other + window > source.len() {
        return 0.0;
    }
    let dots = (0..window).map(|t| dot(piece.frame(start + t), source.frame(other + t)));
    let product: f64 = dots.map(f64::from).sum();
    let windows = (piece.statistics(start, window), source.statistics(other, window));
    pearson(product, (window * piece.bands) as f64, windows)
}

/// Pearson's correlation of `count` pairs of values from the sum of their products and, for each side,
/// mean and summed squared deviation.
fn pearson(product: f64, count: f64, (a, b): ((f64, f64), (f64, f64))) -> f32 {
    let covariance = product - count * a.0 * b.0;
    (covariance / (a.1 * b.1).sqrt().max(1e-9)) as f32
}

/// In eight sums, so that the compiler may use vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (eights, rest) = a.as_chunks::<8>();
    let (other_eights, other_rest) = b.as_chunks::<8>();
    for (a, b) in eights.iter().zip(other_eights) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
