use super::copy_guard::CopyGuard;
use super::form::Form;
use super::options::GrainOptions;
use crate::dataset::grains::{Grain, GrainPool, PHASES};
use crate::model::recurrent::State;
use crate::model::{Dropout, Pointer};
use crate::train::input_row;
use crate::{Result, interrupt};
use candle_core::Tensor;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A grain of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Which candidate of the pool.
    pub candidate: usize,
    /// Where it begins in the piece.
    pub at_seconds: f64,
}

/// A walk that was gone, and what is wrong with it.
pub(super) struct Draft {
    pub(super) placed: Vec<Placed>,
    /// The mean discontinuity of its jumps, and [`COPIED_FLAW`] times the share that is copied.
    pub(super) flaws: f64,
}

/// What being quite unlike the songs counts.
const STRANGE_FLAW: f64 = 4.0;
/// What copying all would count, in discontinuities.
const COPIED_FLAW: f64 = 20.0;
/// Subtracted from the logit of a candidate that must not be chosen unless there is no other.
const FORBIDDEN: f32 = 50.0;
/// … of one that would break the beat.
const WRONG_PHASE: f32 = 8.0;
/// Added where the song goes on by itself: jumps are for a reason …
const GOES_ON: f32 = 1.0;
/// … and fall on beats.
const GOES_ON_BETWEEN_BEATS: f32 = 12.0;
/// Added for the same place in the bar.
const SAME_PLACE_IN_BAR: f32 = 1.0;
/// How long a grain's use is remembered.
const REUSE_SECONDS: f64 = 6.0;
/// Two places of a song are the same run of the original order when they are no further off than
/// this.
const SAME_RUN_SECONDS: f64 = 0.3;
/// How strongly a candidate is shunned per unit of correlation above the copy limit.
const COPY_WEIGHT: f64 = 400.0;
/// Candidates that are drawn and checked for copying before others are looked at in their order …
const TRIES: usize = 24;
/// … and how many of those, before the least bad one is taken.
const FURTHER_TRIES: usize = 200;
/// How long the ending is, which is the song's own.
const ENDING_SECONDS: f64 = 1.5;

/// A walk through the grains.
pub(super) struct Walk<'a> {
    pool: &'a GrainPool,
    network: &'a Pointer,
    options: &'a GrainOptions,
    form: Form,
    /// Of the pool, as [`keys`](Self::keys): the same for every walk.
    guard: &'a mut CopyGuard,
    random: ChaCha8Rng,
    /// The keys of all candidates, one after the other.
    keys: &'a [f32],
    state: Option<Vec<State>>,
    placed: Vec<Placed>,
    /// The grains of `placed`.
    grains: Vec<usize>,
    /// The number of the section of the form that each of `placed` belongs to.
    sections: Vec<usize>,
    seconds_done: f64,
    run: Run,
    discontinuities: Vec<f32>,
    copied_seconds: f64,
    /// Jumps so far, and their discontinuities added up.
    jumps: usize,
    rough: f64,
}

/// A stretch in the song's own order.
#[derive(Clone, Copy, Debug)]
struct Run {
    song: usize,
    /// Time in the song less time in the piece.
    offset_seconds: f64,
    began_seconds: f64,
}

impl Run {
    /// Whether `grain`, placed at a time of the piece, goes on in the order followed so far.
    fn goes_on_with(&self, grain: &Grain, at_seconds: f64) -> bool {
        let offset = grain.start_seconds - at_seconds;
        grain.song == self.song && (offset - self.offset_seconds).abs() < SAME_RUN_SECONDS
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        pool: &'a GrainPool,
        network: &'a Pointer,
        options: &'a GrainOptions,
        (guard, keys): (&'a mut CopyGuard, &'a [f32]),
        seconds: f64,
        mut random: ChaCha8Rng,
    ) -> Self {
        let form = Form::plan(pool, seconds, &mut random);
        Self {
            pool,
            network,
            options,
            form,
            guard,
            random,
            keys,
            state: None,
            placed: Vec::new(),
            grains: Vec::new(),
            sections: Vec::new(),
            seconds_done: 0.0,
            run: Run { song: usize::MAX, offset_seconds: 0.0, began_seconds: 0.0 },
            discontinuities: Vec::new(),
            copied_seconds: 0.0,
            jumps: 0,
            rough: 0.0,
        }
    }

    /// The keys of all candidates of `pool`, one after the other.
    pub(super) fn keys(pool: &GrainPool, network: &Pointer) -> Result<Vec<f32>> {
        let shape = (pool.candidates(), pool.width());
        let candidates = Tensor::from_slice(pool.embeddings(), shape, network.device().candle())?;
        Ok(network.keys(&candidates)?.flatten_all()?.to_vec1()?)
    }

    /// Walks for about `seconds`; `progress` is told (seconds done, seconds in all). A request to stop
    /// ends it after the running grain.
    pub(super) fn walk(
        mut self,
        seconds: f64,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Draft> {
        let first = self.form.section(0).grains.start;
        self.place(self.pool.candidate(first, 0));
        while self.seconds_done < seconds - ENDING_SECONDS && !interrupt::requested() {
            let (next, surplus) = self.next()?;
            self.note(next, surplus);
            self.place(next);
            progress(self.seconds_done.min(seconds), seconds);
        }
        if !interrupt::requested() {
            self.end(seconds);
        }
        let jumps = self.jumps.max(1) as f64;
        let copied = self.copied_seconds / self.seconds_done;
        let (rough, strange) = (self.rough / jumps, self.strangeness());
        Ok(Draft {
            flaws: COPIED_FLAW * copied + rough + STRANGE_FLAW * strange,
            placed: self.placed,
        })
    }

    /// How far the piece's grains are, as a whole, from those of the songs: the squared Fréchet distance
    /// of their embeddings, each number for itself, in variances.
    fn strangeness(&self) -> f64 {
        let statistics = |of: &mut dyn Iterator<Item = usize>| {
            let (mut count, mut sums) = (0.0, vec![(0.0, 0.0); self.pool.width()]);
            for candidate in of {
                let values = &self.pool.embeddings()[candidate * self.pool.width()..];
                for ((sum, square), value) in sums.iter_mut().zip(values) {
                    *sum += f64::from(*value);
                    *square += f64::from(*value).powi(2);
                }
                count += 1.0;
            }
            let moments = |(sum, square): &(f64, f64)| {
                let mean = sum / count;
                (mean, (square / count - mean * mean).max(0.0).sqrt())
            };
            sums.iter().map(moments).collect::<Vec<_>>()
        };
        let grains = self.pool.grains().len();
        let songs = statistics(&mut (0..grains).map(|grain| self.pool.candidate(grain, 0)));
        let piece = statistics(&mut self.placed.iter().map(|placed| placed.candidate));
        let apart = songs.iter().zip(&piece).map(|((mean, deviation), (other, others))| {
            ((mean - other).powi(2) + (deviation - others).powi(2)) / deviation.powi(2).max(1e-6)
        });
        apart.sum::<f64>() / self.pool.width() as f64
    }

    /// Keeps account of what is wrong with the next grain.
    fn note(&mut self, candidate: usize, surplus: f64) {
        if surplus > 0.0 {
            let grain = self.pool.grain_of(candidate);
            self.copied_seconds += self.pool.grains()[grain].seconds();
        }
        if self.pool.next_of(self.last()) != Some(candidate) {
            self.jumps += 1;
            self.rough += f64::from(self.discontinuities[candidate]);
        }
    }

    fn last(&self) -> usize {
        self.placed[self.placed.len() - 1].candidate
    }

    fn place(&mut self, candidate: usize) {
        let grain = self.pool.grain_of(candidate);
        let (at, place) = (self.seconds_done, &self.pool.grains()[grain]);
        if !self.run.goes_on_with(place, at) {
            let offset_seconds = place.start_seconds - at;
            self.run = Run { song: place.song, offset_seconds, began_seconds: at };
        }
        self.placed.push(Placed { candidate, at_seconds: at });
        self.grains.push(grain);
        self.sections.push(self.form.index_at(at));
        self.seconds_done += place.seconds();
    }

    /// Draws what comes after the last grain; with it, how much too alike the end then is.
    fn next(&mut self) -> Result<(usize, f64)> {
        let scores = self.scores()?;
        let count = self.options.top_k.min(scores.len());
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
            let (candidate, surplus) = (order[drawn], self.surplus_of(order[drawn])?);
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
            let surplus = self.surplus_of(*candidate)?;
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
    fn surplus_of(&mut self, candidate: usize) -> Result<f64> {
        if self.options.copy_limit >= 1.0 {
            return Ok(0.0);
        }
        self.grains.push(self.pool.grain_of(candidate));
        let closest = self.guard.closest(self.pool, &self.grains);
        self.grains.pop();
        Ok(closest?.unwrap_or(0.0) - self.options.copy_limit)
    }

    /// The logits of all candidates: what the network expects, and what a piece needs.
    fn scores(&mut self) -> Result<Vec<f32>> {
        let (pool, options) = (self.pool, self.options);
        let last = self.last();
        let mut input = Vec::new();
        input_row(pool, last, &mut input);
        let device = self.network.device().candle();
        let input = Tensor::from_vec(input, (1, 1, pool.width() + PHASES), device)?;
        let (query, state) = self.network.forward(&input, self.state.as_deref(), &Dropout::NONE)?;
        self.state = Some(state.iter().map(State::detach).collect());
        let query: Vec<f32> = query.flatten_all()?.to_vec1()?;

        let mut discontinuities = std::mem::take(&mut self.discontinuities);
        pool.discontinuities(last, &mut discontinuities);
        let next = pool.next_of(last);
        if let Some(next) = next {
            // A cut is none where the song goes on, though its two sides were measured apart.
            discontinuities[next] = 0.0;
        }
        let reuse = self.reuse();
        let moment = self.moment();
        let (temperature, keys) = (options.temperature, self.keys);
        let (run, now) = (self.run, self.seconds_done);
        let scores = (0..pool.candidates())
            .into_par_iter()
            .map(|candidate| {
                let key = &keys[candidate * query.len()..(candidate + 1) * query.len()];
                let logit: f32 = key.iter().zip(&query).map(|(k, q)| k * q).sum();
                let join = 2.0 * options.continuity * discontinuities[candidate];
                let grain = pool.grain_of(candidate);
                let mut score = (logit - join) / temperature + moment.form_bonus(grain);
                score -= reuse[grain];
                let shift = pool.shift_of(candidate);
                score -= options.key * shift.abs() as f32;
                if shift != moment.shift {
                    score -= options.key;
                }
                let phase = pool.grains()[grain].phase;
                if let (Some(expected), Some(found)) = (moment.in_beat, phase.in_beat()) {
                    if expected != found {
                        score -= WRONG_PHASE;
                    } else if phase.index() == moment.phase_index {
                        score += SAME_PLACE_IN_BAR;
                    }
                }
                if next == Some(candidate) {
                    score += if moment.on_beat { GOES_ON } else { GOES_ON_BETWEEN_BEATS };
                }
                if moment.run_is_over && run.goes_on_with(&pool.grains()[grain], now) {
                    score -= FORBIDDEN;
                }
                score
            })
            .collect();
        self.discontinuities = discontinuities;
        Ok(scores)
    }

    /// What is subtracted from each grain for having been used a short while ago.
    fn reuse(&self) -> Vec<f32> {
        let mut reuse = vec![0.0; self.pool.grains().len()];
        for (age, placed) in self.placed.iter().rev().enumerate() {
            if self.seconds_done - placed.at_seconds > REUSE_SECONDS {
                break;
            }
            let grain = self.pool.grain_of(placed.candidate);
            reuse[grain] += self.options.variety;
            if age < 3 {
                reuse[grain] += FORBIDDEN;
            }
        }
        reuse
    }

    /// What is the same for all candidates of this step.
    fn moment(&self) -> Moment {
        let last = self.last();
        let grain = self.pool.grain_of(last);
        let song = &self.pool.songs()[self.pool.grains()[grain].song];
        // After a song's last grain comes a beat.
        let expected = Some(grain + 1)
            .filter(|next| song.grains.contains(next))
            .map(|next| self.pool.grains()[next].phase);
        let on_beat = expected.is_none_or(|phase| phase.is_on_beat());
        let beat_seconds = song.beats_per_minute.map(|per_minute| 60.0 / per_minute);
        let grain_seconds = self.pool.grains()[grain].seconds();
        // On a beat, there must be time for the whole beat: the next chance to jump comes after it.
        let needed = match beat_seconds {
            Some(beat) if on_beat => beat,
            _ => grain_seconds,
        };
        let run_seconds = self.seconds_done - self.run.began_seconds + needed;
        let section = self.form.index_at(self.seconds_done);
        let planned = self.form.section(section).clone();
        let earlier = self.form.earlier_alike(section);
        let mut familiar = std::collections::HashSet::new();
        for (grain, of_section) in self.grains.iter().zip(&self.sections) {
            if earlier.contains(of_section) {
                familiar.extend(grain.saturating_sub(2)..grain + 3);
            }
        }
        Moment {
            in_beat: expected.and_then(|phase| phase.in_beat()),
            phase_index: expected.map_or(usize::MAX, |phase| phase.index()),
            on_beat,
            shift: self.pool.shift_of(last),
            run_is_over: run_seconds > self.options.longest_run_seconds,
            section_begins: self.sections.last() != Some(&section),
            planned: planned.grains,
            familiar,
            form: self.options.form,
        }
    }

    /// Goes to where the rest of a song is as long as what is left, by the smoothest way, and plays
    /// it to its end.
    fn end(&mut self, seconds: f64) {
        let left = seconds - self.seconds_done;
        let song = &self.pool.songs()[self.form.last_song];
        let last = self.last();
        let mut discontinuities = Vec::new();
        self.pool.discontinuities(last, &mut discontinuities);
        let moment = self.moment();
        let cost = |grain: usize| {
            let place = &self.pool.grains()[grain];
            let off = song.duration_seconds - place.start_seconds - left;
            let wrong = match (moment.in_beat, place.phase.in_beat()) {
                (Some(expected), Some(found)) if expected != found => 1.0,
                _ => 0.0,
            };
            let join = f64::from(discontinuities[self.pool.candidate(grain, 0)]);
            // Ending in the middle of a sound is worse than ending early.
            join + wrong + if off > 0.0 { 4.0 * off } else { -2.0 * off }
        };
        let best = song.grains.clone().min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        let mut grain = best.unwrap_or(song.grains.start);
        self.place(self.pool.candidate(grain, 0));
        while self.seconds_done < seconds {
            grain += 1;
            let goes_on = self.pool.grains().get(grain).is_some_and(|next| next.follows);
            if !goes_on || !song.grains.contains(&grain) {
                break;
            }
            self.place(self.pool.candidate(grain, 0));
        }
    }
}

/// What is the same for all candidates of a step.
struct Moment {
    /// The twelfths of a beat that have gone by, where there is a beat.
    in_beat: Option<u8>,
    phase_index: usize,
    on_beat: bool,
    shift: i32,
    run_is_over: bool,
    section_begins: bool,
    planned: std::ops::Range<usize>,
    /// Grains near those that were used when this section was there before.
    familiar: std::collections::HashSet<usize>,
    form: f32,
}

impl Moment {
    fn form_bonus(&self, grain: usize) -> f32 {
        let mut bonus = 0.0;
        if self.planned.contains(&grain) {
            bonus += self.form;
            if self.section_begins && grain < self.planned.start + 4 {
                bonus += self.form;
            }
        }
        if self.familiar.contains(&grain) {
            bonus += 0.5 * self.form;
        }
        bonus
    }
}
