//! Where trainings of notebooks keep their checkpoints by themselves.

use crate::display::Destination;
use crate::train::Checkpoints;
use std::path::PathBuf;

/// Puts checkpoints into the lab's folder, for a training in a notebook's cell that names no other.
pub(super) fn keep_in_lab(checkpoints: &mut Option<Checkpoints>, keep_when_done: bool) {
    let in_cell = matches!(Destination::detect(), Destination::OwnKernel | Destination::Evcxr);
    if in_cell && checkpoints.is_none() {
        let shared = |lab: PathBuf| Checkpoints::in_shared_folder(lab.join("checkpoints"));
        *checkpoints = lab_folder().map(|lab| Checkpoints { keep_when_done, ..shared(lab) });
    }
}

/// `.lab` of the checkout that the kernel runs from, else a folder of the user's for such things.
fn lab_folder() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let checkout = from("NEURAL_COMPOSER_HOME").map(|home| PathBuf::from(home).join(".lab"));
    let state = || from("XDG_STATE_HOME").map(PathBuf::from);
    let home = || from("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    checkout.or_else(|| Some(state().or_else(home)?.join("neural-composer")))
}
