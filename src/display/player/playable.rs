//! Rates that browsers play.

use crate::Result;
use crate::audio::Audio;

/// Firefox plays these; Chromium goes further on both sides.
const PLAYED_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Rates that the band-limited resampler takes.
const FILTERED_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Hearing ends below half of this.
const HIGH_RATE_HZ: u32 = 48_000;

/// The rate to bring a sound to; nothing where browsers play its own.
pub(super) fn rate_instead_of(rate_hz: u32) -> Option<u32> {
    match rate_hz {
        rate if PLAYED_HZ.contains(&rate) => None,
        rate if rate < *PLAYED_HZ.start() => Some(*PLAYED_HZ.start()),
        _ => Some(HIGH_RATE_HZ),
    }
}

/// How many frames of a sound a browser gets to play.
pub(super) fn frames(audio: &Audio) -> usize {
    match rate_instead_of(audio.sample_rate_hz()) {
        None => audio.frames(),
        Some(to_hz) => frames_at(audio, to_hz),
    }
}

fn frames_at(audio: &Audio, to_hz: u32) -> usize {
    (audio.duration_seconds() * f64::from(to_hz)).round() as usize
}

/// The sound at `to_hz`, from any rate.
pub(super) fn resampled(audio: &Audio, to_hz: u32) -> Result<Audio> {
    let from_hz = audio.sample_rate_hz();
    if FILTERED_HZ.contains(&from_hz) {
        return audio.resample(to_hz);
    }
    let frames = frames_at(audio, to_hz);
    let ratio = f64::from(from_hz) / f64::from(to_hz);
    let channel = |samples: &Vec<f32>| -> Vec<f32> {
        (0..frames)
            .map(|frame| match ratio < 1.0 {
                true => between(samples, frame as f64 * ratio),
                false => mean(samples, frame as f64 * ratio, (frame + 1) as f64 * ratio),
            })
            .collect()
    };
    Audio::new(audio.channels().iter().map(channel).collect(), to_hz)
}

/// The value on the straight line between two samples.
fn between(samples: &[f32], at: f64) -> f32 {
    let (first, share) = (at.floor() as usize, at.fract() as f32);
    let sample = |index: usize| samples.get(index).or(samples.last()).copied().unwrap_or(0.0);
    sample(first) + share * (sample(first + 1) - sample(first))
}

fn mean(samples: &[f32], from: f64, to: f64) -> f32 {
    let end = (to as usize).min(samples.len());
    let part = &samples[(from as usize).min(end)..end];
    (part.iter().copied().map(f64::from).sum::<f64>() / part.len().max(1) as f64) as f32
}
