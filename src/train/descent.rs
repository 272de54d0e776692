//! A fixed number of optimizer steps on sequences drawn at random, as grains and codes learn.

use super::fit::{Mean, Objective, Place, Plan, Steps, fit};
use super::memory::check_drawn;
use super::optimizer::{AdamW, Optimizer, Rule};
use super::schedule::Schedule;
use super::{Checkpoints, History, InTraining, Observer};
use crate::model::{Device, Dropout};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the learning rate has fallen to at the last step, where no schedule is given.
const LAST_SHARE: f64 = 1.0 / 200.0;

/// How many optimizer steps to make, and how.
///
/// ```
/// use neural_composer::train::{CodeTraining, schedule::Schedule};
/// let mut training = CodeTraining::default();
/// training.descent.steps = 400;
/// training.descent.schedule = Some(Schedule::WarmUp { steps: 20 });
/// training.descent.validation = 0.1;
/// assert_eq!(training.descent.epochs(), 20);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Descent {
    /// Optimizer steps. Usual: 300 for grains, 160 for codes.
    pub steps: usize,
    /// Steps that are reported together as an epoch. Usual: 20.
    pub steps_per_epoch: usize,
    /// Sequences per step. Usual: 32 for grains, 24 for codes.
    pub batch_size: usize,
    /// How gradients become changes of parameters. Usual: AdamW with a weight decay of 0.05.
    pub rule: Rule,
    /// Step size at the beginning. Usual: 0.002.
    pub learning_rate: f64,
    /// How the step size moves. Without one it falls in a straight line to a two-hundredth.
    pub schedule: Option<Schedule>,
    /// Gradients are scaled down to this norm where theirs is larger. Usual: 1.
    pub clip_norm: Option<f64>,
    /// The share of each recurrent layer's outputs that is set to 0, at random. Usual: 0.3.
    pub dropout: f64,
    /// The share at the end of each song that is kept aside to measure what was not trained on, from 0
    /// to below 1. Usual: 0.
    pub validation: f64,
    /// Stop after so many epochs without a better loss (validation, where there is one), and go back
    /// to the best parameters.
    pub patience: Option<usize>,
    /// Where and how often a composer saves its model while it learns.
    pub checkpoints: Option<Checkpoints>,
    /// Decides everything drawn at random.
    pub seed: u64,
}

impl Default for Descent {
    fn default() -> Self {
        Self {
            steps: 300,
            steps_per_epoch: 20,
            batch_size: 32,
            rule: Rule::AdamW(AdamW { weight_decay: 0.05, ..AdamW::default() }),
            learning_rate: 2e-3,
            schedule: None,
            clip_norm: Some(1.0),
            dropout: 0.3,
            validation: 0.0,
            patience: None,
            checkpoints: None,
            seed: 1,
        }
    }
}

impl Descent {
    /// Epochs of the whole training, if no early stop comes.
    pub fn epochs(&self) -> usize {
        self.steps.div_ceil(self.steps_per_epoch.max(1))
    }

    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub(super) fn check(&self) -> Result<()> {
        Error::refuse_zero([
            ("steps", self.steps),
            ("steps_per_epoch", self.steps_per_epoch),
            ("batch_size", self.batch_size),
        ])?;
        self.plan().check()?;
        Dropout::new(self.dropout, self.seed)?;
        if !(0.0..1.0).contains(&self.validation) {
            return Err(Error::argument(
                "validation",
                "a share from 0 to below 1",
                self.validation,
            ));
        }
        match &self.checkpoints {
            Some(checkpoints) => checkpoints.check(),
            None => Ok(()),
        }
    }

    fn plan(&self) -> Plan {
        let falling = Schedule::Linear { steps: self.steps as u64, floor: LAST_SHARE };
        Plan {
            epochs: self.epochs(),
            learning_rate: self.learning_rate,
            schedule: self.schedule.unwrap_or(falling),
            clip_norm: self.clip_norm,
            patience: self.patience,
        }
    }

    /// Steps in an epoch: the last one has those that are left.
    fn steps_in(&self, epoch: usize) -> usize {
        let before = (epoch - 1) * self.steps_per_epoch;
        self.steps_per_epoch.min(self.steps.saturating_sub(before))
    }

    /// The number of the step at a place, from 0.
    fn step(&self, place: Place) -> u64 {
        ((place.epoch - 1) * self.steps_per_epoch + place.batch) as u64
    }
}

/// A loss over batches of sequences that are drawn at random.
pub(super) trait DrawnLoss {
    /// The tensors to train, by name.
    fn variables(&self) -> &BTreeMap<String, Var>;

    /// Where they are.
    fn device(&self) -> &Device;

    /// Numbers that a batch of one sequence keeps for the backward pass.
    fn numbers_per_sequence(&self) -> u64;

    /// Of a batch at a place.
    fn of_batch(&self, place: Place, dropout: &Dropout, random: &mut ChaCha8Rng) -> Result<Tensor>;

    /// Of batches of what is kept aside: how many there are.
    fn validation_batches(&self) -> usize;

    /// Of one of them, and over how many sequences it is the mean.
    fn of_validation(&self, batch: usize, random: &mut ChaCha8Rng) -> Result<(Tensor, usize)>;

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
    if loss.device().is_cpu() {
        let parameters = loss.variables().values().map(|variable| variable.elem_count() as u64);
        // Gradients, the rule's state, the best parameters so far.
        let best = u64::from(descent.patience.is_some());
        let copies = 1 + descent.rule.memories().len() as u64 + best;
        let numbers = loss.numbers_per_sequence();
        check_drawn((parameters.sum(), copies), numbers, descent.batch_size)?;
    }
    let variables = loss.variables().iter();
    let named = variables.map(|(name, variable)| (name.clone(), variable.clone())).collect();
    let optimizer = Optimizer::new(descent.rule, named)?;
    let dropout = Dropout::new(descent.dropout, descent.seed)?;
    fit(&mut Drawn { loss, descent, dropout }, &descent.plan(), optimizer, observer)
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

    fn batches(&self) -> usize {
        self.descent.steps_per_epoch
    }

    fn begin_epoch(&mut self, epoch: usize) -> usize {
        self.descent.steps_in(epoch)
    }

    fn batch(&mut self, place: Place, steps: &mut Steps) -> Result<(f64, usize)> {
        let dropout = self.dropout.at_update(self.descent.step(place));
        let mut random = place.random(self.descent.seed);
        let loss = self.loss.of_batch(place, &dropout, &mut random)?;
        Ok((steps.minimize(&loss)?, self.descent.batch_size))
    }

    fn validate(&mut self) -> Result<Option<f64>> {
        let mut mean = Mean::default();
        for batch in 0..self.loss.validation_batches() {
            // The same sequences after every epoch; training has none of epoch 0.
            let mut random = Place { epoch: 0, batch, done: 0.0 }.random(self.descent.seed);
            let (loss, sequences) = self.loss.of_validation(batch, &mut random)?;
            mean.add((f64::from(loss.to_scalar::<f32>()?), sequences));
        }
        Ok((!mean.is_empty()).then(|| mean.value()))
    }

    fn end_epoch(
        &mut self,
        history: &History,
        _seconds: f64,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        observer.learned(self.loss.in_training(), history)
    }
}
