//! `train`: a model from songs.

use super::given::Given;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output, Replacing, beside, save_chart};
use super::report::Report;
use clap::Args;
use neural_composer::Result;
use neural_composer::train::Stop;
use std::path::PathBuf;

/// Train a model on songs and write it
#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    training: TrainingOptions,
    /// The model; its loss over the epochs is drawn beside it (model.loss.svg)
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
    pub fn run(self, given: &Given) -> Result<Report> {
        TrainingOptions::refuse_foreign(self.model, given)?;
        let files = self.training.song_files()?;
        let chart = beside(&self.output, "loss.svg");
        let outputs = [
            Output::named("--output", &self.output, outputs::Kind::Model),
            Output::beside("--output", &chart, outputs::Kind::Picture),
        ];
        outputs::check(&outputs, &files, self.replacing.force)?;
        let learned = self.training.learn(self.model, &files)?;
        let (model, history) = (learned.model, learned.history);
        model.save(&self.output)?;
        save_chart(&history, &chart)?;
        let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
        Ok(Report::default()
            .line(format!("{}: the model; {}: its loss", self.output.display(), chart.display()))
            .fact("model", self.output.display().to_string())
            .fact("chart", chart.display().to_string())
            .fact("parameters", model.parameter_count())
            .fact("losses", losses)
            .fact("training_seconds", history.seconds())
            .warn(learned.notes)
            .interrupted(history.stop == Stop::Interrupted))
    }
}
