//! Songs as a sequence of codes, each standing for a block of overlapping spectra.

mod along_beats;
mod bands;
mod codebook;
mod coded_songs;
mod heard;
mod loudest;
mod residual;
mod rises;
mod settings;
mod spectra;
mod stored;

pub use along_beats::BarPlace;
pub use codebook::{Codebook, CodebookSettings};
pub use coded_songs::{CodedSong, CodedSongs};
pub(crate) use coded_songs::{input_row, input_width};
pub use settings::CodeSettings;
pub(crate) use stored::StoredCodes;
