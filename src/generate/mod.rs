//! New pieces from trained networks.
//!
//! A network is fed a seed, its last prediction becomes the next input, and so on; its layers'
//! states are carried along, so that each block costs the same.

mod blocks;
pub mod codes;
mod ending;
pub mod grains;
mod learning;
mod model;
mod piece;
mod seed;

pub use blocks::{BlockLearning, TrainingFor, blocks, check_length};
pub use codes::{CodeComposer, CodeLearning, CodeOptions};
pub use grains::{GrainComposer, GrainLearning, GrainOptions, Opening};
pub use learning::{Learned, Learning};
pub use model::{Model, ModelCard, Options};
pub use piece::{Part, Piece};
pub use seed::Seed;
