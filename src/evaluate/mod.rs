//! How near a piece is to its song.

mod similarity;

pub use similarity::{Similarity, similarity};
