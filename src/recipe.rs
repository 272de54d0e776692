//! Settings that belong together: the whole way from songs to a trained network under one name.

use crate::dataset::{Dataset, DatasetSettings};
use crate::model::{Device, LayerConfig, Network, NetworkConfig, lstm, simple_rnn};
use crate::train::Training;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A named set of settings for [`Dataset`], [`Network`] and [`Training`].
///
/// ```
/// use neural_composer::recipe::Recipe;
/// let recipe = Recipe::Course;
/// assert_eq!(recipe.dataset().blocks.block_samples, 11_025);
/// assert_eq!(recipe.layers().len(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// 16 kHz, blocks of 64 ms, one LSTM of 512 units, about 900 optimizer steps: one to two minutes
    /// on two cores, whatever the length of the songs.
    Fast,
    /// The course's own: 44.1 kHz, blocks of a quarter of a second, three simple recurrent layers of
    /// 1,024 units, batches of 5, 500 epochs: hours on a processor.
    Course,
}

impl Recipe {
    /// How songs become sequences.
    pub fn dataset(self) -> DatasetSettings {
        match self {
            Self::Fast => DatasetSettings::fast(),
            Self::Course => DatasetSettings::course(),
        }
    }

    /// The recurrent layers, first to last.
    pub fn layers(self) -> Vec<LayerConfig> {
        match self {
            Self::Fast => vec![lstm(512)],
            Self::Course => vec![simple_rnn(1_024); 3],
        }
    }

    /// How to train on `data`.
    pub fn training(self, data: &Dataset) -> Training {
        self.training_of(data.len())
    }

    /// How to train on so many sequences.
    pub(crate) fn training_of(self, sequences: usize) -> Training {
        match self {
            Self::Fast => Training::updates(900, sequences, 16),
            Self::Course => Training::course(),
        }
    }

    /// An untrained network for `data`.
    ///
    /// # Errors
    /// What [`Network::new`] reports.
    pub fn network(self, data: &Dataset, seed: u64, device: &Device) -> Result<Network> {
        let config = NetworkConfig::stack(data.blocks().width(), self.layers());
        Network::new(config, data, seed, device)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Course => "course",
        })
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fast" => Ok(Self::Fast),
            "course" => Ok(Self::Course),
            _ => Err(Error::argument("settings", "fast or course", text)),
        }
    }
}
