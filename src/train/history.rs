//! Losses over the epochs of a training.

use crate::model::Device;
use crate::words::counted;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One time through the data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Mean loss over the training sequences, while they were trained on.
    pub train_loss: f64,
    /// The same over the sequences kept aside, after the epoch.
    pub validation_loss: Option<f64>,
    /// The optimizer's step size.
    pub learning_rate: f64,
    /// How long the epoch took.
    pub seconds: f64,
    /// How much of it training waited for data, since it was last resumed.
    #[serde(default)]
    pub waited_seconds: f64,
}

impl EpochRecord {
    /// The loss that decides which epoch is best: validation where there is one.
    pub fn deciding_loss(&self) -> f64 {
        self.validation_loss.unwrap_or(self.train_loss)
    }
}

/// Why training ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// All epochs were done.
    #[default]
    Finished,
    /// No better loss for as many epochs as patience allowed; the best parameters are back.
    Early,
    /// The user pressed stop; the network keeps what it has learned.
    Interrupted,
    /// The loss was no number a second time; the network is as it was before.
    Diverged,
}

/// What training did, epoch by epoch.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Finished epochs, first to last.
    pub epochs: Vec<EpochRecord>,
    /// Why it ended.
    pub stop: Stop,
    /// What it ran on.
    pub device: String,
    /// From where it went on, if from a checkpoint.
    #[serde(default)]
    pub resumed: Option<String>,
    /// What there is to mind, as sentences: steps back, checkpoints that could not be written.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How often a loss that was no number sent it back.
    #[serde(default)]
    pub steps_back: usize,
}

impl History {
    /// Of a network on `device` before its first epoch.
    pub(crate) fn empty(device: &Device) -> Self {
        Self { device: device.to_string(), ..Self::default() }
    }

    /// Adds sentences that are not there yet.
    pub(super) fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// The epoch with the lowest deciding loss.
    pub fn best(&self) -> Option<&EpochRecord> {
        self.epochs.iter().min_by(|a, b| a.deciding_loss().total_cmp(&b.deciding_loss()))
    }

    /// Time of all epochs together in which training waited for data.
    pub fn waited_seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.waited_seconds).sum()
    }

    /// Time of all epochs together.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last), Some(best)) =
            (self.epochs.first(), self.epochs.last(), self.best())
        else {
            return write!(f, "stopped before the first epoch was done");
        };
        write!(
            f,
            "{} in {:.1} s on the {}: loss {:.4} → {:.4}",
            counted(self.epochs.len(), "epoch"),
            self.seconds(),
            self.device,
            first.train_loss,
            last.train_loss
        )?;
        if let Some(validation) = best.validation_loss {
            write!(f, ", validation at best {validation:.4} (epoch {})", best.epoch)?;
        }
        match self.stop {
            Stop::Finished => Ok(()),
            Stop::Early => write!(f, "; stopped early, parameters of epoch {}", best.epoch),
            Stop::Interrupted => write!(f, "; stopped by the user"),
            Stop::Diverged => write!(f, "; diverged, parameters of epoch {}", last.epoch),
        }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History({self})")
    }
}
