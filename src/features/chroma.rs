//! The strength of an octave's notes over time.

use super::StftSettings;
use super::stft::Stft;
use crate::audio::Audio;
use crate::numbers::Numbers;
use crate::{Error, Result, interrupt};

/// The notes of an octave: C, C sharp, …, B.
pub const PITCH_CLASSES: usize = 12;

/// How to compute a [`Chroma`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChromaSettings {
    /// The rate that audio is brought to first, in Hz.
    pub sample_rate_hz: u32,
    /// Samples under the Hann window. Usual: 4,096, enough to tell semitones apart.
    pub window_samples: usize,
    /// Samples from one frame to the next. Usual: 352, which is 16 ms.
    pub hop_samples: usize,
}

impl Default for ChromaSettings {
    fn default() -> Self {
        Self { sample_rate_hz: 22_050, window_samples: 4_096, hop_samples: 352 }
    }
}

/// Which notes sound, whatever their octave: frames × [`PITCH_CLASSES`], C first.
///
/// Every frame's largest number is 1; a silent frame is all 0. The power of each frequency is shared
/// among the notes near it, those in the middle octaves counting most: librosa's `chroma_stft` for a
/// tuning of A = 440 Hz (Ellis, "Chroma feature analysis and synthesis", 2007).
#[derive(Clone, Debug)]
pub struct Chroma {
    strengths: Numbers,
    settings: ChromaSettings,
}

impl Chroma {
    /// The notes of `audio`, mixed to mono and brought to the settings' sample rate.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible settings, or audio of a sample rate that cannot be converted.
    pub fn of(audio: &Audio, settings: ChromaSettings) -> Result<Self> {
        interrupt::check()?;
        if settings.sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        let mono = audio.to_mono().resample(settings.sample_rate_hz)?;
        Self::of_samples(&mono.channels()[0], settings)
    }

    /// The notes of samples that are at the settings' rate already.
    pub(crate) fn of_samples(samples: &[f32], settings: ChromaSettings) -> Result<Self> {
        let stft = Stft::new(StftSettings {
            window_samples: settings.window_samples,
            hop_samples: settings.hop_samples,
        })?;
        let shares = shares(&settings);
        let strengths = stft.map_frames(samples, PITCH_CLASSES, |spectrum, row| {
            // An array, which stays in registers.
            let mut sums = [0.0f32; PITCH_CLASSES];
            for (bin, shares) in spectrum.iter().zip(&shares) {
                let power = bin.norm_sqr();
                for (sum, share) in sums.iter_mut().zip(shares) {
                    *sum += power * share;
                }
            }
            row.copy_from_slice(&sums);
            let largest = row.iter().copied().fold(0.0, f32::max);
            if largest > f32::MIN_POSITIVE {
                row.iter_mut().for_each(|strength| *strength /= largest);
            } else {
                row.fill(0.0);
            }
        });
        Ok(Self { strengths: strengths.into(), settings })
    }

    /// The strengths of all frames one after the other, 12 numbers each.
    pub fn strengths(&self) -> &[f32] {
        &self.strengths
    }

    /// The frames, each from C to B.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.strengths.chunks_exact(PITCH_CLASSES)
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.strengths.len() / PITCH_CLASSES
    }

    /// Seconds from one frame to the next.
    pub fn hop_seconds(&self) -> f64 {
        self.settings.hop_samples as f64 / f64::from(self.settings.sample_rate_hz)
    }
}

/// The octave, counted from A = 27.5 Hz, whose notes count most, and how far around it they do.
const CENTRE_OCTAVE: f64 = 5.0;
const OCTAVES_WIDE: f64 = 2.0;
/// A = 27.5 Hz is the lowest A of a piano; C lies three semitones above it.
const LOWEST_A_HZ: f64 = 27.5;
const SEMITONES_FROM_A_TO_C: usize = 3;

/// How much of each bin's power every pitch class gets.
fn shares(settings: &ChromaSettings) -> Vec<[f32; PITCH_CLASSES]> {
    let notes = PITCH_CLASSES as f64;
    let bin_hz = f64::from(settings.sample_rate_hz) / settings.window_samples as f64;
    let semitone = |bin: usize| notes * (bin as f64 * bin_hz / LOWEST_A_HZ).log2();
    let bins = settings.window_samples / 2 + 1;
    // 0 Hz is no note: it is put a semitone and a half of octaves below the first bin, as librosa does.
    let position = |bin: usize| if bin == 0 { semitone(1) - 1.5 * notes } else { semitone(bin) };
    (0..bins)
        .map(|bin| {
            let at = position(bin);
            let width = (position(bin + 1) - at).max(1.0);
            let bumps: [f64; PITCH_CLASSES] = std::array::from_fn(|class| {
                let from_a = (class + SEMITONES_FROM_A_TO_C) as f64;
                let distance = (at - from_a + notes / 2.0).rem_euclid(notes) - notes / 2.0;
                (-0.5 * (2.0 * distance / width).powi(2)).exp()
            });
            let norm = bumps.iter().map(|bump| bump * bump).sum::<f64>().sqrt();
            let octaves = (at / notes - CENTRE_OCTAVE) / OCTAVES_WIDE;
            let weight = (-0.5 * octaves * octaves).exp() / norm;
            bumps.map(|bump| (bump * weight) as f32)
        })
        .collect()
}
