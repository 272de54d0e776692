use super::descent::Descent;
use super::fit::{Objective, Place, Steps, fit};
use super::loss::{SoftTargets, soft_cross_entropy};
use super::{History, Observer};
use crate::dataset::grains::{Chapter, GrainPool, PHASES};
use crate::model::{Device, Dropout, GrainNetwork};
use crate::{Error, Result, interrupt};
use candle_core::{Tensor, Var};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How to teach a [`GrainNetwork`] the order of grains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrainTraining {
    /// Optimizer steps. Usual: 300.
    pub steps: usize,
    /// Steps that are reported together as an epoch.
    pub steps_per_epoch: usize,
    /// Sequences per step. Usual: 32.
    pub batch_size: usize,
    /// Grains per sequence. Usual: 32, about 6 s.
    pub sequence_grains: usize,
    /// Step size of AdamW at the beginning; it falls in a straight line to a two-hundredth.
    pub learning_rate: f64,
    /// Weight decay of AdamW. Usual: 0.05.
    pub weight_decay: f64,
    /// The share of units left out. Usual: 0.3.
    pub dropout: f32,
    /// Noise on what the network hears, up to this many standard deviations, so that it copes with
    /// grains that it would not have put there itself. Usual: 0.3.
    pub noise: f32,
    /// How many choices a target stands for: the entropy of soft targets, in nats. Usual: 1.2.
    pub target_entropy: f64,
    /// Decides everything drawn at random.
    pub seed: u64,
}

impl Default for GrainTraining {
    fn default() -> Self {
        Self {
            steps: 300,
            steps_per_epoch: 20,
            batch_size: 32,
            sequence_grains: 32,
            learning_rate: 2e-3,
            weight_decay: 0.05,
            dropout: 0.3,
            noise: 0.3,
            target_entropy: 1.2,
            seed: 1,
        }
    }
}

impl GrainTraining {
    fn check(&self) -> Result<()> {
        self.descent().check()?;
        let (batch, sequence) = (self.batch_size, self.sequence_grains);
        Error::refuse_zero([("batch_size", batch), ("sequence_grains", sequence)])?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::argument("dropout", "0 to below 1", self.dropout));
        }
        Ok(())
    }

    fn descent(&self) -> Descent {
        Descent {
            steps: self.steps,
            steps_per_epoch: self.steps_per_epoch,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
        }
    }
}

/// Neighbours that a soft target names.
const NEIGHBOURS: usize = 32;

/// Teaches `network` which grain follows which: it hears runs of grains, in all transpositions, and
/// minimises the cross-entropy with soft targets: the grain that follows in the song and those that
/// sound most like it. Each batch draws its runs from one chapter of the pool and chooses among that
/// chapter's candidates, so that a step costs the same however many songs there are.
///
/// A request to stop ([`interrupt`](crate::interrupt)) ends it after the running step.
///
/// # Errors
/// [`Error::Argument`] for impossible settings; [`Error::Data`] when the loss stops being a number.
pub fn point(
    network: &mut GrainNetwork,
    pool: &GrainPool,
    settings: &GrainTraining,
    observer: &mut dyn Observer,
) -> Result<History> {
    let _job = interrupt::begin()?;
    settings.check()?;
    let descent = settings.descent();
    let optimizer = descent.optimizer(network.variables())?;
    let mut objective = NextGrain::new(network, pool, settings)?;
    fit(&mut objective, &descent.plan(), optimizer, observer)
}

/// The cross-entropy of the grain that follows, among a chapter's.
struct NextGrain<'a> {
    network: &'a GrainNetwork,
    pool: &'a GrainPool,
    settings: &'a GrainTraining,
    descent: Descent,
    dropout: Dropout,
    lessons: Vec<Lesson>,
}

impl<'a> NextGrain<'a> {
    fn new(
        network: &'a GrainNetwork,
        pool: &'a GrainPool,
        settings: &'a GrainTraining,
    ) -> Result<Self> {
        let chapters = pool.chapters().into_iter().filter(|chapter| chapter.grains.len() > 1);
        let lesson = |chapter| Lesson::new(pool, chapter, settings, network.device().candle());
        Ok(Self {
            network,
            pool,
            settings,
            descent: settings.descent(),
            dropout: Dropout::new(f64::from(settings.dropout), settings.seed)?,
            lessons: chapters.map(lesson).collect::<Result<_>>()?,
        })
    }

    /// A chapter, the longer the likelier.
    fn lesson(&self, random: &mut ChaCha8Rng) -> &Lesson {
        let grains = |lesson: &Lesson| lesson.chapter.grains.len();
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
}

impl Objective for NextGrain<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.network.variables()
    }

    fn device(&self) -> &Device {
        self.network.device()
    }

    fn batches(&self) -> usize {
        self.descent.steps_per_epoch
    }

    fn begin_epoch(&mut self, epoch: usize) -> usize {
        self.descent.steps_in(epoch)
    }

    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(f64, usize)> {
        let mut random = place.random(self.settings.seed);
        let lesson = self.lesson(&mut random);
        let device = self.network.device().candle();
        let (input, targets) = lesson.draw(self.pool, self.settings, &mut random, device)?;
        let dropout = self.dropout.at_update(self.descent.step(place));
        let (queries, _) = self.network.forward(&input, None, &dropout)?;
        let keys = self.network.keys(&lesson.candidates)?;
        let queries = queries.flatten(0, 1)?;
        let loss = soft_cross_entropy(&queries.matmul(&keys.t()?)?, targets)?;
        Ok((steps.minimize(&loss)?, self.settings.batch_size))
    }
}

/// A chapter, ready to draw batches from.
struct Lesson {
    chapter: Chapter,
    /// The chapter's candidates: (candidates, width).
    candidates: Tensor,
    /// For each candidate, those that sound most like it, numbered within the chapter.
    neighbours: SoftTargets,
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
        Ok(Self { chapter, candidates, neighbours })
    }

    /// A batch: the input rows, and for each what should come next.
    fn draw(
        &self,
        pool: &GrainPool,
        settings: &GrainTraining,
        random: &mut ChaCha8Rng,
        device: &candle_core::Device,
    ) -> Result<(Tensor, SoftTargets)> {
        let (width, shifts) = (pool.width(), pool.settings().shifts.len());
        let grains = self.chapter.grains.len();
        let steps = settings.sequence_grains.min(grains - 1);
        let mut input = Vec::with_capacity(settings.batch_size * steps * (width + PHASES));
        let per_row = self.neighbours.per_row;
        let mut targets = SoftTargets { candidates: Vec::new(), shares: Vec::new(), per_row };
        for _ in 0..settings.batch_size {
            let first = self.chapter.grains.start + random.random_range(0..grains - steps);
            let shift = random.random_range(0..shifts);
            let noise = settings.noise * random.random::<f32>();
            for grain in first..first + steps {
                let candidate = pool.candidate(grain, shift);
                let start = input.len();
                input_row(pool, candidate, &mut input);
                for value in &mut input[start..start + width] {
                    *value += noise * bell(random);
                }
                let next = (candidate + shifts) - self.chapter.grains.start * shifts;
                let named = next * per_row..(next + 1) * per_row;
                targets.candidates.extend(&self.neighbours.candidates[named.clone()]);
                targets.shares.extend(&self.neighbours.shares[named]);
            }
        }
        let shape = (settings.batch_size, steps, width + PHASES);
        Ok((Tensor::from_vec(input, shape, device)?, targets))
    }
}

/// Adds what the network hears of a candidate: what it sounds like, and a 1 at its phase.
pub(crate) fn input_row(pool: &GrainPool, candidate: usize, to: &mut Vec<f32>) {
    let width = pool.width();
    to.extend_from_slice(&pool.embeddings()[candidate * width..(candidate + 1) * width]);
    let phases = to.len();
    to.resize(phases + PHASES, 0.0);
    to[phases + pool.grains()[pool.grain_of(candidate)].phase.index()] = 1.0;
}

/// About a normal deviate: the sum of four even ones, from one draw.
fn bell(random: &mut ChaCha8Rng) -> f32 {
    let bytes = random.random::<u32>().to_le_bytes();
    // The sum of four bytes has a mean of 510 and a deviation of 147.8.
    (bytes.iter().map(|byte| f32::from(*byte)).sum::<f32>() - 510.0) / 147.8
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
