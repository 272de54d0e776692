//! From samples to the numbers a network learns from, and back.
//!
//! [`Blocks`] cuts a song into blocks and turns each into its spectrum, as the course did;
//! [`Normaliser`] brings every number of a block to mean 0 and deviation 1; [`Spectrogram`] is for
//! eyes, and for comparing sounds; [`PitchBands`] is the same in semitones. [`LogMel`] is what the
//! ear makes of it, in few numbers; [`Chroma`] tells which notes sound, and [`Beats`] when one would
//! tap.

mod beats;
mod blocks;
mod chroma;
mod correlation;
mod griffin_lim;
mod key;
mod mel;
mod normaliser;
mod novelty;
mod pitch_bands;
mod principal;
mod spectrogram;
mod stft;
mod transpose;
mod triangle;

pub use beats::{BeatGrid, BeatNetwork, BeatProbabilities, Beats, MetreNetwork};
pub use blocks::{BlockTransform, Blocks, SpectrumLayout};
pub use chroma::{Chroma, ChromaSettings, PITCH_CLASSES};
pub(crate) use correlation::correlation;
pub use griffin_lim::{GriffinLim, magnitudes};
pub use key::Key;
pub use mel::{LogMel, MelSettings};
pub use normaliser::{MIN_DEVIATION, Normaliser, RowStatistics};
pub use novelty::section_boundaries;
pub use pitch_bands::PitchBands;
pub use principal::PrincipalComponents;
pub use spectrogram::Spectrogram;
pub(crate) use stft::Stft;
pub use stft::StftSettings;
pub(crate) use transpose::{at_tempo, transposed};
