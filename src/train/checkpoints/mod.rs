//! Checkpoints: what a training that is cut off goes on from, to the bit.
//!
//! A checkpoint holds the parameters, the optimizer's state, where the schedule is, the best so far,
//! the losses, the place in the data, and the settings. What is drawn at random is a function of the
//! seed and that place, so that no generator's state is needed.

mod file;
mod folder;
mod identity;
mod keeper;
mod retention;
mod settings;
mod state;

pub(super) use folder::{Found, open, settings_of};
pub use folder::{KeptTraining, check_checkpoint, kept_training, remove_checkpoints};
pub(super) use identity::{Fingerprint, Identity, mark_of};
pub(super) use keeper::Keeper;
pub use settings::Checkpoints;
pub(super) use state::{At, Snapshot, State};
