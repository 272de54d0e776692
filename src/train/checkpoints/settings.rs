//! Where, how often and how many checkpoints are kept.

use crate::{Error, Result};
use std::path::PathBuf;

/// Where, how often and how many checkpoints are kept of a training.
///
/// ```
/// use neural_composer::train::{Checkpoints, Training};
/// let checkpoints = Checkpoints { every_seconds: 10.0, ..Checkpoints::in_folder("run.checkpoints") };
/// let settings = Training::epochs(50).checkpoints(checkpoints);
/// assert_eq!(settings.checkpoints.unwrap().newest, 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    /// The folder, which is made where it is missing. Nothing in it but checkpoints is touched.
    pub folder: PathBuf,
    /// Seconds between two checkpoints. Usual: 60.
    pub every_seconds: f64,
    /// Besides, after every so many epochs.
    pub every_epochs: Option<usize>,
    /// How many of the newest are kept; the one with the lowest loss is kept, too. Usual: 2.
    pub newest: usize,
    /// Whether `folder` is shared by many trainings. Each has a folder of its own in it then, those
    /// of the last eight are kept, and one that was cut off is picked up by the next training with
    /// the same settings, songs and first parameters.
    pub shared: bool,
    /// Whether the last checkpoint stays when the training is done: for more epochs. Usual: yes.
    pub keep_when_done: bool,
}

impl Checkpoints {
    /// One every minute, the newest two and the best, in a folder for this training alone.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every_seconds: 60.0,
            every_epochs: None,
            newest: 2,
            shared: false,
            keep_when_done: true,
        }
    }

    /// As [`in_folder`](Self::in_folder), in a folder that many trainings [share](Self::shared).
    pub fn in_shared_folder(folder: impl Into<PathBuf>) -> Self {
        Self { shared: true, ..Self::in_folder(folder) }
    }

    /// # Errors
    /// [`Error::Argument`] for an impossible interval or count.
    pub(in crate::train) fn check(&self) -> Result<()> {
        if !(self.every_seconds >= 0.0 && self.every_seconds.is_finite()) {
            let expected = "a number of seconds from 0";
            return Err(Error::argument("every_seconds", expected, self.every_seconds));
        }
        Error::refuse_zero([
            ("every_epochs", self.every_epochs.unwrap_or(1)),
            ("newest", self.newest),
        ])
    }
}
