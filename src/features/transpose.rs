//! Sound at another pitch or tempo, by a phase vocoder.

use super::stft::hann;
use crate::Result;
use crate::audio::resampled;
use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// Window of the phase vocoder; frames follow each other at a quarter of it.
const WINDOW_SECONDS: f64 = 0.046;
/// Parts of a rate: semitones come out within a cent.
const RATE_PARTS: f64 = 2_000.0;

/// The same sound `semitones` higher (lower for negative ones), of the same length and tempo.
///
/// A phase vocoder stretches it, then it is resampled back to its length. Phases are locked around
/// peaks (Laroche and Dolson, "Improved phase vocoder time-scale modification of audio", 1999), and
/// all channels are turned alike, which keeps the places of a stereo picture.
pub(crate) fn transposed(
    channels: &[Vec<f32>],
    sample_rate_hz: u32,
    semitones: i32,
) -> Result<Vec<Vec<f32>>> {
    let frames = channels.first().map_or(0, Vec::len);
    if semitones == 0 || frames == 0 {
        return Ok(channels.to_vec());
    }
    let from = (RATE_PARTS * 2f64.powf(f64::from(semitones) / 12.0)).round();
    let stretched = stretched(channels, from / RATE_PARTS, window_samples(sample_rate_hz));
    stretched
        .iter()
        .map(|channel| {
            let mut samples = resampled(channel, from as u32, RATE_PARTS as u32)?;
            samples.resize(frames, 0.0);
            Ok(samples)
        })
        .collect()
}

/// The same sound `tempo` times as fast, at the same pitch.
pub(crate) fn at_tempo(channels: &[Vec<f32>], sample_rate_hz: u32, tempo: f64) -> Vec<Vec<f32>> {
    if tempo == 1.0 || channels.first().is_none_or(Vec::is_empty) {
        return channels.to_vec();
    }
    stretched(channels, tempo.recip(), window_samples(sample_rate_hz))
}

fn window_samples(sample_rate_hz: u32) -> usize {
    let window = (WINDOW_SECONDS * f64::from(sample_rate_hz)).round().max(32.0) as usize;
    window.next_multiple_of(4)
}

/// All channels `ratio` times as long, at the same pitch.
fn stretched(channels: &[Vec<f32>], ratio: f64, window: usize) -> Vec<Vec<f32>> {
    let mut planner = RealFftPlanner::<f32>::new();
    let (forward, inverse) = (planner.plan_fft_forward(window), planner.plan_fft_inverse(window));
    let shape = hann(window);
    let hop = window / 4;
    // Four squared Hann windows at a quarter's distance add up to 1.5.
    let scale = 1.0 / (1.5 * window as f32);
    let length = (channels[0].len() as f64 * ratio).round() as usize;
    let mut output = vec![vec![0.0f32; length + 2 * window]; channels.len()];
    let spectrum = |channel: &[f32], first: isize| -> Vec<Complex<f32>> {
        let mut input: Vec<f32> = shape
            .iter()
            .enumerate()
            .map(|(i, weight)| {
                let at = usize::try_from(first + i as isize).ok();
                weight * at.and_then(|at| channel.get(at)).copied().unwrap_or(0.0)
            })
            .collect();
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut input, &mut spectrum).expect("buffers of the planned length");
        spectrum
    };
    let mixed = |spectra: &[Vec<Complex<f32>>]| -> Vec<Complex<f32>> {
        (0..spectra[0].len()).map(|bin| spectra.iter().map(|s| s[bin]).sum()).collect()
    };
    let mut last_mixed: Vec<Complex<f32>> = Vec::new();
    for frame in 0..length / hop + 4 {
        // The first frames lie before the beginning, so that every sample gets its four windows.
        let at_output = frame as isize * hop as isize - window as isize;
        let at_input = (at_output as f64 / ratio).round() as isize;
        let now: Vec<_> = channels.iter().map(|c| spectrum(c, at_input)).collect();
        let earlier: Vec<_> =
            channels.iter().map(|c| spectrum(c, at_input - hop as isize)).collect();
        let turns = turns(&mixed(&now), &mixed(&earlier), &last_mixed);
        let mut sum = vec![Complex::default(); turns.len()];
        for (channel, mut spectrum) in now.into_iter().enumerate() {
            for ((bin, turn), sum) in spectrum.iter_mut().zip(&turns).zip(&mut sum) {
                *bin *= turn;
                *sum += *bin;
            }
            // What a real signal cannot have at its two ends.
            spectrum[0].im = 0.0;
            if let Some(last) = spectrum.last_mut() {
                last.im = 0.0;
            }
            let mut samples = inverse.make_output_vec();
            inverse.process(&mut spectrum, &mut samples).expect("buffers of the planned length");
            let first = frame * hop;
            for ((to, sample), weight) in
                output[channel][first..].iter_mut().zip(&samples).zip(&shape)
            {
                *to += sample * weight * scale;
            }
        }
        last_mixed = sum;
    }
    for channel in &mut output {
        channel.drain(..window);
        channel.truncate(length);
    }
    output
}

/// By how much to turn the phase of each bin, so that every peak goes on from where the last frame of
/// the output left it; the bins around a peak turn with it.
fn turns(
    now: &[Complex<f32>],
    earlier: &[Complex<f32>],
    last_output: &[Complex<f32>],
) -> Vec<Complex<f32>> {
    let one = Complex::new(1.0, 0.0);
    let bins = now.len();
    if last_output.is_empty() {
        return vec![one; bins];
    }
    let strength: Vec<f32> = now.iter().map(|bin| bin.norm_sqr()).collect();
    let is_peak = |bin: usize| {
        let around = bin.saturating_sub(2)..(bin + 3).min(bins);
        strength[bin] > 0.0 && around.into_iter().all(|other| strength[other] <= strength[bin])
    };
    let peaks: Vec<usize> = (0..bins).filter(|bin| is_peak(*bin)).collect();
    let turn = |peak: usize| {
        let turn = last_output[peak] * earlier[peak].conj();
        let length = turn.norm();
        if length > 1e-12 { turn / length } else { one }
    };
    let mut turns = vec![one; bins];
    for (index, peak) in peaks.iter().enumerate() {
        // A peak's reach ends half-way to the next one.
        let first = if index == 0 { 0 } else { (peaks[index - 1] + peak) / 2 + 1 };
        let end = peaks.get(index + 1).map_or(bins, |next| (peak + next) / 2 + 1);
        turns[first..end].fill(turn(*peak));
    }
    turns
}
