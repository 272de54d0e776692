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
use crate::interrupt;
use crate::{Error, Result};

/// Trains towards `objective` as `plan` says, with the steps of `optimizer`.
///
/// A request to stop ([`interrupt`]) ends it after the running batch; the history says so.
///
/// # Errors
/// What the objective reports; [`Error::Processes`] where several processes do not train the same; [`Error::Data`] when the loss is no number before anything was learned;
/// what is wrong with the checkpoint to go on from.
pub(super) fn fit(
    objective: &mut dyn Objective,
    plan: &Plan<'_>,
    optimizer: Optimizer,
    observer: &mut dyn Observer,
) -> Result<History> {
    let processes = plan.processes;
    if processes.are_several() && !objective.device().is_cpu() {
        let found = format!("the {}", objective.device());
        return Err(Error::argument("device", "cpu, where several processes train", found));
    }
    let is_kept = plan.checkpoints.is_some() || plan.resume.is_some() || processes.are_several();
    let identity = if is_kept { Some(objective.identity()?) } else { None };
    let mut run = Run::begin(objective, plan, identity.as_ref(), optimizer, observer)?;
    resume::go_on(&mut run, identity.as_ref())?;
    if let Some(identity) = identity.filter(|_| processes.are_several()) {
        let mark = format!("{} {:?}", identity.name(run.objective.variables()), run.place());
        processes.check_alike("songs, settings and checkpoint", &mark)?;
    }
    run.go()
}
