use super::phrases;
use super::terrain::Terrain;
use super::walk::{Placed, Walk};
use crate::dataset::grains::PHASES;
use crate::model::Dropout;
use crate::model::recurrent::State;
use crate::train::input_row;
use crate::{Error, Result};
use candle_core::Tensor;
use rayon::prelude::*;
use std::collections::HashSet;
use std::ops::Range;

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
/// How long a grain's use is remembered.
const REUSE_SECONDS: f64 = 6.0;
/// Added to the songs that have had less than their share, for each unit that is missing of it.
const SHARE: f64 = 6.0;
/// The time over which shares are looked at.
const SHARE_SECONDS: f64 = 12.0;
/// Added for the same notes as those of a tune to follow.
const TUNE: f32 = 20.0;

/// What the network expected at a step of a piece, and what the piece took.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What was taken, and when.
    pub taken: Placed,
    /// How likely the network thought it.
    pub probability: f32,
    /// The likeliest candidates, each with its probability, the likeliest first.
    pub likeliest: Vec<(usize, f32)>,
}

/// Candidates that an [`Expectation`] names, at most.
const NAMED: usize = 24;

/// What the network of `terrain` expects at every step of `placed` but the first.
pub(super) fn expectations(terrain: &Terrain, placed: &[Placed]) -> Result<Vec<Expectation>> {
    let mut walk = Walk::along(terrain, &placed[..1], phrases::random(0, 0, 0))?;
    let mut found = Vec::new();
    for pair in placed.windows(2) {
        let query = walk.hear(terrain, pair[0].candidate)?;
        let keys = terrain.keys.chunks_exact(query.len());
        let logits: Vec<f32> =
            keys.map(|key| key.iter().zip(&query).map(|(k, q)| k * q).sum()).collect();
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let probability = |candidate: usize| (logits[candidate] - largest).exp() / sum;
        let mut likeliest: Vec<usize> = (0..logits.len()).collect();
        likeliest.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        likeliest.truncate(NAMED);
        // A guest's grains are no candidates.
        if pair[1].candidate < logits.len() {
            found.push(Expectation {
                taken: pair[1],
                probability: probability(pair[1].candidate),
                likeliest: likeliest.into_iter().map(|c| (c, probability(c))).collect(),
            });
        }
    }
    Ok(found)
}

impl Walk {
    /// Lets the network hear the last grain; gives the query for what comes next.
    pub(super) fn hear(&mut self, terrain: &Terrain, candidate: usize) -> Result<Vec<f32>> {
        let (pool, network) = (terrain.pool, terrain.network);
        let mut input = Vec::new();
        input_row(pool, candidate, &mut input);
        let device = network.device().candle();
        let input = Tensor::from_vec(input, (1, 1, pool.width() + PHASES), device)?;
        let (query, state) = network.forward(&input, self.state.as_deref(), &Dropout::NONE)?;
        self.state = Some(state.iter().map(State::detach).collect());
        let query: Vec<f32> = query.flatten_all()?.to_vec1()?;
        if query.iter().all(|value| value.is_finite()) {
            Ok(query)
        } else {
            Err(Error::Data(
                "the network's output is not a number: it was trained badly or its file is damaged"
                    .into(),
            ))
        }
    }

    /// The logits of all candidates: what the network expects, and what a piece needs.
    pub(super) fn scores(&mut self, terrain: &Terrain) -> Result<Vec<f32>> {
        let (pool, options) = (terrain.pool, terrain.options);
        let last = self.last();
        let query = self.hear(terrain, last)?;
        let mut roughness = std::mem::take(&mut self.roughness);
        pool.roughness(last, &mut roughness);
        let next = pool.next_of(last);
        let reuse = self.reuse(terrain);
        let moment = self.moment(terrain);
        let songs = self.song_bonus(terrain);
        let tune = moment.tune.map(|grain| pool.notes(pool.candidate(grain, 0)));
        let (run, now) = (self.run, self.seconds_done);
        let scores = (0..pool.candidates())
            .into_par_iter()
            .with_min_len(256)
            .map(|candidate| {
                let key = &terrain.keys[candidate * query.len()..(candidate + 1) * query.len()];
                let logit: f32 = key.iter().zip(&query).map(|(k, q)| k * q).sum();
                let join = 2.0 * options.continuity * roughness[candidate];
                let grain = pool.grain_of(candidate);
                let mut score = (options.network * logit - join) / options.temperature;
                score += moment.form_bonus(grain) - reuse[grain] + songs[pool.grains()[grain].song];
                let shift = pool.shift_of(candidate);
                score -= options.key * shift.abs() as f32;
                if shift != moment.shift {
                    score -= options.key;
                }
                if options.keep_key && shift != 0 {
                    score -= FORBIDDEN;
                }
                let phase = pool.grains()[grain].phase;
                if let (Some(expected), Some(found)) = (moment.in_beat, phase.in_beat()) {
                    if expected != found {
                        score -= options.beat * WRONG_PHASE;
                    } else if phase.index() == moment.phase_index {
                        score += options.beat * SAME_PLACE_IN_BAR;
                    }
                }
                if let Some(tune) = &tune {
                    let notes = pool.notes(candidate);
                    let alike: f32 = notes.iter().zip(tune).map(|(a, b)| a * b).sum();
                    score += TUNE * alike;
                } else if next == Some(candidate) {
                    let goes_on = if moment.on_beat { GOES_ON } else { GOES_ON_BETWEEN_BEATS };
                    score += options.beat * goes_on;
                }
                if moment.run_is_over && run.goes_on_with(&pool.grains()[grain], now) {
                    score -= FORBIDDEN;
                }
                score
            })
            .collect();
        self.roughness = roughness;
        Ok(scores)
    }

    /// What is subtracted from each grain for having been used a short while ago.
    fn reuse(&self, terrain: &Terrain) -> Vec<f32> {
        let pool = terrain.pool;
        let mut reuse = vec![0.0; pool.grains().len()];
        for (age, placed) in self.placed.iter().rev().enumerate() {
            if self.seconds_done - placed.at_seconds > REUSE_SECONDS {
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
    fn song_bonus(&self, terrain: &Terrain) -> Vec<f32> {
        let pool = terrain.pool;
        let Some(shares) = &terrain.shares else { return vec![0.0; pool.songs().len()] };
        let mut heard = vec![0.0; pool.songs().len()];
        for placed in self.placed.iter().rev() {
            if self.seconds_done - placed.at_seconds > SHARE_SECONDS {
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

    /// What is the same for all candidates of this step.
    pub(super) fn moment(&self, terrain: &Terrain) -> Moment {
        let (pool, form) = (terrain.pool, &terrain.form);
        let last = self.last();
        let grain = pool.grain_of(last);
        let song = &pool.songs()[pool.grains()[grain].song];
        // After a song's last grain comes a beat.
        let expected = Some(grain + 1)
            .filter(|next| song.grains.contains(next))
            .map(|next| pool.grains()[next].phase);
        let on_beat = expected.is_none_or(|phase| phase.is_on_beat());
        let beat_seconds = song.beats_per_minute.map(|per_minute| 60.0 / per_minute);
        let grain_seconds = pool.grains()[grain].seconds();
        // On a beat, there must be time for the whole beat: the next chance to jump comes after it.
        let needed = match beat_seconds {
            Some(beat) if on_beat => beat,
            _ => grain_seconds,
        };
        let run_seconds = self.seconds_done - self.run.began_seconds + needed;
        let section = form.index_at(self.seconds_done);
        let planned = form.section(section).clone();
        let earlier = form.earlier_alike(section);
        let mut familiar = HashSet::new();
        for (placed, of_section) in self.placed.iter().zip(&self.sections) {
            if earlier.contains(of_section) {
                let grain = pool.grain_of(placed.candidate);
                familiar.extend(grain.saturating_sub(2)..grain + 3);
            }
        }
        Moment {
            in_beat: expected.and_then(|phase| phase.in_beat()),
            phase_index: expected.map_or(usize::MAX, |phase| phase.index()),
            on_beat,
            shift: pool.shift_of(last),
            run_is_over: run_seconds > terrain.options.longest_run_seconds,
            section_begins: self.sections.last() != Some(&section),
            planned: planned.grains,
            familiar,
            form: terrain.options.form,
            tune: self.tune(terrain),
        }
    }
}

/// What is the same for all candidates of a step.
pub(super) struct Moment {
    /// The twelfths of a beat that have gone by, where there is a beat.
    pub(super) in_beat: Option<u8>,
    phase_index: usize,
    on_beat: bool,
    shift: i32,
    pub(super) run_is_over: bool,
    section_begins: bool,
    planned: Range<usize>,
    /// Grains near those that were used when this section was there before.
    familiar: HashSet<usize>,
    form: f32,
    /// The grain of a guest whose notes are followed.
    tune: Option<usize>,
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
