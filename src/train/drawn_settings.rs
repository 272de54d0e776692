//! How to train on sequences that are drawn at random: grains and codes.

use super::Checkpoints;
use super::checkpoints::settings_of;
use super::optimizer::{AdamW, Rule};
use super::plan::Plan;
use super::schedule::Schedule;
use super::settings::check_share;
#[cfg(doc)]
use crate::model::{CodeNetwork, GrainNetwork};
use crate::model::{Device, Dropout, ModelKind};
use crate::processes::Processes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
    /// Optimizer steps. Usual: 300 for grains, 400 for codes.
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
    /// Where to train; what has learned then composes on the processor. Usual: a card, if one can be used.
    #[serde(skip)]
    pub device: Device,
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
            resume: None,
            afresh: false,
            processes: Processes::default(),
            device: Device::best(),
            seed: 1,
        }
    }
}

impl Descent {
    /// Epochs of the whole training, if no early stop comes.
    pub fn epochs(&self) -> usize {
        self.steps.div_ceil(self.steps_per_epoch.max(1))
    }

    /// Refuses what cannot be trained with, as training does.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
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
        Ok(())
    }

    pub(super) fn plan(&self) -> Plan<'_> {
        let falling = Schedule::Linear { steps: self.steps as u64, floor: LAST_SHARE };
        Plan {
            epochs: self.epochs(),
            learning_rate: self.learning_rate,
            schedule: self.schedule.unwrap_or(falling),
            clip_norm: self.clip_norm,
            patience: self.patience,
            checkpoints: self.checkpoints.as_ref(),
            resume: self.resume.as_deref(),
            afresh: self.afresh,
            processes: &self.processes,
            needed_bytes: 0,
        }
    }
}

/// How to teach a [`GrainNetwork`] the order of grains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrainTraining {
    /// How many optimizer steps, and how they are made.
    #[serde(flatten)]
    pub descent: Descent,
    /// Grains per sequence. Usual: 32, about 6 s.
    pub sequence_grains: usize,
    /// Noise on the network's input, up to this many standard deviations, so that it copes with grains
    /// that it would not have put there itself. Usual: 0.3.
    pub noise: f32,
    /// How many choices a target stands for: the entropy of soft targets, in nats. Usual: 1.2.
    pub target_entropy: f64,
}

impl GrainTraining {
    /// The training of a checkpoint, or of the newest one in a folder, to go on with: its settings, its
    /// checkpoints in the same folder.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for what is no checkpoint of such a training, with the fault.
    pub fn resume(path: impl AsRef<Path>) -> Result<Self> {
        let (mut settings, checkpoints, path): (Self, _, _) =
            settings_of(path.as_ref(), ModelKind::Grains)?;
        settings.descent.checkpoints = Some(checkpoints);
        settings.descent.resume = Some(path);
        Ok(settings)
    }

    /// Refuses what cannot be trained with, as training does.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        self.descent.check()?;
        Error::refuse_zero([("sequence_grains", self.sequence_grains)])
    }
}

impl Default for GrainTraining {
    fn default() -> Self {
        Self { descent: Descent::default(), sequence_grains: 32, noise: 0.3, target_entropy: 1.2 }
    }
}

/// How to teach a [`CodeNetwork`] which block of spectra follows which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeTraining {
    /// How many optimizer steps, and how they are made.
    #[serde(flatten)]
    pub descent: Descent,
    /// Blocks per sequence. Usual: 48, about 4.5 s.
    pub sequence_blocks: usize,
    /// How often a step's input is what the network would have predicted itself instead of the truth,
    /// at the end of training; it rises from 0. Usual: 0.25.
    pub scheduled_sampling: f64,
}

impl CodeTraining {
    /// The training of a checkpoint, or of the newest one in a folder, to go on with: its settings, its
    /// checkpoints in the same folder.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for what is no checkpoint of such a training, with the fault.
    pub fn resume(path: impl AsRef<Path>) -> Result<Self> {
        let (mut settings, checkpoints, path): (Self, _, _) =
            settings_of(path.as_ref(), ModelKind::Codes)?;
        settings.descent.checkpoints = Some(checkpoints);
        settings.descent.resume = Some(path);
        Ok(settings)
    }

    /// Refuses what cannot be trained with, as training does.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        self.descent.check()?;
        Error::refuse_zero([("sequence_blocks", self.sequence_blocks)])?;
        check_share("scheduled_sampling", self.scheduled_sampling)
    }
}

impl Default for CodeTraining {
    fn default() -> Self {
        let descent = Descent { steps: 400, batch_size: 24, ..Descent::default() };
        Self { descent, sequence_blocks: 48, scheduled_sampling: 0.25 }
    }
}
