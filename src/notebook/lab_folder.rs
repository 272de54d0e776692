//! Where trainings of notebooks keep their checkpoints by themselves.

use crate::display::Destination;
use crate::train::Checkpoints;
use std::path::PathBuf;

/// Checkpoints in the lab's folder, for a training that runs in a notebook's cell; nowhere else.
pub(super) fn lab_checkpoints(keep_when_done: bool) -> Option<Checkpoints> {
    let in_cell = matches!(Destination::detect(), Destination::OwnKernel | Destination::Evcxr);
    let folder = in_cell.then(lab_folder).flatten()?.join("checkpoints");
    Some(Checkpoints { keep_when_done, ..Checkpoints::in_shared_folder(folder) })
}

/// `.lab` of the checkout that the kernel runs from, else a folder of the user's for such things.
fn lab_folder() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let checkout = from("NEURAL_COMPOSER_HOME").map(|home| PathBuf::from(home).join(".lab"));
    let state = || from("XDG_STATE_HOME").map(PathBuf::from);
    let home = || from("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    checkout.or_else(|| Some(state().or_else(home)?.join("neural-composer")))
}
