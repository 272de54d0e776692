//! Where a network's weights come from: songs, seeds, epochs.

use serde::{Deserialize, Serialize};

/// Where a network's weights come from; kept in its file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The seed its first weights were drawn with; `None` if they came from elsewhere.
    pub weights_seed: Option<u64>,
    /// Its trainings, first to last.
    pub trainings: Vec<TrainingRecord>,
}

/// One training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// The titles of the songs.
    pub songs: Vec<String>,
    /// Length of the songs together, in seconds.
    pub song_seconds: f64,
    /// How long the training took, in seconds. Not in files: the same training writes the same bytes.
    #[serde(skip)]
    pub seconds: Option<f64>,
    /// The seed of its order of batches and its dropout.
    pub seed: u64,
    /// Whole passes over the data.
    pub epochs: usize,
    /// The device it ran on.
    pub device: String,
}
