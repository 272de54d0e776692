//! Spectra of successive blocks, there and back.

use crate::audio::{Audio, as_heard};
use crate::{Error, Result, interrupt};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the complex spectrum of a block of `n` samples becomes a row of real numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpectrumLayout {
    /// The course's: all `n` real parts, then all `n` imaginary parts. The upper half repeats the
    /// lower one mirrored, because samples are real numbers.
    Full,
    /// The same information without the mirror image, in `n` numbers: the `n/2 + 1` real parts,
    /// then the imaginary parts that are not always zero (all but the first and, for an even `n`,
    /// the last).
    Half,
}

/// How a song is cut into blocks, and each block turned into a row of numbers.
///
/// The course's way (GRUV, Nayebi and Vitelli 2015): blocks that follow one another without overlap
/// or window, a discrete Fourier transform of each, the last block filled up with zeros.
///
/// ```
/// use neural_composer::{audio::Audio, features::Blocks};
/// let blocks = Blocks::quarter_second();
/// assert_eq!((blocks.block_samples, blocks.width()), (11_025, 11_025));
/// let second = Audio::mono((0..44_100).map(|i| (i as f32 * 0.05).sin()).collect(), 44_100)?;
/// let rows = blocks.spectra(&second)?;
/// assert_eq!(rows.len(), 4 * blocks.width());
/// let again = blocks.samples(&rows)?;
/// assert!(again.iter().zip(&second.channels()[0]).all(|(a, b)| (a - b).abs() < 1e-6));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// Samples per second; songs of another rate are resampled. The course: 44,100.
    pub sample_rate_hz: u32,
    /// Samples per block. The course: 11,025, a quarter of a second.
    pub block_samples: usize,
    /// The arrangement of each block's spectrum. The course: [`SpectrumLayout::Full`].
    pub layout: SpectrumLayout,
}

impl Blocks {
    /// The course's blocks in the half layout: 44.1 kHz, a quarter of a second, 11,025 numbers.
    pub fn quarter_second() -> Self {
        Self { sample_rate_hz: 44_100, block_samples: 11_025, layout: SpectrumLayout::Half }
    }

    /// Exactly the course's blocks: as [`Blocks::quarter_second`] in the full layout, 22,050 numbers.
    pub fn course() -> Self {
        Self { layout: SpectrumLayout::Full, ..Self::quarter_second() }
    }

    /// Small blocks that train in a minute: 16 kHz, 64 ms, 1,024 numbers.
    pub fn fast() -> Self {
        Self { sample_rate_hz: 16_000, block_samples: 1_024, layout: SpectrumLayout::Half }
    }

    /// Numbers per block.
    pub fn width(&self) -> usize {
        match self.layout {
            // A file may name any number; it is not to come out as another, small one.
            SpectrumLayout::Full => self.block_samples.saturating_mul(2),
            SpectrumLayout::Half => self.block_samples,
        }
    }

    /// Length of a block.
    pub fn block_seconds(&self) -> f64 {
        self.block_samples as f64 / f64::from(self.sample_rate_hz)
    }

    /// How many blocks cover `seconds`, rounded up.
    pub fn count_for(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.sample_rate_hz) / self.block_samples as f64 - 1e-9).ceil()
            as usize
    }

    /// The spectra of all blocks of `audio`, which is mixed to mono and resampled where needed:
    /// row after row, [`width`](Self::width) numbers each.
    ///
    /// # Errors
    /// [`Error::Argument`] for blocks of fewer than two samples, and what resampling reports.
    pub fn spectra(&self, audio: &Audio) -> Result<Vec<f32>> {
        interrupt::check()?;
        let mono = audio.to_mono().resample(self.sample_rate_hz)?;
        self.spectra_of_samples(&mono.channels()[0])
    }

    /// As [`spectra`](Self::spectra), for one channel of samples at
    /// [`sample_rate_hz`](Self::sample_rate_hz).
    ///
    /// # Errors
    /// [`Error::Argument`] for blocks of fewer than two samples.
    pub fn spectra_of_samples(&self, samples: &[f32]) -> Result<Vec<f32>> {
        let transform = BlockTransform::new(*self)?;
        let mut rows =
            Vec::with_capacity(samples.len().div_ceil(self.block_samples) * self.width());
        for block in samples.chunks(self.block_samples) {
            transform.forward(block, &mut rows);
        }
        Ok(rows)
    }

    /// The samples of spectra given row after row: the inverse of
    /// [`spectra_of_samples`](Self::spectra_of_samples), with the last block's zeros still there.
    ///
    /// # Errors
    /// [`Error::Argument`] when `rows` is not a whole number of rows.
    pub fn samples(&self, rows: &[f32]) -> Result<Vec<f32>> {
        if !rows.len().is_multiple_of(self.width()) {
            return Err(Error::argument(
                "rows",
                format!("a whole number of rows of {} numbers", self.width()),
                format!("{} numbers", rows.len()),
            ));
        }
        let transform = BlockTransform::new(*self)?;
        let mut samples = Vec::with_capacity(rows.len() / self.width() * self.block_samples);
        for row in rows.chunks_exact(self.width()) {
            transform.inverse(row, &mut samples);
        }
        Ok(samples)
    }
}

/// The Fourier transforms of one block size, planned once and used for many blocks.
///
/// Computed in double precision, so that rounding to `f32` is the only error.
pub struct BlockTransform {
    blocks: Blocks,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl BlockTransform {
    /// Plans the transforms.
    ///
    /// # Errors
    /// [`Error::Argument`] for blocks of fewer than two samples.
    pub fn new(blocks: Blocks) -> Result<Self> {
        if blocks.block_samples < 2 {
            return Err(Error::argument(
                "block_samples",
                "at least 2 samples",
                blocks.block_samples,
            ));
        }
        let mut planner = RealFftPlanner::new();
        Ok(Self {
            blocks,
            forward: planner.plan_fft_forward(blocks.block_samples),
            inverse: planner.plan_fft_inverse(blocks.block_samples),
        })
    }

    /// Appends the spectrum of `block` (shorter ones are filled up with zeros) to `rows`.
    pub fn forward(&self, block: &[f32], rows: &mut Vec<f32>) {
        let n = self.blocks.block_samples;
        let mut input = self.forward.make_input_vec();
        for (to, from) in input.iter_mut().zip(block) {
            *to = f64::from(as_heard(*from));
        }
        let mut spectrum = self.forward.make_output_vec();
        self.forward.process(&mut input, &mut spectrum).expect("buffers of the planned length");
        match self.blocks.layout {
            SpectrumLayout::Full => {
                rows.extend((0..n).map(|k| spectrum[k.min(n - k)].re as f32));
                rows.extend((0..n).map(|k| {
                    if k <= n / 2 { spectrum[k].im as f32 } else { -spectrum[n - k].im as f32 }
                }));
            }
            SpectrumLayout::Half => {
                rows.extend(spectrum.iter().map(|bin| bin.re as f32));
                rows.extend(spectrum[1..n.div_ceil(2)].iter().map(|bin| bin.im as f32));
            }
        }
    }

    /// Appends the samples of one row to `samples`.
    ///
    /// A full-layout row that is no spectrum of real samples (a network's output seldom is) gives
    /// the real part of its inverse transform, as in the course.
    pub fn inverse(&self, row: &[f32], samples: &mut Vec<f32>) {
        let n = self.blocks.block_samples;
        let mut spectrum = self.inverse.make_input_vec();
        let bins = spectrum.len();
        match self.blocks.layout {
            SpectrumLayout::Full => {
                let (re, im) = row.split_at(n);
                for (k, bin) in spectrum.iter_mut().enumerate() {
                    // The part of the row that has real samples: bin and mirror image averaged.
                    let mirror = (n - k) % n;
                    *bin = Complex::new(
                        (f64::from(re[k]) + f64::from(re[mirror])) / 2.0,
                        (f64::from(im[k]) - f64::from(im[mirror])) / 2.0,
                    );
                }
            }
            SpectrumLayout::Half => {
                let (re, im) = row.split_at(bins);
                for (bin, re) in spectrum.iter_mut().zip(re) {
                    bin.re = f64::from(*re);
                }
                for (bin, im) in spectrum[1..].iter_mut().zip(im) {
                    bin.im = f64::from(*im);
                }
            }
        }
        spectrum[0].im = 0.0;
        if n.is_multiple_of(2) {
            spectrum[bins - 1].im = 0.0;
        }
        let mut output = self.inverse.make_output_vec();
        self.inverse.process(&mut spectrum, &mut output).expect("buffers of the planned length");
        samples.extend(output.iter().map(|sample| (sample / n as f64) as f32));
    }
}
