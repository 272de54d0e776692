//! The end of a piece: the length that was asked for, and no sound that is cut off.

use crate::Result;
use crate::audio::{Audio, peak_of};

/// How long a piece fades that still sounds at its end …
const FADE_SECONDS: f64 = 1.0;
/// … and at most this share of it …
const FADE_SHARE: f64 = 0.2;
/// … and how long one whose sound has died away by then.
const SETTLED_FADE_SECONDS: f64 = 0.03;
/// The stretch before the end whose level decides, and below what share of the piece's it has died away:
/// 40 dB.
const DECIDING_SECONDS: f64 = 0.05;
const DIED_AWAY: f64 = 0.01;
/// What is below this share of the piece's peak is nothing: 90 dB.
const NOTHING: f32 = 3e-5;

/// A piece of `frames` frames, whose sound ends by itself or fades.
///
/// Where what was composed runs out earlier, it fades until then.
pub(super) fn ended(mut channels: Vec<Vec<f32>>, rate: u32, frames: usize) -> Result<Audio> {
    for channel in &mut channels {
        channel.truncate(frames);
    }
    let nothing = NOTHING * peak_of(&channels);
    let sounding = |channel: &Vec<f32>| channel.iter().rposition(|s| s.abs() > nothing);
    let end = channels.iter().filter_map(sounding).max().map_or(0, |last| last + 1);
    let length = |seconds: f64| (seconds * f64::from(rate)).round() as usize;
    let deciding = length(DECIDING_SECONDS).clamp(1, end.max(1));
    let level = |from: usize| {
        let samples = channels.iter().flat_map(|channel| &channel[from..end]);
        let squares: f64 = samples.map(|sample| f64::from(*sample).powi(2)).sum();
        (squares / ((end - from).max(1) * channels.len()) as f64).sqrt()
    };
    let sounds = level(end - deciding.min(end)) > DIED_AWAY * level(0);
    let fade = if sounds { FADE_SECONDS } else { SETTLED_FADE_SECONDS };
    let fade = length(fade).min((FADE_SHARE * end as f64) as usize);
    for channel in &mut channels {
        for (index, sample) in channel[end - fade..end].iter_mut().enumerate() {
            let left = 1.0 - (index as f32 + 1.0) / fade as f32;
            *sample *= 0.5 - 0.5 * (left * std::f32::consts::PI).cos();
        }
        channel.truncate(end);
        channel.resize(frames, 0.0);
    }
    Audio::new(channels, rate)
}
