//! What a training minimises, batch by batch.

use super::InTraining;
use super::batch_loss::BatchLoss;
use super::checkpoints::Identity;
use super::exchange::{Exchange, weighted};
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::schedule::Progress;
use crate::Result;
use crate::model::Device;
use crate::model::gradients::Taker;
use crate::processes::Processes;
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a training minimises.
pub(super) trait Objective {
    /// The tensors to train, by name.
    fn variables(&self) -> &BTreeMap<String, Var>;

    /// Where they are.
    fn device(&self) -> &Device;

    /// What learns.
    fn in_training(&self) -> InTraining<'_>;

    /// Batches of a whole epoch.
    fn batches(&self) -> usize;

    /// Puts the batches of an epoch in order; how many there are, the last epoch may be shorter.
    fn begin_epoch(&mut self, epoch: usize) -> usize;

    /// Minimises the loss of one batch; the mean loss, and over how many sequences.
    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(BatchLoss, usize)>;

    /// How long the running epoch has waited for data, in seconds.
    fn waited_seconds(&self) -> f64 {
        0.0
    }

    /// The titles of the songs that a batch is from.
    fn songs_of(&self, place: Place) -> Vec<String>;

    /// The mean loss over what is kept aside, if anything is.
    fn validate(&mut self) -> Result<Option<f64>>;

    /// So many epochs are done, `seconds` after training began.
    fn end_epoch(&mut self, _epochs: usize, _seconds: f64) {}

    /// What has to be the same for a training to go on.
    fn identity(&self) -> Result<Identity>;

    /// What a model file says of the network, and the tensors besides its parameters.
    fn described(&self) -> Result<(Value, BTreeMap<String, Tensor>)>;

    /// Takes over what a checkpoint's model file says of the network, but for its parameters.
    fn go_on(&mut self, _description: &Value) -> Result<()> {
        Ok(())
    }

    /// How often the network was changed, where that is counted.
    fn updates(&self) -> usize {
        0
    }

    /// Puts that count back.
    fn set_updates(&mut self, _updates: usize) {}
}

/// A batch's place in a training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// Counted from 1.
    pub epoch: usize,
    /// Counted from 0 in its epoch.
    pub batch: usize,
    /// The share of all batches that is done, from 0 to below 1.
    pub done: f64,
}

impl Place {
    /// A generator for what is drawn at this place, which no other draw moves on.
    pub fn random(self, seed: u64) -> ChaCha8Rng {
        random_at([seed, self.epoch as u64, 1 + self.batch as u64])
    }
}

/// A generator for what is drawn for an epoch as a whole.
pub(super) fn random_of_epoch(seed: u64, epoch: usize) -> ChaCha8Rng {
    random_at([seed, epoch as u64, 0])
}

fn random_at(parts: [u64; 3]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, part) in key.chunks_exact_mut(8).zip(parts) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Makes optimizer steps of the size that the schedule says.
pub(super) struct Steps {
    pub optimizer: Optimizer,
    pub progress: Progress,
    full_rate: f64,
    /// What a step back has left of the rate.
    pub rate_share: f64,
    /// The last step's.
    pub rate: f64,
    /// With other processes, where there are any.
    exchange: Option<Exchange>,
}

impl Steps {
    pub fn new(mut optimizer: Optimizer, plan: &Plan<'_>) -> Result<Self> {
        let exchange = Exchange::between(plan.processes, optimizer.parameters())?;
        if let Some(exchange) = &exchange {
            optimizer.tell(exchange.taker());
        }
        Ok(Self {
            optimizer,
            exchange,
            progress: plan.schedule.start()?,
            full_rate: plan.learning_rate,
            rate_share: 1.0,
            rate: plan.learning_rate,
        })
    }

    /// Goes down along the gradients of `loss`, a scalar, which counts `weight` in the loss of all
    /// processes; the value of that.
    pub fn minimize(&mut self, loss: &Tensor, weight: f64) -> Result<BatchLoss> {
        let loss = if self.exchange.is_some() { &weighted(loss, weight)? } else { loss };
        let value = BatchLoss::of(loss)?;
        let is_alone = self.exchange.is_none();
        if is_alone && value.is_wrong() {
            return Ok(value);
        }
        let gradients = self.optimizer.gradients(loss)?;
        let (gradients, value) = self.add_up(gradients, value)?;
        self.step(&gradients, &value)?;
        Ok(value)
    }

    /// Who is to be told of gradients that [`add_up`](Self::add_up) is given then.
    pub fn taker(&self) -> Option<Arc<dyn Taker>> {
        self.exchange.as_ref().map(Exchange::taker)
    }

    /// The sums over all processes of gradients and losses, weighted by what each process counts.
    pub fn add_up(&self, gradients: GradStore, loss: BatchLoss) -> Result<(GradStore, BatchLoss)> {
        match &self.exchange {
            Some(exchange) => {
                let (gradients, loss) = exchange.add_up(gradients, loss.value()?)?;
                Ok((gradients, BatchLoss::Known(loss)))
            }
            None => Ok((gradients, loss)),
        }
    }

    /// Goes down along the `gradients` of `loss`. Where that is no number, nothing changes: what made it
    /// so can be found.
    pub fn step(&mut self, gradients: &GradStore, loss: &BatchLoss) -> Result<()> {
        if loss.is_wrong() {
            return Ok(());
        }
        self.rate = self.progress.next_rate(self.full_rate * self.rate_share);
        self.optimizer.step_where_finite(gradients, self.rate, loss.on_card())
    }
}

/// A mean over sequences: the last batch of an epoch may be smaller than the others.
#[derive(Default)]
pub(super) struct Mean {
    pub sum: f64,
    pub sequences: usize,
}

impl Mean {
    pub fn add(&mut self, (loss, sequences): (f64, usize)) {
        self.sum += loss * sequences as f64;
        self.sequences += sequences;
    }

    pub fn is_empty(&self) -> bool {
        self.sequences == 0
    }

    /// Over the sequences of all processes.
    pub fn of_all(self, processes: &Processes) -> Result<Self> {
        let sums = processes.sum(&[self.sum, self.sequences as f64])?;
        Ok(Self { sum: sums[0], sequences: sums[1] as usize })
    }

    pub fn value(&self) -> f64 {
        self.sum / self.sequences as f64
    }
}
