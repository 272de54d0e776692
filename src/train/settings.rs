use crate::{Error, Result};
use std::path::PathBuf;

/// How to train.
///
/// ```
/// use neural_composer::train::Training;
/// let settings = Training::epochs(50).batch(5).seed(1).validation(0.1).patience(8);
/// assert_eq!(settings.batch_size, 5);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Times through all training sequences. The course: 500.
    pub epochs: usize,
    /// Sequences per optimizer step. The course: 5.
    pub batch_size: usize,
    /// Step size of RMSprop. Keras's usual value: 0.001.
    pub learning_rate: f64,
    /// Decides the order of the sequences.
    pub seed: u64,
    /// The share of sequences kept aside to measure what was not trained on, from 0 to below 1.
    pub validation: f64,
    /// Stop after so many epochs without a better loss (validation, where there is one), and go
    /// back to the best parameters.
    pub patience: Option<usize>,
    /// Gradients are scaled down to this norm where theirs is larger.
    pub clip_norm: Option<f64>,
    /// Where and how often to save the network while it trains.
    pub checkpoints: Option<Checkpoints>,
}

/// Saving while training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// The model file, replaced each time.
    pub path: PathBuf,
    /// Epochs between two savings. The course: 25.
    pub every_epochs: usize,
}

impl Training {
    /// `epochs` times through the data, with the usual values for the rest: batches of 16, a
    /// learning rate of 0.001, seed 1, no validation, no early stop, gradients clipped at norm 1.
    pub fn epochs(epochs: usize) -> Self {
        Self {
            epochs,
            batch_size: 16,
            learning_rate: 1e-3,
            seed: 1,
            validation: 0.0,
            patience: None,
            clip_norm: Some(1.0),
            checkpoints: None,
        }
    }

    /// The course's: 500 epochs, batches of 5, RMSprop as Keras has it, nothing clipped.
    pub fn course() -> Self {
        Self { batch_size: 5, clip_norm: None, ..Self::epochs(500) }
    }

    /// As many epochs as give about `updates` optimizer steps over `sequences` sequences.
    pub fn updates(updates: usize, sequences: usize, batch_size: usize) -> Self {
        let per_epoch = sequences.div_ceil(batch_size.max(1)).max(1);
        Self::epochs(updates.div_ceil(per_epoch).max(1)).batch(batch_size)
    }

    /// Sets [`batch_size`](Self::batch_size).
    pub fn batch(mut self, sequences: usize) -> Self {
        self.batch_size = sequences;
        self
    }

    /// Sets [`learning_rate`](Self::learning_rate).
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Sets [`seed`](Self::seed).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`validation`](Self::validation).
    pub fn validation(mut self, fraction: f64) -> Self {
        self.validation = fraction;
        self
    }

    /// Sets [`patience`](Self::patience).
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs);
        self
    }

    /// Sets [`clip_norm`](Self::clip_norm).
    pub fn clip_norm(mut self, norm: f64) -> Self {
        self.clip_norm = Some(norm);
        self
    }

    /// Saves the network to `path` every `every_epochs` epochs and at the end.
    pub fn checkpoints(mut self, path: impl Into<PathBuf>, every_epochs: usize) -> Self {
        self.checkpoints = Some(Checkpoints { path: path.into(), every_epochs });
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let whole = [("epochs", Some(self.epochs)), ("batch", Some(self.batch_size))];
        let optional = [
            ("patience", self.patience),
            ("every_epochs", self.checkpoints.as_ref().map(|c| c.every_epochs)),
        ];
        for (name, value) in whole.into_iter().chain(optional) {
            if value == Some(0) {
                return Err(Error::argument(name, "at least 1", 0));
            }
        }
        let positive = [("learning rate", Some(self.learning_rate)), ("clip norm", self.clip_norm)];
        for (name, value) in positive {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(Error::argument(name, "a number above 0", value));
            }
        }
        Ok(())
    }
}
