//! The short-time Fourier transform.

use crate::audio::as_heard;
use crate::{Error, Result};
use rayon::prelude::*;
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Window and hop of a short-time Fourier transform, in samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StftSettings {
    /// Samples under the Hann window. Usual: 2,048.
    pub window_samples: usize,
    /// Samples from one frame to the next. Usual: 512.
    pub hop_samples: usize,
}

impl Default for StftSettings {
    fn default() -> Self {
        Self { window_samples: 2_048, hop_samples: 512 }
    }
}

/// The short-time Fourier transform that every picture and feature starts from.
///
/// Frame `i` is centred on sample `i × hop`, with zeros beyond the ends, as librosa's
/// `stft(center=True, pad_mode="constant")` with a periodic Hann window.
pub(crate) struct Stft {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    hop_samples: usize,
}

/// Frames that one task takes.
const FRAMES_PER_TASK: usize = 64;

impl Stft {
    pub(crate) fn new(settings: StftSettings) -> Result<Self> {
        let StftSettings { window_samples: n, hop_samples } = settings;
        if n < 2 {
            return Err(Error::argument("window_samples", "at least 2", n));
        }
        if hop_samples == 0 {
            return Err(Error::argument("hop_samples", "at least 1", hop_samples));
        }
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(n);
        Ok(Self { fft, window: hann(n), hop_samples })
    }

    /// Frequencies per frame, from 0 to half the sample rate.
    pub(crate) fn bins(&self) -> usize {
        self.window.len() / 2 + 1
    }

    /// The factor that makes a sine of amplitude 1 read a magnitude of 1.
    pub(crate) fn scale(&self) -> f32 {
        2.0 / self.window.iter().sum::<f32>()
    }

    /// Frames over `samples` samples.
    pub(crate) fn frames(&self, samples: usize) -> usize {
        if samples == 0 { 0 } else { samples / self.hop_samples + 1 }
    }

    /// Frames × `width` numbers; `row` writes those of one frame, given its spectrum.
    pub(crate) fn map_frames(
        &self,
        samples: &[f32],
        width: usize,
        row: impl Fn(&[Complex<f32>], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let mut rows = vec![0.0; self.frames(samples.len()) * width];
        let centre = |frame| (frame * self.hop_samples) as isize;
        self.each_frame(samples, &mut rows, width, centre, row);
        rows
    }

    /// Frames of samples that come bit by bit, each of which `row` makes `width` numbers of.
    pub(crate) fn stream<F>(&self, width: usize, row: F) -> FrameStream<'_, F>
    where
        F: Fn(&[Complex<f32>], &mut [f32]) + Sync,
    {
        let waiting = Waiting { samples: Vec::new(), first: 0, received: 0, frames: 0 };
        FrameStream { stft: self, width, row, waiting, rows: Vec::new() }
    }

    /// The magnitudes of frames centred on the samples `centres`: frames × bins.
    pub(crate) fn magnitudes_at(&self, samples: &[f32], centres: &[isize]) -> Vec<f32> {
        let mut rows = vec![0.0; centres.len() * self.bins()];
        self.each_frame(
            samples,
            &mut rows,
            self.bins(),
            |frame| centres[frame],
            |spectrum, row| {
                row.iter_mut().zip(spectrum).for_each(|(to, bin)| *to = bin.norm());
            },
        );
        rows
    }

    /// Writes the spectra of frames, one hop after the other, into `rows`, frames × bins.
    pub(super) fn spectra(&self, samples: &[f32], rows: &mut [Complex<f32>]) {
        let centre = |frame: usize| (frame * self.hop_samples) as isize;
        self.each_frame(samples, rows, self.bins(), centre, |found, row| {
            row.copy_from_slice(found)
        });
    }

    /// Calls `row` for each frame, which is centred on sample `centre(frame)`, with its spectrum and its
    /// `width` values of `rows`.
    fn each_frame<T: Send>(
        &self,
        samples: &[f32],
        rows: &mut [T],
        width: usize,
        centre: impl Fn(usize) -> isize + Sync,
        row: impl Fn(&[Complex<f32>], &mut [T]) + Sync,
    ) {
        if width == 0 {
            return;
        }
        rows.par_chunks_mut(FRAMES_PER_TASK * width).enumerate().for_each(|(task, rows)| {
            let (mut input, mut output, mut scratch) = (
                self.fft.make_input_vec(),
                self.fft.make_output_vec(),
                self.fft.make_scratch_vec(),
            );
            for (index, to) in rows.chunks_exact_mut(width).enumerate() {
                self.fill(samples, centre(task * FRAMES_PER_TASK + index), &mut input);
                self.fft
                    .process_with_scratch(&mut input, &mut output, &mut scratch)
                    .expect("buffers of the planned length");
                row(&output, to);
            }
        });
    }

    /// The windowed samples of the frame centred on sample `centre`.
    fn fill(&self, samples: &[f32], centre: isize, input: &mut [f32]) {
        let first = centre - (self.window.len() / 2) as isize;
        for (i, (to, weight)) in input.iter_mut().zip(&self.window).enumerate() {
            let sample = usize::try_from(first + i as isize).ok().and_then(|at| samples.get(at));
            *to = as_heard(sample.copied().unwrap_or(0.0)) * weight;
        }
    }
}

/// The frames of samples that come bit by bit: the same numbers as [`Stft::map_frames`] gives of all at
/// once, while few samples are held at a time.
pub(crate) struct FrameStream<'a, F> {
    stft: &'a Stft,
    width: usize,
    row: F,
    waiting: Waiting,
    rows: Vec<f32>,
}

/// Samples whose frames are not computed yet.
struct Waiting {
    samples: Vec<f32>,
    /// The number of the first of them.
    first: usize,
    /// How many have come in all.
    received: usize,
    /// Frames that are computed.
    frames: usize,
}

/// Frames that are computed together.
const FRAMES_PER_RUN: usize = 16 * FRAMES_PER_TASK;

impl<F: Fn(&[Complex<f32>], &mut [f32]) + Sync> FrameStream<'_, F> {
    /// Takes the next samples.
    pub(crate) fn push(&mut self, samples: &[f32]) {
        self.waiting.samples.extend_from_slice(samples);
        self.waiting.received += samples.len();
        let (half, hop) = (self.stft.window.len().div_ceil(2), self.stft.hop_samples);
        let whole = self.waiting.received.checked_sub(half).map_or(0, |last| last / hop + 1);
        if whole >= self.waiting.frames + FRAMES_PER_RUN {
            self.compute(whole);
        }
    }

    /// Frames × width numbers, after the last samples.
    pub(crate) fn finish(mut self) -> Vec<f32> {
        self.compute(self.stft.frames(self.waiting.received));
        self.rows
    }

    /// Computes the frames before number `end`, and forgets the samples that no later one needs.
    fn compute(&mut self, end: usize) {
        let Waiting { samples, first, frames, .. } = &mut self.waiting;
        let (hop, begin) = (self.stft.hop_samples, self.rows.len());
        self.rows.resize(begin + end.saturating_sub(*frames) * self.width, 0.0);
        let centre = |frame: usize| ((*frames + frame) * hop) as isize - *first as isize;
        self.stft.each_frame(samples, &mut self.rows[begin..], self.width, centre, &self.row);
        *frames = end;
        let needed = (end * hop).saturating_sub(self.stft.window.len() / 2);
        let gone = needed.saturating_sub(*first).min(samples.len());
        samples.drain(..gone);
        *first += gone;
    }
}

/// The periodic Hann window.
pub(crate) fn hann(samples: usize) -> Vec<f32> {
    let turn = std::f64::consts::TAU / samples as f64;
    (0..samples).map(|i| (0.5 - 0.5 * (turn * i as f64).cos()) as f32).collect()
}
