//! Training a network of grains: it predicts the next grain.

use super::checkpoints::{Fingerprint, Identity};
use super::drawn::{DrawnLoss, descend};
use super::loss::{SoftTargets, soft_cross_entropy};
use super::objective::Place;
use super::{GrainTraining, History, InTraining, Observer};
use crate::dataset::grains::{Chapter, GrainPool, PHASES};
use crate::model::{Device, Dropout, GRAINS, GrainNetwork, ModelFile, ModelKind};
use crate::{Error, Result, interrupt};
use candle_core::{Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Neighbours that a soft target names.
const NEIGHBOURS: usize = 32;

/// Teaches `network` which grain follows which: its input is runs of grains, in all transpositions, and
/// it minimises the cross-entropy with soft targets: the grain that follows in the song and those that
/// sound most like it. Each batch draws its runs from one chapter of the pool and chooses among that
/// chapter's candidates, so that a step costs the same however many songs there are.
///
/// A request to stop ([`interrupt`](crate::interrupt)) ends it after the running step.
///
/// # Errors
/// [`Error::Argument`] for impossible settings; [`Error::Memory`] when a batch does not fit into the
/// memory that is free; [`Error::Data`] when the loss is no longer finite.
pub fn point(
    network: &mut GrainNetwork,
    pool: &Arc<GrainPool>,
    settings: &GrainTraining,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    observer.prepared(pool);
    observer.prepared(network);
    descend(&NextGrain::new(network, pool, settings)?, &settings.descent, observer)
}

/// The cross-entropy of the grain that follows, among a chapter's.
struct NextGrain<'a> {
    network: &'a GrainNetwork,
    pool: &'a Arc<GrainPool>,
    settings: &'a GrainTraining,
    lessons: Vec<Lesson>,
    /// Chapters whose end is kept aside.
    validation: Vec<usize>,
}

/// Chapters that a validation listens to at most.
const VALIDATED_CHAPTERS: usize = 16;

impl<'a> NextGrain<'a> {
    fn new(
        network: &'a GrainNetwork,
        pool: &'a Arc<GrainPool>,
        settings: &'a GrainTraining,
    ) -> Result<Self> {
        let chapters = pool.chapters().into_iter().filter(|chapter| chapter.grains.len() > 1);
        let lesson = |chapter| Lesson::new(pool, chapter, settings, network.device().candle());
        let lessons = chapters.map(lesson).collect::<Result<Vec<_>>>()?;
        let kept: Vec<usize> = (0..lessons.len()).filter(|at| lessons[*at].has_kept()).collect();
        if kept.is_empty() && settings.descent.validation > 0.0 {
            let expected = "a share that keeps two grains of a song aside, and leaves two";
            return Err(Error::argument("validation", expected, settings.descent.validation));
        }
        let every = kept.len().div_ceil(VALIDATED_CHAPTERS).max(1);
        let validation = kept.into_iter().step_by(every).collect();
        Ok(Self { network, pool, settings, lessons, validation })
    }

    /// A chapter, the longer the likelier.
    fn lesson(&self, random: &mut ChaCha8Rng) -> &Lesson {
        let grains = |lesson: &Lesson| lesson.trained.len();
        let mut place = random.random_range(0..self.lessons.iter().map(grains).sum());
        let found = self.lessons.iter().find(|lesson| match place.checked_sub(grains(lesson)) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        });
        found.unwrap_or(&self.lessons[0])
    }

    fn of_lesson(
        &self,
        lesson: &Lesson,
        (input, targets): (Tensor, SoftTargets),
        dropout: &Dropout,
    ) -> Result<Tensor> {
        let (queries, _) = self.network.forward(&input, None, dropout)?;
        let keys = self.network.keys(&lesson.candidates)?;
        let queries = queries.flatten(0, 1)?;
        soft_cross_entropy(&queries.matmul(&keys.t()?)?, targets)
    }
}

impl DrawnLoss for NextGrain<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.network.variables()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn numbers_per_sequence(&self) -> u64 {
        let config = self.network.config();
        let rows =
            |lesson: &Lesson| lesson.chapter.grains.len() * self.pool.settings().shifts.len();
        // Logits, their probabilities and gradients.
        let most = 3 * self.lessons.iter().map(rows).max().unwrap_or(0);
        let of_row = self.network.numbers_per_row() + 3 * config.query + most;
        (self.settings.sequence_grains * of_row) as u64
    }

    fn of_batch(
        &self,
        _: Place,
        rows: Range<usize>,
        dropout: &Dropout,
        random: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        let lesson = self.lesson(random);
        let drawn = lesson.draw(self, &lesson.trained, (rows, self.settings.noise), random)?;
        self.of_lesson(lesson, drawn, dropout)
    }

    fn validation_batches(&self) -> usize {
        self.validation.len()
    }

    fn of_validation(&self, batch: usize, random: &mut ChaCha8Rng) -> Result<(Tensor, usize)> {
        let lesson = &self.lessons[self.validation[batch]];
        let sequences = self.settings.descent.batch_size;
        let drawn = lesson.draw(self, &lesson.kept(), (0..sequences, 0.0), random)?;
        Ok((self.of_lesson(lesson, drawn, &Dropout::NONE)?, sequences))
    }

    fn songs_of(&self, random: &mut ChaCha8Rng) -> Vec<String> {
        let first = self.lesson(random).chapter.grains.start;
        let song = self.pool.songs().iter().find(|song| song.grains.contains(&first));
        song.map(|song| song.title.clone()).into_iter().collect()
    }

    fn identity(&self) -> Result<Identity> {
        let titles = self.pool.own_songs().iter().map(|song| song.title.as_str());
        let mut data = Fingerprint::default();
        data.add(self.pool.embeddings());
        let what = (ModelKind::Grains, self.network.config(), self.pool.settings());
        Identity::new(self.settings, what, titles, data)
    }

    fn described(&self) -> Value {
        ModelFile::described(GRAINS, self.network.config())
    }

    fn in_training(&self) -> InTraining<'_> {
        InTraining::Grains(self.network, self.pool, self.settings)
    }
}

/// A chapter, ready to draw batches from.
struct Lesson {
    chapter: Chapter,
    /// The chapter's candidates: (candidates, width).
    candidates: Tensor,
    /// For each candidate, those that sound most like it, numbered within the chapter.
    neighbours: SoftTargets,
    /// Grains of the chapter to train on; those after them are kept aside.
    trained: Range<usize>,
}

impl Lesson {
    fn new(
        pool: &GrainPool,
        chapter: Chapter,
        settings: &GrainTraining,
        device: &candle_core::Device,
    ) -> Result<Self> {
        let (width, shifts) = (pool.width(), pool.settings().shifts.len());
        let from = chapter.grains.start * shifts * width;
        let rows = &pool.embeddings()[from..chapter.grains.end * shifts * width];
        let candidates = Tensor::from_slice(rows, (rows.len() / width, width), device)?;
        let neighbours = neighbours(rows, &pool.weights(), settings.target_entropy);
        let Range { start, end } = chapter.grains;
        let aside = ((end - start) as f64 * settings.descent.validation).round() as usize;
        // A run has two grains at least.
        let aside = if aside < 2 || end - start < aside + 2 { 0 } else { aside };
        Ok(Self { chapter, candidates, neighbours, trained: start..end - aside })
    }

    fn kept(&self) -> Range<usize> {
        self.trained.end..self.chapter.grains.end
    }

    fn has_kept(&self) -> bool {
        !self.kept().is_empty()
    }

    /// These of a batch's sequences of `grains`, with noise: the input rows, and for each what should
    /// come next. Those before are drawn, too.
    fn draw(
        &self,
        of: &NextGrain<'_>,
        grains: &Range<usize>,
        (rows, most_noise): (Range<usize>, f32),
        random: &mut ChaCha8Rng,
    ) -> Result<(Tensor, SoftTargets)> {
        let pool = of.pool;
        let (width, shifts) = (pool.width(), pool.settings().shifts.len());
        let steps = of.settings.sequence_grains.min(grains.len() - 1);
        let mut input = Vec::with_capacity(rows.len() * steps * (width + PHASES));
        let per_row = self.neighbours.per_row;
        let mut targets = SoftTargets { candidates: Vec::new(), shares: Vec::new(), per_row };
        for row in 0..rows.end {
            let is_wanted = rows.contains(&row);
            let first = grains.start + random.random_range(0..grains.len() - steps);
            let shift = random.random_range(0..shifts);
            let noise = most_noise * random.random::<f32>();
            for grain in first..first + steps {
                let candidate = pool.candidate(grain, shift);
                let start = input.len();
                input_row(pool, candidate, &mut input);
                for value in &mut input[start..start + width] {
                    *value += noise * random.sample::<f32, _>(StandardNormal);
                }
                if !is_wanted {
                    input.truncate(start);
                    continue;
                }
                let next = (candidate + shifts) - self.chapter.grains.start * shifts;
                let named = next * per_row..(next + 1) * per_row;
                targets.candidates.extend(&self.neighbours.candidates[named.clone()]);
                targets.shares.extend(&self.neighbours.shares[named]);
            }
        }
        let shape = (rows.len(), steps, width + PHASES);
        Ok((Tensor::from_vec(input, shape, of.network.device().candle())?, targets))
    }
}

/// Adds a candidate's input row: what it sounds like, and a 1 at its phase.
pub(crate) fn input_row(pool: &GrainPool, candidate: usize, to: &mut Vec<f32>) {
    let width = pool.width();
    to.extend_from_slice(&pool.embeddings()[candidate * width..(candidate + 1) * width]);
    let phases = to.len();
    to.resize(phases + PHASES, 0.0);
    to[phases + pool.grains()[pool.grain_of(candidate)].phase.index()] = 1.0;
}

/// For each row the nearest rows, itself included, with shares exp(−d²/s), s such that they have an
/// entropy of `entropy` nats.
fn neighbours(rows: &[f32], weights: &[f32], entropy: f64) -> SoftTargets {
    let width = weights.len();
    let scaled: Vec<f32> = rows
        .chunks_exact(width)
        .flat_map(|row| row.iter().zip(weights).map(|(value, weight)| value * weight))
        .collect();
    let count = scaled.len() / width;
    let per_row = NEIGHBOURS.min(count);
    let of_row = |row: usize| {
        let centre = &scaled[row * width..(row + 1) * width];
        let mut nearest: Vec<(f32, u32)> = scaled
            .chunks_exact(width)
            .enumerate()
            .map(|(index, other)| {
                let squares = centre.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
                (squares.sum(), index as u32)
            })
            .collect();
        let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        if per_row < count {
            nearest.select_nth_unstable_by(per_row - 1, order);
            nearest.truncate(per_row);
        }
        nearest.sort_unstable_by(order);
        let shares = shares(&nearest, entropy);
        (nearest.into_iter().map(|(_, index)| index).collect::<Vec<_>>(), shares)
    };
    let found: Vec<(Vec<u32>, Vec<f32>)> = (0..count).into_par_iter().map(of_row).collect();
    SoftTargets {
        candidates: found.iter().flat_map(|(indices, _)| indices).copied().collect(),
        shares: found.iter().flat_map(|(_, shares)| shares).copied().collect(),
        per_row,
    }
}

/// exp(−d²/s) of the nearest, adding up to 1; s is halved in on the wished entropy.
fn shares(nearest: &[(f32, u32)], entropy: f64) -> Vec<f32> {
    let at = |spread: f64| -> Vec<f64> {
        let raw: Vec<f64> =
            nearest.iter().map(|(squares, _)| (-f64::from(*squares) / spread).exp()).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|share| share / sum).collect()
    };
    let entropy_of = |shares: &[f64]| -> f64 {
        shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum()
    };
    let (mut low, mut high) = (1e-6f64, 1e6f64);
    for _ in 0..40 {
        let middle = (low * high).sqrt();
        if entropy_of(&at(middle)) < entropy { low = middle } else { high = middle }
    }
    at(high).into_iter().map(|share| share as f32).collect()
}
