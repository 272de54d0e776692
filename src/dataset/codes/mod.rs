//! Songs as a sequence of codes, each standing for a block of overlapping spectra.

mod along_beats;
mod bands;
mod codebook;
mod coded_songs;
mod heard;
mod loudest;
mod moment;
mod residual;
mod rises;
mod settings;
mod spectra;
mod stored;

pub use codebook::{Codebook, CodebookSettings};
pub use coded_songs::{CodedSong, CodedSongs};
pub use moment::{BarPlace, Moment};
pub use settings::CodeSettings;
pub(crate) use stored::StoredCodes;
