//! One `use` for a notebook: `use neural_composer::prelude::*;`

pub use crate::audio::{Audio, Playback, Song, find_songs};
pub use crate::dataset::{Dataset, DatasetSettings};
pub use crate::display::{LossChart, Player, Show};
pub use crate::evaluate::{Similarity, similarity};
pub use crate::features::{Blocks, Normaliser, Spectrogram, SpectrumLayout, StftSettings};
pub use crate::generate::{Piece, Seed};
pub use crate::model::{Device, LayerConfig, Network, NetworkConfig, gru, lstm, simple_rnn};
pub use crate::recipe::Recipe;
pub use crate::train::{History, Training};
