//! Spectrograms in mel bands.

use super::StftSettings;
use super::stft::Stft;
use super::triangle::Triangle;
use crate::audio::{Audio, Take};
use crate::numbers::Numbers;
use crate::{Error, Result, interrupt};
use realfft::num_complex::Complex;

/// How to compute a [`LogMel`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelSettings {
    /// The rate that audio is brought to first, in Hz: pictures of songs of different rates compare.
    pub sample_rate_hz: u32,
    /// Samples under the Hann window. Usual: 1,024.
    pub window_samples: usize,
    /// Samples from one frame to the next. Usual: 352, which is 16 ms.
    pub hop_samples: usize,
    /// Bands. Usual: 64.
    pub bands: usize,
    /// Where the lowest band begins, in Hz. Usual: 30.
    pub low_hz: f64,
    /// Where the highest band ends, in Hz, at most half the sample rate. Usual: 11,025.
    pub high_hz: f64,
}

impl Default for MelSettings {
    fn default() -> Self {
        Self {
            sample_rate_hz: 22_050,
            window_samples: 1_024,
            hop_samples: 352,
            bands: 64,
            low_hz: 30.0,
            high_hz: 11_025.0,
        }
    }
}

impl MelSettings {
    fn check(&self) -> Result<()> {
        if self.sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        Error::refuse_zero([("bands", self.bands)])?;
        let nyquist_hz = f64::from(self.sample_rate_hz) / 2.0;
        if !(self.low_hz >= 0.0 && self.low_hz < self.high_hz && self.high_hz <= nyquist_hz) {
            return Err(Error::argument(
                "low_hz and high_hz",
                format!("0 or more, rising, at most {nyquist_hz} Hz"),
                format!("{} and {}", self.low_hz, self.high_hz),
            ));
        }
        Ok(())
    }

    fn transform(&self) -> Result<Stft> {
        self.check()?;
        Stft::new(StftSettings {
            window_samples: self.window_samples,
            hop_samples: self.hop_samples,
        })
    }

    /// Seconds from one frame to the next.
    pub fn hop_seconds(&self) -> f64 {
        self.hop_samples as f64 / f64::from(self.sample_rate_hz)
    }
}

/// The strength of mel bands over time, in decibels: frames × bands.
///
/// The bands are triangles of height 1, equally spaced on Slaney's mel scale (straight up to 1 kHz,
/// logarithmic above), as librosa's `filters.mel(htk=False, norm=None)`; a band's value is the power
/// under its triangle, on the scale of [`Spectrogram`](super::Spectrogram). Nothing reads lower than
/// [`LogMel::FLOOR_DB`]. Frame `i` is centred on sample `i × hop`.
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{LogMel, MelSettings};
/// let audio = Audio::mono(vec![0.0; 22_050], 22_050)?;
/// let mel = LogMel::of(&audio, MelSettings::default())?;
/// assert_eq!((mel.frames(), mel.bands()), (22_050 / 352 + 1, 64));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogMel {
    db: Numbers,
    settings: MelSettings,
}

impl LogMel {
    /// What silence reads.
    pub const FLOOR_DB: f32 = -100.0;

    /// The bands of `audio`, mixed to mono and brought to the settings' sample rate.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings that are impossible together, or audio of a sample rate that
    /// cannot be converted.
    pub fn of(audio: &Audio, settings: MelSettings) -> Result<Self> {
        interrupt::check()?;
        settings.check()?;
        let mono = audio.to_mono().resample(settings.sample_rate_hz)?;
        Self::of_samples(&mono.channels()[0], settings, 0)
    }

    /// The bands of samples that are at the settings' rate already, as they would be if the sound were
    /// `semitones` higher: the spectrum is read as if it lay there, the time stays as it is.
    pub(crate) fn of_samples(
        samples: &[f32],
        settings: MelSettings,
        semitones: i32,
    ) -> Result<Self> {
        let stft = settings.transform()?;
        let levels = levels(&stft, &settings, 2f64.powf(f64::from(semitones) / 12.0));
        Ok(Self { db: stft.map_frames(samples, settings.bands, levels).into(), settings })
    }

    /// The bands of sound that is given bit by bit: `source` calls what it is given with samples of one
    /// channel at the settings' rate. The samples are not kept.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings that are impossible together; those of `source`.
    pub fn of_stream(
        settings: MelSettings,
        source: &mut dyn FnMut(&mut Take<'_>) -> Result<()>,
    ) -> Result<Self> {
        let stft = settings.transform()?;
        let mut frames = stft.stream(settings.bands, levels(&stft, &settings, 1.0));
        source(&mut |samples| frames.push(samples))?;
        Ok(Self { db: frames.finish().into(), settings })
    }

    /// Decibels of all frames one after the other, [`bands`](Self::bands) numbers each.
    pub fn db(&self) -> &[f32] {
        &self.db
    }

    /// The frames, each from the lowest to the highest band.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.db.chunks_exact(self.settings.bands)
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.db.len() / self.settings.bands
    }

    /// Bands per frame.
    pub fn bands(&self) -> usize {
        self.settings.bands
    }

    /// Seconds from one frame to the next.
    pub fn hop_seconds(&self) -> f64 {
        self.settings.hop_seconds()
    }

    /// How it was computed.
    pub fn settings(&self) -> MelSettings {
        self.settings
    }
}

/// Writes the levels of all bands, given a spectrum whose frequencies are all multiplied by `ratio`.
fn levels(
    stft: &Stft,
    settings: &MelSettings,
    ratio: f64,
) -> impl Fn(&[Complex<f32>], &mut [f32]) + Sync + use<> {
    let (triangles, scale) = (triangles(settings, ratio), stft.scale() * stft.scale());
    move |spectrum, row| {
        for (to, triangle) in row.iter_mut().zip(&triangles) {
            *to = triangle.level_db(spectrum, scale, LogMel::FLOOR_DB);
        }
    }
}

/// The bands over a spectrum whose frequencies are all multiplied by `ratio`.
fn triangles(settings: &MelSettings, ratio: f64) -> Vec<Triangle> {
    let (low, high) = (hz_to_mel(settings.low_hz), hz_to_mel(settings.high_hz));
    let step = (high - low) / (settings.bands + 1) as f64;
    let corner_hz = |index: usize| mel_to_hz(low + step * index as f64);
    let bin_hz = ratio * f64::from(settings.sample_rate_hz) / settings.window_samples as f64;
    let bins = settings.window_samples / 2 + 1;
    (0..settings.bands)
        .map(|band| {
            let (left, peak, right) = (corner_hz(band), corner_hz(band + 1), corner_hz(band + 2));
            Triangle::new(left, peak, right, bin_hz, bins)
        })
        .collect()
}

/// Slaney's mel scale is straight up to here, at 15 mel …
const STRAIGHT_HZ: f64 = 1_000.0;
const STRAIGHT_MEL: f64 = 15.0;
/// … and from here on, 27 mel are a factor of 6.4.
const MEL_PER_FACTOR: f64 = 27.0;
const FACTOR: f64 = 6.4;

fn hz_to_mel(hz: f64) -> f64 {
    if hz < STRAIGHT_HZ {
        hz * STRAIGHT_MEL / STRAIGHT_HZ
    } else {
        STRAIGHT_MEL + (hz / STRAIGHT_HZ).ln() * MEL_PER_FACTOR / FACTOR.ln()
    }
}

fn mel_to_hz(mel: f64) -> f64 {
    if mel < STRAIGHT_MEL {
        mel * STRAIGHT_HZ / STRAIGHT_MEL
    } else {
        STRAIGHT_HZ * ((mel - STRAIGHT_MEL) * FACTOR.ln() / MEL_PER_FACTOR).exp()
    }
}
