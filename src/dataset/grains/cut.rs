//! Cutting songs into grains along the beat.

use super::onset_cut;
use crate::features::{Beats, LogMel};

/// A short piece of a song.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grain {
    /// Which song of the pool.
    pub song: usize,
    /// Where it begins in the song.
    pub start_seconds: f64,
    /// Where it ends, which is where the next one begins.
    pub end_seconds: f64,
    /// Where it stands in the bar.
    pub phase: Phase,
    /// Whether it begins where the grain before it in the pool ends.
    pub follows: bool,
}

impl Grain {
    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.end_seconds - self.start_seconds
    }
}

/// Where a grain stands in the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The beat of the bar, from 0, and the twelfths of the beat that have gone by; `None` in a song
    /// without a beat. In longer bars than of four, the beats after the fourth count as the second to
    /// fourth again.
    place: Option<(u8, u8)>,
}

const TWELFTHS: usize = 12;
const COUNTED_BEATS: usize = 4;
/// How many different phases there are: each twelfth of four beats, and no beat at all.
pub const PHASES: usize = COUNTED_BEATS * TWELFTHS + 1;

impl Phase {
    const NONE: Self = Self { place: None };

    /// A number below [`PHASES`].
    pub fn index(self) -> usize {
        self.place.map_or(PHASES - 1, |(beat, twelfth)| beat as usize * TWELFTHS + twelfth as usize)
    }

    /// The twelfths of a beat that have gone by, where there is a beat.
    pub fn in_beat(self) -> Option<u8> {
        self.place.map(|(_, twelfth)| twelfth)
    }

    /// Whether it stands on a beat; where there is none, every place is as good.
    pub fn is_on_beat(self) -> bool {
        self.in_beat().is_none_or(|twelfth| twelfth == 0)
    }
}

/// Cuts lie before the onset that a beat is heard by, so that a crossfade is over when it comes.
const BEFORE_ONSET_SECONDS: f64 = 0.012;
/// A song with fewer beats is cut where something begins.
const FEWEST_BEATS: usize = 4;

/// Cuts `seconds` of song number `song` at its beats, or where something begins when they are no surer
/// than `least_confidence`.
pub(super) fn cut(
    song: usize,
    seconds: f64,
    beats: &Beats,
    grain_seconds: f64,
    least_confidence: f64,
) -> Vec<Grain> {
    let has_beat =
        beats.confidence() >= least_confidence && beats.times_seconds().len() >= FEWEST_BEATS;
    let cuts = if has_beat {
        on_beats(seconds, beats, grain_seconds)
    } else {
        let cuts = onset_cut::cuts(seconds, beats, grain_seconds, BEFORE_ONSET_SECONDS);
        cuts.into_iter().map(|cut| (cut, Phase::NONE)).collect()
    };
    cuts.windows(2)
        .map(|pair| Grain {
            song,
            start_seconds: pair[0].0,
            end_seconds: pair[1].0.min(seconds),
            phase: pair[0].1,
            follows: true,
        })
        .filter(|grain| grain.seconds() > 0.3 * grain_seconds)
        .collect()
}

fn on_beats(seconds: f64, beats: &Beats, grain_seconds: f64) -> Vec<(f64, Phase)> {
    let (times, places) = covering(seconds, beats);
    let parts = parts_of_a_beat(beats, &times, grain_seconds);
    let mut cuts = Vec::new();
    for (pair, place) in times.windows(2).zip(places) {
        let beat =
            if place < COUNTED_BEATS { place } else { (place - 1) % (COUNTED_BEATS - 1) + 1 };
        for part in 0..parts {
            let at = pair[0] + (pair[1] - pair[0]) * part as f64 / parts as f64;
            let phase = Phase { place: Some((beat as u8, (part * TWELFTHS / parts) as u8)) };
            cuts.push(((at - BEFORE_ONSET_SECONDS).max(0.0), phase));
        }
    }
    cuts.dedup_by(|b, a| b.0 - a.0 < 1e-3);
    cuts.push((seconds, Phase::NONE));
    cuts
}

/// The beats and their places in the bar, carried on at the same pace to both ends of the song.
fn covering(seconds: f64, beats: &Beats) -> (Vec<f64>, Vec<usize>) {
    let (period, bar) = (beats.period_seconds(), beats.beats_in_bar());
    let (found, last) = (beats.places_in_bar(), beats.places_in_bar().len() - 1);
    let mut times = beats.times_seconds().to_vec();
    let first = times[0];
    let before = (first / period).ceil() as usize;
    let mut all: Vec<f64> = (1..=before).rev().map(|i| first - i as f64 * period).collect();
    all.append(&mut times);
    while all[all.len() - 1] + period < seconds {
        all.push(all[all.len() - 1] + period);
    }
    all.push(seconds.max(all[all.len() - 1] + 1e-3));
    let places = (0..all.len()).map(|index| match index.checked_sub(before) {
        None => (found[0] + bar * before - (before - index)) % bar,
        Some(beat) if beat <= last => found[beat],
        Some(beat) => (found[last] + beat - last) % bar,
    });
    let places = places.collect();
    (all, places)
}

/// Into how many grains to cut a beat: of lengths near the wished one, the number at whose places most
/// begins.
fn parts_of_a_beat(beats: &Beats, times: &[f64], grain_seconds: f64) -> usize {
    let strength = |parts: usize| {
        let places = times.windows(2).flat_map(|pair| {
            (1..parts).map(move |part| pair[0] + (pair[1] - pair[0]) * part as f64 / parts as f64)
        });
        let (sum, count) = places.fold((0.0, 0usize), |(sum, count), at| {
            (sum + f64::from(beats.onset_strength_at(at)), count + 1)
        });
        if count == 0 { 0.0 } else { sum / count as f64 }
    };
    let ordinary = strength(1).max(0.5);
    let fitness = |parts: usize| {
        let octaves = (beats.period_seconds() / parts as f64 / grain_seconds).log2();
        strength(parts) / ordinary - 2.0 * octaves * octaves
    };
    let best = [1, 2, 3, 4, 6].into_iter().max_by(|a, b| fitness(*a).total_cmp(&fitness(*b)));
    best.unwrap_or(2)
}

/// The mean of the rows between two times.
pub(super) fn mean_rows(mel: &LogMel, from_seconds: f64, to_seconds: f64) -> Vec<f32> {
    let frame = |seconds: f64| (seconds / mel.hop_seconds()).round() as usize;
    let from = frame(from_seconds).min(mel.frames().saturating_sub(1));
    let to = frame(to_seconds).clamp(from + 1, mel.frames().max(from + 1));
    let mut mean = vec![0.0; mel.bands()];
    for row in mel.rows().skip(from).take(to - from) {
        mean.iter_mut().zip(row).for_each(|(sum, db)| *sum += db);
    }
    mean.iter_mut().for_each(|sum| *sum /= (to - from) as f32);
    mean
}
