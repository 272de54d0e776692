//! A rival without a network: it plays a song's beats in phrases, and jumps where bars and sound fit.
//!
//! After so many beats of the song's own order it goes to any beat at the same place in the bar that is
//! as like the one that would come next as few pairs of beats are: the rule of players that make a song
//! endless.

use neural_composer::audio::Audio;
use neural_composer::evaluate::{Join, Origin};
use neural_composer::features::{Beats, LogMel, MelSettings, PitchBands};
use neural_composer::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Beats that are played in the song's order.
const PHRASE_BEATS: usize = 16;
/// Of all pairs of beats at one place in the bar so many are not like enough.
const PERCENTILE: f64 = 0.75;
/// A jump to a beat nearer than this is none.
const NEAREST_BEATS: usize = 4;
const FADE_SECONDS: f64 = 0.030;

/// The song as a jumper knows it.
pub struct Jumper<'a> {
    song: &'a Audio,
    times: Vec<f64>,
    places: Vec<usize>,
    sounds: Vec<Vec<f32>>,
    least_likeness: f32,
}

impl<'a> Jumper<'a> {
    /// Hears the song's beats.
    pub fn of(song: &'a Audio) -> Result<Self> {
        let beats = Beats::of(&LogMel::of(song, MelSettings::default())?)?;
        let bands = PitchBands::of(song)?;
        let times = beats.times_seconds().to_vec();
        let sound = |pair: &[f64]| mean(&bands, pair[0], pair[1]);
        let sounds: Vec<Vec<f32>> = times.windows(2).map(sound).collect();
        if sounds.is_empty() {
            return Err(Error::Data("the song has no two beats to jump between".into()));
        }
        let places = beats.places_in_bar()[..sounds.len()].to_vec();
        let mut jumper = Self { song, times, places, sounds, least_likeness: -1.0 };
        let mut all: Vec<f32> = (0..jumper.sounds.len())
            .flat_map(|beat| jumper.goals(beat).map(|(_, likeness)| likeness).collect::<Vec<_>>())
            .collect();
        all.sort_by(f32::total_cmp);
        let limit = all.get((all.len() as f64 * PERCENTILE) as usize).copied();
        jumper.least_likeness = limit.unwrap_or(-1.0);
        Ok(jumper)
    }

    /// The beats that may be played instead of `beat`, with how like it they are.
    fn goals(&self, beat: usize) -> impl Iterator<Item = (usize, f32)> {
        let others = (0..self.sounds.len()).filter(move |other| {
            self.places[*other] == self.places[beat] && other.abs_diff(beat) >= NEAREST_BEATS
        });
        let alike = move |other: usize| (other, cosine(&self.sounds[beat], &self.sounds[other]));
        others.map(alike).filter(|(_, likeness)| *likeness >= self.least_likeness)
    }

    /// A piece of `seconds`, and where it jumps.
    pub fn compose(&self, seconds: f64, seed: u64) -> Result<(Audio, Vec<Join>)> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let rate = f64::from(self.song.sample_rate_hz());
        let samples = |seconds: f64| (seconds * rate).round() as usize;
        let fade = samples(FADE_SECONDS);
        let mut piece = vec![Vec::new(); self.song.channel_count()];
        let (mut joins, mut beat) = (Vec::new(), 0);
        while piece[0].len() < samples(seconds) {
            let end = (beat + PHRASE_BEATS).min(self.sounds.len());
            let (from, to) = (samples(self.times[beat]), samples(self.times[end]));
            for (written, song) in piece.iter_mut().zip(self.song.channels()) {
                let kept = written.len();
                for back in 1..=fade.min(kept).min(from) {
                    // The end of the phrase before gives way to what leads into this one.
                    let share = (back as f32 - 0.5) / fade as f32;
                    let old: f32 = written[kept - back];
                    written[kept - back] = share * old + (1.0 - share) * song[from - back];
                }
                written.extend(&song[from..to.min(song.len())]);
            }
            let next = end.min(self.sounds.len() - 1);
            let goals: Vec<usize> = self.goals(next).map(|(goal, _)| goal).collect();
            beat = match goals.len() {
                0 => 0,
                count => goals[random.random_range(0..count)],
            };
            let origin = |seconds: f64| Origin { song: 0, seconds };
            joins.push(Join {
                seconds: piece[0].len() as f64 / rate,
                before: origin(self.times[end]),
                after: origin(self.times[beat]),
            });
        }
        piece.iter_mut().for_each(|channel| channel.truncate(samples(seconds)));
        joins.retain(|join| join.seconds < seconds);
        Ok((Audio::new(piece, self.song.sample_rate_hz())?, joins))
    }
}

/// The mean level of each semitone between two times.
fn mean(bands: &PitchBands, from_seconds: f64, to_seconds: f64) -> Vec<f32> {
    let frame = |seconds: f64| (seconds / PitchBands::HOP_SECONDS).round() as usize;
    let (from, to) = (frame(from_seconds), frame(to_seconds));
    let count = to.saturating_sub(from).max(1);
    let mut mean = vec![0.0; PitchBands::BANDS];
    for row in bands.rows().skip(from).take(count) {
        mean.iter_mut().zip(row).for_each(|(mean, level)| *mean += level / count as f32);
    }
    let middle = mean.iter().sum::<f32>() / mean.len() as f32;
    mean.iter_mut().for_each(|level| *level -= middle);
    mean
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}
