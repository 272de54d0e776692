//! Songs as a sequence of codes, each standing for a block of overlapping spectra.

mod blocks;
mod codebook;
mod stored;

pub use blocks::{SpectralBlocks, SpectralSettings, SpectralSong};
pub(crate) use blocks::{heard_row, heard_width};
pub use codebook::{Codebook, CodebookSettings};
pub(crate) use stored::StoredBlocks;
