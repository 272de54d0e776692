//! From samples to the numbers a network learns from, and back.
//!
//! [`Blocks`] cuts a song into blocks and turns each into its spectrum, as the course did;
//! [`Normaliser`] brings every number of a block to mean 0 and deviation 1; [`Spectrogram`] is for
//! eyes, and for comparing sounds.

mod blocks;
mod normaliser;
mod spectrogram;

pub use blocks::{BlockTransform, Blocks, SpectrumLayout};
pub use normaliser::{MIN_DEVIATION, Normaliser};
pub use spectrogram::{Spectrogram, StftSettings};
