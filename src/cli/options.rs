//! Options that several subcommands share.

use super::checkpoints::CheckpointOptions;
use super::given::Given;
use super::report::tell;
use super::songs::{FolderOptions, Songs};
use clap::{Args, ValueEnum};
use neural_composer::configuration::{self, Configuration};
use neural_composer::display::Output;
use neural_composer::generate::{Learned, Model};
use neural_composer::model::{Activation, Device, LayerConfig, ModelKind, Precision};
use neural_composer::notebook::LiveTraining;
use neural_composer::processes::Processes;
use neural_composer::recipe::Recipe;
use neural_composer::train::loss::Loss;
use neural_composer::train::optimizer::Rule;
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{History, Observer, Position, Recompute, Silent, Stop};
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
    /// With how many bits large products are computed: f32, tf32 or bf16, for CUDA cards; the CPU rounds
    /// in the same way (blocks)
    #[arg(long, default_value = "f32", value_name = "f32|tf32|bf16")]
    precision: Precision,
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
        configuration::layers(text).map(Self)
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
        self.configuration(kind).check()
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
            let learning = self.configuration(kind).learning()?;
            return Model::learn(&songs.sources(), &learning, &mut Silent);
        }
        let mut told = Told(LiveTraining::to(Output::for_progress()));
        let mut learned =
            Model::learn(&songs.sources(), &self.configuration(kind).learning()?, &mut told)?;
        learned.notes.extend(songs.notes.iter().chain(&learned.history.notes).cloned());
        if learned.history.stop == Stop::Interrupted {
            learned.notes.extend(self.checkpoints.line_to_go_on());
        }
        told.0.finish(&learned.history);
        Ok(learned)
    }

    fn configuration(&self, kind: Kind) -> Configuration {
        let model = match kind {
            Kind::Blocks => ModelKind::Blocks,
            Kind::Grains => ModelKind::Grains,
            Kind::Codes => ModelKind::Codes,
        };
        Configuration {
            model,
            recipe: self.settings,
            epochs: self.epochs,
            steps: self.steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
            schedule: self.schedule.clone(),
            optimizer: self.optimizer,
            loss: self.loss,
            dropout: self.dropout,
            scheduled_sampling: self.scheduled_sampling,
            truncate: self.truncate,
            recompute: Recompute { layers: self.recompute_layers, steps: self.recompute_steps },
            precision: self.precision,
            layers: self.layers.as_ref().map(|stack| stack.0.clone()),
            dense_activation: self.dense_activation,
            recurrent_input: self.recurrent_input,
            validation: self.validation,
            patience: self.patience,
            seed: self.seed,
            device: self.device.device().clone(),
            checkpoints: self.checkpoints.checkpoints(),
            resume: self.checkpoints.resumed(),
            processes: self.processes.clone(),
        }
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
