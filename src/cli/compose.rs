use super::options::{TrainingOptions, beside, check_writable, dataset_notes};
use super::report::Report;
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::display::Output;
use neural_composer::generate::Seed;
use neural_composer::{Result, evaluate};
use std::path::PathBuf;

/// Do the whole job: train on songs, compose a piece, write it
///
/// Writes the piece, and beside it the model (out.safetensors) and the loss over the epochs
/// (out.loss.svg).
#[derive(Args)]
pub struct Compose {
    #[command(flatten)]
    training: TrainingOptions,
    /// The piece, a WAV file
    #[arg(short, long, default_value = "out.wav")]
    output: PathBuf,
    /// Length of the piece
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
}

impl Compose {
    pub fn run(self) -> Result<Report> {
        check_writable(&self.output)?;
        neural_composer::generate::check_length(self.seconds)?;
        let data = self.training.dataset()?;
        let (network, history) = self.training.train(&data)?;
        let piece = network.compose_to(
            Output::for_progress(),
            Seed::training(&data, self.training.seed)?,
            self.seconds,
        )?;
        let original = data.songs().first().and_then(|song| song.path.clone());

        let (model, chart) =
            (beside(&self.output, "safetensors"), beside(&self.output, "loss.svg"));
        piece.save(&self.output)?;
        network.save(&model)?;
        history.save_chart(&chart)?;

        let mut report = Report::default()
            .line(format!("{}: {piece}", self.output.display()))
            .line(format!("{}: the model; {}: its loss", model.display(), chart.display()))
            .fact("output", self.output.display().to_string())
            .fact("model", model.display().to_string())
            .fact("chart", chart.display().to_string())
            .fact("seconds", piece.audio().duration_seconds())
            .fact("sample_rate_hz", piece.audio().sample_rate_hz())
            .fact("seed_from", piece.seed())
            .fact("epochs", history.epochs.len())
            .fact("loss", history.epochs.last().map(|epoch| epoch.train_loss))
            .fact("training_seconds", history.seconds())
            .warn(dataset_notes(&data))
            .interrupted(
                piece.was_interrupted()
                    || history.stop == neural_composer::train::Stop::Interrupted,
            );
        if let Some(path) = original {
            let song = Decoder::open(&path)?.read_mono_at(piece.audio().sample_rate_hz())?;
            let alike = evaluate::similarity(piece.audio(), &song)?;
            report = report
                .line(format!("Compared with {}: {alike}", path.display()))
                .fact("similarity", super::similarity::facts(&alike));
        }
        Ok(report)
    }
}
