//! Training: loop, optimizers, checkpoints, progress.

mod backpropagation;
mod best;
mod by_hand;
mod codes;
mod descent;
mod feedback;
mod grains;
mod history;
pub mod loss;
pub mod memory;
mod observer;
pub mod optimizer;
mod recompute;
mod run;
pub mod schedule;
mod settings;
mod soft_targets;

pub use codes::{CodeTraining, code};
pub(crate) use grains::input_row;
pub use grains::{GrainTraining, point};
pub use history::{EpochRecord, History, Stop};
pub use observer::{Observer, Position, Silent};
pub use recompute::Recompute;
pub use run::run;
pub use settings::{Checkpoints, Training};
