//! One `use` for a notebook: `use neural_composer::prelude::*;`

pub use crate::audio::{Audio, Levels, Playback, Song, find_songs};
pub use crate::corpus::Corpus;
pub use crate::dataset::{Dataset, DatasetSettings};
pub use crate::display::{
    Bundle, Html, LossChart, Picture, Player, Show, ShowInCell as _, chart, live_chart, progress,
};
pub use crate::evaluate::{Judgement, Similarity, judge, similarity};
pub use crate::features::{Blocks, Key, Normaliser, Spectrogram, SpectrumLayout, StftSettings};
pub use crate::generate::{CodeComposer, GrainComposer, GrainOptions, Model, Opening, Piece, Seed};
pub use crate::model::{
    Activation, Device, LayerConfig, Network, NetworkConfig, Precision, gru, lstm, simple_rnn,
};
pub use crate::notebook::{Listening, Verdict};
pub use crate::recipe::Recipe;
pub use crate::sweep::{Plan, Sweep, SweepTable};
pub use crate::train::loss::Loss;
pub use crate::train::optimizer::Rule;
pub use crate::train::schedule::Schedule;
pub use crate::train::{Checkpoints, History, Recompute, Training};
