//! How songs become codes.

use super::codebook::CodebookSettings;
use crate::audio::Need;
use crate::features::StftSettings;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How songs become blocks of spectra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeSettings {
    /// Songs are looked at, and pieces made, at this rate. Usual: 44,100.
    pub sample_rate_hz: u32,
    /// Whether two channels are told, where a song has two; otherwise their mix. Usual: they are.
    #[serde(default)]
    pub stereo: bool,
    /// Window and hop; where a song has a beat, the hop is changed a little so that a beat is a whole
    /// number of blocks. Usual: 2,048 and 512.
    pub stft: StftSettings,
    /// Up to this frequency each bin counts by itself, above it bands of a 24th of an octave; without
    /// one, each bin everywhere. Usual: 4,000.
    #[serde(default)]
    pub single_bins_to_hz: Option<f32>,
    /// Spectra in a block. Usual: 8, which is 93 ms.
    pub frames_per_block: usize,
    /// Magnitudes are raised to this power: what is soft counts too. Usual: 0.35.
    pub compression: f32,
    /// Numbers that a spectrum is told by. Usual: 96.
    pub components: usize,
    /// How many codes a block is told by. Usual: 6 of 256.
    pub codebook: CodebookSettings,
}

impl Default for CodeSettings {
    fn default() -> Self {
        Self {
            sample_rate_hz: 44_100,
            stereo: true,
            stft: StftSettings::default(),
            single_bins_to_hz: Some(4_000.0),
            frames_per_block: 8,
            compression: 0.35,
            components: 96,
            codebook: CodebookSettings { stages: 6, codes: 256, seed: 1 },
        }
    }
}

impl CodeSettings {
    /// What songs take while they are cut: samples of two channels and their mix, and the components of
    /// every frame.
    pub(super) fn need(&self) -> Need {
        let frames = f64::from(self.sample_rate_hz) / self.stft.hop_samples.max(1) as f64;
        let of_samples = if self.stereo { 4.0 } else { 1.5 };
        let of_frame = 2.0 * (self.components + 2 * self.codebook.stages) as f64;
        let numbers = of_samples * f64::from(self.sample_rate_hz) + frames * of_frame;
        Need { work: "to learn from", bytes_per_second: (numbers * size_of::<f32>() as f64) as u64 }
    }

    pub(super) fn check(&self) -> Result<()> {
        let (frames, components) = (self.frames_per_block, self.components);
        Error::refuse_zero([("frames_per_block", frames), ("components", components)])?;
        if self.sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        if self.single_bins_to_hz.is_some_and(|hz| !(hz.is_finite() && hz >= 0.0)) {
            let found = self.single_bins_to_hz.unwrap_or_default();
            return Err(Error::argument("single_bins_to_hz", "a frequency from 0", found));
        }
        if !(self.compression > 0.0 && self.compression <= 1.0) {
            return Err(Error::argument("compression", "above 0, up to 1", self.compression));
        }
        Ok(())
    }
}
