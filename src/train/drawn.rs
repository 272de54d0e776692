//! Training on sequences that are drawn at random, as grains and codes are.

use super::batch_loss::BatchLoss;
use super::checkpoints::Identity;
use super::fit::fit;
use super::memory::DrawnNeed;
use super::objective::{Mean, Objective, Place, Steps};
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::{Descent, History, InTraining, Observer};
use crate::Result;
use crate::model::{Device, Dropout};
use crate::processes::Share;
use candle_core::{Tensor, Var};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// A loss over batches of sequences that are drawn at random.
pub(super) trait DrawnLoss {
    /// The tensors to train, by name.
    fn variables(&self) -> &BTreeMap<String, Var>;

    /// Where they are.
    fn device(&self) -> &Device;

    /// Numbers that a batch of one sequence keeps for the backward pass.
    fn numbers_per_sequence(&self) -> u64;

    /// Of these rows of the batch at a place.
    fn of_batch(
        &self,
        place: Place,
        rows: Range<usize>,
        dropout: &Dropout,
        random: &mut ChaCha8Rng,
    ) -> Result<Tensor>;

    /// Of batches of what is kept aside: how many there are.
    fn validation_batches(&self) -> usize;

    /// Of one of them, and over how many sequences it is the mean.
    fn of_validation(&self, batch: usize, random: &mut ChaCha8Rng) -> Result<(Tensor, usize)>;

    /// The titles of the songs that a batch is drawn from, given its generator.
    fn songs_of(&self, random: &mut ChaCha8Rng) -> Vec<String>;

    /// What has to be the same for a training to go on.
    fn identity(&self) -> Result<Identity>;

    /// What a checkpoint says of the network.
    fn described(&self) -> Value;

    /// What learns, for those who watch.
    fn in_training(&self) -> InTraining<'_>;
}

/// Minimises `loss` as `descent` says.
pub(super) fn descend(
    loss: &dyn DrawnLoss,
    descent: &Descent,
    observer: &mut dyn Observer,
) -> Result<History> {
    descent.check()?;
    let parameters = loss.variables().values().map(|variable| variable.elem_count() as u64);
    // Gradients, the rule's state, the best parameters so far.
    let best = u64::from(descent.patience.is_some());
    let copies = 1 + descent.rule.memories().len() as u64 + best;
    let numbers = loss.numbers_per_sequence();
    let of_one = descent.processes.share(descent.batch_size).rows.len();
    let need = DrawnNeed::new((parameters.sum(), copies), numbers, of_one);
    need.check(loss.device().free_bytes())?;
    let variables = loss.variables().iter();
    let named = variables.map(|(name, variable)| (name.clone(), variable.clone())).collect();
    let optimizer = Optimizer::new(descent.rule, named)?;
    let dropout = Dropout::new(descent.dropout, descent.seed)?;
    let plan = Plan { needed_bytes: need.bytes(), ..descent.plan() };
    fit(&mut Drawn { loss, descent, dropout }, &plan, optimizer, observer)
        .map_err(|error| need.explained(error, loss.device().free_bytes().unwrap_or(0)))
}

/// The objective of a [`DrawnLoss`].
struct Drawn<'a> {
    loss: &'a dyn DrawnLoss,
    descent: &'a Descent,
    dropout: Dropout,
}

impl Objective for Drawn<'_> {
    fn variables(&self) -> &BTreeMap<String, Var> {
        self.loss.variables()
    }

    fn device(&self) -> &Device {
        self.loss.device()
    }

    fn in_training(&self) -> InTraining<'_> {
        self.loss.in_training()
    }

    fn batches(&self) -> usize {
        self.descent.steps_per_epoch
    }

    fn begin_epoch(&mut self, epoch: usize) -> usize {
        steps_in(self.descent, epoch)
    }

    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(BatchLoss, usize)> {
        let Share { rows, weight } = self.descent.processes.share(self.descent.batch_size);
        let dropout = self.dropout.at_update(step(self.descent, place)).at_sequence(rows.start);
        let mut random = place.random(self.descent.seed);
        let loss = self.loss.of_batch(place, rows, &dropout, &mut random)?;
        Ok((steps.minimize(&loss, weight)?, self.descent.batch_size))
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let mut mean = Mean::default();
        let processes = &self.descent.processes;
        let own = processes.dealt(self.loss.validation_batches());
        for batch in own {
            // The same sequences after every epoch; training has none of epoch 0.
            let mut random = Place { epoch: 0, batch, done: 0.0 }.random(self.descent.seed);
            let (loss, sequences) = self.loss.of_validation(batch, &mut random)?;
            mean.add((f64::from(loss.to_scalar::<f32>()?), sequences));
        }
        let mean = mean.of_all(processes)?;
        Ok((!mean.is_empty()).then(|| mean.value()))
    }

    fn songs_of(&self, place: Place) -> Vec<String> {
        self.loss.songs_of(&mut place.random(self.descent.seed))
    }

    fn identity(&self) -> Result<Identity> {
        self.loss.identity()
    }

    fn described(&self) -> Result<(Value, BTreeMap<String, Tensor>)> {
        Ok((self.loss.described(), BTreeMap::new()))
    }
}

/// Steps in an epoch: the last one has those that are left.
fn steps_in(descent: &Descent, epoch: usize) -> usize {
    let before = (epoch - 1) * descent.steps_per_epoch;
    descent.steps_per_epoch.min(descent.steps.saturating_sub(before))
}

/// The number of the step at a place, from 0.
fn step(descent: &Descent, place: Place) -> u64 {
    ((place.epoch - 1) * descent.steps_per_epoch + place.batch) as u64
}
