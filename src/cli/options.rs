//! Options that several subcommands share.

use super::given::Given;
use clap::Args;
use neural_composer::audio;
use neural_composer::dataset::Dataset;
use neural_composer::display::Output;
use neural_composer::model::{Activation, Device, LayerConfig, Network, NetworkConfig};
use neural_composer::recipe::Recipe;
use neural_composer::train::loss::Loss;
use neural_composer::train::optimizer::Rule;
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{History, Recompute, Training};
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where songs are when none is named.
const DEFAULT_SONGS: &str = "datasets/songs";

/// Where to compute.
#[derive(Args)]
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
#[derive(Args)]
pub struct TrainingOptions {
    /// Songs or folders of songs [default: datasets/songs]
    songs: Vec<PathBuf>,
    /// fast: a minute or two on two cores; course: the 2016 course's own settings, hours
    #[arg(long, default_value = "fast", value_name = "fast|course")]
    settings: Recipe,
    /// Times through the data, instead of what the settings say
    #[arg(long)]
    epochs: Option<usize>,
    /// Sequences per optimizer step
    #[arg(long)]
    batch: Option<usize>,
    /// Step size of the optimizer
    #[arg(long)]
    learning_rate: Option<f64>,
    /// How the step size moves
    #[arg(long, default_value = "constant", value_name = "KIND", value_parser = Schedule::NAMES)]
    schedule: String,
    /// rmsprop, rmsprop-torch, adamw, sgd or sgd-momentum
    #[arg(long, default_value = "rmsprop", value_name = "RULE")]
    optimizer: Rule,
    /// What is minimised: mse, mae, huber[:DELTA] or spectral[:WEIGHT]
    #[arg(long, default_value = "mse")]
    loss: Loss,
    /// Share of each recurrent layer's outputs left out at random, from 0 to below 1
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// How often a step hears the network's own output, at the end of training, from 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    scheduled_sampling: f64,
    /// Gradients go back through so many steps only
    #[arg(long, value_name = "STEPS")]
    truncate: Option<usize>,
    /// Keep one layer's values at a time and compute the others again: less memory, more time
    #[arg(long)]
    recompute_layers: bool,
    /// The same over time: so many steps at a time
    #[arg(long, value_name = "STEPS")]
    recompute_steps: Option<usize>,
    /// Recurrent layers, first to last, as KIND:UNITS, with :norm and :residual for deep stacks and
    /// N* for N alike: lstm:512,gru:256 or 24*lstm:512:norm:residual
    #[arg(long)]
    layers: Option<Stack>,
    /// What follows the dense layer in front: linear, tanh, relu or gelu
    #[arg(long, default_value = "linear", value_name = "FUNCTION")]
    dense_activation: Activation,
    /// Let half of the network's input be its own previous output
    #[arg(long)]
    recurrent_input: bool,
    /// Share of the sequences kept aside for validation, from 0 to below 1
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
}

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
    /// Refuses what only the course's method understands.
    pub fn refuse(given: &Given) -> Result<()> {
        given.refuse_all::<Self>(&["songs", "seed", "device"], "--model blocks")
    }

    /// Every song file that was named, folders opened up.
    pub fn song_files(&self) -> Result<Vec<PathBuf>> {
        let default = [PathBuf::from(DEFAULT_SONGS)];
        let named = if self.songs.is_empty() { &default[..] } else { &self.songs };
        let mut files = Vec::new();
        for path in named {
            files.extend(audio::find_songs(path)?);
        }
        Ok(files)
    }

    pub fn dataset(&self) -> Result<Dataset> {
        let data = Dataset::from_files(&self.song_files()?, self.settings.dataset())?;
        eprint!("{data}");
        Ok(data)
    }

    /// Trains an untrained network on `data`.
    pub fn train(&self, data: &Dataset) -> Result<(Network, History)> {
        let layers = self.layers.clone().map_or_else(|| self.settings.layers(), |stack| stack.0);
        let mut config = NetworkConfig::stack(data.blocks().width(), layers)
            .dense_activation(self.dense_activation);
        config.recurrent_input = self.recurrent_input;
        let mut network = Network::new(config, data, self.seed, self.device.device())?;
        eprintln!("{network}");
        let history = network.train_to(Output::for_progress(), data, &self.training(data)?)?;
        Ok((network, history))
    }

    fn training(&self, data: &Dataset) -> Result<Training> {
        let mut training = self.settings.training(data).seed(self.seed);
        training.validation = self.validation;
        training.patience = self.patience;
        training.batch_size = self.batch.unwrap_or(training.batch_size);
        training.epochs = self.epochs.unwrap_or(training.epochs);
        training.learning_rate = self.learning_rate.unwrap_or(training.learning_rate);
        training.rule = self.optimizer;
        training.loss = self.loss;
        training.dropout = self.dropout;
        training.scheduled_sampling = self.scheduled_sampling;
        training.truncate_steps = self.truncate;
        training.recompute =
            Recompute { layers: self.recompute_layers, steps: self.recompute_steps };
        training.schedule = Schedule::usual(&self.schedule, training.planned_updates(data)?)?;
        Ok(training)
    }
}

/// Every file a dataset put up with something for, as sentences.
pub fn dataset_notes(data: &Dataset) -> Vec<String> {
    let skipped = data.skipped().iter().map(|skipped| format!("not used: {}", skipped.reason));
    let warned = data.songs().iter().flat_map(|song| {
        song.warnings.iter().map(move |warning| format!("{}: {warning}", song.title))
    });
    skipped.chain(warned).collect()
}

/// `out.wav` → `out.loss.svg`: the name of a file beside the result.
pub fn beside(output: &Path, extension: &str) -> PathBuf {
    output.with_extension(extension)
}

/// Fails before the work begins when `output` could not be written after it.
pub fn check_writable(output: &Path) -> Result<()> {
    if output.is_dir() {
        return Err(Error::argument(
            "output",
            "a file name",
            format!("the folder {}", output.display()),
        ));
    }
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).map(drop).map_err(Error::io(output, "write into its folder"))
}
