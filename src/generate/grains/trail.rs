//! The grains of a piece so far, and the account of what is wrong with them.

use super::options::Opening;
use super::placed::Placed;
use super::terrain::{Moments, Terrain};
use crate::dataset::grains::{Grain, Phase};
use std::collections::HashMap;

/// Two places of a song are the same run of the original order when they are no further off than
/// this.
const SAME_RUN_SECONDS: f64 = 0.3;
/// The beginning is known best: it is left sooner than other places.
const FIRST_RUN_SHORTER_SECONDS: f64 = 0.3;

/// The grains that a walk has left behind, in the order of the piece.
#[derive(Clone, Default)]
pub(super) struct Trail {
    pub(super) placed: Vec<Placed>,
    /// The grains of `placed`, as the guard sees them.
    pub(super) grains: Vec<usize>,
    /// The number of the section of the form that each of `placed` belongs to.
    pub(super) sections: Vec<usize>,
    pub(super) seconds_done: f64,
    /// Up to here it was there before anything was composed.
    begins_seconds: f64,
    run: Option<Run>,
    /// For each of `placed` how much of the end of the piece was there before, up to it, in seconds.
    repeated: Vec<f32>,
    pub(super) account: Account,
}

/// What is wrong with the grains so far.
#[derive(Clone, Default)]
pub(super) struct Account {
    pub(super) copied_seconds: f64,
    /// Seconds of grains that are of no section of the part that they are in.
    pub(super) elsewhere_seconds: f64,
    pub(super) jumps: usize,
    /// The roughness of all jumps.
    pub(super) rough: f64,
    /// What the grains sound like, as a whole.
    pub(super) sound: Vec<Moments>,
}

/// A stretch in the song's own order.
#[derive(Clone, Copy)]
struct Run {
    song: usize,
    /// Time in the song less time in the piece.
    offset_seconds: f64,
    began_seconds: f64,
}

impl Trail {
    /// The candidate that was placed last.
    pub(super) fn last(&self) -> usize {
        self.placed[self.placed.len() - 1].candidate
    }

    /// What is composed begins after what is there.
    pub(super) fn begin_here(&mut self) {
        self.begins_seconds = self.seconds_done;
    }

    /// How much has been composed.
    pub(super) fn composed_seconds(&self) -> f64 {
        self.seconds_done - self.begins_seconds
    }

    /// Puts `candidate` at the end of the piece.
    pub(super) fn place(&mut self, terrain: &Terrain, candidate: usize) {
        let grain = terrain.pool.grain_of(candidate);
        let (at_seconds, place) = (self.seconds_done, &terrain.pool.grains()[grain]);
        if !self.goes_on_with(place) {
            let known = self.placed.is_empty() && terrain.options.opening == Opening::Beginning;
            self.run = Some(Run {
                song: place.song,
                offset_seconds: place.start_seconds - at_seconds,
                began_seconds: at_seconds - if known { FIRST_RUN_SHORTER_SECONDS } else { 0.0 },
            });
        }
        self.repeat(grain, place.seconds());
        self.placed.push(Placed { candidate, at_seconds });
        self.grains.push(grain);
        let section = terrain.form.index_at(at_seconds);
        if terrain.form.section(section).is_elsewhere(grain) {
            self.account.elsewhere_seconds += place.seconds();
        }
        self.sections.push(section);
        terrain.add_to(&mut self.account.sound, candidate);
        self.seconds_done += place.seconds();
    }

    /// Notes what `grain`, placed next, repeats of the piece.
    fn repeat(&mut self, grain: usize, seconds: f64) {
        for index in (0..self.grains.len()).rev() {
            let before = index.checked_sub(1).map_or(0.0, |before| self.repeated[before]);
            let same = self.grains[index] == grain;
            self.repeated[index] = if same { before + seconds as f32 } else { 0.0 };
        }
        self.repeated.push(0.0);
    }

    /// The grains that the piece went on with where its end was before, each with the seconds that it
    /// would then have repeated in a row.
    pub(super) fn repeating(&self, terrain: &Terrain) -> HashMap<usize, f64> {
        let mut repeating = HashMap::new();
        let nexts = self.repeated.iter().zip(self.grains.iter().skip(1));
        for (seconds, next) in nexts.filter(|(seconds, _)| **seconds > 0.0) {
            let seconds = f64::from(*seconds) + terrain.pool.grains()[*next].seconds();
            let longest: &mut f64 = repeating.entry(*next).or_default();
            *longest = longest.max(seconds);
        }
        repeating
    }

    /// Places `candidate`, to which the way is so rough, and counts the jump if it is one.
    pub(super) fn go_to(&mut self, terrain: &Terrain, candidate: usize, roughness: f32) {
        if terrain.pool.next_of(self.last()) != Some(candidate) {
            self.account.jumps += 1;
            self.account.rough += f64::from(roughness);
        }
        self.place(terrain, candidate);
    }

    /// Whether `grain`, placed next, would go on in the order followed so far.
    pub(super) fn goes_on_with(&self, grain: &Grain) -> bool {
        self.run.is_some_and(|run| {
            let offset = grain.start_seconds - self.seconds_done;
            grain.song == run.song && (offset - run.offset_seconds).abs() < SAME_RUN_SECONDS
        })
    }

    /// How long one song's own order has been followed.
    pub(super) fn run_seconds(&self) -> f64 {
        self.run.map_or(0.0, |run| self.seconds_done - run.began_seconds)
    }

    /// Where in the bar the next grain should stand: as in the song of the last one. After a song's last
    /// grain there is none.
    pub(super) fn expected_phase(&self, terrain: &Terrain) -> Option<Phase> {
        let (pool, grain) = (terrain.pool, terrain.pool.grain_of(self.last()));
        let song = pool.song_of(grain);
        let next = Some(grain + 1).filter(|next| song.grains.contains(next));
        next.map(|next| pool.grains()[next].phase)
    }
}
