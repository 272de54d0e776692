//! `train`: a model from songs.

use super::given::Given;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output, Replacing, beside, save_chart};
use super::report::{self, Report};
use super::streams::{Input, Target};
use clap::Args;
use neural_composer::train::Stop;
use neural_composer::words::shown;
use neural_composer::{Error, Result, atomic_file};
use std::path::PathBuf;

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
    pub fn run(mut self, given: &Given) -> Result<Report> {
        TrainingOptions::refuse_foreign(self.model, given)?;
        self.training.check(self.model)?;
        let mut songs = self.training.songs()?;
        Input::check(&songs.files)?;
        let target = Target::of("--output", &self.output, given)?;
        let chart = beside(&target.path, "loss.svg");
        let named = Output::named("--output", &target.path, outputs::Kind::Model);
        let mut outputs = vec![named];
        if !target.is_stream() {
            outputs.push(Output::beside("--output", &chart, outputs::Kind::Picture));
        }
        outputs::check(&outputs, &songs.files, self.replacing.force)?;
        if self.model == Kind::Grains && Input::is_among(&songs.files) {
            let expected = "files, which a model of grains reads again";
            return Err(Error::argument("songs", expected, "standard input"));
        }
        self.training.checkpoints.keep_beside(&target, false)?;
        let _input = Input::read(&mut songs.files)?;
        let learned = self.training.learn(self.model, &songs)?;
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
