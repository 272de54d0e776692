//! Who is told how training goes.

use super::{GrainTraining, History};
use crate::Result;
use crate::dataset::codes::CodedSongs;
use crate::dataset::grains::GrainPool;
use crate::model::{CodeNetwork, GrainNetwork, Network};
use std::fmt::Display;
use std::sync::Arc;

/// Where training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Epochs planned.
    pub epochs: usize,
    /// Batches done in this epoch.
    pub batch: usize,
    /// Batches per epoch.
    pub batches: usize,
    /// Mean loss of this epoch so far.
    pub loss: f64,
    /// Time since training began.
    pub elapsed_seconds: f64,
}

impl Position {
    /// Batches done since training began.
    pub fn batches_done(&self) -> usize {
        (self.epoch - 1) * self.batches + self.batch
    }

    /// Batches planned.
    pub fn batches_planned(&self) -> usize {
        self.epochs * self.batches
    }

    /// Batches per second so far.
    pub fn batches_per_second(&self) -> f64 {
        self.batches_done() as f64 / self.elapsed_seconds.max(1e-9)
    }

    /// Time left at this rate, if no early stop comes.
    pub fn remaining_seconds(&self) -> f64 {
        let left = self.batches_planned().saturating_sub(self.batches_done());
        left as f64 / self.batches_per_second().max(1e-9)
    }
}

/// What learns, as it is after an epoch.
#[derive(Clone, Copy, Debug)]
pub enum InTraining<'a> {
    /// A network of blocks.
    Blocks(&'a Network),
    /// A network of grains, the grains, and how it is trained.
    Grains(&'a GrainNetwork, &'a Arc<GrainPool>, &'a GrainTraining),
    /// A network of codes, and the songs in codes.
    Codes(&'a CodeNetwork, &'a Arc<CodedSongs>),
}

/// Is told how training goes: a progress bar, a chart, a log.
pub trait Observer {
    /// After every batch; should return at once.
    fn batch(&mut self, history: &History, position: &Position);
    /// After every epoch, the newest last in `history`.
    fn epoch(&mut self, history: &History, position: &Position);
    /// Once before the first batch: the songs, then the network, in words.
    fn prepared(&mut self, _what: &dyn Display) {}
    /// After every epoch, before the next one begins: to look at what learns, to let it compose, to
    /// save it. Training waits.
    ///
    /// # Errors
    /// They end the training.
    fn learned(&mut self, _model: InTraining<'_>, _history: &History) -> Result<()> {
        Ok(())
    }
}

/// An observer that looks away.
pub struct Silent;

impl Observer for Silent {
    fn batch(&mut self, _: &History, _: &Position) {}
    fn epoch(&mut self, _: &History, _: &Position) {}
}
