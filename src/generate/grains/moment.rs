//! What a piece needs at a step, and how well each candidate meets it.

use super::form::Planned;
use super::options::Opening;
use super::terrain::Terrain;
use super::trail::Trail;
use crate::features::PITCH_CLASSES;
use rayon::prelude::*;
use std::collections::HashSet;

/// Subtracted from the logit of a candidate that must not be chosen unless there is no other.
pub(super) const FORBIDDEN: f32 = 1_000.0;
/// … of one that would break the beat.
const WRONG_PHASE: f32 = 8.0;
/// Added where the song goes on by itself: jumps are for a reason …
const GOES_ON: f32 = 1.0;
/// … and fall on beats.
const GOES_ON_BETWEEN_BEATS: f32 = 12.0;
/// Added for the same place in the bar.
const SAME_PLACE_IN_BAR: f32 = 1.0;
/// A part begins with one of the first grains of its section, so that it is heard to begin …
const ENTRY: usize = 12;
/// … however rough the way to them is; subtracted from others.
const ELSEWHERE: f32 = FORBIDDEN / 4.0;
/// What the other sections of a part count, in those that are its section for now.
const PART: f32 = 8.0;
/// What a seed likes counts so many times as much at first, so that pieces of two seeds part soon: where
/// few ways are smooth they would go the same one. Less where there is a tune to follow.
const AT_FIRST: f32 = 8.0;
const AT_FIRST_OF_A_TUNE: f32 = 4.0;
const BEGINNING_SECONDS: f64 = 2.5;
/// For how long a used grain is avoided.
const REUSE_SECONDS: f64 = 6.0;
/// Added to the songs that have had less than their share, for each unit that is missing of it.
const SHARE: f64 = 9.0;
/// The time over which shares are looked at.
const SHARE_SECONDS: f64 = 12.0;
/// Added for the same notes as those of a tune to follow.
const TUNE: f32 = 20.0;
/// A tune is followed for so long, at most.
const TUNE_SECONDS: f64 = 20.0;

/// What is the same for all candidates of a step.
pub(super) struct Moment<'a> {
    terrain: &'a Terrain<'a>,
    trail: &'a Trail,
    /// The twelfths of a beat that have gone by, where there is a beat.
    in_beat: Option<u8>,
    phase_index: usize,
    pub(super) on_beat: bool,
    /// The transposition of the last grain, in semitones.
    shift: i32,
    /// The candidate that follows the last one in its song.
    next: Option<usize>,
    run_is_over: bool,
    /// How much what the seed likes counts.
    taste_counts: f32,
    section_begins: bool,
    planned: &'a Planned,
    /// Grains near those that were used when this section was there before.
    familiar: HashSet<usize>,
    /// What is subtracted from each grain for having been used a short while ago.
    reuse: Vec<f32>,
    /// What is added to the grains of each song so that every song gets its share.
    song_bonus: Vec<f32>,
    /// The notes of a guest that are followed.
    tune: Option<[f32; PITCH_CLASSES]>,
}

impl<'a> Moment<'a> {
    /// What comes after `trail` has to meet.
    pub(super) fn after(terrain: &'a Terrain, trail: &'a Trail) -> Self {
        let (pool, form) = (terrain.pool, &terrain.form);
        let last = trail.last();
        let grain = &pool.grains()[pool.grain_of(last)];
        let expected = trail.expected_phase(terrain);
        // After a song's last grain comes a beat.
        let on_beat = expected.is_none_or(|phase| phase.is_on_beat());
        // On a beat, there must be time for the whole beat: the next chance to jump comes after it.
        let needed_seconds = match pool.song_of(pool.grain_of(last)).beats_per_minute {
            Some(per_minute) if on_beat => 60.0 / per_minute,
            _ => grain.seconds(),
        };
        let section = form.index_at(trail.seconds_done);
        let earlier = form.earlier_alike(section);
        let mut familiar = HashSet::new();
        for (grain, of_section) in trail.grains.iter().zip(&trail.sections) {
            if earlier.contains(of_section) {
                familiar.extend(grain.saturating_sub(2)..grain + 3);
            }
        }
        let tune = tune(terrain, trail.seconds_done);
        Self {
            terrain,
            trail,
            in_beat: expected.and_then(|phase| phase.in_beat()),
            phase_index: expected.map_or(usize::MAX, |phase| phase.index()),
            on_beat,
            shift: pool.shift_of(last),
            next: pool.next_of(last),
            run_is_over: trail.run_seconds() + needed_seconds > terrain.options.longest_run_seconds,
            taste_counts: match (trail.composed_seconds(), tune) {
                (..BEGINNING_SECONDS, None) => AT_FIRST,
                (..BEGINNING_SECONDS, Some(_)) => AT_FIRST_OF_A_TUNE,
                _ => 1.0,
            },
            section_begins: trail.sections.last() != Some(&section),
            planned: form.section(section),
            familiar,
            reuse: reuse(terrain, trail),
            song_bonus: song_bonus(terrain, trail),
            tune: tune.map(|grain| pool.notes(pool.candidate(grain, 0))),
        }
    }

    /// The logits of all candidates: what the network expects, asked with `query`, and what a piece
    /// needs; `roughness` is that of the ways to them.
    pub(super) fn scores(&self, query: &[f32], roughness: &[f32]) -> Vec<f32> {
        (0..self.terrain.pool.candidates())
            .into_par_iter()
            .with_min_len(256)
            .map(|candidate| self.score(candidate, query, roughness[candidate]))
            .collect()
    }

    fn score(&self, candidate: usize, query: &[f32], roughness: f32) -> f32 {
        let (pool, options) = (self.terrain.pool, self.terrain.options);
        let grain = pool.grain_of(candidate);
        let place = &pool.grains()[grain];
        let logit = self.terrain.logit(candidate, query);
        let join = 2.0 * options.continuity * roughness;
        let mut score = (options.network * logit - join) / options.temperature;
        score += self.taste_counts * self.terrain.taste(grain);
        score += self.form_bonus(grain) - self.reuse[grain] + self.song_bonus[place.song];
        let shift = pool.shift_of(candidate);
        score -= options.key * shift.abs() as f32;
        if shift != self.shift {
            score -= options.key;
        }
        if options.keep_key && shift != 0 {
            score -= FORBIDDEN;
        }
        if let (Some(expected), Some(found)) = (self.in_beat, place.phase.in_beat()) {
            if expected != found {
                score -= options.beat * WRONG_PHASE;
            } else if place.phase.index() == self.phase_index {
                score += options.beat * SAME_PLACE_IN_BAR;
            }
        }
        if let Some(tune) = &self.tune {
            let alike: f32 = pool.notes(candidate).iter().zip(tune).map(|(a, b)| a * b).sum();
            score += TUNE * alike;
        } else if self.next == Some(candidate) {
            let goes_on = if self.on_beat { GOES_ON } else { GOES_ON_BETWEEN_BEATS };
            score += options.beat * goes_on;
        }
        if self.run_is_over && self.trail.goes_on_with(place) {
            score -= FORBIDDEN;
        }
        score
    }

    fn form_bonus(&self, grain: usize) -> f32 {
        let form = self.terrain.options.form;
        let mut bonus = 0.0;
        let Planned { grains, begins_part, .. } = self.planned;
        let is_entry = grains.contains(&grain) && grain < grains.start + ENTRY;
        if self.section_begins && *begins_part && !is_entry {
            bonus -= ELSEWHERE;
        }
        if grains.contains(&grain) {
            bonus += form;
            if self.section_begins && grain < grains.start + 4 {
                bonus += form;
            }
        }
        if self.planned.is_of_part(grain) {
            bonus += PART * form;
        }
        if self.familiar.contains(&grain) {
            bonus += 0.5 * form;
        }
        bonus
    }
}

/// What is subtracted from each grain for having been used a short while ago.
fn reuse(terrain: &Terrain, trail: &Trail) -> Vec<f32> {
    let pool = terrain.pool;
    let mut reuse = vec![0.0; pool.grains().len()];
    for (age, placed) in trail.placed.iter().rev().enumerate() {
        if trail.seconds_done - placed.at_seconds > REUSE_SECONDS {
            break;
        }
        let grain = pool.grain_of(placed.candidate);
        reuse[grain] += terrain.options.variety;
        if age < 3 {
            reuse[grain] += FORBIDDEN;
        }
    }
    reuse
}

/// What is added to the grains of each song so that every song gets its share.
fn song_bonus(terrain: &Terrain, trail: &Trail) -> Vec<f32> {
    let pool = terrain.pool;
    let Some(shares) = &terrain.shares else { return vec![0.0; pool.songs().len()] };
    let mut heard = vec![0.0; pool.songs().len()];
    for placed in trail.placed.iter().rev() {
        if trail.seconds_done - placed.at_seconds > SHARE_SECONDS {
            break;
        }
        let grain = &pool.grains()[pool.grain_of(placed.candidate)];
        heard[grain.song] += grain.seconds();
    }
    let all = heard.iter().sum::<f64>().max(1e-6);
    let bonus = |(share, heard): (&f64, &f64)| match *share {
        0.0 => -FORBIDDEN,
        share => (SHARE * (share - heard / all) / share.min(1.0 - 0.5 * share)) as f32,
    };
    let mut bonuses: Vec<f32> = shares.iter().zip(&heard).map(bonus).collect();
    bonuses.resize(pool.songs().len(), 0.0);
    bonuses
}

/// The grain of the guest whose notes are followed at a time of the piece.
fn tune(terrain: &Terrain, at_seconds: f64) -> Option<usize> {
    let guest = terrain.pool.guest()?;
    if terrain.options.opening != Opening::Tune || at_seconds >= TUNE_SECONDS {
        return None;
    }
    let grains = &terrain.pool.grains()[guest.grains.clone()];
    let place = grains.iter().position(|grain| grain.end_seconds > at_seconds)?;
    Some(guest.grains.start + place)
}
