//! How alike two sounds are, in spectrum, loudness and rhythm.

use crate::audio::{Audio, Decoder, MonoMix, Take};
use crate::compute::dot::dot_f64;
use crate::features::{Spectrogram, Stft, StftSettings};
use crate::{Result, interrupt};
use realfft::num_complex::Complex;
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
    Ok(Moments::of(piece)?.compare(&Moments::of(song)?))
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

/// The moments of a sound that [`similarity`] compares, without its samples.
///
/// They are the magnitudes of the sounding frames, at most a few thousand of them, each in bands of equal
/// width in pitch.
#[derive(Clone, Debug)]
pub struct Moments {
    frames: Vec<Vec<f32>>,
}

impl Moments {
    /// Frames compared at most; longer sounds are compared at evenly spread frames.
    const MAX_FRAMES: usize = 1_500;
    const BANDS: usize = 96;
    const LOWEST_HZ: f64 = 40.0;

    /// Those of `audio`.
    ///
    /// # Errors
    /// What resampling reports.
    pub fn of(audio: &Audio) -> Result<Self> {
        Self::of_stream(&mut |take| {
            let mut mix = MonoMix::new(audio.sample_rate_hz(), RATE_HZ)?;
            take(mix.push(audio.channels())?);
            take(&mix.finish()?);
            Ok(())
        })
    }

    /// Those of what `decoder` has left, which is never all in memory: three hours take 0.2 GB.
    ///
    /// ```no_run
    /// use neural_composer::{audio::Decoder, evaluate::Moments};
    /// let piece = Moments::read(&mut Decoder::open("night.wav")?)?;
    /// let song = Moments::read(&mut Decoder::open("three-hours.mp3")?)?;
    /// println!("{}", piece.compare(&song));
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Decoder::read_mono_at`].
    pub fn read(decoder: &mut Decoder) -> Result<Self> {
        Self::of_stream(&mut |take| {
            decoder.each_mono_at(RATE_HZ, None, &mut |samples| {
                take(samples);
                Ok(())
            })
        })
    }

    fn of_stream(source: &mut dyn FnMut(&mut Take<'_>) -> Result<()>) -> Result<Self> {
        let settings = StftSettings::default();
        let stft = Stft::new(settings)?;
        let edges = Self::band_edges(settings.window_samples);
        let (bands, scale) = (edges.len() - 1, stft.scale());
        // The bands of a frame, and its loudest level.
        let row = |spectrum: &[Complex<f32>], row: &mut [f32]| {
            let level = |bin: &Complex<f32>| {
                let power = (bin.norm_sqr() * scale * scale).max(1e-30);
                (10.0 * power.log10()).max(Spectrogram::FLOOR_DB)
            };
            let levels: Vec<f32> = spectrum.iter().map(level).collect();
            for (to, edge) in row.iter_mut().zip(edges.windows(2)) {
                *to = levels[edge[0]..edge[1]].iter().map(|db| 10f32.powf(db / 20.0)).sum();
            }
            row[bands] = levels.into_iter().fold(f32::NEG_INFINITY, f32::max);
        };
        let mut frames = stft.stream(bands + 1, row);
        source(&mut |samples| frames.push(samples))?;
        let rows = frames.finish();
        let loudest = rows.chunks_exact(bands + 1).map(|row| row[bands]).fold(f32::MIN, f32::max);
        let sounds =
            |row: &&[f32]| loudest > Spectrogram::FLOOR_DB && row[bands] > loudest - RANGE_DB;
        let sounding = || rows.chunks_exact(bands + 1).filter(sounds);
        let step = sounding().count().div_ceil(Self::MAX_FRAMES).max(1);
        Ok(Self { frames: sounding().step_by(step).map(|row| row[..bands].to_vec()).collect() })
    }

    /// How alike the sound of these moments, a piece, and that of others, a song, are.
    pub fn compare(&self, song: &Self) -> Similarity {
        Similarity {
            balance: cosine(&self.average(), &song.average()),
            moments: self.mean_best_match(song),
            coverage: song.mean_best_match(self),
        }
    }

    /// Bin numbers between bands, rising by at least one bin.
    fn band_edges(window_samples: usize) -> Vec<usize> {
        let bin_hz = f64::from(RATE_HZ) / window_samples as f64;
        let top_hz = bin_hz * (window_samples / 2) as f64;
        let ratio = top_hz / Self::LOWEST_HZ;
        let mut edges: Vec<usize> = (0..=Self::BANDS)
            .map(|band| {
                let hz = Self::LOWEST_HZ * ratio.powf(band as f64 / Self::BANDS as f64);
                (hz / bin_hz).round() as usize
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
        let squares: Vec<f64> = other.frames.iter().map(|frame| dot_f64(frame, frame)).collect();
        let best = |frame: &Vec<f32>| {
            let own = dot_f64(frame, frame);
            let candidates = other.frames.iter().zip(&squares);
            let alike = candidates
                .map(|(candidate, square)| cosine_of(dot_f64(frame, candidate), own * square));
            alike.fold(0.0, f64::max)
        };
        self.frames.iter().map(best).sum::<f64>() / self.frames.len() as f64
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    cosine_of(dot_f64(a, b), dot_f64(a, a) * dot_f64(b, b))
}

/// From the product of two vectors, and that of their squares.
fn cosine_of(product: f64, squares: f64) -> f64 {
    let norm = squares.sqrt();
    if norm > 0.0 { (product / norm).clamp(0.0, 1.0) } else { 0.0 }
}
