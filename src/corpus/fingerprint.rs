//! What a recording sounds like, in words that survive lossy coding.
//!
//! After J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002: each bit
//! says whether the difference of energy between two neighbouring bands grew. Here there are ten words a
//! second, each over 0.37 s, and energy is compared with that of 0.4 s before, so that a shift of less
//! than a word changes few bits.

use crate::audio::mix_to_mono;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Words in a second.
pub(super) const WORDS_PER_SECOND: f64 = 10.0;
const WINDOW_SECONDS: f64 = 0.37;
/// Words from one to that with which it is compared.
const LAG: usize = 4;
/// As many bits, and one.
const BANDS: usize = 33;
const LOWEST_HZ: f64 = 300.0;
const HIGHEST_HZ: f64 = 2_000.0;
/// 60 dB below full scale.
const QUIET: f32 = 1e-3;

/// Makes the words of samples that come chunk by chunk.
pub(super) struct Fingerprinter {
    rate: f64,
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    output: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Less energy is taken for silence, whatever a coder made of it.
    quiet: f32,
    /// The bins at which bands begin, and the last one ends.
    edges: [usize; BANDS + 1],
    mixed: Vec<f32>,
    /// Samples that are still needed, the first of which has the number `first`.
    held: Vec<f32>,
    first: u64,
    /// Differences of energy of the last words, the latest last.
    before: Vec<[f32; BANDS - 1]>,
    taken: u64,
    words: Vec<u32>,
}

impl Fingerprinter {
    /// Nothing for a rate so low that the bands are not there.
    pub(super) fn new(sample_rate_hz: u32) -> Option<Self> {
        let rate = f64::from(sample_rate_hz);
        if rate < 2.2 * HIGHEST_HZ {
            return None;
        }
        let length = quick_length(WINDOW_SECONDS * rate);
        let transform = RealFftPlanner::new().plan_fft_forward(length);
        let hann = |n: usize| {
            let turn = std::f64::consts::TAU * n as f64 / length as f64;
            (0.5 - 0.5 * turn.cos()) as f32
        };
        let edge = |band: usize| {
            let hz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ).powf(band as f64 / BANDS as f64);
            (hz * length as f64 / rate).round() as usize
        };
        Some(Self {
            rate,
            window: (0..length).map(hann).collect(),
            input: transform.make_input_vec(),
            output: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
            // What a sine has of this magnitude under a window of Hann.
            quiet: 3.0 / 32.0 * (QUIET * length as f32).powi(2),
            edges: std::array::from_fn(edge),
            mixed: Vec::new(),
            held: Vec::new(),
            first: 0,
            before: Vec::new(),
            taken: 0,
            words: Vec::new(),
        })
    }

    /// Takes the next samples, one vector per channel.
    pub(super) fn push(&mut self, chunk: &[Vec<f32>]) {
        mix_to_mono(chunk, &mut self.mixed);
        self.held.extend_from_slice(&self.mixed);
        loop {
            let start = (self.taken as f64 * self.rate / WORDS_PER_SECOND).round() as u64;
            let at = (start - self.first) as usize;
            if at + self.window.len() > self.held.len() {
                // Not with every word: what stays has to be moved.
                if at >= self.window.len() {
                    self.held.drain(..at);
                    self.first = start;
                }
                return;
            }
            self.take(at);
            self.taken += 1;
        }
    }

    fn take(&mut self, at: usize) {
        let samples = &self.held[at..at + self.window.len()];
        for (input, (sample, weight)) in self.input.iter_mut().zip(samples.iter().zip(&self.window))
        {
            *input = sample * weight;
        }
        let done = self.transform.process_with_scratch(
            &mut self.input,
            &mut self.output,
            &mut self.scratch,
        );
        if done.is_err() {
            return;
        }
        let energy = |band: usize| -> f32 {
            let bins = &self.output[self.edges[band]..self.edges[band + 1]];
            bins.iter().map(Complex::norm_sqr).sum()
        };
        let energies: [f32; BANDS] = std::array::from_fn(energy);
        let differences: [f32; BANDS - 1] = std::array::from_fn(|b| energies[b] - energies[b + 1]);
        if self.before.len() == LAG {
            let old = self.before.remove(0);
            let bits = differences.iter().zip(&old).map(|(new, old)| u32::from(new > old));
            let word = bits.fold(0, |word, bit| word << 1 | bit);
            let is_quiet = energies.iter().sum::<f32>() < self.quiet;
            self.words.push(if is_quiet { 0 } else { word });
        }
        self.before.push(differences);
    }

    /// All words.
    pub(super) fn finish(self) -> Vec<u32> {
        self.words
    }
}

/// The even length nearest to `wanted` that has no prime factor above 5, which transforms fast.
fn quick_length(wanted: f64) -> usize {
    let is_quick = |length: &usize| {
        let mut rest = *length;
        for prime in [2, 3, 5] {
            while rest.is_multiple_of(prime) {
                rest /= prime;
            }
        }
        rest == 1
    };
    let wanted = wanted.round() as usize;
    let mut near = (0..wanted).flat_map(|by| [wanted - by, wanted + by]);
    near.find(|length| length.is_multiple_of(2) && is_quick(length)).unwrap_or(wanted)
}
