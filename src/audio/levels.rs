//! Loudness after EBU R 128, peaks and silence.

use super::{Audio, as_heard};
use crate::Result;
use ebur128::{EbuR128, Mode};

/// From this magnitude on a sample is at full scale.
const FULL_SCALE: f32 = 32_767.0 / 32_768.0;

/// So many samples at full scale one after the other are taken for a clipped peak.
const CLIPPED_RUN: usize = 3;

/// Below this a sample counts as silence: 60 dB under full scale.
const SILENCE: f32 = 1e-3;

/// How loud a recording is, and what is wrong with its levels.
///
/// ```
/// use neural_composer::audio::{Audio, Levels};
/// let tone = (0..96_000).map(|n| (n as f32 * 0.13).sin() * 0.1).collect();
/// let levels = Levels::of(&Audio::mono(tone, 48_000)?)?;
/// assert!((levels.peak - 0.1).abs() < 1e-3);
/// assert!((levels.loudness_lufs.unwrap() + 23.0).abs() < 1.0);
/// assert_eq!(levels.clipped_peaks, 0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Programme loudness after EBU R 128, in LUFS; `None` for what is silent, or too short to say.
    pub loudness_lufs: Option<f64>,
    /// The largest magnitude; 1 is full scale.
    pub peak: f32,
    /// Peaks cut off at full scale: runs of three samples and more, in all channels together.
    pub clipped_peaks: usize,
    /// Silence (60 dB under full scale and less) before the first sound, in seconds.
    pub silence_before_seconds: f64,
    /// The same after the last sound; 0 where all is silent.
    pub silence_after_seconds: f64,
}

impl Levels {
    /// Measures `audio`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for more channels or another rate than loudness is defined
    /// for.
    pub fn of(audio: &Audio) -> Result<Self> {
        let loud = |sample: &f32| sample.abs() > SILENCE;
        let channels = audio.channels();
        let first = channels.iter().filter_map(|c| c.iter().position(loud)).min();
        let last = channels.iter().filter_map(|c| c.iter().rposition(loud)).max();
        let seconds = |frames: usize| frames as f64 / f64::from(audio.sample_rate_hz());
        Ok(Self {
            loudness_lufs: loudness(audio)?,
            peak: channels
                .iter()
                .flatten()
                .fold(0.0, |peak, sample| as_heard(*sample).abs().max(peak)),
            clipped_peaks: channels.iter().map(|channel| clipped_peaks(channel)).sum(),
            silence_before_seconds: seconds(first.unwrap_or(audio.frames())),
            silence_after_seconds: last.map_or(0.0, |last| seconds(audio.frames() - 1 - last)),
        })
    }
}

fn loudness(audio: &Audio) -> Result<Option<f64>> {
    let mut meter = LoudnessMeter::new(audio.channel_count(), audio.sample_rate_hz())?;
    meter.push(audio.channels())?;
    meter.loudness_lufs()
}

/// Programme loudness of samples that come chunk by chunk.
pub(crate) struct LoudnessMeter(EbuR128);

fn unmeasured(error: ebur128::Error) -> crate::Error {
    crate::Error::Data(format!("loudness cannot be measured: {error}"))
}

impl LoudnessMeter {
    pub(crate) fn new(channels: usize, sample_rate_hz: u32) -> Result<Self> {
        let meter = EbuR128::new(channels as u32, sample_rate_hz, Mode::I);
        meter.map(Self).map_err(unmeasured)
    }

    /// Takes the next samples, one vector per channel.
    pub(crate) fn push(&mut self, chunk: &[Vec<f32>]) -> Result<()> {
        let channels: Vec<&[f32]> = chunk.iter().map(Vec::as_slice).collect();
        self.0.add_frames_planar_f32(&channels).map_err(unmeasured)
    }

    /// In LUFS; nothing for what is silent, or too short to say.
    pub(crate) fn loudness_lufs(&self) -> Result<Option<f64>> {
        let lufs = self.0.loudness_global().map_err(unmeasured)?;
        Ok(lufs.is_finite().then_some(lufs))
    }
}

fn clipped_peaks(samples: &[f32]) -> usize {
    samples
        .chunk_by(|a, b| a.abs() >= FULL_SCALE && b.abs() >= FULL_SCALE && (*a > 0.0) == (*b > 0.0))
        .filter(|run| run.len() >= CLIPPED_RUN && run[0].abs() >= FULL_SCALE)
        .count()
}
