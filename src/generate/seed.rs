//! What a network of blocks takes in before it composes.

use crate::audio::{Audio, Song};
use crate::dataset::Dataset;
use crate::memory::{self, gigabytes};
use crate::model::Network;
use crate::words::counted;
use crate::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a network takes in before it goes on by itself.
#[derive(Clone, Debug)]
pub enum Seed {
    /// A sequence of rows that is normalised for the network already, and where it is from.
    Rows {
        /// The rows, oldest first.
        rows: Vec<f32>,
        /// Where they are from, for people.
        origin: String,
    },
    /// Silence of one training sequence's length.
    Silence,
    /// Any sound: the last training sequence's length of it is used.
    Audio(Audio),
}

impl Seed {
    /// A training sequence drawn by `seed`: the course's way.
    ///
    /// # Errors
    /// None for a dataset that was built.
    pub fn training(data: &Dataset, seed: u64) -> Result<Self> {
        let index = ChaCha8Rng::seed_from_u64(seed).random_range(0..data.len());
        Self::sequence(data, index)
    }

    /// Training sequence number `index`.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such sequence.
    pub fn sequence(data: &Dataset, index: usize) -> Result<Self> {
        let rows = data.sequence(index)?.to_vec();
        let (title, seconds) = data.sequence_origin(index).unwrap_or(("?", 0.0));
        Ok(Self::Rows { rows, origin: format!("{title}, from {seconds:.1} s") })
    }

    /// Where the seed is from, for people.
    pub fn origin(&self) -> String {
        match self {
            Self::Rows { origin, .. } => origin.clone(),
            Self::Silence => "silence".into(),
            Self::Audio(audio) => format!("{audio:?}"),
        }
    }

    /// The seed as rows normalised for `network`.
    pub(super) fn rows_for(&self, network: &Network) -> Result<Vec<f32>> {
        let settings = network.dataset_settings();
        let (blocks, width) = (settings.blocks, settings.blocks.width());
        let mut rows = match self {
            Self::Rows { rows, .. } => {
                if rows.is_empty() || !rows.len().is_multiple_of(width) {
                    return Err(Error::argument(
                        "seed",
                        format!("rows of {width} numbers, as the network was trained on"),
                        format!("{} numbers", rows.len()),
                    ));
                }
                return Ok(rows.clone());
            }
            Self::Silence => {
                let numbers = settings.sequence_blocks.saturating_mul(width);
                let bytes = 4 * numbers as u64;
                if memory::available_bytes().is_some_and(|free| bytes > free) {
                    return Err(Error::Memory(format!(
                        "a seed of {} would need {}",
                        counted(settings.sequence_blocks, "block"),
                        gigabytes(bytes)
                    )));
                }
                vec![0.0; numbers]
            }
            Self::Audio(audio) => {
                let mut rows = blocks.spectra(audio)?;
                if rows.is_empty() {
                    return Err(Error::argument("seed", "sound of some length", "no samples"));
                }
                let surplus = (rows.len() / width).saturating_sub(settings.sequence_blocks);
                rows.drain(..surplus * width);
                rows
            }
        };
        network.normaliser().apply(&mut rows)?;
        Ok(rows)
    }
}

impl From<&Song> for Seed {
    fn from(song: &Song) -> Self {
        Self::Audio(song.audio().clone())
    }
}

impl From<&Audio> for Seed {
    fn from(audio: &Audio) -> Self {
        Self::Audio(audio.clone())
    }
}
