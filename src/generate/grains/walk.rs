use super::copy_guard::CopyGuard;
use super::expectation::FORBIDDEN;
use super::options::Opening;
use super::terrain::{Moments, Terrain};
use crate::dataset::grains::Grain;
use crate::model::recurrent::State;
use crate::{Result, interrupt};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A grain of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Which candidate of the pool.
    pub candidate: usize,
    /// Where it begins in the piece.
    pub at_seconds: f64,
}

/// Two places of a song are the same run of the original order when they are no further off than
/// this.
const SAME_RUN_SECONDS: f64 = 0.3;
/// How strongly a candidate is shunned per unit of correlation above the copy limit.
const COPY_WEIGHT: f64 = 400.0;
/// Candidates that are drawn and checked for copying before others are looked at in their order …
const TRIES: usize = 24;
/// … and how many of those, before the least bad one is taken.
const FURTHER_TRIES: usize = 200;
/// A guest is listened to from here on, and a tune is followed for so long, at most.
const HEARD_SECONDS: f64 = 12.0;
const TUNE_SECONDS: f64 = 20.0;
/// The beginning is known best: it is left sooner than other places.
const FIRST_RUN_SHORTER_SECONDS: f64 = 0.6;

/// A walk through the grains, as far as it went.
#[derive(Clone)]
pub(super) struct Walk {
    pub(super) random: ChaCha8Rng,
    pub(super) state: Option<Vec<State>>,
    pub(super) placed: Vec<Placed>,
    /// The grains of `placed`, as the guard sees them.
    grains: Vec<usize>,
    /// The number of the section of the form that each of `placed` belongs to.
    pub(super) sections: Vec<usize>,
    pub(super) seconds_done: f64,
    pub(super) run: Run,
    pub(super) roughness: Vec<f32>,
    pub(super) account: Account,
}

/// What is wrong with a walk so far.
#[derive(Clone, Default)]
pub(super) struct Account {
    pub(super) copied_seconds: f64,
    pub(super) jumps: usize,
    /// The roughness of all jumps.
    pub(super) rough: f64,
    /// What the grains sound like, as a whole.
    pub(super) sound: Vec<Moments>,
}

/// A stretch in the song's own order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    song: usize,
    /// Time in the song less time in the piece.
    offset_seconds: f64,
    pub(super) began_seconds: f64,
}

impl Run {
    /// Whether `grain`, placed at a time of the piece, goes on in the order followed so far.
    pub(super) fn goes_on_with(&self, grain: &Grain, at_seconds: f64) -> bool {
        let offset = grain.start_seconds - at_seconds;
        grain.song == self.song && (offset - self.offset_seconds).abs() < SAME_RUN_SECONDS
    }
}

impl Walk {
    /// A walk that has not left its first grain.
    pub(super) fn begin(terrain: &Terrain, random: ChaCha8Rng) -> Result<Self> {
        let mut walk = Self {
            random,
            state: None,
            placed: Vec::new(),
            grains: Vec::new(),
            sections: Vec::new(),
            seconds_done: 0.0,
            run: Run { song: usize::MAX, offset_seconds: 0.0, began_seconds: 0.0 },
            roughness: Vec::new(),
            account: Account::default(),
        };
        let pool = terrain.pool;
        let first = pool.candidate(terrain.form.section(0).grains.start, 0);
        match (terrain.options.opening, pool.guest()) {
            (Opening::Continue, Some(guest)) => {
                for grain in guest.grains.clone() {
                    walk.place(terrain, pool.candidate(grain, 0));
                }
                // The last grain is heard when the next one is looked for.
                let heard = guest.grains.end.saturating_sub(1);
                let per_second = guest.grains.len() as f64 / guest.duration_seconds.max(0.1);
                let since = heard.saturating_sub((HEARD_SECONDS * per_second) as usize);
                for grain in since.max(guest.grains.start)..heard {
                    walk.hear(terrain, pool.candidate(grain, 0))?;
                }
                walk.account = Account::default();
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
                walk.place(terrain, best.unwrap_or(first));
            }
            _ => {
                walk.place(terrain, first);
                walk.run.began_seconds -= FIRST_RUN_SHORTER_SECONDS;
            }
        }
        Ok(walk)
    }

    /// A walk that has gone the way of `placed`.
    pub(super) fn along(terrain: &Terrain, placed: &[Placed], random: ChaCha8Rng) -> Result<Self> {
        let mut walk = Self::begin(terrain, random)?;
        (walk.placed, walk.grains, walk.sections) = Default::default();
        (walk.state, walk.account, walk.seconds_done) = (None, Account::default(), 0.0);
        for (index, place) in placed.iter().enumerate() {
            if index > 0 {
                walk.hear(terrain, placed[index - 1].candidate)?;
            }
            walk.seconds_done = place.at_seconds;
            walk.place(terrain, place.candidate);
        }
        Ok(walk)
    }

    /// Walks on until `until_seconds`. A request to stop ends it after the running grain.
    pub(super) fn go_on(
        &mut self,
        terrain: &Terrain,
        guard: &mut CopyGuard,
        until_seconds: f64,
    ) -> Result<()> {
        while self.seconds_done < until_seconds && !interrupt::requested() {
            let (next, surplus) = self.next(terrain, guard)?;
            let grain = terrain.pool.grain_of(next);
            if surplus > 0.0 {
                self.account.copied_seconds += terrain.pool.grains()[grain].seconds();
            }
            if terrain.pool.next_of(self.last()) != Some(next) {
                self.account.jumps += 1;
                self.account.rough += f64::from(self.roughness[next]);
            }
            self.place(terrain, next);
        }
        Ok(())
    }

    pub(super) fn last(&self) -> usize {
        self.placed[self.placed.len() - 1].candidate
    }

    pub(super) fn place(&mut self, terrain: &Terrain, candidate: usize) {
        let pool = terrain.pool;
        let grain = pool.grain_of(candidate);
        let (at, place) = (self.seconds_done, &pool.grains()[grain]);
        if !self.run.goes_on_with(place, at) {
            let offset_seconds = place.start_seconds - at;
            self.run = Run { song: place.song, offset_seconds, began_seconds: at };
        }
        self.placed.push(Placed { candidate, at_seconds: at });
        self.grains.push(grain);
        self.sections.push(terrain.form.index_at(at));
        terrain.add_to(&mut self.account.sound, candidate);
        self.seconds_done += place.seconds();
    }

    /// Draws what comes after the last grain; with it, how much too alike the end then is.
    fn next(&mut self, terrain: &Terrain, guard: &mut CopyGuard) -> Result<(usize, f64)> {
        let scores = self.scores(terrain)?;
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
            let Some(drawn) = self.draw(&chances) else { break };
            if checked[drawn] {
                // Shunned for its likeness and drawn all the same: there are hardly any others.
                break;
            }
            let candidate = order[drawn];
            let surplus = self.surplus_of(terrain, guard, candidate)?;
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
            let surplus = self.surplus_of(terrain, guard, *candidate)?;
            if surplus <= 0.0 {
                return Ok((*candidate, surplus));
            }
            if surplus < least_bad.1 {
                least_bad = (*candidate, surplus);
            }
        }
        Ok(least_bad)
    }

    /// The place of one drawn by its chance, or nothing when there is none left.
    fn draw(&mut self, chances: &[f64]) -> Option<usize> {
        let sum: f64 = chances.iter().sum();
        if sum <= 1e-12 {
            return None;
        }
        let mut left = self.random.random::<f64>() * sum;
        for (index, chance) in chances.iter().enumerate() {
            left -= chance;
            if left < 0.0 {
                return Some(index);
            }
        }
        chances.iter().rposition(|chance| *chance > 0.0)
    }

    /// How much more than allowed the last 2 s would be like some place of the songs if `candidate`
    /// came next.
    pub(super) fn surplus_of(
        &mut self,
        terrain: &Terrain,
        guard: &mut CopyGuard,
        candidate: usize,
    ) -> Result<f64> {
        if terrain.options.copy_limit >= 1.0 {
            return Ok(0.0);
        }
        self.grains.push(terrain.pool.grain_of(candidate));
        let closest = guard.closest(terrain.pool, &self.grains);
        self.grains.pop();
        Ok(closest?.unwrap_or(0.0) - terrain.options.copy_limit)
    }

    /// The grain of the guest whose notes are followed now.
    pub(super) fn tune(&self, terrain: &Terrain) -> Option<usize> {
        let at_seconds = self.seconds_done;
        let guest = terrain.pool.guest()?;
        if terrain.options.opening != Opening::Tune || at_seconds >= TUNE_SECONDS {
            return None;
        }
        let grains = &terrain.pool.grains()[guest.grains.clone()];
        let place = grains.iter().position(|grain| grain.end_seconds > at_seconds)?;
        Some(guest.grains.start + place)
    }
}
