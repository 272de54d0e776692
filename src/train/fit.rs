//! The training loop, which all networks share.
//!
//! An [`Objective`] says what is minimised; everything else is here: epochs, the step size, clipping,
//! early stopping, checkpoints, the history, observers, the stop.

use super::best::Best;
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::schedule::Progress;
use super::{EpochRecord, History, Observer, Position, Stop};
use crate::model::Device;
use crate::{Error, Result, interrupt};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Instant;

/// What a training minimises.
pub(super) trait Objective {
    /// The tensors to train, by name.
    fn variables(&self) -> &BTreeMap<String, Var>;

    /// Where they are.
    fn device(&self) -> &Device;

    /// Batches of a whole epoch.
    fn batches(&self) -> usize;

    /// Puts the batches of an epoch in order; how many there are, the last epoch may be shorter.
    fn begin_epoch(&mut self, epoch: usize) -> usize;

    /// Minimises the loss of one batch; the mean loss, and over how many sequences.
    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(f64, usize)>;

    /// The mean loss over what is kept aside, if anything is.
    fn validate(&mut self) -> Result<Option<f64>>;

    /// An epoch is done, `seconds` after training began.
    fn end_epoch(
        &mut self,
        history: &History,
        seconds: f64,
        observer: &mut dyn Observer,
    ) -> Result<()>;
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
    optimizer: Optimizer,
    progress: Progress,
    learning_rate: f64,
    /// The last step's.
    rate: f64,
}

impl Steps {
    fn new(optimizer: Optimizer, plan: &Plan) -> Result<Self> {
        Ok(Self {
            optimizer,
            progress: plan.schedule.start()?,
            learning_rate: plan.learning_rate,
            rate: plan.learning_rate,
        })
    }

    /// Goes down along the gradients of `loss`, a scalar; its value.
    pub fn minimize(&mut self, loss: &Tensor) -> Result<f64> {
        self.rate = self.progress.next_rate(self.learning_rate);
        self.optimizer.minimize(loss, self.rate)
    }

    /// Goes down along `gradients`.
    pub fn step(&mut self, gradients: &GradStore) -> Result<()> {
        self.rate = self.progress.next_rate(self.learning_rate);
        self.optimizer.step(gradients, self.rate)
    }
}

/// Trains towards `objective` as `plan` says, with the steps of `optimizer`.
///
/// A request to stop ([`interrupt`]) ends it after the running batch; the history says so.
///
/// # Errors
/// What the objective reports; [`Error::Data`] when the loss is no longer finite.
pub(super) fn fit(
    objective: &mut dyn Objective,
    plan: &Plan,
    optimizer: Optimizer,
    observer: &mut dyn Observer,
) -> Result<History> {
    let mut steps = Steps::new(optimizer.with_clip_norm(plan.clip_norm)?, plan)?;
    let mut best = Best::new(plan.patience);
    let mut history = History::empty(objective.device());
    let (start, whole) = (Instant::now(), objective.batches());
    for epoch in 1..=plan.epochs {
        let epoch_start = Instant::now();
        let batches = objective.begin_epoch(epoch);
        let mut position = Position {
            epoch,
            epochs: plan.epochs,
            batch: 0,
            batches: whole,
            loss: 0.0,
            elapsed_seconds: 0.0,
        };
        let mut mean = Mean::default();
        for batch in 0..batches {
            let done = position.batches_done() as f64 / position.batches_planned() as f64;
            mean.add(objective.batch(Place { epoch, batch, done }, &mut steps)?);
            position.batch += 1;
            position.loss = mean.value();
            position.elapsed_seconds = start.elapsed().as_secs_f64();
            if !position.loss.is_finite() {
                return Err(Error::Data(format!(
                    "the loss is {} after epoch {epoch}, batch {}: training diverged; use a lower \
                     learning rate than {} or a clip norm",
                    position.loss, position.batch, plan.learning_rate
                )));
            }
            observer.batch(&history, &position);
            if interrupt::requested() {
                break;
            }
        }
        if position.batch == batches {
            let record = EpochRecord {
                epoch,
                train_loss: mean.value(),
                validation_loss: objective.validate()?,
                learning_rate: steps.rate,
                seconds: epoch_start.elapsed().as_secs_f64(),
            };
            steps.progress.observe(record.deciding_loss());
            history.epochs.push(record);
            position.elapsed_seconds = start.elapsed().as_secs_f64();
            observer.epoch(&history, &position);
            objective.end_epoch(&history, position.elapsed_seconds, observer)?;
        }
        if interrupt::requested() {
            history.stop = Stop::Interrupted;
            break;
        }
        if let Some(record) = history.epochs.last()
            && best.is_out_of_patience(record, objective.variables())?
        {
            history.stop = Stop::Early;
            best.restore()?;
            break;
        }
    }
    Ok(history)
}

/// A mean over sequences: the last batch of an epoch may be smaller than the others.
#[derive(Default)]
pub(super) struct Mean {
    sum: f64,
    sequences: usize,
}

impl Mean {
    pub fn add(&mut self, (loss, sequences): (f64, usize)) {
        self.sum += loss * sequences as f64;
        self.sequences += sequences;
    }

    pub fn is_empty(&self) -> bool {
        self.sequences == 0
    }

    pub fn value(&self) -> f64 {
        self.sum / self.sequences as f64
    }
}
