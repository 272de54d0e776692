//! Training: loop, optimizers, checkpoints, progress.

mod history;
pub mod loss;
mod observer;
pub mod optimizer;
mod pointing;
mod run;
pub mod schedule;
mod settings;
mod soft_targets;

pub use history::{EpochRecord, History, Stop};
pub use observer::{Observer, Position, Silent};
pub(crate) use pointing::input_row;
pub use pointing::{PointerTraining, point};
pub use run::run;
pub use settings::{Checkpoints, Training};
