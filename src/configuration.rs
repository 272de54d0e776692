//! All that decides how a model is trained, under the names of the command line's options.

use crate::dataset::Dataset;
use crate::generate::{BlockLearning, CodeLearning, GrainLearning, Learning};
use crate::model::{Activation, Device, LayerConfig, ModelKind, NetworkConfig, Precision};
use crate::processes::Processes;
use crate::recipe::Recipe;
use crate::train::loss::Loss;
use crate::train::optimizer::Rule;
use crate::train::schedule::Schedule;
use crate::train::{Checkpoints, Descent, Recompute, Training};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How a model of any kind is trained: what was chosen, and the usual for the rest.
///
/// ```
/// use neural_composer::configuration::{Configuration, layers};
/// use neural_composer::model::ModelKind;
/// let mut configuration = Configuration::of(ModelKind::Blocks);
/// configuration.layers = Some(layers("2*gru:64")?);
/// configuration.epochs = Some(20);
/// configuration.check()?;
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What the model composes from.
    pub model: ModelKind,
    /// Settings that belong together, for blocks. Usual: fast.
    pub recipe: Recipe,
    /// Times through the data, for blocks. Usual: the recipe's.
    pub epochs: Option<usize>,
    /// Optimizer steps, for grains (usual: 300) and codes (400).
    pub steps: Option<usize>,
    /// Sequences per optimizer step. Usual: the recipe's, 32 for grains, 24 for codes.
    pub batch: Option<usize>,
    /// Step size of the optimizer. Usual: the recipe's, else 0.002.
    pub learning_rate: Option<f64>,
    /// How the step size moves, one of [`Schedule::NAMES`]. Usual: constant for blocks, else falling.
    pub schedule: Option<String>,
    /// How gradients become changes of parameters. Usual: RMSprop for blocks, else AdamW.
    pub optimizer: Option<Rule>,
    /// What is minimised, for blocks.
    pub loss: Loss,
    /// Share of each recurrent layer's outputs left out, from 0 to below 1. Usual: 0 for blocks, else 0.3.
    pub dropout: Option<f64>,
    /// How often a step's input is the network's own output at the end, from 0 to 1; not for grains.
    pub scheduled_sampling: Option<f64>,
    /// Gradients go back through so many steps only, for blocks.
    pub truncate: Option<usize>,
    /// What is computed again to save memory, for blocks.
    pub recompute: Recompute,
    /// With how many bits large products are computed, for blocks. Usual: f32.
    pub precision: Precision,
    /// The recurrent layers, first to last, for blocks. Usual: the recipe's.
    pub layers: Option<Vec<LayerConfig>>,
    /// What follows the dense layer in front, for blocks.
    pub dense_activation: Activation,
    /// Whether half of the network's input is its own previous output, for blocks.
    pub recurrent_input: bool,
    /// The share of the songs kept aside for validation, from 0 to below 1.
    pub validation: f64,
    /// Stop after so many epochs without a better loss.
    pub patience: Option<usize>,
    /// Decides everything drawn at random.
    pub seed: u64,
    /// Where to compute: models of grains and codes always on the processor.
    pub device: Device,
    /// Where and how often to keep what a training that is cut off goes on from.
    pub checkpoints: Option<Checkpoints>,
    /// The checkpoint to go on from, or a folder of them.
    pub resume: Option<PathBuf>,
    /// The processes that train together. Usual: this one alone.
    pub processes: Processes,
}

/// Reads recurrent layers, first to last: `lstm:512,gru:256`, `24*lstm:512:norm:residual`.
///
/// # Errors
/// [`Error::Argument`] for anything else.
pub fn layers(text: &str) -> Result<Vec<LayerConfig>> {
    let mut layers = Vec::new();
    for group in text.split(',') {
        let (count, layer) = match group.split_once('*') {
            Some((count, layer)) => (count.parse().unwrap_or(0), layer),
            None => (1, group),
        };
        if !(1..=1_000).contains(&count) {
            let expected = "N*KIND:UNITS with N from 1 to 1,000";
            return Err(Error::argument("layers", expected, format!("{group:?}")));
        }
        layers.extend(vec![layer.parse::<LayerConfig>()?; count]);
    }
    Ok(layers)
}

impl Configuration {
    /// The usual way to train a model of this kind, with seed 1, nothing kept aside.
    pub fn of(model: ModelKind) -> Self {
        Self {
            model,
            recipe: Recipe::Fast,
            epochs: None,
            steps: None,
            batch: None,
            learning_rate: None,
            schedule: None,
            optimizer: None,
            loss: Loss::default(),
            dropout: None,
            scheduled_sampling: None,
            truncate: None,
            recompute: Recompute::NOTHING,
            precision: Precision::F32,
            layers: None,
            dense_activation: Activation::Linear,
            recurrent_input: false,
            validation: 0.0,
            patience: None,
            seed: 1,
            device: Device::best(),
            checkpoints: None,
            resume: None,
            processes: Processes::default(),
        }
    }

    /// Refuses numbers that cannot be, before any work.
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible numbers and names.
    pub fn check(&self) -> Result<()> {
        match self.learning()? {
            Learning::Grains(learning) => learning.training.check(),
            Learning::Codes(learning) => learning.training.check(),
            Learning::Blocks(learning) => {
                let width = learning.dataset.blocks.width();
                NetworkConfig::stack(width, learning.layers).check()?;
                if let Some(name) = &self.schedule {
                    Schedule::usual(name, 1)?;
                }
                self.changed(Training::epochs(1)).check()
            }
        }
    }

    /// What [`Model::learn`](crate::generate::Model::learn) takes.
    ///
    /// # Errors
    /// [`Error::Argument`] for a schedule of another name.
    pub fn learning(&self) -> Result<Learning> {
        Ok(match self.model {
            ModelKind::Blocks => Learning::Blocks(self.blocks()),
            ModelKind::Grains => {
                let mut learning = GrainLearning::seeded(self.seed);
                self.descend(&mut learning.training.descent)?;
                Learning::Grains(learning)
            }
            ModelKind::Codes => {
                let mut learning = CodeLearning::seeded(self.seed);
                self.descend(&mut learning.training.descent)?;
                let sampling = &mut learning.training.scheduled_sampling;
                *sampling = self.scheduled_sampling.unwrap_or(*sampling);
                Learning::Codes(learning)
            }
        })
    }

    pub(crate) fn blocks(&self) -> BlockLearning {
        let own = self.clone();
        BlockLearning {
            dataset: self.recipe.dataset(),
            layers: self.layers.clone().unwrap_or_else(|| self.recipe.layers()),
            dense_activation: self.dense_activation,
            recurrent_input: self.recurrent_input,
            training: Box::new(move |data| own.training(data)),
            seed: self.seed,
            device: self.device.clone(),
        }
    }

    /// Changes `descent` to what was chosen.
    fn descend(&self, descent: &mut Descent) -> Result<()> {
        descent.steps = self.steps.unwrap_or(descent.steps);
        descent.batch_size = self.batch.unwrap_or(descent.batch_size);
        descent.learning_rate = self.learning_rate.unwrap_or(descent.learning_rate);
        descent.rule = self.optimizer.unwrap_or(descent.rule);
        descent.dropout = self.dropout.unwrap_or(descent.dropout);
        descent.validation = self.validation;
        descent.patience = self.patience;
        descent.checkpoints = self.checkpoints.clone();
        descent.resume = self.resume.clone();
        descent.processes = self.processes.clone();
        descent.device = self.device.clone();
        if let Some(name) = &self.schedule {
            descent.schedule = Some(Schedule::usual(name, descent.steps as u64)?);
        }
        Ok(())
    }

    pub(crate) fn training(&self, data: &Dataset) -> Result<Training> {
        let mut training = self.changed(self.recipe.training(data));
        if let Some(name) = &self.schedule {
            training.schedule = Schedule::usual(name, training.planned_updates(data)?)?;
        }
        Ok(training)
    }

    /// `training` with what was chosen.
    fn changed(&self, training: Training) -> Training {
        let mut training = training.seed(self.seed);
        training.validation = self.validation;
        training.patience = self.patience;
        training.checkpoints = self.checkpoints.clone();
        training.resume = self.resume.clone();
        training.processes = self.processes.clone();
        training.batch_size = self.batch.unwrap_or(training.batch_size);
        training.epochs = self.epochs.unwrap_or(training.epochs);
        training.learning_rate = self.learning_rate.unwrap_or(training.learning_rate);
        training.rule = self.optimizer.unwrap_or(training.rule);
        training.loss = self.loss;
        training.dropout = self.dropout.unwrap_or(training.dropout);
        training.scheduled_sampling =
            self.scheduled_sampling.unwrap_or(training.scheduled_sampling);
        training.truncate_steps = self.truncate;
        training.recompute = self.recompute;
        training.precision = self.precision;
        training
    }

    /// All that changes what a model becomes, the usual filled in: two configurations that train the
    /// same have the same. Where to compute and what is kept are no part of it.
    ///
    /// # Errors
    /// [`Error::Argument`] for a schedule of another name.
    pub fn identity(&self) -> Result<Value> {
        let told = |told: serde_json::Result<Value>| {
            told.map_err(|error| Error::Data(format!("settings without words: {error}")))
        };
        let model = self.model.to_string();
        Ok(match self.learning()? {
            Learning::Grains(learning) => {
                json!({ "model": model, "training": told(serde_json::to_value(&learning.training))? })
            }
            Learning::Codes(learning) => {
                json!({ "model": model, "training": told(serde_json::to_value(&learning.training))? })
            }
            Learning::Blocks(learning) => {
                let (few, many) = (self.recipe.training_of(1), self.recipe.training_of(10_000));
                // How many epochs the fast settings take depends on the songs, which have a hash.
                let is_known = self.epochs.is_some() || few.epochs == many.epochs;
                let mut training = told(serde_json::to_value(self.changed(few)))?;
                if !is_known {
                    training["epochs"] = "as many as the settings take".into();
                }
                if let Some(name) = self.schedule.as_ref().filter(|name| *name != "constant") {
                    training["schedule"] = name.as_str().into();
                }
                json!({
                    "model": model,
                    "dataset": told(serde_json::to_value(learning.dataset))?,
                    "layers": told(serde_json::to_value(&learning.layers))?,
                    "dense_activation": told(serde_json::to_value(learning.dense_activation))?,
                    "recurrent_input": learning.recurrent_input,
                    "training": training,
                })
            }
        })
    }
}
