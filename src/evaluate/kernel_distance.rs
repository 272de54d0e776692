//! How far the timbre of two sounds is apart, by a kernel: a measure that nothing is chosen by.

use super::excerpts::Excerpt;
use crate::features::LogMel;
use rayon::prelude::*;

/// What a distance is multiplied by, as in the reference implementation.
const SCALE: f64 = 100.0;
/// Coefficients of the cepstrum, without that of loudness.
const COEFFICIENTS: usize = 20;
/// The mean of each over a second, and its deviation.
const FEATURES: usize = 2 * COEFFICIENTS;
/// Levels further below the loudest point of the sound count as silence, in dB.
const RANGE_DB: f32 = 60.0;
/// Windows of a sound that are compared at most; of longer sounds, evenly spread ones.
const MOST_WINDOWS: usize = 2_000;

type Features = [f64; FEATURES];

/// The timbre of the sounding windows of a sound: means and deviations of cepstral coefficients, those
/// of windows of `window` frames every `hop` frames. `None` for a silent one.
pub(super) fn timbres(mel: &LogMel, window: usize, hop: usize) -> Vec<Option<Features>> {
    let loudest = mel.db().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let cosines = cosines(mel.bands());
    let cepstra: Vec<([f64; COEFFICIENTS], bool)> = mel
        .db()
        .par_chunks_exact(mel.bands())
        .map(|row| {
            let levels = row.iter().map(|db| f64::from((db - loudest).max(-RANGE_DB)));
            let levels: Vec<f64> = levels.collect();
            let sounds = levels.iter().any(|level| *level > f64::from(-RANGE_DB));
            let coefficient = |cosine: &Vec<f64>| -> f64 {
                cosine.iter().zip(&levels).map(|(cosine, level)| cosine * level).sum()
            };
            (std::array::from_fn(|index| coefficient(&cosines[index])), sounds)
        })
        .collect();
    let count = cepstra.len().checked_sub(window).map_or(0, |last| last / hop + 1);
    let timbre = |start: usize| {
        let rows = &cepstra[start..start + window];
        if loudest <= LogMel::FLOOR_DB || rows.iter().all(|(_, sounds)| !sounds) {
            return None;
        }
        let mut found = [0.0; FEATURES];
        for index in 0..COEFFICIENTS {
            let mean = rows.iter().map(|(row, _)| row[index]).sum::<f64>() / window as f64;
            let squares = rows.iter().map(|(row, _)| (row[index] - mean).powi(2)).sum::<f64>();
            found[index] = mean;
            found[COEFFICIENTS + index] = (squares / window as f64).sqrt();
        }
        Some(found)
    };
    (0..count).map(|number| timbre(number * hop)).collect()
}

/// The rows of a discrete cosine transform (DCT-II) over bands, from the second on.
fn cosines(bands: usize) -> Vec<Vec<f64>> {
    let turn = std::f64::consts::PI / bands as f64;
    let row = |k: usize| (0..bands).map(move |band| ((band as f64 + 0.5) * k as f64 * turn).cos());
    (1..=COEFFICIENTS).map(|k| row(k).map(|cosine| cosine / bands as f64).collect()).collect()
}

/// The kernel distance of a piece from its songs, and of the songs' excerpts from the rest of them.
///
/// The unbiased estimate of the squared maximum mean discrepancy with a Gaussian kernel as wide as the
/// median distance of two windows of the songs, times 100.
pub(super) fn distances(
    piece: &[Option<Features>],
    songs: &[Vec<Option<Features>>],
    excerpts: &[Excerpt],
) -> (f64, Vec<f64>) {
    let all: Vec<(usize, usize, &Features)> = songs
        .iter()
        .enumerate()
        .flat_map(|(song, windows)| {
            windows.iter().enumerate().filter_map(move |(at, w)| Some((song, at, w.as_ref()?)))
        })
        .collect();
    let step = all.len().div_ceil(MOST_WINDOWS).max(1);
    let all: Vec<(usize, usize, &Features)> = all.into_iter().step_by(step).collect();
    let piece: Vec<&Features> = piece.iter().flatten().collect();
    let piece_step = piece.len().div_ceil(MOST_WINDOWS).max(1);
    let piece: Vec<&Features> = piece.into_iter().step_by(piece_step).collect();
    let reference: Vec<&Features> = all.iter().map(|(_, _, features)| *features).collect();
    let weights = weights(&reference);
    let scaled = |windows: &[&Features]| -> Vec<Features> {
        let scale = |w: &&Features| std::array::from_fn(|i| w[i] * weights[i]);
        windows.iter().map(scale).collect()
    };
    let (piece, reference) = (scaled(&piece), scaled(&reference));
    let squares = between(&reference, &reference);
    let kernel = Gaussian::of(&squares, reference.len());
    let own = kernel.values(&squares);
    let other = kernel.values(&between(&piece, &reference));
    let inside = kernel.values(&between(&piece, &piece));
    let count = reference.len();
    let everything: Vec<usize> = (0..count).collect();
    let of_piece = {
        let numbers: Vec<usize> = (0..piece.len()).collect();
        let (xx, yy) =
            (mean_apart(&inside, piece.len(), &numbers), mean_apart(&own, count, &everything));
        SCALE * (xx + yy - 2.0 * mean(&other, count, &numbers, &everything))
    };
    let of_excerpt = |excerpt: &Excerpt| {
        let is_in = |at: &usize| excerpt.holds(all[*at].0, all[*at].1);
        let touches = |at: &usize| excerpt.touches(all[*at].0, all[*at].1);
        let inner: Vec<usize> = everything.iter().copied().filter(is_in).collect();
        let rest: Vec<usize> = everything.iter().copied().filter(|at| !touches(at)).collect();
        let apart = |part: &[usize]| mean_apart(&own, count, part);
        SCALE * (apart(&inner) + apart(&rest) - 2.0 * mean(&own, count, &inner, &rest))
    };
    (of_piece, excerpts.iter().map(of_excerpt).collect())
}

/// What makes each number deviate by 1 over the windows; 0 for one that never changes.
fn weights(windows: &[&Features]) -> Features {
    let count = windows.len().max(1) as f64;
    std::array::from_fn(|index| {
        let mean = windows.iter().map(|w| w[index]).sum::<f64>() / count;
        let squares = windows.iter().map(|w| (w[index] - mean).powi(2)).sum::<f64>();
        let deviation = (squares / count).sqrt();
        if deviation > 1e-6 { deviation.recip() } else { 0.0 }
    })
}

/// Squared distances, row by row.
fn between(a: &[Features], b: &[Features]) -> Vec<f32> {
    let square = |a: &Features, b: &Features| {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() as f32
    };
    a.par_iter().flat_map_iter(|a| b.iter().map(move |b| square(a, b))).collect()
}

/// exp(-d²/2σ²).
struct Gaussian {
    inverse: f64,
}

impl Gaussian {
    /// σ is the median distance of two different windows.
    fn of(squares: &[f32], count: usize) -> Self {
        let pairs = |row: usize| squares[row * count..][..count].iter().skip(row + 1).copied();
        let mut squares: Vec<f32> = (0..count).flat_map(pairs).collect();
        let middle = squares.len() / 2;
        let median = match squares.is_empty() {
            true => 1.0,
            false => *squares.select_nth_unstable_by(middle, f32::total_cmp).1,
        };
        Self { inverse: (2.0 * f64::from(median)).max(1e-8).recip() }
    }

    fn values(&self, squares: &[f32]) -> Vec<f32> {
        squares.par_iter().map(|square| (-f64::from(*square) * self.inverse).exp() as f32).collect()
    }
}

/// The mean over pairs of two sets.
fn mean(kernel: &[f32], columns: usize, rows: &[usize], others: &[usize]) -> f64 {
    let row = |row: &usize| {
        others.iter().map(|other| f64::from(kernel[row * columns + other])).sum::<f64>()
    };
    rows.iter().map(row).sum::<f64>() / (rows.len() * others.len()).max(1) as f64
}

/// The mean over pairs of different members of one set.
fn mean_apart(kernel: &[f32], columns: usize, set: &[usize]) -> f64 {
    let own: f64 = set.iter().map(|at| f64::from(kernel[at * columns + at])).sum();
    let pairs = (set.len() * set.len().saturating_sub(1)).max(1) as f64;
    let all = mean(kernel, columns, set, set) * (set.len() * set.len()) as f64;
    (all - own) / pairs
}
