//! What a run came to: the file that says so, written last.

use super::plan::PlannedRun;
use super::signature::hash_of;
use super::value::Value;
use crate::{Error, Result, atomic_file};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// The version of these files.
const VERSION: u32 = 1;

/// What a finished run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The loss of the network as it is in its file: what is compared. Lower is better.
    pub final_loss: f64,
    /// What that is: "mse of the validation sequences".
    pub final_loss_is: String,
    /// The loss in training, in the last epoch.
    pub train_loss: f64,
    /// The loss on what was kept aside, after the last epoch, as the run's own loss measures it.
    pub validation_loss: Option<f64>,
    /// The epoch with the lowest loss (validation, where there is one), counted from 1.
    pub best_epoch: u64,
    /// Epochs that were trained.
    pub epochs_trained: u64,
    /// Whether it stopped early, out of patience.
    pub stopped_early: bool,
    /// Numbers that training adjusts.
    pub parameters: u64,
    /// Time of all epochs together.
    pub seconds: f64,
    /// The most memory that the process had while it trained; unknown but on Linux.
    pub memory_bytes: Option<u64>,
    /// What it ran on.
    pub device: String,
    /// How long the model's file is.
    pub model_bytes: u64,
    /// What there is to mind, as sentences.
    pub notes: Vec<String>,
}

/// A file of one run: a result, or why there is none.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    version: u32,
    signature: String,
    /// As the plan has them; the configuration is in the signature.
    settings: serde_json::Map<String, serde_json::Value>,
    outcome: T,
    /// SHA-256 of the rest.
    sha256: String,
}

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub error: String,
}

/// Writes `outcome` of a run into a file, whole or not at all.
pub(super) fn write(path: &Path, run: &PlannedRun, outcome: &impl Serialize) -> Result<()> {
    let json = |error: serde_json::Error| Error::sweep(path, format!("could not be told: {error}"));
    let outcome = serde_json::to_value(outcome).map_err(json)?;
    let mut settings = serde_json::Map::new();
    for (name, value) in run.settings() {
        settings.insert(name.clone(), serde_json::to_value::<&Value>(value).map_err(json)?);
    }
    let mut sealed = Sealed {
        version: VERSION,
        signature: run.signature().to_owned(),
        settings,
        outcome,
        sha256: String::new(),
    };
    sealed.sha256 = hash_of(&serde_json::to_value(&sealed).map_err(json)?);
    let text = serde_json::to_string_pretty(&sealed).map_err(json)?;
    atomic_file::write(path, |file| {
        writeln!(file, "{text}").map_err(Error::io(path, "write the result"))
    })
}

/// Reads what [`write`] wrote for a run of this signature; nothing where there is no such file.
///
/// # Errors
/// What is wrong with the file, in words.
pub(super) fn read<T: DeserializeOwned + Serialize>(
    path: &Path,
    signature: &str,
) -> Result<Option<T>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("could not read the file: {error}")),
    };
    let damaged = |why: &str| format!("expected what a run came to, found a damaged file ({why})");
    let mut value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| damaged(&error.to_string()))?;
    let said = value["sha256"].as_str().unwrap_or_default().to_owned();
    value["sha256"] = "".into();
    if hash_of(&value) != said {
        return Err(damaged("its hash is another"));
    }
    let sealed: Sealed<T> =
        serde_json::from_value(value).map_err(|error| damaged(&error.to_string()))?;
    if sealed.version != VERSION {
        return Err(format!("expected version {VERSION}, found {}", sealed.version));
    }
    if sealed.signature != signature {
        return Err(format!("expected the run {signature}, found {}", sealed.signature));
    }
    Ok(Some(sealed.outcome))
}
