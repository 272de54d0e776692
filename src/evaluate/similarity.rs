//! How alike two sounds are, in spectrum, loudness and rhythm.

use crate::audio::Audio;
use crate::features::{Spectrogram, StftSettings};
use crate::{Result, interrupt};
use std::fmt;

/// Both sounds are compared at this rate: what lies above 11 kHz decides little, and files differ
/// there by their encoder.
const RATE_HZ: u32 = 22_050;

/// Level below the loudest point that still counts as sound.
const RANGE_DB: f32 = 60.0;

/// How alike two sounds are, as cosines between strengths of frequencies.
///
/// The course printed the cosine between the two songs' samples; that is near 0 for any two
/// recordings of one piece, because waveforms cancel. Here the magnitudes of spectra are compared,
/// which never cancel, so that both numbers lie between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Cosine between the average spectra: 1 is the same balance of frequencies over the whole
    /// length, 0 is not one frequency in common. Two pieces for the same instrument reach 0.9; a
    /// drone on the song's commonest note can reach 0.7, so read it with [`moments`](Self::moments).
    pub balance: f64,
    /// For every moment of the piece the cosine to the most similar moment of the song, averaged:
    /// 1 where every moment sounds like some moment of the song.
    pub moments: f64,
    /// How much of the song's variety the piece has: for every moment of the song the cosine to the
    /// most similar moment of the piece, averaged. A drone has it low.
    pub coverage: f64,
}

/// Compares `piece` with `song`. Silent moments are left out; a silent sound is 0 to everything.
///
/// # Errors
/// What resampling reports.
pub fn similarity(piece: &Audio, song: &Audio) -> Result<Similarity> {
    let _job = interrupt::begin()?;
    let piece = Moments::of(piece)?;
    let song = Moments::of(song)?;
    Ok(Similarity {
        balance: cosine(&piece.average(), &song.average()),
        moments: piece.mean_best_match(&song),
        coverage: song.mean_best_match(&piece),
    })
}

impl fmt::Display for Similarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "balance of frequencies {:.2}, moments like the song's {:.2}, variety of the song \
             covered {:.2} (0: nothing in common, 1: the same)",
            self.balance, self.moments, self.coverage
        )
    }
}

/// Magnitudes of the sounding frames, at most a few thousand of them, each in bands of equal width
/// in pitch.
struct Moments {
    frames: Vec<Vec<f32>>,
}

impl Moments {
    /// Frames compared at most; longer sounds are compared at evenly spread frames.
    const MAX_FRAMES: usize = 1_500;
    const BANDS: usize = 96;
    const LOWEST_HZ: f64 = 40.0;

    fn of(audio: &Audio) -> Result<Self> {
        let audio = audio.to_mono().resample(RATE_HZ)?;
        let spectrogram = Spectrogram::of(&audio, StftSettings::default())?;
        let loudest = spectrogram.power_db().iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if loudest <= Spectrogram::FLOOR_DB {
            return Ok(Self { frames: Vec::new() });
        }
        let edges = Self::band_edges(&spectrogram);
        let frames: Vec<Vec<f32>> = spectrogram
            .rows()
            .filter(|row| row.iter().any(|db| *db > loudest - RANGE_DB))
            .map(|row| {
                let magnitude = |db: &f32| 10f32.powf(db / 20.0);
                edges
                    .windows(2)
                    .map(|edge| row[edge[0]..edge[1]].iter().map(magnitude).sum())
                    .collect()
            })
            .collect();
        let step = frames.len().div_ceil(Self::MAX_FRAMES).max(1);
        Ok(Self { frames: frames.into_iter().step_by(step).collect() })
    }

    /// Bin numbers between bands, rising by at least one bin.
    fn band_edges(spectrogram: &Spectrogram) -> Vec<usize> {
        let top_hz = spectrogram.bin_hz() * (spectrogram.bins() - 1) as f64;
        let ratio = top_hz / Self::LOWEST_HZ;
        let mut edges: Vec<usize> = (0..=Self::BANDS)
            .map(|band| {
                let hz = Self::LOWEST_HZ * ratio.powf(band as f64 / Self::BANDS as f64);
                (hz / spectrogram.bin_hz()).round() as usize
            })
            .collect();
        edges.dedup();
        edges
    }

    fn average(&self) -> Vec<f32> {
        let mut sum = vec![0.0; self.frames.first().map_or(0, Vec::len)];
        for frame in &self.frames {
            sum.iter_mut().zip(frame).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    fn mean_best_match(&self, other: &Self) -> f64 {
        if self.frames.is_empty() {
            return 0.0;
        }
        let squares: Vec<f64> = other.frames.iter().map(|frame| dot(frame, frame)).collect();
        let best = |frame: &Vec<f32>| {
            let own = dot(frame, frame);
            let candidates = other.frames.iter().zip(&squares);
            let alike = candidates
                .map(|(candidate, square)| cosine_of(dot(frame, candidate), own * square));
            alike.fold(0.0, f64::max)
        };
        self.frames.iter().map(best).sum::<f64>() / self.frames.len() as f64
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    cosine_of(dot(a, b), dot(a, a) * dot(b, b))
}

/// From the product of two vectors, and that of their squares.
fn cosine_of(product: f64, squares: f64) -> f64 {
    let norm = squares.sqrt();
    if norm > 0.0 { (product / norm).clamp(0.0, 1.0) } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    f64::from(a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>())
}
