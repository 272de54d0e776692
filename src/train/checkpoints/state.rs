//! Where a training is, and the tensors that belong to it.

use super::super::optimizer::Optimizer;
use super::super::schedule::Progress;
use super::super::{EpochRecord, History};
use super::retention::Kept;
use crate::Result;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the names of the best parameters begin.
const BEST: &str = "best.";

/// A place between two batches of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct At {
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Batches done in it.
    pub batch: usize,
    /// The sum of the losses of its sequences so far.
    pub loss_sum: f64,
    /// How many sequences that are.
    pub sequences: usize,
    /// Time spent in it.
    pub epoch_seconds: f64,
    /// Time spent altogether.
    pub seconds: f64,
}

impl At {
    /// Before the first batch of an epoch, after `seconds`.
    pub const fn beginning_of(epoch: usize, seconds: f64) -> Self {
        Self { epoch, batch: 0, loss_sum: 0.0, sequences: 0, epoch_seconds: 0.0, seconds }
    }
}

/// What a checkpoint says besides its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::train) struct State {
    pub at: At,
    pub history: History,
    pub progress: Progress,
    /// The best deciding loss so far, where patience asks for it.
    pub best_loss: Option<f64>,
    /// Epochs since then.
    pub epochs_without: usize,
    /// What a step back has left of the learning rate.
    pub rate_share: f64,
    /// How often the network was changed, by earlier trainings too.
    pub updates: usize,
    /// Whether the training has come to its end.
    pub done: bool,
}

impl State {
    pub(super) fn kept(&self) -> Kept {
        self.kept_at(self.at.epoch, self.at.batch)
    }

    /// A checkpoint of this training at a place up to here.
    pub(super) fn kept_at(&self, epoch: usize, batch: usize) -> Kept {
        let is_before = |record: &&EpochRecord| batch == 0 && record.epoch + 1 == epoch;
        let before = self.history.epochs.iter().rev().find(is_before);
        Kept { epoch, batch, loss: before.map(EpochRecord::deciding_loss) }
    }

    /// Epochs that are done or begun.
    pub fn epochs_begun(&self) -> usize {
        if self.at.batch == 0 { self.at.epoch - 1 } else { self.at.epoch }
    }
}

/// A state with its tensors: the parameters under their own names, then those of the optimizer and the
/// best parameters.
#[derive(Clone, Debug)]
pub(in crate::train) struct Snapshot {
    pub state: State,
    pub tensors: BTreeMap<String, Tensor>,
}

impl Snapshot {
    /// Of what trains; the tensors share their memory with it until they are [copied](Self::copied).
    pub fn of(
        state: State,
        variables: &BTreeMap<String, Var>,
        optimizer: &Optimizer,
        best: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let parameters = variables.iter().map(|(name, v)| (name.clone(), v.as_tensor().clone()));
        let mut tensors: BTreeMap<String, Tensor> = parameters.collect();
        tensors.extend(optimizer.state()?);
        tensors.extend(best.iter().map(|(name, t)| (format!("{BEST}{name}"), t.clone())));
        Ok(Self { state, tensors })
    }

    /// With tensors of its own.
    pub fn copied(self) -> Result<Self> {
        let copy = |(name, tensor): (String, Tensor)| Ok((name, tensor.copy()?));
        let tensors = self.tensors.into_iter().map(copy).collect::<Result<_>>()?;
        Ok(Self { tensors, ..self })
    }

    /// Bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        let bytes = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
        self.tensors.values().map(bytes).sum::<usize>() as u64
    }

    /// The best parameters, by their own names.
    pub fn best(&self) -> BTreeMap<String, Tensor> {
        let own = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix(BEST)?.to_owned(), tensor.clone()))
        };
        self.tensors.iter().filter_map(own).collect()
    }
}
