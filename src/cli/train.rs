use super::options::{TrainingOptions, beside, check_writable, dataset_notes};
use super::report::Report;
use clap::Args;
use neural_composer::Result;
use neural_composer::train::Stop;
use std::path::PathBuf;

/// Train a network on songs and write the model
#[derive(Args)]
pub struct Train {
    #[command(flatten)]
    training: TrainingOptions,
    /// The model; its loss over the epochs is drawn beside it (model.loss.svg)
    #[arg(short, long, default_value = "model.safetensors")]
    output: PathBuf,
}

impl Train {
    pub fn run(self) -> Result<Report> {
        check_writable(&self.output)?;
        let data = self.training.dataset()?;
        let (network, history) = self.training.train(&data)?;
        let chart = beside(&self.output, "loss.svg");
        network.save(&self.output)?;
        history.save_chart(&chart)?;
        let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
        Ok(Report::default()
            .line(format!("{}: the model; {}: its loss", self.output.display(), chart.display()))
            .fact("model", self.output.display().to_string())
            .fact("chart", chart.display().to_string())
            .fact("parameters", network.config().parameter_count())
            .fact("losses", losses)
            .fact("training_seconds", history.seconds())
            .warn(dataset_notes(&data))
            .interrupted(history.stop == Stop::Interrupted))
    }
}
