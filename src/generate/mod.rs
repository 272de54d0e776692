//! New pieces from trained networks.
//!
//! A network is fed a seed, its last prediction becomes the next input, and so on; what its layers
//! remember is carried along, so that each block costs the same.

mod compose;
pub mod grains;
mod piece;
mod seed;

pub use compose::{blocks, check_length};
pub use grains::{GrainComposer, GrainLearning, GrainOptions, Opening};
pub use piece::Piece;
pub use seed::Seed;
