//! How songs become codes.

use super::codebook::CodebookSettings;
use crate::audio::Need;
use crate::features::StftSettings;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How songs become blocks of spectra.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeSettings {
    /// Songs are looked at in one channel at this rate. Usual: 22,050.
    pub sample_rate_hz: u32,
    /// Window and hop; where a song has a beat, the hop is changed a little so that a beat is a whole
    /// number of blocks. Usual: 2,048 and 512.
    pub stft: StftSettings,
    /// Spectra in a block. Usual: 4, which is 93 ms.
    pub frames_per_block: usize,
    /// Magnitudes are raised to this power: what is soft counts too. Usual: 0.35.
    pub compression: f32,
    /// Numbers that a spectrum is told by. Usual: 64.
    pub components: usize,
    /// How many codes a block is told by. Usual: 4 of 256.
    pub codebook: CodebookSettings,
}

impl Default for CodeSettings {
    fn default() -> Self {
        Self {
            sample_rate_hz: 22_050,
            stft: StftSettings::default(),
            frames_per_block: 4,
            compression: 0.35,
            components: 64,
            codebook: CodebookSettings { stages: 4, codes: 256, seed: 1 },
        }
    }
}

impl CodeSettings {
    /// What songs take while they are cut: samples, components of every frame, and blocks of these.
    pub(super) fn need(&self) -> Need {
        let frames = f64::from(self.sample_rate_hz) / self.stft.hop_samples.max(1) as f64;
        let of_frame = 2.0 * ((self.frames_per_block + 2) * self.components) as f64;
        let numbers = 1.5 * f64::from(self.sample_rate_hz) + frames * of_frame;
        Need { work: "to learn from", bytes_per_second: (numbers * size_of::<f32>() as f64) as u64 }
    }

    pub(super) fn check(&self) -> Result<()> {
        let (frames, components) = (self.frames_per_block, self.components);
        Error::refuse_zero([("frames_per_block", frames), ("components", components)])?;
        if self.sample_rate_hz == 0 {
            return Err(Error::argument("sample_rate_hz", "a rate above 0 Hz", 0));
        }
        if !(self.compression > 0.0 && self.compression <= 1.0) {
            return Err(Error::argument("compression", "above 0, up to 1", self.compression));
        }
        Ok(())
    }
}
