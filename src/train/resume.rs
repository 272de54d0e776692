//! Going on from a checkpoint.

use super::checkpoints::{self, Checkpoint};
use super::run::Run;
use crate::words::{counted, shown};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Goes on from the checkpoint that the plan names, or from what a training with the same settings
/// left where such are picked up.
pub(super) fn go_on(run: &mut Run<'_>) -> Result<()> {
    if let Some(path) = run.plan.resume {
        let (path, checkpoint, faults) = checkpoints::open(path)?;
        let identity = run.objective.identity()?;
        identity.check(&checkpoint.identity, &path)?;
        check_epochs(run.plan.epochs, &checkpoint)?;
        return take_up(run, (path, checkpoint, faults));
    }
    let keeper = run.keeper.as_ref().filter(|_| !run.plan.afresh);
    match keeper.and_then(|keeper| keeper.left_behind()) {
        Some(found) => take_up(run, found),
        None => Ok(()),
    }
}

fn take_up(
    run: &mut Run<'_>,
    (path, checkpoint, faults): (PathBuf, Checkpoint, Vec<String>),
) -> Result<()> {
    run.objective.go_on(&checkpoint.description)?;
    run.go_on_from(&checkpoint.snapshot).map_err(|error| error.in_model(&path))?;
    if let Some(keeper) = &mut run.keeper {
        keeper.goes_on_from(&checkpoint);
    }
    run.history.note(faults);
    let words = words(run.plan.epochs, &checkpoint, &path);
    run.observer.resumed(&words);
    run.history.resumed = Some(words);
    Ok(())
}

fn words(epochs: usize, checkpoint: &Checkpoint, path: &Path) -> String {
    let at = checkpoint.snapshot.state.at;
    let done = match at.batch {
        0 => format!("the end of epoch {}", at.epoch - 1),
        batch => format!("epoch {}, after {}", at.epoch, counted(batch, "batch")),
    };
    format!("went on from {done}, of {} ({})", counted(epochs, "epoch"), shown(path))
}

fn check_epochs(epochs: usize, checkpoint: &Checkpoint) -> Result<()> {
    let done = checkpoint.snapshot.state.history.epochs.len();
    if epochs >= done {
        return Ok(());
    }
    let expected = format!("{done} or more, which are done already");
    Err(Error::argument("epochs", expected, epochs))
}
