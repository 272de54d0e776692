//! What the training loop is told: how many epochs, and how large steps are.

use super::Checkpoints;
use super::schedule::Schedule;
use crate::processes::Processes;
use crate::{Error, Result};
use std::path::Path;

/// How to go down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pub epochs: usize,
    pub learning_rate: f64,
    pub schedule: Schedule,
    pub clip_norm: Option<f64>,
    pub patience: Option<usize>,
    /// What is kept of it.
    pub checkpoints: Option<&'a Checkpoints>,
    /// The checkpoint to go on from.
    pub resume: Option<&'a Path>,
    /// Whether nothing is picked up.
    pub afresh: bool,
    /// Those that each batch is split over.
    pub processes: &'a Processes,
    /// What training will take besides what is there already, without any copies.
    pub needed_bytes: u64,
}

impl Plan<'_> {
    /// # Errors
    /// [`Error::Argument`] for impossible numbers.
    pub fn check(&self) -> Result<()> {
        self.schedule.validate()?;
        self.checkpoints.map_or(Ok(()), Checkpoints::check)?;
        Error::refuse_zero([("epochs", self.epochs), ("patience", self.patience.unwrap_or(1))])?;
        let rates = [("learning_rate", Some(self.learning_rate)), ("clip_norm", self.clip_norm)];
        for (name, value) in rates {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(Error::argument(name, "a number above 0", value));
            }
        }
        Ok(())
    }
}
