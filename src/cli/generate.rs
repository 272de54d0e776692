use super::given::Given;
use super::grains::{self, GrainArgs};
use super::options::{DeviceOption, check_writable};
use super::report::Report;
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::display::Output;
use neural_composer::generate::{CodeComposer, CodeOptions, GrainComposer, Seed};
use neural_composer::model::{ModelKind, Network};
use neural_composer::{Error, Result};
use std::path::PathBuf;

/// Compose a piece with a trained model
#[derive(Args)]
pub struct Generate {
    /// A model that `train` or `compose` wrote
    model: PathBuf,
    /// The piece, a WAV file
    #[arg(short, long, default_value = "out.wav")]
    output: PathBuf,
    /// Length of the piece
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Audio that the network hears before it goes on by itself [default: silence] (blocks)
    #[arg(long, value_name = "AUDIO")]
    from: Option<PathBuf>,
    /// Decides what is drawn at random (grains, codes)
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    grains: GrainArgs,
    #[command(flatten)]
    device: DeviceOption,
}

impl Generate {
    pub fn run(self, given: &Given) -> Result<Report> {
        check_writable(&self.output)?;
        neural_composer::generate::check_length(self.seconds)?;
        let kind = ModelKind::of(&self.model)?;
        if kind != ModelKind::Grains {
            GrainArgs::refuse(given)?;
        }
        match kind {
            ModelKind::Grains => self.grains(),
            ModelKind::Codes => self.codes(),
            ModelKind::Blocks => self.blocks(),
        }
    }

    fn grains(self) -> Result<Report> {
        self.grains.options()?;
        if self.from.is_some() {
            let expected = "--continue or --tune for a model of grains";
            return Err(Error::argument("from", expected, "--from"));
        }
        let composer = GrainComposer::load(&self.model)?;
        let piece = self.grains.compose(&composer, self.seconds, self.seed)?;
        piece.save(&self.output)?;
        Ok(grains::report(&piece, &self.output, &composer))
    }

    fn codes(self) -> Result<Report> {
        if self.from.is_some() {
            return Err(Error::argument("from", "a model of the course's method", "--from"));
        }
        let composer = CodeComposer::load(&self.model)?;
        let (to, options) = (Output::for_progress(), CodeOptions::default());
        let piece = composer.compose_to(to, self.seconds, self.seed, &options)?;
        piece.save(&self.output)?;
        Ok(Report::of_piece(&piece, &self.output))
    }

    fn blocks(self) -> Result<Report> {
        let network = Network::load(&self.model, self.device.device())?;
        let (seed, warnings) = match &self.from {
            Some(path) => {
                let rate = network.dataset_settings().blocks.sample_rate_hz;
                let mut decoder = Decoder::open(path)?;
                (Seed::Audio(decoder.read_mono_at(rate)?), decoder.warnings())
            }
            None => (Seed::Silence, Vec::new()),
        };
        let piece = network.compose_to(Output::for_progress(), seed, self.seconds)?;
        piece.save(&self.output)?;
        Ok(Report::of_piece(&piece, &self.output).warn(warnings))
    }
}
