//! `train`: a model from songs.

use super::given::Given;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output, Replacing, beside, save_chart};
use super::report::{self, Report, tell};
use super::songs::Songs;
use super::streams::{Input, Target, is_stream};
use clap::Args;
use neural_composer::generate::Learned;
use neural_composer::processes::Membership;
use neural_composer::train::Stop;
use neural_composer::words::shown;
use neural_composer::{Error, Result, atomic_file};
use std::path::PathBuf;

/// What a training begins with.
struct Prepared {
    songs: Songs,
    target: Target,
    /// The drawing of the loss.
    chart: PathBuf,
    _input: Input,
}

/// Train a model on songs and write it
#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    training: TrainingOptions,
    /// The model; its loss over the epochs is drawn beside it (model.loss.svg); - is standard output,
    /// without the drawing
    #[arg(short, long, default_value = "model.safetensors")]
    output: PathBuf,
    /// blocks: the course's method, block by block; grains: a new order of the songs' own grains;
    /// codes: codes of overlapping spectra along the beat
    #[arg(long, value_enum, default_value_t = Kind::Blocks)]
    model: Kind,
    #[command(flatten)]
    replacing: Replacing,
}

impl Train {
    /// With other processes, where there are any: the first one writes and tells.
    pub fn run(mut self, given: &Given, membership: &Membership) -> Result<Report> {
        let processes = membership.processes();
        self.training.processes = processes.clone();
        let prepared = self.prepare(given);
        let status = prepared.as_ref().map_or_else(report::status_of, |_| 0);
        if let Some((rank, status)) = membership.agree(status)?
            && rank != processes.rank()
        {
            return Ok(Report::default().unsaid(true).ending_with(status));
        }
        let prepared = prepared?;
        if let Some(words) = membership.words().filter(|_| processes.is_first()) {
            tell(&words);
        }
        let learned = self.training.learn(self.model, &prepared.songs)?;
        if !processes.is_first() {
            let is_interrupted = learned.history.stop == Stop::Interrupted;
            return Ok(Report::default().unsaid(true).interrupted(is_interrupted));
        }
        self.write(learned, prepared)
    }

    /// All that can be refused before any work.
    fn prepare(&mut self, given: &Given) -> Result<Prepared> {
        TrainingOptions::refuse_foreign(self.model, given)?;
        self.training.check(self.model)?;
        let mut songs = self.training.songs()?;
        if self.training.processes.are_several()
            && (is_stream(&self.output) || Input::is_among(&songs.files))
        {
            let expected = "files, where several processes train";
            return Err(Error::argument("-", expected, "standard input or output"));
        }
        Input::check(&songs.files)?;
        let target = Target::of("--output", &self.output, given)?;
        let chart = beside(&target.path, "loss.svg");
        let named = Output::named("--output", &target.path, outputs::Kind::Model);
        let mut outputs = vec![named];
        if !target.is_stream() {
            outputs.push(Output::beside("--output", &chart, outputs::Kind::Picture));
        }
        if self.training.processes.is_first() {
            outputs::check(&outputs, &songs.files, self.replacing.force)?;
        }
        if self.model == Kind::Grains && Input::is_among(&songs.files) {
            let expected = "files, which a model of grains reads again";
            return Err(Error::argument("songs", expected, "standard input"));
        }
        self.training.checkpoints.keep_beside(&target, false)?;
        let input = Input::read(&mut songs.files)?;
        Ok(Prepared { songs, target, chart, _input: input })
    }

    /// What was learned, and what there is to say of it.
    fn write(&self, learned: Learned, prepared: Prepared) -> Result<Report> {
        let Prepared { target, chart, .. } = prepared;
        let (model, history) = (learned.model, learned.history);
        let written = atomic_file::together(|| {
            model.save(&target.path)?;
            if target.is_stream() { Ok(()) } else { save_chart(&history, &chart) }
        });
        self.training.checkpoints.not_lost(written)?;
        let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
        let mut report = Report::default().fact("model", report::path(&target.path));
        if target.is_stream() {
            report = report.line(format!("{}: the model", shown(&target.path)));
        } else {
            let (model, chart) = (shown(&target.path), shown(&chart));
            report = report.line(format!("{model}: the model; {chart}: its loss"));
        }
        let report = report
            .fact("chart", (!target.is_stream()).then(|| report::path(&chart)))
            .fact("parameters", model.parameter_count())
            .fact("losses", losses)
            .fact("training_seconds", history.seconds())
            .fact("waited_seconds", history.waited_seconds())
            .warn(learned.notes)
            .interrupted(history.stop == Stop::Interrupted);
        target.deliver(report)
    }
}
