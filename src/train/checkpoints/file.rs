//! A checkpoint's file: a model file with all that going on needs.

use super::identity::Identity;
use super::state::{Snapshot, State};
use crate::model::{CHECKPOINT, ModelFile};
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What that part says.
#[derive(Serialize, Deserialize)]
struct Part {
    identity: Identity,
    state: State,
}

/// A checkpoint that was read.
pub(in crate::train) struct Checkpoint {
    pub identity: Identity,
    pub snapshot: Snapshot,
    /// What the model file says besides.
    pub description: Value,
}

/// Writes a checkpoint: `description` and `tensors` of the model, and what `snapshot` holds.
pub(super) fn write(
    path: &Path,
    (mut description, tensors): (Value, BTreeMap<String, Tensor>),
    identity: &Identity,
    snapshot: &Snapshot,
) -> Result<()> {
    let part = Part { identity: identity.clone(), state: snapshot.state.clone() };
    let part = serde_json::to_value(part)
        .map_err(|error| Error::model(path, format!("could not be described: {error}")))?;
    if let Some(parts) = description.as_object_mut() {
        parts.insert(CHECKPOINT.to_owned(), part);
    }
    let mut all = snapshot.tensors.clone();
    all.extend(tensors);
    ModelFile::write(path, &description, &all)
}

/// Reads a checkpoint, if it is one.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another version,
/// or no checkpoint.
pub(super) fn read(path: &Path) -> Result<Checkpoint> {
    let file = ModelFile::read(path)?;
    let description: Value = file.description(path)?;
    let Some(part) = description.get(CHECKPOINT).cloned() else {
        let problem = "holds a model, but not how its training went: expected a checkpoint, which \
                       training writes into a folder beside the model";
        return Err(Error::model(path, problem));
    };
    let Part { identity, state } = serde_json::from_value(part).map_err(|error| {
        Error::model(path, format!("what it says of its training cannot be understood ({error})"))
    })?;
    let snapshot = Snapshot { state, tensors: file.tensors };
    Ok(Checkpoint { identity, snapshot, description })
}
