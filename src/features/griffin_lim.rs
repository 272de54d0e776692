//! Samples for magnitudes that have no phases.

use super::StftSettings;
use super::stft::{Stft, hann};
use crate::{Error, Result, interrupt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};
use std::sync::Arc;

/// The magnitudes of a short-time Fourier transform (periodic Hann window, frame `i` centred on sample
/// `i × hop`, zeros beyond the ends): frames × (window / 2 + 1) numbers.
///
/// # Errors
/// [`Error::Argument`] for a window of fewer than 2 samples or a hop of 0.
pub fn magnitudes(samples: &[f32], settings: StftSettings) -> Result<Vec<f32>> {
    let stft = Stft::new(settings)?;
    let centres: Vec<isize> = (0..stft.frames(samples.len()))
        .map(|frame| (frame * settings.hop_samples) as isize)
        .collect();
    Ok(stft.magnitudes_at(samples, &centres))
}

/// Finds samples whose short-time Fourier transform has given magnitudes (D. Griffin and J. Lim,
/// "Signal estimation from modified short-time Fourier transform", 1984), fast (N. Perraudin,
/// P. Balazs and P. Søndergaard, "A fast Griffin-Lim algorithm", 2013).
///
/// ```
/// use neural_composer::features::{GriffinLim, StftSettings, magnitudes};
/// let tone: Vec<f32> = (0..16_000).map(|n| (n as f32 * 0.05).sin()).collect();
/// let settings = StftSettings::default();
/// let wanted = magnitudes(&tone, settings)?;
/// let found = GriffinLim::new(settings).seed(1).samples(&wanted)?;
/// let got = magnitudes(&found, settings)?;
/// let off: f32 = wanted.iter().zip(&got).map(|(a, b)| (a - b).powi(2)).sum();
/// assert!(off.sqrt() < 0.2 * wanted.iter().map(|a| a * a).sum::<f32>().sqrt());
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GriffinLim {
    /// Window and hop of the magnitudes.
    pub settings: StftSettings,
    /// Times the transform goes back and forth. Usual: 60.
    pub iterations: usize,
    /// How much of the last step is taken once more, from 0 (the method of 1984) to 1. Usual: 0.99.
    pub momentum: f32,
    /// Draws the phases that it starts from; all are 0 without.
    pub seed: Option<u64>,
}

impl GriffinLim {
    /// 60 iterations with a momentum of 0.99, from phases of 0.
    pub fn new(settings: StftSettings) -> Self {
        Self { settings, iterations: 60, momentum: 0.99, seed: None }
    }

    /// Starts from phases drawn by `seed`.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Sets [`iterations`](Self::iterations).
    #[must_use]
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// The samples for `magnitudes`, frames × (window / 2 + 1) numbers: (frames - 1) × hop of them.
    ///
    /// # Errors
    /// [`Error::Argument`] when the magnitudes are not whole frames or not finite, or the settings are
    /// impossible; [`Error::Interrupted`] on a request to stop.
    pub fn samples(&self, magnitudes: &[f32]) -> Result<Vec<f32>> {
        self.check(magnitudes)?;
        let spectrum = match self.seed {
            None => magnitudes.iter().map(|magnitude| Complex::new(*magnitude, 0.0)).collect(),
            Some(seed) => {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                let turn = |magnitude: &f32| {
                    Complex::from_polar(*magnitude, random.random::<f32>() * std::f32::consts::TAU)
                };
                magnitudes.iter().map(turn).collect()
            }
        };
        self.go_on(magnitudes, spectrum, self.iterations)
    }

    /// The samples of two channels, for the magnitudes of their mix (their mean), of the left and of the
    /// right one, each as [`samples`](Self::samples) takes them.
    ///
    /// Phases are found for the mix. Where in a bin the mix is softer than both channels would be together,
    /// they are turned against each other by as much; then each is gone on with by itself, a quarter as
    /// often.
    ///
    /// # Errors
    /// As [`samples`](Self::samples), and when the three are not of one length.
    pub fn stereo(&self, [mix, left, right]: [&[f32]; 3]) -> Result<[Vec<f32>; 2]> {
        for channel in [left, right] {
            self.check(channel)?;
            if channel.len() != mix.len() {
                let expected = format!("{} numbers, as of the mix", mix.len());
                return Err(Error::argument("magnitudes", expected, channel.len()));
            }
        }
        let samples = self.samples(mix)?;
        let stft = Stft::new(self.settings)?;
        let bins = stft.bins();
        let mut spectrum = vec![Complex::default(); mix.len()];
        stft.spectra(&samples, &mut spectrum);
        let mut channels = [Vec::with_capacity(mix.len()), Vec::with_capacity(mix.len())];
        for (index, found) in spectrum.iter().enumerate() {
            let (left, right) = (left[index], right[index]);
            let between = angle_between(mix[index], left, right);
            // Which of the two is ahead is not told; it is the same for bins that a tone shares.
            let between = if (index % bins / BINS_TURNED_ALIKE).is_multiple_of(2) {
                between
            } else {
                -between
            };
            let of_mix =
                if found.norm() > 1e-16 { found / found.norm() } else { Complex::new(1.0, 0.0) };
            let ahead = (right * between.sin()).atan2(left + right * between.cos());
            channels[0].push(of_mix * Complex::from_polar(left, ahead));
            channels[1].push(of_mix * Complex::from_polar(right, ahead - between));
        }
        drop(spectrum);
        let [on_left, on_right] = channels;
        let iterations = self.iterations / 4;
        Ok([self.go_on(left, on_left, iterations)?, self.go_on(right, on_right, iterations)?])
    }

    /// The channels of magnitudes of one, or of the mix of two, the left and the right one.
    ///
    /// # Errors
    /// As [`stereo`](Self::stereo), and for another number of views.
    pub fn channels(&self, views: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        match views {
            [mono] => Ok(vec![self.samples(mono)?]),
            [mix, left, right] => Ok(self.stereo([mix, left, right])?.to_vec()),
            _ => Err(Error::argument("views", "1 or 3", views.len())),
        }
    }

    fn check(&self, magnitudes: &[f32]) -> Result<()> {
        interrupt::check()?;
        let bins = Stft::new(self.settings)?.bins();
        if magnitudes.is_empty() || !magnitudes.len().is_multiple_of(bins) {
            let found = format!("{} numbers", magnitudes.len());
            return Err(Error::argument("magnitudes", format!("frames of {bins} numbers"), found));
        }
        if let Some(bad) = magnitudes.iter().find(|m| !(m.is_finite() && **m >= 0.0)) {
            return Err(Error::argument("magnitudes", "numbers from 0", bad));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(Error::argument("momentum", "a number from 0 to 1", self.momentum));
        }
        Ok(())
    }

    /// Goes back and forth from a spectrum of these magnitudes.
    fn go_on(
        &self,
        magnitudes: &[f32],
        mut spectrum: Vec<Complex<f32>>,
        iterations: usize,
    ) -> Result<Vec<f32>> {
        let stft = Stft::new(self.settings)?;
        let bins = stft.bins();
        let back = Inverse::new(self.settings, magnitudes.len() / bins);
        let share = self.momentum / (1.0 + self.momentum);
        let mut last = vec![Complex::default(); spectrum.len()];
        let mut rebuilt = last.clone();
        for _ in 0..iterations {
            if interrupt::requested() {
                return Err(Error::Interrupted("while phases were looked for".into()));
            }
            let samples = back.samples(&spectrum);
            stft.spectra(&samples, &mut rebuilt);
            spectrum
                .par_chunks_mut(bins)
                .zip(rebuilt.par_chunks(bins))
                .zip(last.par_chunks(bins))
                .zip(magnitudes.par_chunks(bins))
                .for_each(|(((to, new), old), magnitudes)| {
                    for (((to, new), old), magnitude) in
                        to.iter_mut().zip(new).zip(old).zip(magnitudes)
                    {
                        let ahead = new - old * share;
                        let length = ahead.norm();
                        *to = if length > 1e-16 {
                            ahead * (magnitude / length)
                        } else {
                            Complex::new(*magnitude, 0.0)
                        };
                    }
                });
            std::mem::swap(&mut last, &mut rebuilt);
        }
        Ok(back.samples(&spectrum))
    }
}

/// Neighbouring bins in which the same channel is ahead.
const BINS_TURNED_ALIKE: usize = 8;

/// By how much two phasors of lengths `left` and `right` are turned against each other whose mean has
/// the length `mix`: 0 to π.
fn angle_between(mix: f32, left: f32, right: f32) -> f32 {
    let both = 2.0 * left * right;
    if both <= f32::MIN_POSITIVE {
        return 0.0;
    }
    ((4.0 * mix * mix - left * left - right * right) / both).clamp(-1.0, 1.0).acos()
}

/// From a short-time Fourier transform back to samples.
struct Inverse {
    fft: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    hop: usize,
    frames: usize,
    /// One over the sum of squared windows at each sample.
    weights: Vec<f32>,
}

impl Inverse {
    fn new(settings: StftSettings, frames: usize) -> Self {
        let StftSettings { window_samples, hop_samples: hop } = settings;
        let window = hann(window_samples);
        let mut sums = vec![0.0f32; (frames - 1) * hop + window_samples];
        for frame in 0..frames {
            for (sum, weight) in sums[frame * hop..].iter_mut().zip(&window) {
                *sum += weight * weight;
            }
        }
        let weights = sums.iter().map(|sum| if *sum > 1e-6 { 1.0 / sum } else { 0.0 }).collect();
        let fft = RealFftPlanner::<f32>::new().plan_fft_inverse(window_samples);
        Self { fft, window, hop, frames, weights }
    }

    /// The samples between the centres of the first and the last frame.
    fn samples(&self, spectrum: &[Complex<f32>]) -> Vec<f32> {
        let n = self.window.len();
        let bins = n / 2 + 1;
        let mut pieces = vec![0.0f32; self.frames * n];
        pieces.par_chunks_mut(64 * n).zip(spectrum.par_chunks(64 * bins)).for_each(|(to, from)| {
            let mut input = self.fft.make_input_vec();
            let mut scratch = self.fft.make_scratch_vec();
            for (to, from) in to.chunks_exact_mut(n).zip(from.chunks_exact(bins)) {
                input.copy_from_slice(from);
                // What a real signal cannot have at its two ends.
                input[0].im = 0.0;
                if n.is_multiple_of(2) {
                    input[bins - 1].im = 0.0;
                }
                self.fft
                    .process_with_scratch(&mut input, to, &mut scratch)
                    .expect("buffers of the planned length");
                to.iter_mut().zip(&self.window).for_each(|(v, weight)| *v *= weight / n as f32);
            }
        });
        let mut samples = vec![0.0f32; self.weights.len()];
        for (frame, piece) in pieces.chunks_exact(n).enumerate() {
            let to = samples[frame * self.hop..].iter_mut();
            to.zip(piece).for_each(|(sum, value)| *sum += value);
        }
        samples.iter_mut().zip(&self.weights).for_each(|(sample, weight)| *sample *= weight);
        samples[n / 2..n / 2 + (self.frames - 1) * self.hop].to_vec()
    }
}
