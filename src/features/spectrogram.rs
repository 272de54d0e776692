//! Spectrograms: how strong every frequency is over time.

use super::stft::{Stft, StftSettings};
use super::{Blocks, SpectrumLayout};
use crate::audio::{Audio, Song};
use crate::numbers::Numbers;
use crate::{Error, Result, interrupt};

/// The strength of every frequency over time, in decibels: frames × bins.
///
/// A sine of amplitude 1 reads about 0 dB; nothing reads lower than [`Spectrogram::FLOOR_DB`].
/// Frame `i` is centred on sample `i × hop`, with zeros beyond the ends, as librosa's
/// `stft(center=True, pad_mode="constant")`.
#[derive(Clone, Debug)]
pub struct Spectrogram {
    power_db: Numbers,
    bins: usize,
    hop_seconds: f64,
    bin_hz: f64,
}

impl Spectrogram {
    /// What silence reads.
    pub const FLOOR_DB: f32 = -120.0;

    /// Computes the spectrogram of `audio` mixed to mono.
    ///
    /// # Errors
    /// [`Error::Argument`] for a window of fewer than 2 samples or a hop of 0.
    pub fn of(audio: &Audio, settings: StftSettings) -> Result<Self> {
        interrupt::check()?;
        let stft = Stft::new(settings)?;
        let mono = audio.to_mono();
        let (bins, scale) = (stft.bins(), stft.scale());
        let power_db = stft.map_frames(&mono.channels()[0], bins, |spectrum, row| {
            for (to, bin) in row.iter_mut().zip(spectrum) {
                let power = (bin.norm_sqr() * scale * scale).max(1e-30);
                *to = (10.0 * power.log10()).max(Self::FLOOR_DB);
            }
        });
        let rate = f64::from(audio.sample_rate_hz());
        Ok(Self {
            power_db: power_db.into(),
            bins,
            hop_seconds: settings.hop_samples as f64 / rate,
            bin_hz: rate / settings.window_samples as f64,
        })
    }

    /// The strengths in rows that [`Blocks::spectra`] made: what a network sees of a song. A block is
    /// a frame.
    ///
    /// # Errors
    /// [`Error::Argument`] when `rows` is not a whole number of rows.
    pub fn of_blocks(blocks: Blocks, rows: &[f32]) -> Result<Self> {
        let (n, width) = (blocks.block_samples, blocks.width());
        if !rows.len().is_multiple_of(width) {
            return Err(Error::argument(
                "rows",
                format!("a whole number of rows of {width} numbers"),
                format!("{} numbers", rows.len()),
            ));
        }
        let bins = n / 2 + 1;
        let imaginary = |row: &[f32], bin: usize| match blocks.layout {
            SpectrumLayout::Full => row[n + bin],
            SpectrumLayout::Half if bin == 0 => 0.0,
            SpectrumLayout::Half => row.get(bins + bin - 1).copied().unwrap_or(0.0),
        };
        let scale = 2.0 / n as f32;
        let power_db = rows.chunks_exact(width).flat_map(|row| {
            (0..bins).map(move |bin| {
                let magnitude = row[bin].hypot(imaginary(row, bin)) * scale;
                (20.0 * magnitude.max(1e-15).log10()).max(Self::FLOOR_DB)
            })
        });
        Ok(Self {
            power_db: power_db.collect(),
            bins,
            hop_seconds: blocks.block_seconds(),
            bin_hz: f64::from(blocks.sample_rate_hz) / n as f64,
        })
    }

    /// Decibels of all frames one after the other, [`bins`](Self::bins) numbers each, low to high.
    pub fn power_db(&self) -> &[f32] {
        &self.power_db
    }

    /// The frames, each from low to high frequency.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.power_db.chunks_exact(self.bins)
    }

    /// How many frames.
    pub fn frames(&self) -> usize {
        self.power_db.len() / self.bins
    }

    /// Frequencies per frame.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Seconds from one frame to the next.
    pub fn hop_seconds(&self) -> f64 {
        self.hop_seconds
    }

    /// Hertz from one bin to the next; bin 0 is 0 Hz.
    pub fn bin_hz(&self) -> f64 {
        self.bin_hz
    }
}

impl Audio {
    /// The spectrogram with the usual window and hop.
    ///
    /// # Errors
    /// None with these settings; the type is that of [`Spectrogram::of`].
    pub fn spectrogram(&self) -> Result<Spectrogram> {
        Spectrogram::of(self, StftSettings::default())
    }
}

impl Song {
    /// The spectrogram with the usual window and hop.
    ///
    /// # Errors
    /// As [`Audio::spectrogram`].
    pub fn spectrogram(&self) -> Result<Spectrogram> {
        self.audio().spectrogram()
    }
}
