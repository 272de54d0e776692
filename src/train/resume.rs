//! Going on from a checkpoint.

use super::checkpoints::{self, Found, Identity};
use super::run::Run;
use crate::model::ModelKind;
use crate::words::{counted, shown};
use crate::{Error, Result};

/// Goes on from the checkpoint that the plan names, or from what a training with the same settings
/// left where such are picked up.
pub(super) fn go_on(run: &mut Run<'_>, identity: Option<&Identity>) -> Result<()> {
    if let (Some(path), Some(identity)) = (run.plan.resume, identity) {
        let found = checkpoints::open(path)?;
        identity.check(&found.checkpoint.identity, &found.path)?;
        if has_gone_further(run, &found) {
            return Err(too_few_epochs(run, &found));
        }
        return take_up(run, &found);
    }
    let keeper =
        run.keeper.as_ref().filter(|_| !run.plan.afresh && !run.plan.processes.are_several());
    match keeper.and_then(|keeper| keeper.left_behind()) {
        Some(found) if !has_gone_further(run, &found) => take_up(run, &found),
        _ => Ok(()),
    }
}

fn take_up(run: &mut Run<'_>, found: &Found) -> Result<()> {
    run.objective.go_on(&found.checkpoint.description)?;
    run.go_on_from(&found.checkpoint.snapshot).map_err(|error| error.in_model(&found.path))?;
    if let Some(keeper) = &mut run.keeper {
        keeper.goes_on_from(found);
    }
    run.history.note(found.passed_over.iter().map(|error| format!("passed over: {error}")));
    let words = words(run.plan.epochs, found);
    run.observer.resumed(&words);
    run.history.resumed = Some(words);
    Ok(())
}

fn words(epochs: usize, found: &Found) -> String {
    let at = found.checkpoint.snapshot.state.at;
    let done = match at.batch {
        0 => format!("the end of epoch {}", at.epoch - 1),
        batch => format!("epoch {}, after {}", at.epoch, counted(batch, "batch")),
    };
    format!("went on from {done}, of {} ({})", counted(epochs, "epoch"), shown(&found.path))
}

/// Whether a checkpoint is behind the end of the training that is wished.
fn has_gone_further(run: &mut Run<'_>, found: &Found) -> bool {
    let state = &found.checkpoint.snapshot.state;
    let (epochs, at) = (run.plan.epochs, state.at);
    // The last epoch of what is drawn may have become shorter.
    state.epochs_begun() > epochs
        || at.epoch <= epochs && at.batch > run.objective.begin_epoch(at.epoch)
}

fn too_few_epochs(run: &Run<'_>, found: &Found) -> Error {
    let begun = found.checkpoint.snapshot.state.epochs_begun();
    let given = run.plan.epochs;
    match run.objective.in_training().kind() {
        ModelKind::Blocks => {
            let expected = format!("{begun} or more, which are begun already");
            Error::argument("epochs", expected, given)
        }
        _ => {
            let expected = format!("all of {}, which are begun already", counted(begun, "epoch"));
            Error::argument("steps", expected, format!("steps of {}", counted(given, "epoch")))
        }
    }
}
