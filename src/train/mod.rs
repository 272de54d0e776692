//! Training: loop, optimizers, checkpoints, progress.

mod history;
pub mod loss;
mod observer;
pub mod optimizer;
mod run;
pub mod schedule;
mod settings;

pub use history::{EpochRecord, History, Stop};
pub use observer::{Observer, Position, Silent};
pub use run::run;
pub use settings::{Checkpoints, Training};
