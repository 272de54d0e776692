//! Training: loop, optimizers, checkpoints, progress.

mod backpropagation;
mod best;
mod blocks;
mod by_hand;
mod codes;
mod drawn;
mod drawn_settings;
mod feedback;
mod fit;
mod grains;
mod history;
pub mod loss;
pub mod memory;
mod observer;
pub mod optimizer;
mod plan;
mod recompute;
pub mod schedule;
mod settings;
mod soft_targets;

pub use blocks::run;
pub use codes::code;
pub use drawn_settings::{CodeTraining, Descent, GrainTraining};
pub(crate) use grains::input_row;
pub use grains::point;
pub use history::{EpochRecord, History, Stop};
pub use observer::{InTraining, Observer, Position, Silent};
pub use recompute::Recompute;
pub use settings::{Checkpoints, Training};
