//! Who is told how training goes.

use super::{GrainTraining, History};
use crate::Result;
use crate::dataset::codes::CodedSongs;
use crate::dataset::grains::GrainPool;
use crate::model::{CodeNetwork, GrainNetwork, ModelKind, Network};
use std::fmt::Display;
use std::path::Path;
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

impl InTraining<'_> {
    /// What kind of model learns.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Blocks(_) => ModelKind::Blocks,
            Self::Grains(..) => ModelKind::Grains,
            Self::Codes(..) => ModelKind::Codes,
        }
    }
}

/// A checkpoint that was written.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What learns.
    pub kind: ModelKind,
    /// Epochs that are done now; some may have come after it.
    pub epochs: usize,
    /// Epochs planned.
    pub planned: usize,
    /// Whether the training is done.
    pub done: bool,
}

/// Is told how training goes: a progress bar, a chart, a log.
pub trait Observer {
    /// After every batch; should return at once.
    fn batch(&mut self, history: &History, position: &Position);
    /// After every epoch, the newest last in `history`.
    fn epoch(&mut self, history: &History, position: &Position);
    /// While songs of a corpus are prepared, before anything else: how many are done, and of how many.
    fn preparing(&mut self, _done: usize, _songs: usize) {}
    /// Once before the first batch: the songs, then the network, in words.
    fn prepared(&mut self, _what: &dyn Display) {}
    /// Once before the first batch, where the training goes on from a checkpoint: from where.
    fn resumed(&mut self, _words: &str) {}
    /// After a checkpoint was written.
    fn saved(&mut self, _saved: &Saved<'_>) {}
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
