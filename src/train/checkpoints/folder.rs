//! A folder of checkpoints: their names, the newest good one.

use super::file::{self, Checkpoint};
use super::retention::Kept;
use super::settings::Checkpoints;
use crate::model::ModelKind;
use crate::words::shown;
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// How the names end.
const ENDING: &str = ".safetensors";

/// The file of a checkpoint: "epoch-0003-batch-0012.safetensors" is in epoch 3, after 12 batches of it.
pub(super) fn path_of(folder: &Path, kept: &Kept) -> PathBuf {
    folder.join(format!("epoch-{:04}-batch-{:04}{ENDING}", kept.epoch, kept.batch))
}

/// The place that a file's name tells.
fn place_of(path: &Path) -> Option<Kept> {
    let name = path.file_name()?.to_str()?.strip_prefix("epoch-")?.strip_suffix(ENDING)?;
    let (epoch, batch) = name.split_once("-batch-")?;
    Some(Kept { epoch: epoch.parse().ok()?, batch: batch.parse().ok()?, loss: None })
}

/// The checkpoints in a folder by their names, the newest first; none where there is no folder.
pub(super) fn list(folder: &Path) -> Vec<(Kept, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter_map(|path| Some((place_of(&path)?, path))).collect();
    found.sort_by(|a, b| b.0.order(&a.0));
    found
}

/// A checkpoint that can be read.
pub(in crate::train) struct Found {
    pub path: PathBuf,
    pub checkpoint: Checkpoint,
    /// What was wrong with newer ones.
    pub passed_over: Vec<Error>,
}

/// The newest checkpoint of a folder that can be read, or what was wrong with all of them.
pub(super) fn newest_good(folder: &Path) -> Result<Found, Vec<Error>> {
    let mut passed_over = Vec::new();
    for (_, path) in list(folder) {
        match file::read(&path) {
            Ok(checkpoint) => return Ok(Found { path, checkpoint, passed_over }),
            Err(error) => passed_over.push(error),
        }
    }
    Err(passed_over)
}

/// Opens a checkpoint: a file, or the newest good one of a folder.
///
/// # Errors
/// What is wrong with the file, and which one beside it is good.
pub(in crate::train) fn open(path: &Path) -> Result<Found> {
    if !path.exists() {
        let problem = "is not there: there is nothing to go on from; train without --resume";
        return Err(Error::model(path, problem));
    }
    if !path.is_dir() {
        let checkpoint = file::read(path).map_err(|error| {
            let beside = path.parent().and_then(|folder| newest_good(folder).ok());
            match (beside, error) {
                (Some(good), Error::Model { path, problem }) => {
                    let good = shown(&good.path);
                    Error::Model { path, problem: format!("{problem}; {good} is good") }
                }
                (_, error) => error,
            }
        })?;
        return Ok(Found { path: path.to_path_buf(), checkpoint, passed_over: Vec::new() });
    }
    newest_good(path).map_err(|faults| {
        let problem = match faults.first() {
            Some(newest) => format!("holds no checkpoint that can be read: {newest}"),
            None => "holds no checkpoint to go on from: train without --resume".to_owned(),
        };
        Error::model(path, problem)
    })
}

/// Refuses what is no good checkpoint, and a folder without one.
///
/// # Errors
/// [`Error::Io`] and [`Error::Model`] with the fault, and with the name of a good one beside it.
pub fn check_checkpoint(path: impl AsRef<Path>) -> Result<()> {
    open(path.as_ref()).map(drop)
}

/// The settings of the training that a checkpoint, or the newest one of a folder, is of, and where its
/// checkpoints are kept.
pub(in crate::train) fn settings_of<T: DeserializeOwned>(
    path: &Path,
    model: ModelKind,
) -> Result<(T, Checkpoints, PathBuf)> {
    let Found { path, checkpoint, .. } = open(path)?;
    checkpoint.identity.check_model(model, &path)?;
    let settings = checkpoint.identity.settings(&path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok((settings, Checkpoints::in_folder(folder), path))
}

/// Removes the checkpoints of a folder, and the folder, where nothing else is in it.
pub(super) fn remove(folder: &Path) {
    list(folder).into_iter().for_each(|(_, path)| drop(std::fs::remove_file(path)));
    let _ = std::fs::remove_dir(folder);
}

/// Removes the checkpoints of a training that is not needed any more; other files stay.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// neural_composer::train::remove_checkpoints(folder.path().join("run.checkpoints"));
/// ```
pub fn remove_checkpoints(folder: impl AsRef<Path>) {
    remove(folder.as_ref());
}

/// A training of which there is a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptTraining {
    /// Its newest good checkpoint.
    pub checkpoint: PathBuf,
    /// Epochs that are done.
    pub epochs: usize,
    /// Batches done in the next one.
    pub batches: usize,
    /// Time that it has taken.
    pub seconds: f64,
    /// Whether it came to its end.
    pub done: bool,
}

/// The training in a folder of checkpoints, if there is one that can be read.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// assert_eq!(neural_composer::train::kept_training(folder.path()), None);
/// ```
pub fn kept_training(folder: impl AsRef<Path>) -> Option<KeptTraining> {
    kept_in(folder.as_ref())
}

fn kept_in(folder: &Path) -> Option<KeptTraining> {
    let found = newest_good(folder).ok()?;
    let state = found.checkpoint.snapshot.state;
    Some(KeptTraining {
        checkpoint: found.path,
        epochs: state.history.epochs.len(),
        batches: state.at.batch,
        seconds: state.at.seconds,
        done: state.done,
    })
}
