//! Where two sounds move alike: correlation of windows without the mean of each band.

use super::frames::Frames;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use crate::features::PitchBands;

/// Windows of the piece, and of the source, whose products are held at a time.
const ROWS: usize = 256;
const PLACES: usize = 4_096;
/// Windows whose bands deviate less than this from their own means, in dB, stand still.
const STILL_DB: f64 = 1.5;

/// Seconds of the piece that are compared with each place: longer than what a composer of grains may take
/// at a time.
const WINDOW_SECONDS: f64 = 2.5;
/// Frames that are averaged: 48 ms.
pub(super) const GROUP: usize = 3;
pub(super) const FRAME_SECONDS: f64 = GROUP as f64 * PitchBands::HOP_SECONDS;
/// Semitones that are left out where a transposition is looked for, below 110 Hz: there they cannot be
/// told from their neighbours, and do not shift as the sound does.
const SHARED_SEMITONES: usize = 12;

/// Frames of a window.
pub(super) fn window() -> usize {
    (WINDOW_SECONDS / FRAME_SECONDS).round() as usize
}

/// `bands` from frame `late` on, as they are compared with those of a sound that is `semitones` lower.
pub(super) fn transposed(bands: &PitchBands, semitones: i32, late: usize) -> Frames {
    Frames::later(bands, GROUP, semitones, late).above(SHARED_SEMITONES)
}

/// The largest correlation of any [`window`] of `piece` with any of `source`, the mean of each band over
/// the window taken away on both sides: 0 where one side has no such window.
///
/// What is left is how the bands rise and fall. A filter does not change it, and what stands still, like
/// a held chord, does not make two places alike.
pub(super) fn best_of_dynamics(piece: &Frames, source: &Frames) -> f32 {
    best_of_windows(piece, source).into_iter().fold(0.0, f32::max)
}

/// The same for each window of the piece.
pub(super) fn best_of_windows(piece: &Frames, source: &Frames) -> Vec<f32> {
    let window = window();
    if piece.len() < window || source.len() < window {
        return Vec::new();
    }
    let own = Windows::of(piece, window);
    let mut best = vec![0.0; piece.len() + 1 - window];
    let places = source.len() + 1 - window;
    for first in (0..places).step_by(PLACES) {
        let end = (first + PLACES).min(places) + window - 1;
        best_in_part(piece, &own, &source.part(first..end), window, &mut best);
    }
    best
}

/// As [`best_of_windows`], in a part of the source; where it is more than what is in `best`.
fn best_in_part(piece: &Frames, own: &Windows, source: &Frames, window: usize, best: &mut [f32]) {
    let (bands, starts, places) =
        (piece.bands, piece.len() + 1 - window, source.len() + 1 - window);
    let other = Windows::of(source, window);
    let mut products = vec![0f32; (ROWS + window - 1) * source.len()];
    let mut means = vec![0f32; ROWS * places];
    for first in (0..starts).step_by(ROWS) {
        let count = ROWS.min(starts - first);
        let frames = count + window - 1;
        product(
            &mut products[..frames * source.len()],
            source.len(),
            Matrix::new(&piece.values[first * bands..], frames, bands),
            Matrix::new(&source.values, source.len(), bands).t(),
            Into::Overwrite,
        );
        product(
            &mut means[..count * places],
            places,
            Matrix::new(&own.sums[first * bands..], count, bands),
            Matrix::new(&other.sums, places, bands).t(),
            Into::Overwrite,
        );
        vectorised(Rows {
            products: &products,
            columns: source.len(),
            means: &means,
            window,
            own: &own.inverse_lengths[first..first + count],
            other: &other.inverse_lengths,
            best: &mut best[first..first + count],
        });
    }
}

/// All windows of a sound.
struct Windows {
    /// Windows × bands: the sum of a band's levels, divided by the root of the number of frames, so that
    /// products of sums are what the means take away from products of frames.
    sums: Vec<f32>,
    /// One over the length of a window's deviations from its bands' means; 0 where it stands still.
    inverse_lengths: Vec<f32>,
}

impl Windows {
    fn of(frames: &Frames, window: usize) -> Self {
        let count = frames.len() + 1 - window;
        let mut running = vec![0f64; frames.bands];
        let mut squares = 0.0;
        let (mut sums, mut inverse_lengths) = (Vec::new(), Vec::with_capacity(count));
        sums.reserve(count * frames.bands);
        let scale = (window as f64).sqrt().recip();
        for frame in 0..frames.len() {
            let mut enter = |row: &[f32], sign: f64| {
                for (sum, level) in running.iter_mut().zip(row) {
                    *sum += sign * f64::from(*level);
                    squares += sign * f64::from(*level) * f64::from(*level);
                }
            };
            enter(frames.frame(frame), 1.0);
            if frame >= window {
                enter(frames.frame(frame - window), -1.0);
            }
            if frame + 1 < window {
                continue;
            }
            let means: f64 = running.iter().map(|sum| (sum * scale).powi(2)).sum();
            let deviations = squares - means;
            let still = (window * frames.bands) as f64 * STILL_DB * STILL_DB;
            let moves = deviations > still;
            inverse_lengths.push(if moves { deviations.sqrt().recip() as f32 } else { 0.0 });
            sums.extend(running.iter().map(|sum| (sum * scale) as f32));
        }
        Self { sums, inverse_lengths }
    }
}

struct Rows<'a> {
    /// Frames of the piece × `columns` frames of the source.
    products: &'a [f32],
    columns: usize,
    /// Windows of the piece × windows of the source.
    means: &'a [f32],
    window: usize,
    own: &'a [f32],
    other: &'a [f32],
    /// Of each window of the piece.
    best: &'a mut [f32],
}

impl Loop for Rows<'_> {
    #[inline(always)]
    fn run(self) {
        let (window, places) = (self.window, self.other.len());
        let row = |frame: usize| &self.products[frame * self.columns..][..self.columns];
        // The sums along the diagonals of a window, first for the first window of the piece.
        let mut sums = vec![0f64; places];
        for frame in 0..window {
            let products = &row(frame)[frame..frame + places];
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(*product));
        }
        let mut next = vec![0f64; places];
        for (start, own) in self.own.iter().enumerate() {
            let means = &self.means[start * places..][..places];
            let mut best = 0f32;
            for ((sum, mean), other) in sums.iter().zip(means).zip(self.other) {
                let correlation = (*sum - f64::from(*mean)) as f32 * other;
                best = if correlation > best { correlation } else { best };
            }
            self.best[start] = self.best[start].max(best * own);
            if start + 1 == self.own.len() {
                break;
            }
            // One further on both sides; the first place has no place before it.
            let (left, entered) = (row(start), row(start + window));
            next[0] =
                (0..window).map(|frame| f64::from(row(start + 1 + frame)[frame])).sum::<f64>();
            let moved = sums.iter().zip(left).zip(&entered[window..]);
            for (to, ((sum, left), entered)) in next[1..].iter_mut().zip(moved) {
                *to = sum - f64::from(*left) + f64::from(*entered);
            }
            std::mem::swap(&mut sums, &mut next);
        }
    }
}
