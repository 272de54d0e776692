//! Options that several subcommands share.

use clap::Args;
use neural_composer::audio;
use neural_composer::dataset::Dataset;
use neural_composer::display::Output;
use neural_composer::model::{Device, LayerConfig, Network, NetworkConfig};
use neural_composer::recipe::Recipe;
use neural_composer::train::{History, Training};
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

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
    /// Recurrent layers, first to last, as KIND:UNITS: lstm:512,gru:256
    #[arg(long, value_delimiter = ',', value_parser = layer)]
    layers: Vec<LayerConfig>,
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

fn layer(text: &str) -> Result<LayerConfig> {
    let wrong = || Error::argument("layers", "KIND:UNITS, such as lstm:512", text);
    let (cell, units) = text.split_once(':').ok_or_else(wrong)?;
    Ok(LayerConfig { cell: cell.parse()?, units: units.parse().map_err(|_| wrong())? })
}

impl TrainingOptions {
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
        let layers =
            if self.layers.is_empty() { self.settings.layers() } else { self.layers.clone() };
        let config = NetworkConfig::stack(data.blocks().width(), layers);
        let mut network = Network::new(config, data, self.seed, self.device.device())?;
        eprintln!("{network}");
        let history = network.train_to(Output::for_progress(), data, &self.training(data))?;
        Ok((network, history))
    }

    fn training(&self, data: &Dataset) -> Training {
        let mut training = self.settings.training(data).seed(self.seed);
        training.validation = self.validation;
        training.patience = self.patience;
        training.batch_size = self.batch.unwrap_or(training.batch_size);
        training.epochs = self.epochs.unwrap_or(training.epochs);
        training.learning_rate = self.learning_rate.unwrap_or(training.learning_rate);
        training
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
