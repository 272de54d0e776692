//! Saving a model while it learns.

use crate::Result;
use crate::train::{Checkpoints, History, InTraining, Observer, Position};
use std::fmt::Display;
use std::path::Path;

/// Saves what learns where checkpoints are wished, beside another observer.
pub(super) struct Saving<'a> {
    checkpoints: Option<&'a Checkpoints>,
    observer: &'a mut dyn Observer,
    save: Save<'a>,
}

/// Writes a model file of what learns.
type Save<'a> = &'a dyn Fn(InTraining<'_>, &Path) -> Result<()>;

impl<'a> Saving<'a> {
    pub fn new(
        checkpoints: Option<&'a Checkpoints>,
        observer: &'a mut dyn Observer,
        save: Save<'a>,
    ) -> Self {
        Self { checkpoints, observer, save }
    }
}

impl Observer for Saving<'_> {
    fn batch(&mut self, history: &History, position: &Position) {
        self.observer.batch(history, position);
    }

    fn epoch(&mut self, history: &History, position: &Position) {
        self.observer.epoch(history, position);
    }

    fn prepared(&mut self, what: &dyn Display) {
        self.observer.prepared(what);
    }

    fn learned(&mut self, model: InTraining<'_>, history: &History) -> Result<()> {
        self.observer.learned(model, history)?;
        match self.checkpoints {
            Some(checkpoints) if checkpoints.are_due(history.epochs.len()) => {
                (self.save)(model, &checkpoints.path)
            }
            _ => Ok(()),
        }
    }
}
