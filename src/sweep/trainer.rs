//! One run after the other: what they learn from is made ready once.

use super::plan::{Plan, PlannedRun};
use super::result::RunResult;
use super::run_folder::{MODEL, RunFolder};
use crate::dataset::codes::CodedSongs;
use crate::dataset::grains::GrainPool;
use crate::dataset::{Dataset, DatasetSettings, Skipped, SongSource};
use crate::generate::{CodeComposer, GrainComposer, Learning, Model};
use crate::model::Device;
use crate::train::{
    self, Checkpoints, History, InTraining, Observer, Position, Stop, kept_training,
    remove_checkpoints,
};
use crate::words::one_line;
use crate::{Error, Result, atomic_file, memory};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Trains runs of a plan.
pub(super) struct Trainer<'p> {
    plan: &'p Plan,
    device: Device,
    checkpoint_seconds: f64,
    ready: Option<Ready>,
}

/// What is learned from.
enum Ready {
    Blocks(DatasetSettings, Box<Dataset>),
    Grains(Arc<GrainPool>),
    Codes(Arc<CodedSongs>),
}

/// How training a run ended.
pub(super) enum Ended {
    Finished(Box<RunResult>),
    /// By a request to stop; it goes on from what is there.
    Stopped,
}

/// What a run has learned.
struct Trained {
    model: Model,
    history: History,
    /// The loss of the model as it is, and what that is.
    loss: (f64, String),
    /// What there is to say of the songs.
    notes: Vec<String>,
}

impl<'p> Trainer<'p> {
    pub fn new(plan: &'p Plan, device: Device, checkpoint_seconds: f64) -> Self {
        Self { plan, device, checkpoint_seconds, ready: None }
    }

    /// Trains a run that was claimed to its end, from where it was.
    ///
    /// # Errors
    /// Why it has no result.
    pub fn train(
        &mut self,
        run: &PlannedRun,
        folder: &RunFolder,
        watch: &mut dyn FnMut(&History, &Position),
    ) -> Result<Ended> {
        folder.forget_failure()?;
        folder.describe(run, self.plan.songs())?;
        memory::forget_peak();
        let mut log = Log { folder, watch, went_on: None };
        folder.log(&format!("begun: {}", run.words()))?;
        let Trained { model, history, loss: (final_loss, final_loss_is), notes } =
            match self.learn(run, folder, &mut log) {
                Ok(trained) if trained.history.stop == Stop::Interrupted => {
                    return stopped(folder);
                }
                Err(Error::Interrupted(_)) => return stopped(folder),
                trained => trained?,
            };
        let last = history.epochs.last();
        let (Some(last), true) = (last, final_loss.is_finite()) else {
            return Err(Error::Data(format!("the loss of what was learned is {final_loss}")));
        };
        let model_path = folder.file(MODEL);
        atomic_file::together(|| {
            model.save(&model_path)?;
            write_history(&folder.file("history.json"), &history)
        })?;
        let model_bytes = std::fs::metadata(&model_path);
        let result = RunResult {
            final_loss,
            final_loss_is,
            train_loss: last.train_loss,
            validation_loss: last.validation_loss,
            best_epoch: history.best().map_or(0, |best| best.epoch as u64),
            epochs_trained: history.epochs.len() as u64,
            stopped_early: history.stop == Stop::Early,
            parameters: model.parameter_count() as u64,
            seconds: history.seconds(),
            memory_bytes: memory::peak_bytes(),
            device: history.device.clone(),
            model_bytes: model_bytes.map_err(Error::io(&model_path, "find the model"))?.len(),
            notes: history.notes.iter().chain(&notes).map(|note| one_line(note)).collect(),
        };
        folder.log(&format!("finished: {} {final_loss:.6}", result.final_loss_is))?;
        folder.finish(run, &result)?;
        remove_checkpoints(folder.checkpoints());
        Ok(Ended::Finished(Box::new(result)))
    }

    fn learn(
        &mut self,
        run: &PlannedRun,
        folder: &RunFolder,
        observer: &mut dyn Observer,
    ) -> Result<Trained> {
        let mut configuration = run.configuration().clone();
        let checkpoints = folder.checkpoints();
        configuration.device = self.device.clone();
        configuration.resume = kept_training(&checkpoints).map(|_| checkpoints.clone());
        configuration.checkpoints = Some(Checkpoints {
            every_seconds: self.checkpoint_seconds,
            newest: 1,
            ..Checkpoints::in_folder(checkpoints)
        });
        let trained = match configuration.learning()? {
            Learning::Blocks(learning) => {
                let data = self.dataset(learning.dataset)?;
                let (network, history) = learning.learn_data(data, observer)?;
                refuse_diverged(&history)?;
                let mut notes = Skipped::notes(data.skipped());
                notes.extend(data.songs().iter().flat_map(|song| song.warnings.iter().cloned()));
                if history.stop == Stop::Interrupted {
                    let loss = (f64::NAN, String::new());
                    return Ok(Trained { model: Model::Blocks(network), history, loss, notes });
                }
                let training = configuration.training(data)?;
                let (own, aside) = data.split(training.validation)?;
                let (sequences, which) = match aside.is_empty() {
                    true => (own, "training"),
                    false => (aside, "validation"),
                };
                let compare = self.plan.compare();
                let measured = (sequences.as_slice(), training.batch_size);
                let data = self.dataset(learning.dataset)?;
                let loss = train::measure(&network, data, measured, compare)?;
                let words = format!("{compare} of the {which} sequences");
                Trained { model: Model::Blocks(network), history, loss: (loss, words), notes }
            }
            Learning::Grains(learning) => {
                let pool = match &self.ready {
                    Some(Ready::Grains(pool)) => pool.clone(),
                    _ => {
                        let songs = self.songs();
                        let pool = GrainPool::of(&songs, learning.grains, &mut |_, _| ())?;
                        let pool = Arc::new(pool);
                        self.ready = Some(Ready::Grains(pool.clone()));
                        pool
                    }
                };
                let composer = GrainComposer::learn_pool(pool, &learning.training, observer)?;
                let history = composer.history().clone();
                Trained::drawn(Model::Grains(composer), history)
            }
            Learning::Codes(learning) => {
                let coded = match &self.ready {
                    Some(Ready::Codes(coded)) => coded.clone(),
                    _ => {
                        let coded = Arc::new(CodedSongs::of(&self.songs(), learning.blocks)?);
                        self.ready = Some(Ready::Codes(coded.clone()));
                        coded
                    }
                };
                let composer = CodeComposer::learn_coded(coded, &learning.training, observer)?;
                let history = composer.history().clone();
                Trained::drawn(Model::Codes(composer), history)
            }
        };
        refuse_diverged(&trained.history)?;
        Ok(trained)
    }

    fn songs(&self) -> Vec<SongSource> {
        self.plan.songs().iter().cloned().map(SongSource::File).collect()
    }

    /// The songs in blocks, as they were for the run before if that had the same settings.
    fn dataset(&mut self, settings: DatasetSettings) -> Result<&Dataset> {
        let known = matches!(&self.ready, Some(Ready::Blocks(known, _)) if *known == settings);
        if !known {
            // The old one goes first.
            self.ready = None;
            let data = Dataset::of(&self.songs(), settings)?;
            self.ready = Some(Ready::Blocks(settings, Box::new(data)));
        }
        match &self.ready {
            Some(Ready::Blocks(_, data)) => Ok(data),
            _ => Err(Error::Data("the songs are not in blocks".into())),
        }
    }
}

impl Trained {
    /// Of a model whose own loss is the only one that it has.
    fn drawn(model: Model, history: History) -> Self {
        let record = match history.stop {
            Stop::Early => history.best(),
            _ => history.epochs.last(),
        };
        let loss = record.map_or((f64::NAN, String::new()), |record| {
            let which = if record.validation_loss.is_some() { "validation" } else { "training" };
            (record.deciding_loss(), format!("{which} loss"))
        });
        let notes = model.notes();
        Self { model, history, loss, notes }
    }
}

fn stopped(folder: &RunFolder) -> Result<Ended> {
    folder.log("stopped by the user")?;
    Ok(Ended::Stopped)
}

fn refuse_diverged(history: &History) -> Result<()> {
    match history.stop {
        Stop::Diverged => {
            let why = history.notes.last().cloned();
            Err(Error::Data(why.unwrap_or_else(|| "its training diverged".into())))
        }
        _ => Ok(()),
    }
}

fn write_history(path: &Path, history: &History) -> Result<()> {
    let text = serde_json::to_string_pretty(history)
        .map_err(|error| Error::sweep(path, format!("could not be told: {error}")))?;
    atomic_file::write(path, |file| {
        writeln!(file, "{text}").map_err(Error::io(path, "write the losses"))
    })
}

/// Writes down how a training goes, and tells it.
struct Log<'a> {
    folder: &'a RunFolder,
    watch: &'a mut dyn FnMut(&History, &Position),
    /// From where it went on, until that is written down.
    went_on: Option<String>,
}

impl Observer for Log<'_> {
    fn batch(&mut self, history: &History, position: &Position) {
        (self.watch)(history, position);
    }

    fn epoch(&mut self, history: &History, position: &Position) {
        (self.watch)(history, position);
    }

    fn resumed(&mut self, words: &str) {
        self.went_on = Some(words.to_owned());
    }

    fn learned(&mut self, _: InTraining<'_>, history: &History) -> Result<()> {
        if let Some(words) = self.went_on.take() {
            self.folder.log(&one_line(&words))?;
        }
        let Some(last) = history.epochs.last() else { return Ok(()) };
        let validation =
            last.validation_loss.map_or(String::new(), |loss| format!(", validation {loss:.6}"));
        self.folder.log(&format!(
            "epoch {}: loss {:.6}{validation}, {:.2} s",
            last.epoch, last.train_loss, last.seconds
        ))
    }
}
