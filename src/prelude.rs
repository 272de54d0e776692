//! One `use` for a notebook: `use neural_composer::prelude::*;`

pub use crate::audio::{Audio, Decoder, Playback, SampleFormat, Song, Tags, find_songs};
