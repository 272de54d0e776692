//! `generate`: a piece from a model file.

use super::given::Given;
use super::grains::GrainArgs;
use super::options::DeviceOption;
use super::outputs::{self, Kind};
use super::report::Report;
use super::streams::{Input, Target};
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::display::Output;
use neural_composer::generate::{Model, ModelCard, Options, Piece, Seed};
use neural_composer::model::ModelKind;
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

/// Compose a piece with a trained model
#[derive(Args)]
pub struct Generate {
    /// A model that `train` or `compose` wrote; - is standard input
    model: PathBuf,
    /// The piece, a WAV file; - is standard output
    #[arg(short, long, default_value = "out.wav")]
    output: PathBuf,
    /// Length of the piece
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Audio that the network takes in before it goes on by itself [default: silence] (blocks)
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
    pub fn run(mut self, given: &Given) -> Result<Report> {
        neural_composer::generate::check_length(self.seconds)?;
        let read = self.grains.inputs().chain(&self.from).chain([&self.model]);
        Input::check(read)?;
        let target = Target::of("--output", &self.output, given)?;
        let output = || [outputs::Output::named("--output", &target.path, Kind::Sound)];
        outputs::check(&output(), &[], false)?;
        let _input =
            Input::read(self.grains.inputs_mut().chain(&mut self.from).chain([&mut self.model]))?;
        // Refused before it is opened: a model of grains cuts its songs again.
        let kind = ModelKind::of(&self.model)?;
        match kind {
            ModelKind::Grains => self.grains.check(self.seconds)?,
            _ => GrainArgs::refuse(given)?,
        }
        if kind != ModelKind::Blocks {
            let owner = "a model of blocks; grains have --continue and --tune";
            given.refuse(|name| name == "from", owner)?;
        }
        let mut inputs: Vec<PathBuf> = self.grains.inputs().chain(&self.from).cloned().collect();
        if kind == ModelKind::Grains {
            inputs.extend(ModelCard::of(&self.model)?.needs);
        }
        inputs.push(self.model.clone());
        outputs::check(&output(), &inputs, false)?;
        self.grains.check_inputs()?;
        let model = Model::load(&self.model, self.device.device())?;
        let (start, warnings) = self.start(&model)?;
        let options = Options { start, ..Options::default() };
        let (seconds, seed) = (self.seconds, self.seed);
        let piece = match &model {
            // A part of it may be composed anew.
            Model::Grains(composer) => self.grains.compose(composer, seconds, seed)?,
            model => model
                .compose_to(Output::for_progress(), seconds, seed, &options)
                .map_err(|error| self.about_model(error))?,
        };
        piece.save(&target.path)?;
        let seeded = kind == ModelKind::Blocks && given.has("seed");
        let seeded = seeded.then(|| {
            "--seed: a model of blocks draws nothing at random, every seed gives this piece; --from \
             gives another"
                .to_owned()
        });
        let report = report(&piece, &target.path, &model);
        let report = match &model {
            Model::Grains(composer) => self.grains.tell_blend(report, composer),
            _ => report,
        };
        target.deliver(report.warn(model.notes()).warn(warnings).warn(seeded))
    }

    /// Names the model in an error about what it composes.
    fn about_model(&self, error: Error) -> Error {
        match error {
            Error::Data(problem) => Error::model(&self.model, problem),
            Error::Tensor(problem) => Error::model(&self.model, problem.to_string()),
            error => error,
        }
    }

    /// What a network of blocks takes in first, and what there is to say of it.
    fn start(&self, model: &Model) -> Result<(Option<Seed>, Vec<String>)> {
        let (Some(path), Model::Blocks(network)) = (&self.from, model) else {
            return Ok((None, Vec::new()));
        };
        let settings = network.dataset_settings();
        let (blocks, count) = (settings.blocks, settings.sequence_blocks);
        let mut decoder = Decoder::open(path)?;
        // Only its end is heard.
        let heard =
            decoder.read_last_blocks_at(blocks.sample_rate_hz, blocks.block_samples, count)?;
        Ok((Some(Seed::Audio(heard)), decoder.warnings()))
    }
}

/// What there is to say of a piece that `model` composed.
pub fn report(piece: &Piece, output: &Path, model: &Model) -> Report {
    let report = Report::of_piece(piece, output);
    match model {
        Model::Grains(composer) => report
            .fact("joins_seconds", piece.joins_seconds())
            .fact("grains", composer.pool().grains().len()),
        _ => report,
    }
}
