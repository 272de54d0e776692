//! What codes leave out of spectra, put back as noise that varies as much.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// What is left out of frames: how much each number varies, and for how long.
///
/// Codes stand for means, and means vary less than what they are the means of: bows, breath and cymbals
/// come out too smooth. Noise that varies as what was left out did is put in its place, a first-order
/// autoregression of each number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Residual {
    /// The standard deviation of each number.
    pub deviations: Vec<f32>,
    /// The correlation of each number with itself a frame later, from 0 to below 1.
    pub correlations: Vec<f32>,
}

/// What is left out of compressed spectra: by the codes of the components, and by the components.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Residuals {
    pub components: Residual,
    pub bands: Residual,
    /// How much the songs' bands rise from frame to frame, in the mean, in dB.
    pub rises_db: f32,
}

/// Of all noise: always the same.
const NOISE_SEED: u64 = 1;
/// A number that was the same in every frame would be told for ever.
const MOST_CORRELATED: f64 = 0.99;

/// The sums over frames that a [`Residual`] is made of.
pub(super) struct ResidualSums {
    squares: Vec<f64>,
    /// Of each number with itself a frame later.
    products: Vec<f64>,
    frames: usize,
    pairs: usize,
}

impl ResidualSums {
    /// Of no frame yet, each of `width` numbers.
    pub fn new(width: usize) -> Self {
        Self { squares: vec![0.0; width], products: vec![0.0; width], frames: 0, pairs: 0 }
    }

    /// Takes in `frames` in a row, of which this was `told`.
    pub fn add(&mut self, frames: &[f32], told: &[f32]) {
        let width = self.squares.len();
        let rest: Vec<f32> = frames.iter().zip(told).map(|(value, told)| value - told).collect();
        for row in rest.chunks_exact(width) {
            let squares = self.squares.iter_mut().zip(row);
            squares.for_each(|(sum, value)| *sum += f64::from(value * value));
            self.frames += 1;
        }
        for pair in rest.windows(2 * width).step_by(width) {
            let (now, later) = pair.split_at(width);
            for ((sum, now), later) in self.products.iter_mut().zip(now).zip(later) {
                *sum += f64::from(now * later);
            }
            self.pairs += 1;
        }
    }

    /// What was left out of all of them.
    pub fn residual(&self) -> Residual {
        let mean = |sum: &f64, count: usize| sum / count.max(1) as f64;
        let variances = || self.squares.iter().map(|sum| mean(sum, self.frames));
        let correlation = |(product, variance): (&f64, f64)| {
            let correlation = mean(product, self.pairs) / variance.max(f64::MIN_POSITIVE);
            correlation.clamp(0.0, MOST_CORRELATED) as f32
        };
        Residual {
            deviations: variances().map(|variance| variance.sqrt() as f32).collect(),
            correlations: self.products.iter().zip(variances()).map(correlation).collect(),
        }
    }
}

impl Residuals {
    /// Noise like what is left out of components and of bands.
    pub fn noises(&self) -> [Noise<'_>; 2] {
        [self.components.noise(NOISE_SEED), self.bands.noise(NOISE_SEED + 1)]
    }
}

impl Residual {
    /// Noise like it, frame after frame, from a seed.
    pub fn noise(&self, seed: u64) -> Noise<'_> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let before = self.deviations.iter().map(|deviation| deviation * normal(&mut random));
        let before = before.collect();
        Noise { residual: self, random, before }
    }

    /// Whether it is that of so many numbers.
    pub fn fits(&self, width: usize) -> bool {
        let is_correlation = |value: &f32| (0.0..1.0).contains(value);
        self.deviations.len() == width
            && self.correlations.len() == width
            && self.deviations.iter().all(|value| value.is_finite() && *value >= 0.0)
            && self.correlations.iter().all(is_correlation)
    }
}

/// Noise like a [`Residual`].
pub(super) struct Noise<'a> {
    residual: &'a Residual,
    random: ChaCha8Rng,
    /// That of the frame before.
    before: Vec<f32>,
}

impl Noise<'_> {
    /// The next frames of noise, so many.
    pub fn frames(&mut self, count: usize) -> Vec<f32> {
        let Residual { deviations, correlations, .. } = self.residual;
        let mut noise = Vec::with_capacity(count * deviations.len());
        for _ in 0..count {
            let usual = deviations.iter().zip(correlations);
            for (value, (deviation, correlation)) in self.before.iter_mut().zip(usual) {
                let fresh = deviation * (1.0 - correlation * correlation).sqrt();
                *value = correlation * *value + fresh * normal(&mut self.random);
            }
            noise.extend(&self.before);
        }
        noise
    }
}

fn normal(random: &mut ChaCha8Rng) -> f32 {
    random.sample(StandardNormal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_varies_as_what_was_left_out_did() {
        let like = Residual { deviations: vec![1.0, 3.0, 0.0], correlations: vec![0.0, 0.8, 0.0] };
        let frames = like.noise(7).frames(40_000);
        let mut sums = ResidualSums::new(3);
        sums.add(&frames, &vec![0.0; frames.len()]);
        let found = sums.residual();
        for (found, usual) in found.deviations.iter().zip(&like.deviations) {
            assert!((found - usual).abs() < 0.05, "{found} for {usual}");
        }
        for (found, usual) in found.correlations.iter().zip(&like.correlations) {
            assert!((found - usual).abs() < 0.02, "{found} for {usual}");
        }
    }

    #[test]
    fn noise_is_the_same_in_parts() {
        let like = Residual { deviations: vec![1.0; 4], correlations: vec![0.5; 4] };
        let mut noise = like.noise(1);
        let parts = [30, 45, 25].map(|count| noise.frames(count)).concat();
        assert_eq!(like.noise(1).frames(100), parts);
    }
}
