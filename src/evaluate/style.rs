//! How far a piece is from the style of its songs.

use super::bands_of;
use crate::audio::Audio;
use crate::features::PitchBands;
use crate::words::counted;
use crate::{Error, Result, interrupt};
use nalgebra::{DMatrix, DVector};
use std::fmt;

/// Frames of a window, a second.
const WINDOW: usize = 62;
/// Frames from one window to the next, a quarter of a second.
const HOP: usize = 16;
/// Windows that are quieter than this, below the loudest point, say nothing about style.
const SILENT_DB: f32 = -50.0;
/// Fewer windows than this have no covariance worth the name.
const LEAST_WINDOWS: usize = 8;

/// How far a piece is from the style of its songs. See [`style_distance`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StyleDistance {
    /// Fréchet distance between the piece and the songs; 0 is the same style.
    pub distance: f64,
    /// The same between the first and the second halves of the songs: what two real recordings of
    /// this style have. Nothing can be asked to come much nearer than that.
    pub between_halves: f64,
}

impl StyleDistance {
    /// The distance in units of the halves' distance: 1 is as near as the song is to itself.
    pub fn ratio(&self) -> f64 {
        self.distance / self.between_halves.max(1e-9)
    }
}

impl fmt::Display for StyleDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "distance of style {:.1} (between the song's own halves: {:.1})",
            self.distance, self.between_halves
        )
    }
}

/// The Fréchet distance between the style of `piece` and that of `songs`.
///
/// Every second (a window each 250 ms) becomes 29 numbers that can be computed anywhere and mean
/// something to an ear: level; balance over 13 bands; movement in 7 bands; onsets, how strong, how
/// sudden, and how regular at 2, 4 and 8 Hz; how few notes sound at once and how much they change;
/// how tonal the spectrum is. Their scales are fixed, such that music differs from window to window by
/// about 1. Both sets of windows are taken for normal distributions, and the distance is
/// |μ₁-μ₂|² + tr(Σ₁+Σ₂-2(Σ₁Σ₂)^½) (D. Dowson and B. Landau, "The Fréchet distance between multivariate
/// normal distributions", 1982), which is what the Fréchet audio distance computes on a trained
/// network's features.
///
/// # Errors
/// [`Error::Data`] when one of the sounds is silent or too short (three seconds).
pub fn style_distance(piece: &Audio, songs: &[&Audio]) -> Result<StyleDistance> {
    let _job = interrupt::begin()?;
    of_bands(&PitchBands::of(piece)?, &bands_of(songs)?)
}

/// As [`style_distance`], of what was computed already.
pub(super) fn of_bands(piece: &PitchBands, songs: &[PitchBands]) -> Result<StyleDistance> {
    let piece = windows(piece, "the piece")?;
    let (mut all, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for song in songs {
        let song = windows(song, "the song")?;
        let (a, b) = song.split_at(song.len() / 2);
        first.extend_from_slice(a);
        second.extend_from_slice(b);
        all.extend(song);
    }
    let distance = |a: &[Features], b: &[Features]| Normal::of(a).distance(&Normal::of(b));
    Ok(StyleDistance {
        distance: distance(&piece, &all),
        between_halves: distance(&first, &second),
    })
}

const FEATURES: usize = 29;
type Features = [f64; FEATURES];

fn windows(bands: &PitchBands, what: &str) -> Result<Vec<Features>> {
    let rows: Vec<&[f32]> = bands.rows().collect();
    let features: Vec<Features> = rows.windows(WINDOW).step_by(HOP).filter_map(features).collect();
    if features.len() < LEAST_WINDOWS {
        return Err(Error::Data(format!(
            "{what} has {} of a second besides silent ones: at least {LEAST_WINDOWS} are \
             needed to judge a style, so use a sound of three seconds or more",
            counted(features.len(), "window")
        )));
    }
    Ok(features)
}

/// The numbers of one window; nothing for a silent one.
fn features(rows: &[&[f32]]) -> Option<Features> {
    let power = |db: f32| f64::from(10f32.powf(db / 10.0));
    let mean_power: Vec<f64> = (0..PitchBands::BANDS)
        .map(|band| rows.iter().map(|row| power(row[band])).sum::<f64>() / rows.len() as f64)
        .collect();
    let loudest = mean_power.iter().copied().fold(0.0, f64::max);
    if 10.0 * loudest.log10() < f64::from(SILENT_DB) {
        return None;
    }
    let level_db = 10.0 * mean_power.iter().sum::<f64>().log10();
    let mut found = [0.0; FEATURES];
    let mut at = found.iter_mut();
    let mut push = |value: f64| *at.next().expect("as many as there are") = value;

    push(level_db / 6.0);
    let balance: Vec<f64> = (0..13)
        .map(|group| {
            let sum: f64 =
                rows.iter().flat_map(|row| &row[group * 7..][..7]).map(|v| f64::from(*v)).sum();
            sum / (7 * rows.len()) as f64
        })
        .collect();
    let middle = balance.iter().sum::<f64>() / 13.0;
    balance.iter().for_each(|level| push((level - middle) / 6.0));

    for group in 0..7 {
        let levels: Vec<f64> = rows
            .iter()
            .map(|row| row[group * 13..][..13].iter().map(|v| f64::from(*v)).sum::<f64>() / 13.0)
            .collect();
        push(deviation(&levels) / 2.0);
    }

    let onsets = onsets(rows);
    let mean = onsets.iter().sum::<f64>() / onsets.len() as f64;
    let peak = onsets.iter().copied().fold(0.0, f64::max);
    push(mean);
    push((peak / (mean + 0.1)).ln_1p() * 2.0);
    for hz in [2.0, 4.0, 8.0] {
        push(modulation(&onsets, mean, hz) * 8.0);
    }

    let (first, second) = rows.split_at(rows.len() / 2);
    let (first, second, all) = (chroma(first), chroma(second), chroma(rows));
    let entropy: f64 = all.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
    push(entropy * 3.0);
    push((1.0 - cosine(&first, &second)) * 8.0);
    push(tonality(rows) / 2.0);
    Some(found)
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// How much louder the bands got over three frames, in dB, on average over all bands.
fn onsets(rows: &[&[f32]]) -> Vec<f64> {
    let rise = |pair: &[&[f32]]| {
        let rises =
            pair[3].iter().zip(pair[0]).map(|(now, before)| f64::from((now - before).max(0.0)));
        rises.sum::<f64>() / PitchBands::BANDS as f64
    };
    rows.windows(4).map(rise).collect()
}

/// How strongly onsets come `hz` times a second, from 0 to 1.
fn modulation(onsets: &[f64], mean: f64, hz: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (frame, onset) in onsets.iter().enumerate() {
        let angle = std::f64::consts::TAU * hz * frame as f64 * PitchBands::HOP_SECONDS;
        real += (onset - mean) * angle.cos();
        imaginary += (onset - mean) * angle.sin();
    }
    real.hypot(imaginary) / (onsets.iter().sum::<f64>() + 0.1 * onsets.len() as f64)
}

/// Share of each of the twelve notes in the power.
fn chroma(rows: &[&[f32]]) -> [f64; 12] {
    let mut notes = [0.0; 12];
    for row in rows {
        for (band, db) in row.iter().enumerate() {
            notes[band % 12] += f64::from(10f32.powf(db / 10.0));
        }
    }
    let sum: f64 = notes.iter().sum();
    notes.map(|note| note / sum.max(1e-12))
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
}

/// How far bands stand out from their neighbours, in dB: notes do, noise does not.
fn tonality(rows: &[&[f32]]) -> f64 {
    let curve = |row: &[f32]| {
        let bends = row.windows(3).map(|b| f64::from((b[1] - 0.5 * (b[0] + b[2])).abs()));
        bends.sum::<f64>() / (PitchBands::BANDS - 2) as f64
    };
    rows.iter().map(|row| curve(row)).sum::<f64>() / rows.len() as f64
}

/// A normal distribution fitted to windows.
struct Normal {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Normal {
    fn of(windows: &[Features]) -> Self {
        let count = windows.len() as f64;
        let rows = DMatrix::from_fn(windows.len(), FEATURES, |r, c| windows[r][c]);
        let mean = rows.row_mean().transpose();
        let centered = DMatrix::from_fn(windows.len(), FEATURES, |r, c| windows[r][c] - mean[c]);
        let covariance = centered.tr_mul(&centered) / (count - 1.0).max(1.0);
        Self { mean, covariance }
    }

    fn distance(&self, other: &Self) -> f64 {
        let root = square_root(&self.covariance);
        let product = &root * &other.covariance * &root;
        // The product is symmetric but for rounding.
        let product = (&product + product.transpose()) * 0.5;
        let overlap: f64 =
            product.symmetric_eigenvalues().iter().map(|value| value.max(0.0).sqrt()).sum();
        let means = (&self.mean - &other.mean).norm_squared();
        (means + self.covariance.trace() + other.covariance.trace() - 2.0 * overlap).max(0.0)
    }
}

/// The symmetric square root of a covariance.
fn square_root(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let parts = covariance.clone().symmetric_eigen();
    let roots = parts.eigenvalues.map(|value| value.max(0.0).sqrt());
    &parts.eigenvectors * DMatrix::from_diagonal(&roots) * parts.eigenvectors.transpose()
}
