//! Training: loop, optimizers, checkpoints, progress.

mod backpropagation;
mod best;
mod blocks;
mod by_hand;
mod codes;
mod descent;
mod feedback;
mod fit;
mod grains;
mod history;
pub mod loss;
pub mod memory;
mod observer;
pub mod optimizer;
mod recompute;
pub mod schedule;
mod settings;
mod soft_targets;

pub use blocks::run;
pub use codes::{CodeTraining, code};
pub use descent::Descent;
pub(crate) use grains::input_row;
pub use grains::{GrainTraining, point};
pub use history::{EpochRecord, History, Stop};
pub use observer::{InTraining, Observer, Position, Silent};
pub use recompute::Recompute;
pub use settings::{Checkpoints, Training};
