//! The strength of semitones over time.

use super::stft::Stft;
use super::triangle::Triangle;
use super::{Spectrogram, StftSettings};
use crate::audio::Audio;
use crate::numbers::Numbers;
use crate::{Result, interrupt};

/// The strength of every semitone over time, in decibels: frames × [`PitchBands::BANDS`].
///
/// On this scale a transposition by a semitone is a shift by one band, which makes it the scale to
/// look for copies on. Bands are triangles from the semitone below to the one above, in a power
/// spectrum of 93 ms; below about 200 Hz that cannot tell semitones apart, and neighbours share.
///
/// ```
/// use neural_composer::{audio::Audio, features::PitchBands};
/// let a = |i: usize| (i as f32 / 22_050.0 * 440.0 * std::f32::consts::TAU).sin() * 0.5;
/// let tone = Audio::mono((0..22_050).map(a).collect(), 22_050)?;
/// let bands = PitchBands::of(&tone)?;
/// let middle = bands.rows().nth(bands.frames() / 2).unwrap();
/// let loudest = (0..PitchBands::BANDS).max_by(|a, b| middle[*a].total_cmp(&middle[*b])).unwrap();
/// assert!((PitchBands::center_hz(loudest) - 440.0).abs() < 1.0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PitchBands {
    levels_db: Numbers,
}

impl PitchBands {
    /// Semitones from A1 (55 Hz) up to 10.0 kHz.
    pub const BANDS: usize = 91;
    /// Everything is looked at at this rate.
    pub const RATE_HZ: u32 = 22_050;
    /// Samples from one frame to the next.
    pub const HOP_SAMPLES: usize = 353;
    /// Seconds from one frame to the next: 16 ms.
    pub const HOP_SECONDS: f64 = Self::HOP_SAMPLES as f64 / Self::RATE_HZ as f64;
    /// What is so far below the loudest point of the sound counts as silence.
    pub const RANGE_DB: f32 = 60.0;

    const WINDOW_SAMPLES: usize = 2_048;
    const LOWEST_HZ: f64 = 55.0;

    /// Computes the bands of `audio` mixed to mono. Levels are 0 dB at the loudest point of the sound
    /// and -[`RANGE_DB`](Self::RANGE_DB) at the lowest; a silent sound is all lowest.
    ///
    /// # Errors
    /// What resampling reports.
    pub fn of(audio: &Audio) -> Result<Self> {
        interrupt::check()?;
        let mono = audio.to_mono().resample(Self::RATE_HZ)?;
        let stft = Stft::new(StftSettings {
            window_samples: Self::WINDOW_SAMPLES,
            hop_samples: Self::HOP_SAMPLES,
        })?;
        let filters = filters();
        let scale = stft.scale().powi(2);
        let mut levels_db = stft.map_frames(&mono.channels()[0], Self::BANDS, |spectrum, row| {
            for (level, filter) in row.iter_mut().zip(&filters) {
                *level = filter.level_db(spectrum, scale, Spectrogram::FLOOR_DB);
            }
        });
        let loudest = levels_db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for level in &mut levels_db {
            let silent = loudest <= Spectrogram::FLOOR_DB;
            let relative = if silent { -Self::RANGE_DB } else { *level - loudest };
            *level = relative.max(-Self::RANGE_DB);
        }
        Ok(Self { levels_db: levels_db.into() })
    }

    /// The frequency in the middle of a band.
    pub fn center_hz(band: usize) -> f64 {
        Self::LOWEST_HZ * 2f64.powf(band as f64 / 12.0)
    }

    /// The frames, each from low to high.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.levels_db.chunks_exact(Self::BANDS)
    }

    /// Decibels of all frames one after the other.
    pub fn levels_db(&self) -> &[f32] {
        &self.levels_db
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.levels_db.len() / Self::BANDS
    }
}

fn filters() -> Vec<Triangle> {
    let bin_hz = f64::from(PitchBands::RATE_HZ) / PitchBands::WINDOW_SAMPLES as f64;
    let bins = PitchBands::WINDOW_SAMPLES / 2 + 1;
    let semitone = 2f64.powf(1.0 / 12.0);
    (0..PitchBands::BANDS)
        .map(|band| {
            let center = PitchBands::center_hz(band) / bin_hz;
            // At least one bin to each side, so that low bands are not empty.
            let (below, above) = (center / semitone, center * semitone);
            Triangle::new(below.min(center - 1.0), center, above.max(center + 1.0), 1.0, bins)
        })
        .collect()
}
