//! How to train a network of blocks.

use super::checkpoints::settings_of;
use super::loss::Loss;
use super::optimizer::Rule;
use super::plan::Plan;
use super::schedule::Schedule;
use super::{Checkpoints, Recompute};
use crate::dataset::Dataset;
use crate::model::{Dropout, ModelKind, Precision};
use crate::processes::Processes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How to train.
///
/// ```
/// use neural_composer::train::Training;
/// let settings = Training::epochs(50).batch(5).seed(1).validation(0.1).patience(8);
/// assert_eq!(settings.batch_size, 5);
///
/// use neural_composer::train::{loss::Loss, optimizer::{AdamW, Rule}, schedule::Schedule};
/// let settings = settings
///     .rule(Rule::AdamW(AdamW::default()))
///     .schedule(Schedule::WarmUp { steps: 20 })
///     .loss(Loss::Huber { delta: 1.0 })
///     .dropout(0.2);
/// assert_eq!(settings.dropout, 0.2);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Times through all training sequences. The course: 500.
    pub epochs: usize,
    /// Sequences per optimizer step. The course: 5.
    pub batch_size: usize,
    /// How gradients become changes of parameters. The course: RMSprop as Keras has it.
    pub rule: Rule,
    /// Step size of the optimizer, before the schedule. Keras's usual value for RMSprop: 0.001.
    pub learning_rate: f64,
    /// How the step size moves. The course: not at all.
    pub schedule: Schedule,
    /// What is minimised. The course: the mean squared error.
    pub loss: Loss,
    /// The share of each recurrent layer's outputs that is set to 0, at random; from 0 to below 1.
    pub dropout: f64,
    /// How often, at the end of training, a step's input is the network's own output instead of the truth;
    /// it rises in a straight line from 0 at the beginning (scheduled sampling, Bengio et al. 2015).
    /// When it composes it has no other input, so a network that never met its own output may drift.
    pub scheduled_sampling: f64,
    /// Gradients go back through at most so many steps, each run of steps ends with an optimizer step,
    /// and the state is carried from one run to the next (truncated backpropagation through time).
    /// Without it, through whole sequences.
    pub truncate_steps: Option<usize>,
    /// What is computed again on the way back to save memory.
    pub recompute: Recompute,
    /// With how many bits large products are computed; validation has all of them. Usual: f32.
    #[serde(default, skip_serializing_if = "Precision::is_full")]
    pub precision: Precision,
    /// Decides the order of the sequences.
    pub seed: u64,
    /// The share of sequences kept aside to measure what was not trained on, from 0 to below 1.
    pub validation: f64,
    /// Stop after so many epochs without a better loss (validation, where there is one), and go
    /// back to the best parameters.
    pub patience: Option<usize>,
    /// Gradients are scaled down to this norm where theirs is larger.
    pub clip_norm: Option<f64>,
    /// Where and how often to keep what a training that is cut off goes on from.
    #[serde(skip)]
    pub checkpoints: Option<Checkpoints>,
    /// The checkpoint to go on from, or a folder of them, of which it is the newest.
    #[serde(skip)]
    pub resume: Option<PathBuf>,
    /// Whether it starts afresh where a training that was cut off could be picked up
    /// ([`Checkpoints::shared`]).
    #[serde(skip)]
    pub afresh: bool,
    /// The processes that each batch is split over. Usual: this one alone.
    #[serde(skip)]
    pub processes: Processes,
}

impl Training {
    /// `epochs` times through the data, with the usual values for the rest: batches of 16, a
    /// constant learning rate of 0.001 for RMSprop, the mean squared error, seed 1, no validation, no
    /// early stop, gradients clipped at norm 1.
    pub fn epochs(epochs: usize) -> Self {
        Self {
            epochs,
            batch_size: 16,
            rule: Rule::default(),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            loss: Loss::MeanSquared,
            dropout: 0.0,
            scheduled_sampling: 0.0,
            truncate_steps: None,
            recompute: Recompute::NOTHING,
            precision: Precision::F32,
            seed: 1,
            validation: 0.0,
            patience: None,
            clip_norm: Some(1.0),
            checkpoints: None,
            resume: None,
            afresh: false,
            processes: Processes::default(),
        }
    }

    /// The course's: 500 epochs, batches of 5, RMSprop as Keras has it, nothing clipped.
    pub fn course() -> Self {
        Self { batch_size: 5, clip_norm: None, ..Self::epochs(500) }
    }

    /// As many epochs as give about `updates` optimizer steps over `sequences` sequences.
    pub fn updates(updates: usize, sequences: usize, batch_size: usize) -> Self {
        let per_epoch = sequences.div_ceil(batch_size.max(1)).max(1);
        Self::epochs(updates.div_ceil(per_epoch).max(1)).batch(batch_size)
    }

    /// Sets [`batch_size`](Self::batch_size).
    pub fn batch(mut self, sequences: usize) -> Self {
        self.batch_size = sequences;
        self
    }

    /// Sets [`rule`](Self::rule).
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Sets [`schedule`](Self::schedule).
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Sets [`loss`](Self::loss).
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Sets [`dropout`](Self::dropout).
    pub fn dropout(mut self, rate: f64) -> Self {
        self.dropout = rate;
        self
    }

    /// Sets [`scheduled_sampling`](Self::scheduled_sampling).
    pub fn scheduled_sampling(mut self, own_share: f64) -> Self {
        self.scheduled_sampling = own_share;
        self
    }

    /// Sets [`truncate_steps`](Self::truncate_steps).
    pub fn truncate(mut self, steps: usize) -> Self {
        self.truncate_steps = Some(steps);
        self
    }

    /// Sets [`recompute`](Self::recompute).
    pub fn recompute(mut self, recompute: Recompute) -> Self {
        self.recompute = recompute;
        self
    }

    /// Sets [`precision`](Self::precision).
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets [`learning_rate`](Self::learning_rate).
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Sets [`seed`](Self::seed).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`validation`](Self::validation).
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = fraction;
        self
    }

    /// Sets [`patience`](Self::patience).
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// Sets [`clip_norm`](Self::clip_norm).
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.clip_norm = Some(norm);
        self
    }

    /// Sets [`checkpoints`](Self::checkpoints).
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Sets [`afresh`](Self::afresh).
    pub fn afresh(mut self) -> Self {
        self.afresh = true;
        self
    }

    /// The training of a checkpoint, or of the newest one in a folder, to go on with: its settings, its
    /// checkpoints in the same folder.
    ///
    /// ```no_run
    /// use neural_composer::{dataset::{Dataset, DatasetSettings}, model::{Device, Network}};
    /// use neural_composer::train::Training;
    /// let data = Dataset::from_dir("datasets/songs", DatasetSettings::fast())?;
    /// let mut network = Network::load("run.checkpoints/epoch-0003-batch-0000.safetensors", &Device::cpu())?;
    /// let history = network.train(&data, Training::resume("run.checkpoints")?)?;
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for what is no checkpoint of such a training, with the fault.
    pub fn resume(path: impl AsRef<Path>) -> Result<Self> {
        let (settings, checkpoints, path): (Self, _, _) =
            settings_of(path.as_ref(), ModelKind::Blocks)?;
        Ok(Self { checkpoints: Some(checkpoints), resume: Some(path), ..settings })
    }

    /// Optimizer steps of the whole training on `data`, if no early stop comes: what a
    /// [`Schedule`] is measured in.
    ///
    /// # Errors
    /// [`Error::Argument`] where the validation share leaves nothing to train on.
    pub fn planned_updates(&self, data: &Dataset) -> Result<u64> {
        let sequences = data.split(self.validation)?.0.len();
        let steps = data.settings().sequence_blocks;
        let runs = steps.div_ceil(self.truncate_steps.unwrap_or(steps).max(1));
        Ok((self.epochs * sequences.div_ceil(self.batch_size.max(1)) * runs) as u64)
    }

    pub(super) fn plan(&self) -> Plan<'_> {
        Plan {
            epochs: self.epochs,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            clip_norm: self.clip_norm,
            patience: self.patience,
            checkpoints: self.checkpoints.as_ref(),
            resume: self.resume.as_deref(),
            afresh: self.afresh,
            processes: &self.processes,
            needed_bytes: 0,
        }
    }

    /// Refuses what cannot be trained with, as training does.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.validation) {
            let expected = "a share from 0 to below 1";
            return Err(Error::argument("validation", expected, self.validation));
        }
        self.plan().check()?;
        self.loss.check()?;
        Dropout::new(self.dropout, self.seed)?;
        check_share("scheduled_sampling", self.scheduled_sampling)?;
        Error::refuse_zero([
            ("batch_size", self.batch_size),
            ("truncate_steps", self.truncate_steps.unwrap_or(1)),
            ("recompute.steps", self.recompute.steps.unwrap_or(1)),
        ])
    }
}

/// Refuses a share that is not one.
pub(super) fn check_share(name: &'static str, share: f64) -> Result<()> {
    match (0.0..=1.0).contains(&share) {
        true => Ok(()),
        false => Err(Error::argument(name, "a share from 0 to 1", share)),
    }
}
