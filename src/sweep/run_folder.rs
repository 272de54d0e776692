//! The folder of a run: what is in it, who works on it.

use super::plan::PlannedRun;
use super::result::{self, Failure, RunResult};
use super::value::quoted;
use crate::claim::{Claim, is_anothers};
use crate::train::{kept_training, remove_checkpoints};
use crate::words::{counted, shown};
use crate::{Error, Result, atomic_file};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Says that a folder is a run's; held while somebody trains it.
const LOCK: &str = ".sweep-run";
const RESULT: &str = "result.json";
const FAILURE: &str = "failure.json";
pub(super) const MODEL: &str = "model.safetensors";

/// Where a run is.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// Nothing is there of it.
    Waiting,
    /// It was cut off, and goes on from what is there: so many epochs.
    CutOff(usize),
    /// A process trains it now.
    Running,
    /// It ended with an error, and will be tried again.
    Failed(String),
    /// It is done.
    Finished(Box<RunResult>),
}

/// The folder of one run.
pub(super) struct RunFolder {
    path: PathBuf,
    signature: String,
}

impl RunFolder {
    pub fn of(output: &Path, run: &PlannedRun) -> Self {
        Self { path: output.join(run.signature()), signature: run.signature().to_owned() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What the run came to, if it is finished; what is wrong with its files otherwise.
    pub fn result(&self) -> Result<Option<RunResult>, String> {
        let path = self.file(RESULT);
        let named = |problem: String| format!("{}: {problem}", shown(&path));
        let Some(found) = result::read::<RunResult>(&path, &self.signature).map_err(named)? else {
            return Ok(None);
        };
        let model = self.file(MODEL);
        let bytes = fs::metadata(&model).map(|metadata| metadata.len()).unwrap_or(0);
        if bytes != found.model_bytes {
            return Err(format!(
                "{}: expected the model, {}, found {}",
                shown(&model),
                counted(found.model_bytes, "byte"),
                counted(bytes, "byte")
            ));
        }
        Ok(Some(found))
    }

    /// Removes what a process left that was killed just after it had finished the run.
    pub fn tidy(&self) {
        atomic_file::remove_left_behind(&self.path);
        if self.checkpoints().exists() {
            remove_checkpoints(self.checkpoints());
        }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<String> {
        let failure = result::read::<Failure>(&self.file(FAILURE), &self.signature);
        failure.ok().flatten().map(|failure| failure.error)
    }

    /// When it failed last.
    pub fn failed_at(&self) -> Option<SystemTime> {
        fs::metadata(self.file(FAILURE)).and_then(|metadata| metadata.modified()).ok()
    }

    /// Where the run is; nothing is changed.
    pub fn state(&self) -> RunState {
        if let Ok(Some(result)) = self.result() {
            return RunState::Finished(Box::new(result));
        }
        let lock = File::open(self.file(LOCK));
        if lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock))) {
            return RunState::Running;
        }
        if let Some(error) = self.failure() {
            return RunState::Failed(error);
        }
        match kept_training(self.checkpoints()) {
            Some(kept) => RunState::CutOff(kept.epochs),
            None => RunState::Waiting,
        }
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// Takes the run, unless somebody has it.
    ///
    /// # Errors
    /// [`Error::Sweep`] for a folder of this name that is no run's; [`Error::Io`].
    pub fn claim(&self) -> Result<Option<Claim>> {
        fs::create_dir_all(&self.path).map_err(Error::io(&self.path, "create the run's folder"))?;
        let path = self.file(LOCK);
        let listed = is_anothers(&self.path, &path);
        if listed.map_err(Error::io(&self.path, "list the run's folder"))? {
            let problem = "expected the folder of a run or none, found another folder of this \
                           name: move it away, or name another output";
            return Err(Error::sweep(&self.path, problem));
        }
        let claim = Claim::take(&path).map_err(Error::io(&path, "lock the run"))?;
        if claim.is_some() {
            atomic_file::remove_left_behind(&self.path);
        }
        Ok(claim)
    }

    /// Writes the configuration as people read it, where it is not there yet.
    pub fn describe(&self, run: &PlannedRun, songs: &[PathBuf]) -> Result<()> {
        let mut text = format!("# The run {} of a sweep. Its songs:\n", self.signature);
        for song in songs {
            text += &format!("#   {}\n", shown(song));
        }
        text += &format!("model = {}\n", quoted(&run.configuration().model.to_string()));
        for (name, value) in run.settings() {
            text += &format!("{name} = {}\n", value.in_plan());
        }
        let path = self.file("configuration.toml");
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            return Ok(());
        }
        atomic_file::write(&path, |file| {
            file.write_all(text.as_bytes()).map_err(Error::io(&path, "write the configuration"))
        })
    }

    /// Adds a line to the log.
    pub fn log(&self, line: &str) -> Result<()> {
        let path = self.file("log.txt");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.map_err(Error::io(&path, "write the log"))
    }

    /// Says that the run is finished: the last file that is written.
    pub fn finish(&self, run: &PlannedRun, result: &RunResult) -> Result<()> {
        result::write(&self.file(RESULT), run, result)
    }

    /// Says why the run has no result.
    pub fn fail(&self, run: &PlannedRun, error: &str) -> Result<()> {
        result::write(&self.file(FAILURE), run, &Failure { error: error.to_owned() })
    }

    /// Takes back that it failed.
    pub fn forget_failure(&self) -> Result<()> {
        let path = self.file(FAILURE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(&path, "remove the last error")(error))
            }
            _ => Ok(()),
        }
    }
}
