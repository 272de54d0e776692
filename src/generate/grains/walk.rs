//! A walk through the grains, each step drawn from what fits.

use super::copy_guard::{CopyGuard, Followed};
use super::ending;
use super::listener::Listener;
use super::moment::{FORBIDDEN, Moment};
use super::options::Opening;
use super::placed::Placed;
use super::terrain::Terrain;
use super::trail::{Account, Trail};
use crate::{Result, interrupt};
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// How strongly a candidate is shunned per unit of correlation above the copy limit.
const COPY_WEIGHT: f64 = 400.0;
/// What a second too much of the piece's own order counts, in units of correlation.
const REPEATED: f64 = 0.1;
/// A piece repeats no more of itself than this, in the order that it had; less where no beat is: long
/// crossfades and held chords around a repeat are heard as part of it.
const LONGEST_REPEAT_SECONDS: f64 = 1.5;
const LONGEST_REPEAT_WITHOUT_BEAT_SECONDS: f64 = 0.7;
/// Candidates that are drawn and checked for copying before others are looked at in their order …
const TRIES: usize = 24;
/// … and how many of those, before the least bad one is taken.
const FURTHER_TRIES: usize = 200;
/// A guest is listened to from here on.
const HEARD_SECONDS: f64 = 12.0;

/// A walk through the grains, as far as it went.
#[derive(Clone)]
pub(super) struct Walk {
    random: ChaCha8Rng,
    listener: Listener,
    trail: Trail,
    /// What the piece has followed of the songs so far.
    followed: Followed,
}

impl Walk {
    /// A walk that has not begun.
    fn new(random: ChaCha8Rng) -> Self {
        Self {
            random,
            listener: Listener::default(),
            trail: Trail::default(),
            followed: Followed::default(),
        }
    }

    /// A walk that has not left its first grain.
    pub(super) fn begin(terrain: &Terrain, random: ChaCha8Rng) -> Result<Self> {
        let mut walk = Self::new(random);
        let pool = terrain.pool;
        let first = pool.candidate(terrain.form.first_grain, 0);
        match (terrain.options.opening, pool.guest()) {
            (Opening::Continue, Some(guest)) => {
                for grain in guest.grains.clone() {
                    walk.trail.place(terrain, pool.candidate(grain, 0));
                }
                // The last grain is heard when the next one is looked for.
                let heard = guest.grains.end.saturating_sub(1);
                let per_second = guest.grains.len() as f64 / guest.duration_seconds.max(0.1);
                let since = heard.saturating_sub((HEARD_SECONDS * per_second) as usize);
                for grain in since.max(guest.grains.start)..heard {
                    walk.listener.hear(terrain, pool.candidate(grain, 0))?;
                }
                walk.trail.account = Account::default();
                walk.trail.begin_here();
            }
            (Opening::Tune, Some(guest)) => {
                let tune = pool.notes(pool.candidate(guest.grains.start, 0));
                let alike = |candidate: &usize| -> f32 {
                    pool.notes(*candidate).iter().zip(&tune).map(|(a, b)| a * b).sum()
                };
                let on_beat =
                    |candidate: &usize| pool.grains()[pool.grain_of(*candidate)].phase.is_on_beat();
                let best = (0..pool.candidates())
                    .filter(on_beat)
                    .max_by(|a, b| alike(a).total_cmp(&alike(b)).then(b.cmp(a)));
                walk.trail.place(terrain, best.unwrap_or(first));
            }
            _ => walk.trail.place(terrain, first),
        }
        Ok(walk)
    }

    /// A walk that has gone the way of `placed`.
    pub(super) fn along(
        terrain: &Terrain,
        guard: &mut CopyGuard,
        placed: &[Placed],
        random: ChaCha8Rng,
    ) -> Result<Self> {
        let mut walk = Self::new(random);
        for (index, place) in placed.iter().enumerate() {
            if index > 0 {
                walk.listener.hear(terrain, placed[index - 1].candidate)?;
            }
            walk.trail.seconds_done = place.at_seconds;
            walk.trail.place(terrain, place.candidate);
            walk.follow(terrain, guard);
        }
        walk.trail.begin_here();
        Ok(walk)
    }

    /// The same walk, to go on with other random numbers.
    pub(super) fn draft(&self, random: ChaCha8Rng) -> Self {
        Self { random, ..self.clone() }
    }

    /// The grains it has left behind.
    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The grains it has left behind, and nothing else.
    pub(super) fn into_placed(self) -> Vec<Placed> {
        self.trail.placed
    }

    /// Walks on until `until_seconds`. A request to stop ends it after the running grain.
    pub(super) fn go_on(
        &mut self,
        terrain: &Terrain,
        guard: &mut CopyGuard,
        until_seconds: f64,
    ) -> Result<()> {
        let mut roughness = Vec::new();
        while self.trail.seconds_done < until_seconds && !interrupt::requested() {
            terrain.pool.roughness(self.trail.last(), &mut roughness);
            let (next, surplus) = self.next(terrain, guard, &roughness)?;
            if surplus > 0.0 {
                let grain = terrain.pool.grain_of(next);
                self.trail.account.copied_seconds += terrain.pool.grains()[grain].seconds();
            }
            self.trail.go_to(terrain, next, roughness[next]);
            self.follow(terrain, guard);
        }
        Ok(())
    }

    /// Notes what the songs' order has been followed with the last grain, where copies matter.
    fn follow(&mut self, terrain: &Terrain, guard: &mut CopyGuard) {
        if terrain.options.copy_limit < 1.0 {
            self.followed = guard.follow(terrain.pool, &self.trail.grains, &self.followed);
        }
    }

    /// Goes to the end of a song so that the piece is `seconds` long.
    pub(super) fn end(&mut self, terrain: &Terrain, seconds: f64) {
        ending::end(terrain, &mut self.trail, seconds);
    }

    /// Draws what comes after the last grain, from where the ways are so rough; with it, how much too
    /// alike the end then is.
    fn next(
        &mut self,
        terrain: &Terrain,
        guard: &mut CopyGuard,
        roughness: &[f32],
    ) -> Result<(usize, f64)> {
        let query = self.listener.hear(terrain, self.trail.last())?;
        let moment = Moment::after(terrain, &self.trail);
        let scores = moment.scores(&query, roughness);
        // On a beat it is decided for the whole beat.
        let repeating = match moment.on_beat {
            true => self.trail.repeating(terrain),
            false => HashMap::new(),
        };
        let count = terrain.options.top_k.min(scores.len());
        let mut order: Vec<usize> = (0..scores.len()).collect();
        let by_score = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
        if count < order.len() {
            order.select_nth_unstable_by(count - 1, by_score);
        }
        let (order, further) = order.split_at_mut(count);
        order.sort_unstable_by(by_score);
        let largest = scores[order[0]];
        let mut chances: Vec<f64> =
            order.iter().map(|c| f64::from(scores[*c] - largest).exp()).collect();
        let mut checked = vec![false; order.len()];
        let mut least_bad = (order[0], f64::INFINITY);
        for _ in 0..TRIES.min(2 * count) {
            // There is nothing left to draw from when all chances are 0.
            let Ok(by_chance) = WeightedIndex::new(&chances) else { break };
            let drawn = by_chance.sample(&mut self.random);
            if checked[drawn] {
                // Shunned for its likeness and drawn all the same: there are hardly any others.
                break;
            }
            let candidate = order[drawn];
            let surplus = self.surplus_of(terrain, guard, (candidate, &repeating));
            if surplus <= 0.0 {
                return Ok((candidate, surplus));
            }
            if surplus < least_bad.1 {
                least_bad = (candidate, surplus);
            }
            checked[drawn] = true;
            chances[drawn] *= (-COPY_WEIGHT * surplus).exp();
        }
        // Every likely one would be a copy: the likeliest that is none.
        further.sort_unstable_by(by_score);
        for candidate in further.iter().take(FURTHER_TRIES) {
            if scores[*candidate] < largest - FORBIDDEN / 2.0 {
                break;
            }
            let surplus = self.surplus_of(terrain, guard, (*candidate, &repeating));
            if surplus <= 0.0 {
                return Ok((*candidate, surplus));
            }
            if surplus < least_bad.1 {
                least_bad = (*candidate, surplus);
            }
        }
        Ok(least_bad)
    }

    /// How much more than allowed the end would be like some place of the songs, or of the piece, if
    /// `candidate` came next, when those `repeating` would repeat so many seconds.
    fn surplus_of(
        &mut self,
        terrain: &Terrain,
        guard: &mut CopyGuard,
        (candidate, repeating): (usize, &HashMap<usize, f64>),
    ) -> f64 {
        if terrain.options.copy_limit >= 1.0 {
            return 0.0;
        }
        let grain = terrain.pool.grain_of(candidate);
        let longest = match terrain.pool.song_of(grain).beats_per_minute {
            Some(_) => LONGEST_REPEAT_SECONDS,
            None => LONGEST_REPEAT_WITHOUT_BEAT_SECONDS,
        };
        let repeated = repeating.get(&grain).map_or(0.0, |seconds| (seconds - longest).max(0.0));
        self.trail.grains.push(grain);
        let surplus = guard.surplus(terrain.pool, &self.trail.grains, &self.followed);
        self.trail.grains.pop();
        surplus + REPEATED * repeated
    }
}
