//! All runs of a plan, one after the other, beside other processes that do the same.

use super::output::Output;
use super::plan::{Plan, PlannedRun};
use super::run_folder::{RunFolder, RunState};
use super::table::SweepTable;
use super::trainer::{Ended, Trainer};
use crate::model::Device;
use crate::train::{Position, remove_checkpoints};
use crate::words::one_line;
use crate::{Error, Result, interrupt};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// A plan and the folder in which its runs are.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let sample = |n: usize| 0.5 * (n as f32 * 0.05).sin();
/// # let song = neural_composer::audio::Audio::mono((0..96_000).map(sample).collect(), 16_000)?;
/// # song.save(folder.path().join("song.wav"))?;
/// use neural_composer::sweep::{Plan, Sweep};
/// let text = "songs = \"song.wav\"\nepochs = 1\n[grid]\ncell = [\"gru\", \"lstm\"]\nunits = [8]";
/// let sweep = Sweep::of(Plan::read(text, folder.path())?, folder.path().join("runs"));
/// let swept = sweep.run_watched(&mut |_| ())?;
/// assert_eq!((swept.trained, swept.table.rows().len()), (2, 2));
/// assert_eq!(sweep.run_watched(&mut |_| ())?.trained, 0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sweep {
    plan: Plan,
    output: PathBuf,
    device: Device,
    checkpoint_seconds: f64,
    share: Option<(usize, usize)>,
}

/// Where a sweep is.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepProgress<'a> {
    /// The run that is trained, counted from 1 in the plan.
    pub number: usize,
    /// Its settings in words.
    pub run: &'a str,
    /// The running epoch, counted from 1.
    pub epoch: usize,
    /// Epochs of this run.
    pub epochs: usize,
    /// The run's loss so far in this epoch.
    pub loss: f64,
    /// Runs that are over, of those that are to be done here: finished ones and those that failed.
    pub done: usize,
    /// Runs that are to be done here.
    pub total: usize,
    /// The part of all work here that is done, from 0 to 1; a run is as long as another.
    pub share: f64,
    /// The best finished run and its final loss.
    pub best: Option<(usize, f64)>,
    /// Time left in seconds; unknown before there is a pace.
    pub left_seconds: Option<f64>,
}

/// What a call of [`Sweep::run_watched`] did.
#[derive(Clone, Debug)]
pub struct Swept {
    /// What all runs of the plan came to so far, other calls' included.
    pub table: SweepTable,
    /// Runs that this call finished.
    pub trained: usize,
    /// Runs of the plan that failed, in this call or another.
    pub failed: usize,
    /// Runs that other processes train now.
    pub busy: usize,
    /// Runs of the plan that are neither finished nor failed.
    pub left: usize,
    /// Whether it was stopped.
    pub interrupted: bool,
    /// What there is to mind, as sentences.
    pub notes: Vec<String>,
}

impl Sweep {
    /// The runs of `plan` in folders below `output`, which is made where it is missing.
    pub fn of(plan: Plan, output: impl Into<PathBuf>) -> Self {
        Self {
            plan,
            output: output.into(),
            device: Device::best(),
            checkpoint_seconds: 60.0,
            share: None,
        }
    }

    /// Opens a plan; its runs are beside it, in a folder of its name: `plan.toml` → `plan.runs`.
    ///
    /// # Errors
    /// What [`Plan::open`] reports.
    pub fn open(plan: impl AsRef<Path>) -> Result<Self> {
        let plan = plan.as_ref();
        Ok(Self::of(Plan::open(plan)?, plan.with_extension("runs")))
    }

    /// Sets where to compute. Usual: the best device.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Sets the seconds between two checkpoints of a run. Usual: 60.
    #[must_use]
    pub fn checkpoint_seconds(mut self, seconds: f64) -> Self {
        self.checkpoint_seconds = seconds;
        self
    }

    /// Does every `tasks`-th run only: those of task number `task`, of which 0 and `tasks` are the same,
    /// so that arrays may count from 0 or from 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for no tasks, and for a number beyond them.
    pub fn task(mut self, task: usize, tasks: usize) -> Result<Self> {
        Error::refuse_zero([("tasks", tasks)])?;
        if task > tasks {
            let expected = format!("a number from 0 to {tasks}, the count of tasks");
            return Err(Error::argument("task", expected, task));
        }
        self.share = Some((task % tasks, tasks));
        Ok(self)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The folder in which the runs are.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// The runs that are to be done here: all, or a task's.
    pub fn runs(&self) -> Vec<&PlannedRun> {
        let own = |run: &&PlannedRun| {
            self.share.is_none_or(|(task, tasks)| (run.number() - 1) % tasks == task)
        };
        self.plan.runs().iter().filter(own).collect()
    }

    /// Where each of [`runs`](Self::runs) is; nothing is changed.
    pub fn states(&self) -> Vec<RunState> {
        self.runs().into_iter().map(|run| RunFolder::of(&self.output, run).state()).collect()
    }

    /// Trains what is not finished, and writes the table; `watch` is told how that goes.
    ///
    /// What is finished is not done again. A run that was cut off goes on from its checkpoint, one that
    /// failed is tried again, one that another process trains is left to it. A request to stop
    /// ([`interrupt`]) ends it after the running batch.
    ///
    /// # Errors
    /// [`Error::Argument`] for a folder that holds other things or cannot be written, and for impossible
    /// seconds; [`Error::Sweep`] for a run's folder that is another's; [`Error::Io`] where a file of the
    /// sweep cannot be written. What goes wrong in one run is in the table.
    pub fn run_watched(&self, watch: &mut dyn FnMut(&SweepProgress<'_>)) -> Result<Swept> {
        let _job = interrupt::begin()?;
        if !(self.checkpoint_seconds >= 0.0 && self.checkpoint_seconds.is_finite()) {
            let expected = "a number of seconds from 0";
            let found = self.checkpoint_seconds;
            return Err(Error::argument("checkpoint_seconds", expected, found));
        }
        let output = Output::open(&self.output)?;
        let mut work = Work {
            sweep: self,
            trainer: Trainer::new(&self.plan, self.device.clone(), self.checkpoint_seconds),
            begun: (Instant::now(), SystemTime::now()),
            best: None,
            notes: self.plan.notes().to_vec(),
            trained: 0,
            over: 0,
            to_do: 0,
            interrupted: false,
        };
        let mut left = self.runs();
        left.retain(|run| {
            let folder = RunFolder::of(&self.output, run);
            let is_finished = work.is_finished(run, &folder);
            if is_finished {
                folder.tidy();
            }
            !is_finished
        });
        work.to_do = left.len();
        // What others had may be free again when the rest is done.
        loop {
            let before = left.len();
            let mut still = Vec::new();
            for run in left {
                if work.interrupted || !work.take(run, &output, watch)? {
                    still.push(run);
                }
            }
            left = still;
            if left.is_empty() || left.len() == before || work.interrupted {
                break;
            }
        }
        let table = output.write_table(&self.plan)?;
        let states = self.plan.runs().iter().map(|run| RunFolder::of(&self.output, run).state());
        let states: Vec<RunState> = states.collect();
        let count = |is: fn(&RunState) -> bool| states.iter().filter(|state| is(state)).count();
        Ok(Swept {
            table,
            trained: work.trained,
            failed: count(|state| matches!(state, RunState::Failed(_))),
            busy: count(|state| *state == RunState::Running),
            left: count(|state| !matches!(state, RunState::Failed(_) | RunState::Finished(_))),
            interrupted: work.interrupted,
            notes: work.notes,
        })
    }
}

/// A sweep that runs.
struct Work<'s> {
    sweep: &'s Sweep,
    trainer: Trainer<'s>,
    begun: (Instant, SystemTime),
    best: Option<(usize, f64)>,
    notes: Vec<String>,
    /// Runs that were finished here.
    trained: usize,
    /// Runs that were finished or failed here.
    over: usize,
    /// Runs that are to be done here, those that are over included.
    to_do: usize,
    interrupted: bool,
}

impl Work<'_> {
    /// Does a run, unless it is done or somebody else has it; whether it is over.
    fn take(
        &mut self,
        run: &PlannedRun,
        output: &Output,
        watch: &mut dyn FnMut(&SweepProgress<'_>),
    ) -> Result<bool> {
        if interrupt::requested() {
            self.interrupted = true;
            return Ok(false);
        }
        let folder = RunFolder::of(&self.sweep.output, run);
        let Some(claim) = folder.claim()? else { return Ok(false) };
        // Somebody may have done it before the claim.
        let failed_meanwhile = folder.failed_at().is_some_and(|at| at >= self.begun.1);
        if self.is_finished(run, &folder) || failed_meanwhile {
            self.to_do -= 1;
            return Ok(true);
        }
        if let Err(problem) = folder.result() {
            self.note(format!("{problem}; the run is done again"));
        }
        let words = run.words();
        let (best, done, total, begun) = (self.best, self.over, self.to_do, self.begun.0);
        let ended = self.trainer.train(run, &folder, &mut |_, position: &Position| {
            let of_run = position.batches_done() as f64 / position.batches_planned().max(1) as f64;
            let share = (done as f64 + of_run) / total.max(1) as f64;
            let elapsed = begun.elapsed().as_secs_f64();
            let has_pace = share > 0.0 && elapsed > 1.0;
            watch(&SweepProgress {
                number: run.number(),
                run: &words,
                epoch: position.epoch,
                epochs: position.epochs,
                loss: position.loss,
                done,
                total,
                share: share.clamp(0.0, 1.0),
                best,
                left_seconds: has_pace.then(|| elapsed * (1.0 - share).max(0.0) / share),
            });
        });
        match ended {
            Ok(Ended::Finished(result)) => {
                self.trained += 1;
                self.see(run, result.final_loss);
            }
            Ok(Ended::Stopped) => {
                self.interrupted = true;
                return Ok(false);
            }
            // Where the sweep's folder takes no more, the others would fail, too.
            Err(Error::Io { path, action, source }) if path.starts_with(&self.sweep.output) => {
                return Err(Error::Io { path, action, source });
            }
            Err(error) => {
                let words = one_line(&error.to_string());
                folder.log(&format!("failed: {words}"))?;
                folder.fail(run, &words)?;
                // It would only fail there again.
                remove_checkpoints(folder.checkpoints());
            }
        }
        self.over += 1;
        drop(claim);
        output.write_table(&self.sweep.plan)?;
        Ok(true)
    }

    fn is_finished(&mut self, run: &PlannedRun, folder: &RunFolder) -> bool {
        let Ok(Some(result)) = folder.result() else { return false };
        self.see(run, result.final_loss);
        true
    }

    fn see(&mut self, run: &PlannedRun, loss: f64) {
        if self.best.is_none_or(|(_, best)| loss < best) {
            self.best = Some((run.number(), loss));
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
