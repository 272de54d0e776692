//! Beats and bars, or that there are none.

mod grid;
mod layers;
mod metre;
mod metre_network;
mod network;
mod onsets;
mod tracking;

pub use grid::BeatGrid;
pub use metre_network::MetreNetwork;
pub use network::{BeatNetwork, BeatProbabilities};

use self::tracking::Counted;
use super::LogMel;
use crate::Result;
use rayon::prelude::*;

/// The beats and bars of a song: where one would tap, and where one would begin to count.
///
/// A recurrent network ([`BeatNetwork`]) hears how probable a beat and a downbeat are at each frame, and a
/// hidden Markov model finds the steadiest tempo that explains it best, of all tempi and of three ranges.
/// Among each of these points in time ([`BeatGrid`]) a second network ([`MetreNetwork`]) hears at what
/// level to count, and a second model where bars begin; what both models find likeliest is taken. All is
/// an estimate: [`is_clear`](Self::is_clear) says whether there is a beat at all.
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{Beats, LogMel, MelSettings};
/// let click = |i: usize| if i % 11_025 < 400 { (i as f32 * 0.3).sin() } else { 0.0 };
/// let audio = Audio::mono((0..220_500).map(click).collect(), 22_050)?;
/// let beats = Beats::of(&LogMel::of(&audio, MelSettings::default())?)?;
/// assert!((beats.per_minute() - 120.0).abs() < 3.0);
/// assert!(beats.is_clear());
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Beats {
    times_seconds: Vec<f64>,
    places: Vec<usize>,
    beats_in_bar: usize,
    period_seconds: f64,
    confidence: f64,
    onsets: Vec<f32>,
    hop_seconds: f64,
}

/// The period of a song without beats.
const USUAL_SECONDS: f64 = 0.5;
/// Beats at the ends that are less probable are none: the song has not begun, or is over.
const LEAST_AT_ENDS: f32 = 0.1;
/// Beside what a point of a grid says for the beats that were counted there, a frame counts so many times
/// for the beats that were tapped: chosen on pieces that neither network learned from.
const FRAMES_OF_A_POINT: f64 = 5.0;
/// Fewer beats are not called clear.
const FEWEST: usize = 4;

impl Beats {
    /// The confidence from which on a beat is called clear: on pieces that the network did not learn
    /// from, it parts those with a beat from those without best.
    pub const CLEAR: f64 = 0.29;

    /// Finds the beats of a song.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for bands of other settings than
    /// [`MelSettings::default`](super::MelSettings), which the network learned from.
    pub fn of(mel: &LogMel) -> Result<Self> {
        let heard = BeatNetwork::shipped()?.hear(mel)?;
        let hop_seconds = mel.hop_seconds();
        let network = MetreNetwork::shipped()?;
        let candidates = BeatGrid::all_tapped(mel, &heard);
        // Of any tempo, whichever is chosen.
        let confidence = confidence(&heard, &candidates[0].0.beats);
        let count = |(tapped, grid): &(Counted, BeatGrid)| {
            let counted = metre::count(&network.hear(grid), &grid.frames, hop_seconds);
            (FRAMES_OF_A_POINT * tapped.score + counted.score, counted)
        };
        let all: Vec<(f64, Counted)> = candidates.par_iter().map(count).collect();
        let better = |best: (f64, Counted), next: (f64, Counted)| {
            if next.0 > best.0 { next } else { best }
        };
        let counted = all.into_iter().reduce(better).map_or(Counted::NONE, |(_, counted)| counted);
        let beats = heard_beats(&heard, &counted.beats);
        let times_seconds: Vec<f64> =
            beats.iter().map(|(frame, _)| peak(&heard.beats, *frame) * hop_seconds).collect();
        let mut periods: Vec<f64> =
            times_seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
        periods.sort_by(f64::total_cmp);
        Ok(Self {
            period_seconds: periods.get(periods.len() / 2).copied().unwrap_or(USUAL_SECONDS),
            confidence,
            times_seconds,
            places: beats.iter().map(|(_, place)| *place).collect(),
            beats_in_bar: counted.beats_in_bar,
            onsets: onsets::onset_strength(mel),
            hop_seconds,
        })
    }

    /// When the beats are, first to last.
    pub fn times_seconds(&self) -> &[f64] {
        &self.times_seconds
    }

    /// Which beat of its bar each of the beats is, from 0.
    pub fn places_in_bar(&self) -> &[usize] {
        &self.places
    }

    /// When the bars begin, first to last.
    pub fn downbeats_seconds(&self) -> Vec<f64> {
        let beats = self.times_seconds.iter().zip(&self.places);
        beats.filter(|(_, place)| **place == 0).map(|(time, _)| *time).collect()
    }

    /// The metre: how many beats most bars have, 2 to 7.
    pub fn beats_in_bar(&self) -> usize {
        self.beats_in_bar
    }

    /// The usual time from one beat to the next.
    pub fn period_seconds(&self) -> f64 {
        self.period_seconds
    }

    /// The tempo.
    pub fn per_minute(&self) -> f64 {
        60.0 / self.period_seconds
    }

    /// How probable beats are on average where the first network taps, at whatever level is counted; 0 to 1.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Whether there is a beat to tap to.
    pub fn is_clear(&self) -> bool {
        self.confidence >= Self::CLEAR && self.times_seconds.len() >= FEWEST
    }

    /// How strongly something begins around a time, 1 being an ordinary amount.
    pub fn onset_strength_at(&self, seconds: f64) -> f32 {
        let frame = (seconds / self.hop_seconds).round().max(0.0) as usize;
        let from = frame.saturating_sub(1).min(self.onsets.len());
        let to = (frame + 2).min(self.onsets.len());
        self.onsets[from..to].iter().copied().fold(0.0, f32::max)
    }
}

/// Beats from the first that is heard to the last, of beats with their places.
fn heard_beats<'a>(heard: &BeatProbabilities, beats: &'a [(usize, usize)]) -> &'a [(usize, usize)] {
    let is_heard =
        |beat: &(usize, usize)| BeatProbabilities::largest(&heard.beats, beat.0) >= LEAST_AT_ENDS;
    let from = beats.iter().position(is_heard).unwrap_or(beats.len());
    let to = beats.iter().rposition(is_heard).map_or(from, |last| last + 1);
    &beats[from..to]
}

/// How probable beats are on average: those found frame by frame, whatever the level that is counted at.
fn confidence(heard: &BeatProbabilities, tapped: &[(usize, usize)]) -> f64 {
    let beats = heard_beats(heard, tapped);
    let near = |frame: usize| f64::from(BeatProbabilities::largest(&heard.beats, frame));
    beats.iter().fold(0.0, |sum, (frame, _)| sum + near(*frame)) / beats.len().max(1) as f64
}

/// Where the highest point near a frame lies, between frames: the top of the parabola through three.
fn peak(probabilities: &[f32], frame: usize) -> f64 {
    let top = BeatProbabilities::likeliest(probabilities, frame);
    let at = |place: Option<usize>| place.and_then(|p| probabilities.get(p)).copied();
    let (Some(before), Some(after)) = (at(top.checked_sub(1)), at(Some(top + 1))) else {
        return top as f64;
    };
    let bend = 2.0 * probabilities[top] - before - after;
    let away = if bend > 1e-6 { 0.5 * (after - before) / bend } else { 0.0 };
    top as f64 + f64::from(away.clamp(-0.5, 0.5))
}
