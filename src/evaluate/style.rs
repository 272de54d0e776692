//! How far a piece is from the style of its songs.

use super::bands_of;
use super::excerpts::{Excerpt, excerpts};
use super::kernel_distance::{self, timbres};
use super::mel_copies::SETTINGS as MEL;
use crate::audio::Audio;
use crate::features::{LogMel, PitchBands};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use nalgebra::{DMatrix, DVector};
use std::fmt;

/// Frames of a window, a second.
const WINDOW: usize = 62;
/// Frames from one window to the next, a quarter of a second.
const HOP: usize = 16;
/// How many windows before and after one share sound with it.
const TOUCHED: usize = (WINDOW - 1) / HOP;
/// Windows that are quieter than this, below the loudest point, say nothing about style.
const SILENT_DB: f32 = -50.0;
/// Fewer windows than this have no covariance worth the name.
const LEAST_WINDOWS: usize = 8;

/// What real excerpts of the songs have, each as long as the piece, against the rest of the songs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Of the excerpt that is nearest to the rest.
    pub least: f64,
    /// Of the one in the middle.
    pub median: f64,
    /// Of the farthest one.
    pub most: f64,
    /// How many excerpts, ten or more; two for each song that is shorter than two pieces: its halves.
    pub count: usize,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        let (middle, last) = (values.len() / 2, values.len().saturating_sub(1));
        let median = if values.len().is_multiple_of(2) && middle > 0 {
            0.5 * (at(middle - 1) + at(middle))
        } else {
            at(middle)
        };
        Self { least: at(0), median, most: at(last), count: values.len() }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} to {:.1}, median {:.1}", self.least, self.most, self.median)
    }
}

/// How far a piece is from the style of its songs. See [`style_distance`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StyleDistance {
    /// Fréchet distance between the piece and the songs; 0 is the same style.
    pub distance: f64,
    /// The same of real excerpts: nothing can be asked to come much nearer than these.
    pub excerpts: Spread,
    /// Kernel distance between the timbres of the piece and of the songs: around 0, and below it as
    /// often as above, for the same. No composer looks at it.
    pub kernel: f64,
    /// The same of real excerpts.
    pub kernel_excerpts: Spread,
}

impl StyleDistance {
    /// The distance in units of the excerpts' median: 1 is as near as the songs are to themselves.
    pub fn ratio(&self) -> f64 {
        ratio(self.distance, &self.excerpts)
    }

    /// Whether the piece is no farther from the songs than all excerpts are, in style and timbre.
    pub fn is_within(&self) -> bool {
        self.distance <= self.excerpts.most && self.kernel <= self.kernel_excerpts.most
    }
}

fn ratio(distance: f64, excerpts: &Spread) -> f64 {
    if excerpts.count == 0 { 1.0 } else { distance / excerpts.median.max(1e-9) }
}

impl fmt::Display for StyleDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "distance of style {:.1} (real excerpts: {}), of timbre {:.1} ({})",
            self.distance, self.excerpts, self.kernel, self.kernel_excerpts
        )
    }
}

/// How far `piece` is from the style of `songs`, by two measures, each beside what real excerpts have.
///
/// *Fréchet distance.* Every second (a window each 250 ms) becomes 29 numbers that can be computed
/// anywhere and mean something to an ear: level; balance over 13 bands; movement in 7 bands; onsets,
/// how strong, how sudden, and how regular at 2, 4 and 8 Hz; how few notes sound at once and how much
/// they change; how tonal the spectrum is. Their scales are fixed, such that music differs from window
/// to window by about 1. Both sets of windows are taken for normal distributions, and the distance is
/// |μ₁-μ₂|² + tr(Σ₁+Σ₂-2(Σ₁Σ₂)^½) (D. Dowson and B. Landau, "The Fréchet distance between multivariate
/// normal distributions", 1982), which is what the Fréchet audio distance computes on a trained
/// network's features. Composing chooses by it.
///
/// *Kernel distance.* The unbiased squared maximum mean discrepancy with a Gaussian kernel as wide as
/// the songs' median distance, times 100 (Y. Chung et al., "KAD: no more FAD!", arXiv 2502.15602),
/// between means and deviations of 20 cepstral coefficients of mel bands over the same windows. It takes
/// nothing for normal and needs few windows; no composer looks at it.
///
/// What real music has is told by excerpts of the songs, as long as the piece, each against the rest of
/// the songs: ten or more that cover them, and the halves of songs that are shorter than two pieces.
///
/// ```no_run
/// use neural_composer::{audio::Song, evaluate::style_distance};
/// let (piece, song) = (Song::open("night.wav")?, Song::open("song.mp3")?);
/// let style = style_distance(piece.audio(), &[song.audio()])?;
/// println!("{:.1}, real excerpts {}", style.distance, style.excerpts);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] when one of the sounds is silent or too short (three seconds).
pub fn style_distance(piece: &Audio, songs: &[&Audio]) -> Result<StyleDistance> {
    let _job = interrupt::begin()?;
    let mels = songs.iter().map(|song| LogMel::of(song, MEL)).collect::<Result<Vec<_>>>()?;
    let mel = LogMel::of(piece, MEL)?;
    of_bands((&PitchBands::of(piece)?, &mel), (&bands_of(songs)?, &mels))
}

/// As [`style_distance`], of what was computed already: bands of both kinds.
pub(super) fn of_bands(
    piece: (&PitchBands, &LogMel),
    songs: (&[PitchBands], &[LogMel]),
) -> Result<StyleDistance> {
    let (distance, spread) = frechet(piece.0, songs.0)?;
    let timbre = |mel: &LogMel| timbres(mel, WINDOW, HOP);
    let (piece, songs) = (timbre(piece.1), songs.1.iter().map(timbre).collect::<Vec<_>>());
    let lengths: Vec<usize> = songs.iter().map(Vec::len).collect();
    let excerpts = excerpts(&lengths, piece.len(), TOUCHED);
    let (kernel, kernels) = kernel_distance::distances(&piece, &songs, &excerpts);
    Ok(StyleDistance { distance, excerpts: spread, kernel, kernel_excerpts: Spread::of(kernels) })
}

/// The Fréchet distance of `piece` in units of what excerpts of the songs have.
pub(super) fn frechet_ratio(piece: &PitchBands, songs: &[PitchBands]) -> Result<f64> {
    let (distance, excerpts) = frechet(piece, songs)?;
    Ok(ratio(distance, &excerpts))
}

fn frechet(piece: &PitchBands, songs: &[PitchBands]) -> Result<(f64, Spread)> {
    let piece = windows(piece, "the piece")?;
    let songs = songs.iter().map(|song| windows(song, "the song")).collect::<Result<Vec<_>>>()?;
    let lengths: Vec<usize> = songs.iter().map(Vec::len).collect();
    let chosen = |keep: &dyn Fn(usize, usize) -> bool| -> Vec<Features> {
        let of_song = |(song, windows): (usize, &Vec<Option<Features>>)| {
            let kept = windows.iter().enumerate().filter(|(at, _)| keep(song, *at));
            kept.filter_map(|(_, window)| *window).collect::<Vec<_>>()
        };
        songs.iter().enumerate().flat_map(of_song).collect()
    };
    let of_excerpt = |excerpt: Excerpt| {
        let inner = chosen(&|song, at| excerpt.holds(song, at));
        let rest = chosen(&|song, at| !excerpt.touches(song, at));
        let enough = inner.len().min(rest.len()) >= LEAST_WINDOWS / 2;
        enough.then(|| Normal::of(&inner).distance(&Normal::of(&rest)))
    };
    let spread = excerpts(&lengths, piece.len(), TOUCHED).into_iter().filter_map(of_excerpt);
    let spread = Spread::of(spread.collect());
    let piece: Vec<Features> = piece.into_iter().flatten().collect();
    Ok((Normal::of(&piece).distance(&Normal::of(&chosen(&|_, _| true))), spread))
}

const FEATURES: usize = 29;
type Features = [f64; FEATURES];

/// The numbers of all windows; nothing for a silent one.
fn windows(bands: &PitchBands, what: &str) -> Result<Vec<Option<Features>>> {
    let rows: Vec<&[f32]> = bands.rows().collect();
    let features: Vec<_> = rows.windows(WINDOW).step_by(HOP).map(features).collect();
    let sounding = features.iter().flatten().count();
    if sounding < LEAST_WINDOWS {
        return Err(Error::Data(format!(
            "{what} has {} of a second besides silent ones: at least {LEAST_WINDOWS} are \
             needed to judge a style, so use a sound of three seconds or more",
            counted(sounding, "window")
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
