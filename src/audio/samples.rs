//! Sound in memory.

use crate::words::counted;
use crate::{Error, Result};
use std::sync::Arc;

/// Sound as numbers: one vector of samples per channel, nominally within −1 to 1.
///
/// Cloning is cheap: the samples are shared.
///
/// ```
/// use neural_composer::audio::Audio;
/// let silence = Audio::mono(vec![0.0; 44_100], 44_100)?;
/// assert_eq!(silence.duration_seconds(), 1.0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Audio {
    channels: Arc<[Vec<f32>]>,
    sample_rate_hz: u32,
}

/// The largest finite magnitude in all channels; 0 where there is none.
pub(crate) fn peak_of(channels: &[Vec<f32>]) -> f32 {
    /// Side by side, so that no sample waits for the one before.
    const LANES: usize = 16;
    let mut lanes = [0.0f32; LANES];
    let mut look = |run: &[f32]| {
        for (lane, sample) in lanes.iter_mut().zip(run) {
            let magnitude = sample.abs();
            let is_larger = magnitude > *lane && magnitude < f32::INFINITY;
            *lane = if is_larger { magnitude } else { *lane };
        }
    };
    for channel in channels {
        let runs = channel.chunks_exact(LANES);
        look(runs.remainder());
        runs.for_each(&mut look);
    }
    lanes.into_iter().fold(0.0, f32::max)
}

impl Audio {
    /// Takes one vector of samples per channel, all of one length.
    ///
    /// # Errors
    /// [`Error::Argument`] without channels, with channels of different lengths, or with a rate of 0.
    pub fn new(channels: Vec<Vec<f32>>, sample_rate_hz: u32) -> Result<Self> {
        if sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        let Some(first) = channels.first() else {
            return Err(Error::argument("channels", "at least one channel", "none"));
        };
        if let Some(other) = channels.iter().find(|c| c.len() != first.len()) {
            return Err(Error::argument(
                "channels",
                format!("channels of one length ({})", counted(first.len(), "sample")),
                format!("one of {}", counted(other.len(), "sample")),
            ));
        }
        Ok(Self { channels: channels.into(), sample_rate_hz })
    }

    /// One channel.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate of 0.
    pub fn mono(samples: Vec<f32>, sample_rate_hz: u32) -> Result<Self> {
        Self::new(vec![samples], sample_rate_hz)
    }

    /// The samples, channel by channel.
    pub fn channels(&self) -> &[Vec<f32>] {
        &self.channels
    }

    /// How many channels: 1 for mono, 2 for stereo.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Samples per channel.
    pub fn frames(&self) -> usize {
        self.channels[0].len()
    }

    /// Samples per second and channel.
    pub fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length in seconds.
    pub fn duration_seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.sample_rate_hz)
    }

    /// All channels averaged into one; mono audio comes back as it is.
    pub fn to_mono(&self) -> Self {
        if self.channel_count() == 1 {
            return self.clone();
        }
        let mut mixed = Vec::new();
        mix_to_mono(&self.channels, &mut mixed);
        Self { channels: vec![mixed].into(), sample_rate_hz: self.sample_rate_hz }
    }

    /// The part between two times; what lies outside the audio is left out.
    pub fn excerpt(&self, start_seconds: f64, end_seconds: f64) -> Self {
        let at = |seconds: f64| {
            let frame = (seconds * f64::from(self.sample_rate_hz)).round().max(0.0) as usize;
            frame.min(self.frames())
        };
        let (start, end) = (at(start_seconds), at(end_seconds));
        if start == 0 && end == self.frames() {
            return self.clone();
        }
        let channels: Vec<_> =
            self.channels.iter().map(|c| c[start.min(end)..end].to_vec()).collect();
        Self { channels: channels.into(), sample_rate_hz: self.sample_rate_hz }
    }
}

/// Beyond this, 240 dB above full scale, computations would leave the range of their numbers.
const LOUDEST: f32 = 1e12;

/// A sample as computations read it: NaN and infinities are silence, and nothing is
/// louder than 240 dB above full scale.
pub(crate) fn as_heard(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 }
}

const MIXED_AT_ONCE: usize = 4096;

/// Averages `channels`, all of one length, into `mixed`, which is emptied first.
pub fn mix_to_mono(channels: &[Vec<f32>], mixed: &mut Vec<f32>) {
    let scale = 1.0 / channels.len() as f32;
    mixed.clear();
    mixed.resize(channels.first().map_or(0, Vec::len), 0.0);
    // In parts that stay in the processor's caches.
    for (part, mixed) in mixed.chunks_mut(MIXED_AT_ONCE).enumerate() {
        for channel in channels {
            let rest = channel.get(part * MIXED_AT_ONCE..).unwrap_or_default();
            mixed.iter_mut().zip(rest).for_each(|(sum, sample)| *sum += sample);
        }
        for sum in mixed {
            *sum *= scale;
        }
    }
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Audio({:.2} s, {} Hz, {})",
            self.duration_seconds(),
            self.sample_rate_hz,
            counted(self.channel_count(), "channel")
        )
    }
}
