//! Training by a fixed number of optimizer steps, as both composers' networks learn.

use super::optimizer::{AdamW, Optimizer, Rule};
use super::{EpochRecord, History, Observer, Position, Stop};
use crate::model::Device;
use crate::{Error, Result, interrupt};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;
use std::time::Instant;

/// The gradient of a step is made no longer than this.
const CLIP_NORM: f64 = 1.0;
/// What the step size has fallen to at the last step.
const LAST_SHARE: f64 = 1.0 / 200.0;

/// So many steps of AdamW with a step size that falls in a straight line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Descent {
    pub steps: usize,
    /// Steps that are reported together as an epoch.
    pub steps_per_epoch: usize,
    /// The first step size.
    pub learning_rate: f64,
    pub weight_decay: f64,
}

impl Descent {
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        Error::refuse_zero([("steps", self.steps), ("steps_per_epoch", self.steps_per_epoch)])?;
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(Error::argument("learning_rate", "a number above 0", self.learning_rate));
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return Err(Error::argument("weight_decay", "a number from 0", self.weight_decay));
        }
        Ok(())
    }

    /// How far it is at a step: 0 at the first, 1 at the last.
    pub fn done(&self, step: usize) -> f64 {
        (step as f64 / (self.steps.max(2) - 1) as f64).min(1.0)
    }

    fn rate(&self, step: usize) -> f64 {
        self.learning_rate * (1.0 + (LAST_SHARE - 1.0) * self.done(step))
    }

    /// Minimises what `loss` gives for each step. A request to stop ends it after the running step.
    ///
    /// # Errors
    /// What `loss` reports; [`Error::Data`] when it stops being a number.
    pub fn run(
        &self,
        variables: &BTreeMap<String, Var>,
        device: &Device,
        observer: &mut dyn Observer,
        mut loss: impl FnMut(usize) -> Result<Tensor>,
    ) -> Result<History> {
        let rule = Rule::AdamW(AdamW { weight_decay: self.weight_decay, ..AdamW::default() });
        let named = variables.iter().map(|(name, variable)| (name.clone(), variable.clone()));
        let mut optimizer =
            Optimizer::new(rule, named.collect())?.with_clip_norm(Some(CLIP_NORM))?;
        let mut history = History::empty(device);
        let epochs = self.steps.div_ceil(self.steps_per_epoch);
        let (start, mut epoch_start, mut losses) = (Instant::now(), Instant::now(), 0.0);
        for step in 0..self.steps {
            let loss = loss(step)?;
            let value = f64::from(loss.to_scalar::<f32>()?);
            if !value.is_finite() {
                return Err(Error::Data(format!(
                    "the loss is {value} at step {}: training diverged; use a lower learning rate \
                     than {}",
                    step + 1,
                    self.learning_rate
                )));
            }
            optimizer.minimize(&loss, self.rate(step))?;
            losses += value;
            let batch = step % self.steps_per_epoch + 1;
            let position = Position {
                epoch: step / self.steps_per_epoch + 1,
                epochs,
                batch,
                batches: self.steps_per_epoch,
                loss: losses / batch as f64,
                elapsed_seconds: start.elapsed().as_secs_f64(),
            };
            observer.batch(&history, &position);
            if batch == self.steps_per_epoch || step + 1 == self.steps {
                history.epochs.push(EpochRecord {
                    epoch: position.epoch,
                    train_loss: position.loss,
                    validation_loss: None,
                    learning_rate: self.rate(step),
                    seconds: epoch_start.elapsed().as_secs_f64(),
                });
                observer.epoch(&history, &position);
                (epoch_start, losses) = (Instant::now(), 0.0);
            }
            if interrupt::requested() {
                history.stop = Stop::Interrupted;
                break;
            }
        }
        Ok(history)
    }
}
