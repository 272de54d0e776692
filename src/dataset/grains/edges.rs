//! What sounds around the cuts: how well one candidate goes on from another.

use super::cut::Grain;
use super::describe::{DB_PER_UNIT, Described};
use super::levelling::gain_db;
use crate::features::{PITCH_CLASSES, PitchBands};

/// What sounds around the two cuts of each candidate.
#[derive(Clone, Default)]
pub(super) struct Edges {
    width: usize,
    /// What leads into each candidate in its song, and what leads up to its end: mel bands and notes,
    /// an ordinary distance being 1.
    befores: Vec<f32>,
    ends: Vec<f32>,
    /// Semitones a little way before and after the beginning, and before the end, 1 being 12 dB.
    leads: Vec<f32>,
    onsets: Vec<f32>,
    tails: Vec<f32>,
    /// How much each song changes at the beginning of the candidate, where it goes on by itself.
    naturals: Vec<f32>,
    /// How loud it is before the beginning of the candidate, and before its end.
    leading: Vec<f32>,
    trailing: Vec<f32>,
}

const BANDS: usize = PitchBands::BANDS;
/// A change of the spectrum that is not heard, 1 being 12 dB: 1.2 dB.
const UNHEARD_CHANGE: f32 = 0.1;
/// What a join counts at which the spectrum changes twice as much as it does in the songs.
const CHANGE_WEIGHT: f32 = 3.0;
/// More change than this many times the natural one is all the same.
const MOST_CHANGE: f32 = 4.0;

impl Edges {
    /// Adds those of one grain in one transposition.
    pub(super) fn add(&mut self, described: &Described, grain: &Grain, grain_seconds: f64) {
        self.width = described.edge_width();
        described.edge(grain.start_seconds, grain_seconds, &mut self.befores);
        described.edge(grain.end_seconds, grain_seconds, &mut self.ends);
        described.level_before(grain.start_seconds, &mut self.leads);
        described.level_after(grain.start_seconds, &mut self.onsets);
        described.level_before(grain.end_seconds, &mut self.tails);
        let last = self.leads.len() - BANDS;
        self.naturals.push(apart(&self.leads[last..], &self.onsets[last..]));
        self.leading.push(loudness(&self.leads[last..]));
        self.trailing.push(loudness(&self.tails[last..]));
    }

    /// Makes 1 of the mean distance between an end and another grain's beginning; gives what to
    /// multiply by.
    pub(super) fn scale(&mut self) -> f32 {
        let (width, count) = (self.width, self.naturals.len());
        // Pairs far apart, each grain with another: a fixed, even choice.
        let pairs = count.min(2_000);
        let sum: f32 = (0..pairs)
            .map(|pair| (pair * count / pairs, (pair * 7_919 + count / 2) % count))
            .map(|(a, b)| {
                apart(&self.ends[a * width..][..width], &self.befores[b * width..][..width])
            })
            .sum();
        let mean = sum / pairs.max(1) as f32;
        let scale = if mean > 1e-6 { mean.recip() } else { 1.0 };
        self.scale_by(scale);
        scale
    }

    /// Multiplies by what [`scale`](Self::scale) gave for other grains.
    pub(super) fn scale_by(&mut self, scale: f32) {
        self.befores.iter_mut().chain(&mut self.ends).for_each(|value| *value *= scale);
    }

    /// Puts those of further candidates behind these.
    pub(super) fn append(&mut self, further: Self) {
        self.befores.extend(further.befores);
        self.ends.extend(further.ends);
        self.leads.extend(further.leads);
        self.onsets.extend(further.onsets);
        self.tails.extend(further.tails);
        self.naturals.extend(further.naturals);
        self.leading.extend(further.leading);
        self.trailing.extend(further.trailing);
    }

    /// Keeps those of the first `candidates` only.
    pub(super) fn truncate(&mut self, candidates: usize) {
        let (width, bands) = (candidates * self.width, candidates * BANDS);
        self.befores.truncate(width);
        self.ends.truncate(width);
        self.leads.truncate(bands);
        self.onsets.truncate(bands);
        self.tails.truncate(bands);
        self.naturals.truncate(candidates);
        self.leading.truncate(candidates);
        self.trailing.truncate(candidates);
    }

    /// For each of the first `to.len()` candidates how rough the way is from the end of `candidate`:
    /// how far what leads into it is from what sounds now, and how much more the spectrum changes
    /// than it would if the song went on, once the two are made as loud as each other. `next` is the
    /// one that follows `candidate` in its song.
    ///
    /// What sounds before a join says how much change is due: a chord that is held leads into no new one,
    /// though that one begins in its own place.
    pub(super) fn roughness(&self, candidate: usize, next: Option<usize>, to: &mut [f32]) {
        let end = &self.ends[candidate * self.width..][..self.width];
        let tail = &self.tails[candidate * BANDS..][..BANDS];
        let natural = next.map(|next| self.naturals[next]);
        let befores = self.befores.chunks_exact(self.width);
        let onsets = self.onsets.chunks_exact(BANDS);
        let level = self.trailing[candidate];
        let parts = befores.zip(onsets).zip(self.naturals.iter().zip(&self.leading));
        for (roughness, ((before, onset), (of_song, leading))) in to.iter_mut().zip(parts) {
            let gain = gain_db((level - leading) * DB_PER_UNIT) / DB_PER_UNIT;
            let change =
                apart_with_gain(tail, onset, gain) / (natural.unwrap_or(*of_song) + UNHEARD_CHANGE);
            let excess = (change - 1.0).clamp(0.0, MOST_CHANGE);
            *roughness = apart(end, before) + CHANGE_WEIGHT * excess;
        }
    }

    /// How much the song changes where `candidate` begins, in decibels.
    pub(super) fn natural_change_db(&self, candidate: usize) -> f32 {
        self.naturals[candidate] * DB_PER_UNIT
    }

    /// The notes that sound up to the end of `candidate`, each with its share: of length 1, or all 0
    /// where there are none.
    pub(super) fn notes(&self, candidate: usize) -> [f32; PITCH_CLASSES] {
        let notes = &self.ends[candidate * self.width..][self.width - PITCH_CLASSES..self.width];
        let length = notes.iter().map(|note| note * note).sum::<f32>().sqrt();
        std::array::from_fn(|class| if length > 0.0 { notes[class] / length } else { 0.0 })
    }
}

/// The level of all bands together.
fn loudness(levels: &[f32]) -> f32 {
    let power: f32 = levels.iter().map(|level| 10f32.powf(level * DB_PER_UNIT / 10.0)).sum();
    10.0 * power.log10() / DB_PER_UNIT
}

/// The root mean square of the differences, with `gain` added to each of `b`.
fn apart_with_gain(a: &[f32], b: &[f32], gain: f32) -> f32 {
    let squares: f32 = a.iter().zip(b).map(|(a, b)| (a - b - gain) * (a - b - gain)).sum();
    (squares / a.len().max(1) as f32).sqrt()
}

/// The root mean square of the differences.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    apart_with_gain(a, b, 0.0)
}
