//! Options that several subcommands share.

use super::checkpoints::CheckpointOptions;
use super::given::Given;
use super::report::tell;
use super::songs::{FolderOptions, Songs};
use clap::{Args, ValueEnum};
use neural_composer::dataset::Dataset;
use neural_composer::display::Output;
use neural_composer::generate::{
    BlockLearning, CodeLearning, GrainLearning, Learned, Learning, Model,
};
use neural_composer::model::{Activation, Device, LayerConfig, NetworkConfig};
use neural_composer::notebook::LiveTraining;
use neural_composer::processes::Processes;
use neural_composer::recipe::Recipe;
use neural_composer::train::loss::Loss;
use neural_composer::train::optimizer::Rule;
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{
    Descent, History, Observer, Position, Recompute, Silent, Stop, Training,
};
use neural_composer::{Error, Result};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// Where songs are when none is named.
const DEFAULT_SONGS: &str = "datasets/songs";

/// Where to compute.
#[derive(Args, Clone)]
pub struct DeviceOption {
    /// best, cpu, cuda or cuda:N
    #[arg(long, default_value = "best")]
    device: Device,
}

impl DeviceOption {
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// Songs, and how to train on them.
#[derive(Args, Clone)]
pub struct TrainingOptions {
    /// Songs, folders of songs or corpora; - is standard input [default: datasets/songs]
    songs: Vec<PathBuf>,
    #[command(flatten)]
    folders: FolderOptions,
    /// fast: a minute or two on two cores; course: the 2016 course's own settings, hours (blocks)
    #[arg(long, default_value = "fast", value_name = "fast|course")]
    settings: Recipe,
    /// Times through the data, instead of what the settings say (blocks)
    #[arg(long)]
    epochs: Option<usize>,
    /// Optimizer steps [default: 300 for grains, 400 for codes] (grains, codes)
    #[arg(long)]
    steps: Option<usize>,
    /// Sequences per optimizer step
    #[arg(long)]
    batch: Option<usize>,
    /// Step size of the optimizer
    #[arg(long)]
    learning_rate: Option<f64>,
    /// How the step size moves [default: constant for blocks, else linear, falling]
    #[arg(long, value_name = "KIND", value_parser = Schedule::NAMES)]
    schedule: Option<String>,
    /// rmsprop, rmsprop-torch, adamw, sgd or sgd-momentum [default: rmsprop for blocks, else adamw]
    #[arg(long, value_name = "RULE")]
    optimizer: Option<Rule>,
    /// What is minimised: mse, mae, huber[:DELTA] or spectral[:WEIGHT] (blocks)
    #[arg(long, default_value = "mse")]
    loss: Loss,
    /// Share of each recurrent layer's outputs left out at random, from 0 to below 1 [default: 0 for
    /// blocks, else 0.3]
    #[arg(long)]
    dropout: Option<f64>,
    /// How often a step's input is the network's own output, at the end of training, from 0 to 1
    /// [default: 0 for blocks, 0.25 for codes] (blocks, codes)
    #[arg(long, value_name = "SHARE")]
    scheduled_sampling: Option<f64>,
    /// Gradients go back through so many steps only (blocks)
    #[arg(long, value_name = "STEPS")]
    truncate: Option<usize>,
    /// Keep one layer's values at a time and compute the others again: less memory, more time (blocks)
    #[arg(long)]
    recompute_layers: bool,
    /// The same over time: so many steps at a time (blocks)
    #[arg(long, value_name = "STEPS")]
    recompute_steps: Option<usize>,
    /// Recurrent layers, first to last, as KIND:UNITS, with :norm and :residual for deep stacks and
    /// N* for N alike: lstm:512,gru:256 or 24*lstm:512:norm:residual (blocks)
    #[arg(long)]
    layers: Option<Stack>,
    /// What follows the dense layer in front: linear, tanh, relu or gelu (blocks)
    #[arg(long, default_value = "linear", value_name = "FUNCTION")]
    dense_activation: Activation,
    /// Let half of the network's input be its own previous output (blocks)
    #[arg(long)]
    recurrent_input: bool,
    /// Share of the songs kept aside for validation, from 0 to below 1
    #[arg(long, default_value_t = 0.0)]
    validation: f64,
    /// Stop after so many epochs without a better loss
    #[arg(long)]
    patience: Option<usize>,
    /// Decides everything drawn at random: the same seed gives the same result
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    device: DeviceOption,
    #[command(flatten)]
    pub checkpoints: CheckpointOptions,
    /// Those that train together.
    #[arg(skip)]
    pub processes: Processes,
}

/// What a model composes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Grains,
    Blocks,
    Codes,
}

/// Options that all models understand, and steps, which all but blocks do.
const COMMON: [&str; 17] = [
    "songs",
    "recursive",
    "seed",
    "device",
    "steps",
    "batch",
    "learning_rate",
    "schedule",
    "optimizer",
    "dropout",
    "validation",
    "patience",
    "resume",
    "resume_from",
    "restart",
    "checkpoint_seconds",
    "checkpoint_count",
];

/// Recurrent layers, first to last.
#[derive(Clone)]
struct Stack(Vec<LayerConfig>);

impl FromStr for Stack {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
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
        Ok(Self(layers))
    }
}

impl TrainingOptions {
    /// Refuses what a model of this kind does not understand.
    pub fn refuse_foreign(kind: Kind, given: &Given) -> Result<()> {
        match kind {
            Kind::Blocks => given.refuse(|name| name == "steps", "--model grains and codes"),
            Kind::Grains => {
                given.refuse(|name| name == "scheduled_sampling", "--model blocks and codes")?;
                given.refuse_all::<Self>(&COMMON, "--model blocks")
            }
            Kind::Codes => {
                let allowed = [&COMMON[..], &["scheduled_sampling"]].concat();
                given.refuse_all::<Self>(&allowed, "--model blocks")
            }
        }
    }

    /// Refuses numbers that cannot be, before any work.
    pub fn check(&self, kind: Kind) -> Result<()> {
        match self.learning(kind)? {
            Learning::Grains(learning) => learning.training.check(),
            Learning::Codes(learning) => learning.training.check(),
            Learning::Blocks(learning) => {
                let width = learning.dataset.blocks.width();
                NetworkConfig::stack(width, learning.layers).check()?;
                self.changed(Training::epochs(1)).check()
            }
        }
    }

    /// Every song file that was named, folders opened up.
    pub fn songs(&self) -> Result<Songs> {
        match self.songs.as_slice() {
            [] => self.folders.songs(&[DEFAULT_SONGS.into()]),
            named => self.folders.songs_and_corpora(named),
        }
    }

    /// Learns from `songs`, and shows how that goes.
    pub fn learn(&self, kind: Kind, songs: &Songs) -> Result<Learned> {
        if !self.processes.is_first() {
            return Model::learn(&songs.sources(), &self.learning(kind)?, &mut Silent);
        }
        let mut told = Told(LiveTraining::to(Output::for_progress()));
        let mut learned = Model::learn(&songs.sources(), &self.learning(kind)?, &mut told)?;
        learned.notes.extend(songs.notes.iter().chain(&learned.history.notes).cloned());
        if learned.history.stop == Stop::Interrupted {
            learned.notes.extend(self.checkpoints.line_to_go_on());
        }
        told.0.finish(&learned.history);
        Ok(learned)
    }

    fn learning(&self, kind: Kind) -> Result<Learning> {
        Ok(match kind {
            Kind::Blocks => {
                let (given, layers) = (self.clone(), self.layers.clone());
                Learning::Blocks(BlockLearning {
                    dataset: self.settings.dataset(),
                    layers: layers.map_or_else(|| self.settings.layers(), |stack| stack.0),
                    dense_activation: self.dense_activation,
                    recurrent_input: self.recurrent_input,
                    training: Box::new(move |data| given.training(data)),
                    seed: self.seed,
                    device: self.device.device().clone(),
                })
            }
            Kind::Grains => {
                let mut learning = GrainLearning::seeded(self.seed);
                self.descend(&mut learning.training.descent)?;
                Learning::Grains(learning)
            }
            Kind::Codes => {
                let mut learning = CodeLearning::seeded(self.seed);
                self.descend(&mut learning.training.descent)?;
                let sampling = &mut learning.training.scheduled_sampling;
                *sampling = self.scheduled_sampling.unwrap_or(*sampling);
                Learning::Codes(learning)
            }
        })
    }

    /// Changes `descent` to what was given.
    fn descend(&self, descent: &mut Descent) -> Result<()> {
        descent.steps = self.steps.unwrap_or(descent.steps);
        descent.batch_size = self.batch.unwrap_or(descent.batch_size);
        descent.learning_rate = self.learning_rate.unwrap_or(descent.learning_rate);
        descent.rule = self.optimizer.unwrap_or(descent.rule);
        descent.dropout = self.dropout.unwrap_or(descent.dropout);
        descent.validation = self.validation;
        descent.patience = self.patience;
        descent.processes = self.processes.clone();
        self.checkpoints.tell_descent(descent);
        if let Some(name) = &self.schedule {
            descent.schedule = Some(Schedule::usual(name, descent.steps as u64)?);
        }
        Ok(())
    }

    fn training(&self, data: &Dataset) -> Result<Training> {
        let mut training = self.changed(self.settings.training(data));
        if let Some(name) = &self.schedule {
            training.schedule = Schedule::usual(name, training.planned_updates(data)?)?;
        }
        Ok(training)
    }

    /// `training` with what was given.
    fn changed(&self, training: Training) -> Training {
        let mut training = training.seed(self.seed);
        training.validation = self.validation;
        training.patience = self.patience;
        training.processes = self.processes.clone();
        self.checkpoints.tell(&mut training);
        training.batch_size = self.batch.unwrap_or(training.batch_size);
        training.epochs = self.epochs.unwrap_or(training.epochs);
        training.learning_rate = self.learning_rate.unwrap_or(training.learning_rate);
        training.rule = self.optimizer.unwrap_or(training.rule);
        training.loss = self.loss;
        training.dropout = self.dropout.unwrap_or(training.dropout);
        training.scheduled_sampling =
            self.scheduled_sampling.unwrap_or(training.scheduled_sampling);
        training.truncate_steps = self.truncate;
        training.recompute =
            Recompute { layers: self.recompute_layers, steps: self.recompute_steps };
        training
    }
}

/// Shows how learning goes, and says before what learns from what.
struct Told(LiveTraining);

impl Observer for Told {
    fn batch(&mut self, history: &History, position: &Position) {
        self.0.batch(history, position);
    }

    fn epoch(&mut self, history: &History, position: &Position) {
        self.0.epoch(history, position);
    }

    fn preparing(&mut self, done: usize, songs: usize) {
        self.0.preparing(done, songs);
    }

    fn prepared(&mut self, what: &dyn Display) {
        tell(what.to_string().trim_end());
    }

    fn resumed(&mut self, words: &str) {
        tell(words);
    }
}
