//! Triangular bands of a spectrum.

use realfft::num_complex::Complex;

/// A band of a spectrum: the weights of the bins from `first_bin` on, all others being 0.
pub(super) struct Triangle {
    first_bin: usize,
    weights: Vec<f32>,
}

impl Triangle {
    /// Rises from `left` to 1 at `peak` and falls to `right`; `bin_width` is from one bin to the next in
    /// the same unit, and `bins` how many there are.
    pub fn new(left: f64, peak: f64, right: f64, bin_width: f64, bins: usize) -> Self {
        let weight = |bin: usize| {
            let at = bin as f64 * bin_width;
            ((at - left) / (peak - left)).min((right - at) / (right - peak)).max(0.0) as f32
        };
        let first_bin = ((left / bin_width).ceil() as usize).min(bins);
        let end = ((right / bin_width).ceil() as usize).clamp(first_bin, bins);
        Self { first_bin, weights: (first_bin..end).map(weight).collect() }
    }

    /// The power in the band in decibels, `scale` times that of `spectrum`; `floor_db` at least.
    pub fn level_db(&self, spectrum: &[Complex<f32>], scale: f32, floor_db: f32) -> f32 {
        let bins = spectrum[self.first_bin..].iter().zip(&self.weights);
        let power: f32 = bins.map(|(bin, weight)| bin.norm_sqr() * weight).sum();
        (10.0 * (power * scale).max(1e-30).log10()).max(floor_db)
    }
}
