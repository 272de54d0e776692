//! The strength of semitones over time.

use super::stft::Stft;
use super::triangle::Triangle;
use super::{Spectrogram, StftSettings};
use crate::audio::{Audio, Take};
use crate::numbers::Numbers;
use crate::{Result, interrupt};
use realfft::num_complex::Complex;

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

    /// What is so far below the loudest point is hardly heard.
    const HEARD_RANGE_DB: f32 = 50.0;

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
        let stft = Self::transform()?;
        let levels_db = stft.map_frames(&mono.channels()[0], Self::BANDS, levels(&stft));
        Ok(Self::below_loudest(levels_db))
    }

    /// The bands of sound that is given bit by bit: `source` calls what it is given with samples of one
    /// channel at [`RATE_HZ`](Self::RATE_HZ). The samples are not kept.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn of_stream(source: &mut dyn FnMut(&mut Take<'_>) -> Result<()>) -> Result<Self> {
        let stft = Self::transform()?;
        let mut frames = stft.stream(Self::BANDS, levels(&stft));
        source(&mut |samples| frames.push(samples))?;
        Ok(Self::below_loudest(frames.finish()))
    }

    fn transform() -> Result<Stft> {
        Stft::new(StftSettings {
            window_samples: Self::WINDOW_SAMPLES,
            hop_samples: Self::HOP_SAMPLES,
        })
    }

    /// Levels as they are compared: below the loudest of all.
    fn below_loudest(mut levels_db: Vec<f32>) -> Self {
        let loudest = levels_db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for level in &mut levels_db {
            let silent = loudest <= Spectrogram::FLOOR_DB;
            let relative = if silent { -Self::RANGE_DB } else { *level - loudest };
            *level = relative.max(-Self::RANGE_DB);
        }
        Self { levels_db: levels_db.into() }
    }

    /// The frequency in the middle of a band.
    pub fn center_hz(band: usize) -> f64 {
        Self::LOWEST_HZ * 2f64.powf(band as f64 / 12.0)
    }

    /// Frames from one time to another one so many seconds later.
    pub(crate) fn frames_in(seconds: f64) -> usize {
        (seconds / Self::HOP_SECONDS).round() as usize
    }

    /// The frames, each from low to high.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.levels_db.chunks_exact(Self::BANDS)
    }

    /// Decibels of all frames one after the other.
    pub fn levels_db(&self) -> &[f32] {
        &self.levels_db
    }

    /// What they sound like to a listener, frames × [`BANDS`](Self::BANDS): levels down to 50 dB below
    /// the loudest point, less their mean, in proportion to how much of the mel scale a band covers.
    ///
    /// Semitones are equally many in each octave, listeners' bands fewer below: the squares of what comes
    /// out weigh as much as a band's share of the scale.
    pub(crate) fn as_heard(&self) -> Vec<f32> {
        // The derivative of mels over that of semitones, by O'Shaughnessy's formula (1987), 2595 log10(1 +
        // hertz / 700): it has no corner, as Slaney's, which `LogMel` has, does at 1 kHz.
        let share = |band: usize| Self::center_hz(band) / (700.0 + Self::center_hz(band));
        let shares: Vec<f64> = (0..Self::BANDS).map(share).collect();
        let heard = |db: &f32| db.max(-Self::HEARD_RANGE_DB);
        let of_row = |row: &[f32]| -> f64 {
            row.iter().zip(&shares).map(|(db, share)| f64::from(heard(db)) * share).sum()
        };
        let in_all = shares.iter().sum::<f64>() * self.frames().max(1) as f64;
        let mean = (self.rows().map(of_row).sum::<f64>() / in_all) as f32;
        let weights: Vec<f32> = shares.iter().map(|share| share.sqrt() as f32).collect();
        let weighted = |row: &[f32]| -> Vec<f32> {
            row.iter().zip(&weights).map(|(db, weight)| (heard(db) - mean) * weight).collect()
        };
        self.rows().flat_map(weighted).collect()
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.levels_db.len() / Self::BANDS
    }
}

/// Writes the levels of all bands, given a spectrum.
fn levels(stft: &Stft) -> impl Fn(&[Complex<f32>], &mut [f32]) + Sync + use<> {
    let (filters, scale) = (filters(), stft.scale().powi(2));
    move |spectrum, row| {
        for (level, filter) in row.iter_mut().zip(&filters) {
            *level = filter.level_db(spectrum, scale, Spectrogram::FLOOR_DB);
        }
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
