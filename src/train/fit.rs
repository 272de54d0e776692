//! The training loop, which all networks share.
//!
//! An [`Objective`] says what is minimised; everything else is in [`Run`]: epochs, the step size,
//! clipping, early stopping, checkpoints, the way back from a loss that is no number, the history,
//! observers, the stop.

use super::objective::Objective;
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::run::Run;
use super::{History, Observer, resume};
#[cfg(doc)]
use crate::{Error, interrupt};
use crate::{Result, memory};

/// Trains towards `objective` as `plan` says, with the steps of `optimizer`.
///
/// A request to stop ([`interrupt`]) ends it after the running batch; the history says so.
///
/// # Errors
/// What the objective reports; [`Error::Data`] when the loss is no number before anything was learned;
/// what is wrong with the checkpoint to go on from.
pub(super) fn fit(
    objective: &mut dyn Objective,
    plan: &Plan<'_>,
    optimizer: Optimizer,
    observer: &mut dyn Observer,
) -> Result<History> {
    memory::keep_freed_blocks();
    let is_kept = plan.checkpoints.is_some() || plan.resume.is_some();
    let identity = if is_kept { Some(objective.identity()?) } else { None };
    let mut run = Run::begin(objective, plan, identity.as_ref(), optimizer, observer)?;
    resume::go_on(&mut run, identity.as_ref())?;
    run.go()
}
