//! Training: loop, optimizers, checkpoints, progress.

mod backpropagation;
mod best;
mod feedback;
mod history;
pub mod loss;
pub mod memory;
mod observer;
pub mod optimizer;
mod recompute;
mod run;
pub mod schedule;
mod settings;

pub use history::{EpochRecord, History, Stop};
pub use observer::{Observer, Position, Silent};
pub use recompute::Recompute;
pub use run::run;
pub use settings::{Checkpoints, Training};
