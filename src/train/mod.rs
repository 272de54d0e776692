//! Training: loop, optimizers, checkpoints, progress.

mod backpropagation;
mod best;
mod by_hand;
mod coding;
mod descent;
mod feedback;
mod history;
pub mod loss;
pub mod memory;
mod observer;
pub mod optimizer;
mod pointing;
mod recompute;
mod run;
pub mod schedule;
mod settings;
mod soft_targets;

pub use coding::{CoderTraining, code};
pub use history::{EpochRecord, History, Stop};
pub use observer::{Observer, Position, Silent};
pub(crate) use pointing::input_row;
pub use pointing::{PointerTraining, point};
pub use recompute::Recompute;
pub use run::run;
pub use settings::{Checkpoints, Training};
