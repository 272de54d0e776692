//! The table of a sweep: a row for each run that is over.

use super::result::RunResult;
use super::value::Value;
use crate::Error;
use crate::Result;
use crate::generate::Model;
use crate::model::Device;
use crate::train::History;
use crate::words::{counted, shown};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// What the runs of a sweep came to, in the plan's order.
#[derive(Clone, PartialEq)]
pub struct SweepTable {
    folder: PathBuf,
    varied: Vec<String>,
    rows: Vec<SweepRow>,
}

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepRow {
    /// The run's number in the plan, counted from 1.
    pub number: usize,
    /// Its signature, which is its folder's name.
    pub signature: String,
    /// Every setting of the plan with its value here, those that vary first.
    pub settings: Vec<(String, Value)>,
    /// What it came to, if it is finished.
    pub result: Option<RunResult>,
    /// Its model's file, from the sweep's folder on.
    pub model_file: Option<String>,
    /// What went wrong, if it failed.
    pub error: Option<String>,
}

impl SweepTable {
    pub(super) fn new(folder: PathBuf, varied: Vec<String>, rows: Vec<SweepRow>) -> Self {
        Self { folder, varied, rows }
    }

    /// The rows, in the plan's order.
    pub fn rows(&self) -> &[SweepRow] {
        &self.rows
    }

    /// The settings that are not the same in all runs.
    pub fn varied(&self) -> &[String] {
        &self.varied
    }

    /// "24 runs finished; best run 4, cell gru: mse of the validation sequences 0.592726".
    pub(crate) fn summary(&self) -> String {
        let ranked = self.ranked();
        let failed = self.rows.len() - ranked.len();
        let mut words = format!("{} finished", counted(ranked.len(), "run"));
        if failed > 0 {
            words += &format!(", {failed} failed");
        }
        if let Some(best) = ranked.first() {
            let is = best.result.as_ref().map_or("", |result| &result.final_loss_is);
            let settings = best.words(&self.varied);
            words += &format!("; best run {}, {settings}: {is} {:.6}", best.number, best.loss());
        }
        words
    }

    /// The folder of the sweep.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The finished runs, the lowest final loss first; of equals, the earlier in the plan.
    pub fn ranked(&self) -> Vec<&SweepRow> {
        let mut ranked: Vec<&SweepRow> = self.rows.iter().filter(|r| r.result.is_some()).collect();
        ranked.sort_by(|a, b| a.loss().total_cmp(&b.loss()));
        ranked
    }

    /// The finished run with the lowest final loss.
    pub fn best(&self) -> Option<&SweepRow> {
        self.ranked().first().copied()
    }

    /// The file of a run's model.
    pub fn model_path(&self, row: &SweepRow) -> Option<PathBuf> {
        row.model_file.as_ref().map(|file| self.folder.join(file))
    }

    /// The model of a run, ready to compose.
    ///
    /// # Errors
    /// [`Error::Data`] for a run without one; what [`Model::load`] reports.
    pub fn model(&self, row: &SweepRow, device: &Device) -> Result<Model> {
        let path = self.model_path(row).ok_or_else(|| {
            Error::Data(format!("the run {} failed: it has no model", row.number))
        })?;
        Model::load(path, device)
    }

    /// The losses of a run over its epochs.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Sweep`] when they cannot be read.
    pub fn history(&self, row: &SweepRow) -> Result<History> {
        let path = self.folder.join(&row.signature).join("history.json");
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "read the losses"))?;
        serde_json::from_str(&text).map_err(|error| {
            let problem = format!("expected the losses of a run, found something else ({error})");
            Error::sweep(&path, problem)
        })
    }

    /// The rows as one value, for a hash.
    pub(super) fn told(&self) -> serde_json::Value {
        serde_json::json!([self.varied, self.rows])
    }
}

impl SweepRow {
    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The settings of these names in words: "cell gru, units 16".
    pub fn words(&self, names: &[String]) -> String {
        let word = |name: &String| Some(format!("{name} {}", self.setting(name)?));
        names.iter().filter_map(word).collect::<Vec<_>>().join(", ")
    }

    /// The final loss; infinite for a run that failed.
    pub fn loss(&self) -> f64 {
        self.result.as_ref().map_or(f64::INFINITY, |result| result.final_loss)
    }
}

impl fmt::Display for SweepTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.folder), self.summary())
    }
}

impl fmt::Debug for SweepTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SweepTable({self})")
    }
}
