//! Training: loop, optimizers, checkpoints, progress.

mod ahead;
mod backpropagation;
mod batch_loss;
mod best;
mod blocks;
mod by_hand;
mod checkpoints;
mod codes;
mod drawn;
mod drawn_settings;
mod exchange;
mod feedback;
mod fit;
mod grains;
mod health;
mod history;
pub mod loss;
pub mod memory;
mod objective;
mod observer;
pub mod optimizer;
mod plan;
mod recompute;
mod resume;
mod run;
pub mod schedule;
mod settings;
mod soft_targets;

pub use blocks::{measure, run};
pub use checkpoints::{
    Checkpoints, KeptTraining, check_checkpoint, kept_training, remove_checkpoints,
};
pub use codes::code;
pub use drawn_settings::{CodeTraining, Descent, GrainTraining};
pub(crate) use grains::input_row;
pub use grains::point;
pub use history::{EpochRecord, History, Stop};
pub use observer::{InTraining, Observer, Position, Saved, Silent};
pub use recompute::Recompute;
pub use settings::Training;
