use super::given::Given;
use super::grains::GrainArgs;
use super::options::{TrainingOptions, beside, check_writable, dataset_notes};
use super::report::Report;
use clap::{Args, ValueEnum};
use neural_composer::Result;
use neural_composer::audio::Decoder;
use neural_composer::dataset::SongSource;
use neural_composer::display::Output;
use neural_composer::evaluate::{self, Judgement};
use neural_composer::features::PitchBands;
use neural_composer::generate::{
    CodeComposer, CodeLearning, CodeOptions, GrainComposer, GrainLearning, Model, Piece, Seed,
};
use neural_composer::train::{History, Stop};
use std::path::{Path, PathBuf};

/// How the name of the model's file ends; but for that it is the piece's.
const MODEL: &str = "safetensors";

/// Do the whole job: train on songs, compose a piece, write it
///
/// Writes the piece, and beside it the model (out.safetensors) and the loss over the epochs
/// (out.loss.svg). Options for networks, data and epochs are those of --model blocks.
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
    /// grains: a new order of the songs' own grains; blocks: the course's method, block by block;
    /// codes: the same idea improved, codes of overlapping spectra along the beat
    #[arg(long, value_enum, default_value_t = Kind::Grains)]
    model: Kind,
    #[command(flatten)]
    grains: GrainArgs,
    /// Optimizer steps [default: 300 for grains, 160 for codes]
    #[arg(long)]
    steps: Option<usize>,
}

/// How to compose.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Grains,
    Blocks,
    Codes,
}

impl Compose {
    pub fn run(self, given: &Given) -> Result<Report> {
        match self.model {
            Kind::Grains => TrainingOptions::refuse(given)?,
            Kind::Codes => {
                TrainingOptions::refuse(given)?;
                GrainArgs::refuse(given)?;
            }
            Kind::Blocks => {
                given.refuse(|name| name == "steps", "the other models")?;
                GrainArgs::refuse(given)?;
            }
        }
        check_writable(&self.output)?;
        neural_composer::generate::check_length(self.seconds)?;
        match self.model {
            Kind::Grains => self.grains(),
            Kind::Blocks => self.blocks(),
            Kind::Codes => self.codes(),
        }
    }

    fn grains(self) -> Result<Report> {
        self.grains.options()?;
        let files = self.training.song_files()?;
        let mut learning = GrainLearning::seeded(self.training.seed);
        learning.training.steps = self.steps.unwrap_or(learning.training.steps);
        let composer =
            GrainComposer::learn_to(Output::for_progress(), &sources(&files), &learning)?;
        eprintln!("{}\n{}", composer.pool(), composer.network());
        let piece = self.grains.compose(&composer, self.seconds, self.training.seed)?;
        let history = composer.history().clone();
        self.written(&Model::Grains(composer), &piece, &files, &history)
    }

    fn codes(self) -> Result<Report> {
        let files = self.training.song_files()?;
        let mut learning = CodeLearning::seeded(self.training.seed);
        learning.training.steps = self.steps.unwrap_or(learning.training.steps);
        let composer = CodeComposer::learn_to(Output::for_progress(), &sources(&files), &learning)?;
        eprintln!("{}\n{}", composer.blocks(), composer.network());
        let (seed, options) = (self.training.seed, CodeOptions::default());
        let piece = composer.compose_to(Output::for_progress(), self.seconds, seed, &options)?;
        let history = composer.history().clone();
        self.written(&Model::Codes(composer), &piece, &files, &history)
    }

    /// Writes the piece and its model, and tells what the judge says.
    fn written(
        self,
        model: &Model,
        piece: &Piece,
        files: &[PathBuf],
        history: &History,
    ) -> Result<Report> {
        piece.save(&self.output)?;
        model.save(beside(&self.output, MODEL))?;
        let report = super::generate::report(piece, &self.output, model);
        with_learning(with_judgement(report, piece, files), &self.output, history)
    }

    fn blocks(self) -> Result<Report> {
        let data = self.training.dataset()?;
        let (network, history) = self.training.train(&data)?;
        let start = Seed::training(&data, self.training.seed)?;
        let piece = network.compose_to(Output::for_progress(), self.seconds, start)?;
        let original = data.songs().first().and_then(|song| song.path.clone());

        piece.save(&self.output)?;
        network.save(beside(&self.output, MODEL))?;
        let report = Report::of_piece(&piece, &self.output).warn(dataset_notes(&data));
        let mut report = with_learning(report, &self.output, &history)?;
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

fn sources(files: &[PathBuf]) -> Vec<SongSource> {
    files.iter().cloned().map(SongSource::File).collect()
}

/// Draws how the model learned beside the piece, and adds what there is to say of both.
fn with_learning(report: Report, output: &Path, history: &History) -> Result<Report> {
    let (model, chart) = (beside(output, MODEL), beside(output, "loss.svg"));
    history.save_chart(&chart)?;
    Ok(report
        .line(format!("{}: the model; {}: its loss", model.display(), chart.display()))
        .fact("model", model.display().to_string())
        .fact("chart", chart.display().to_string())
        .fact("epochs", history.epochs.len())
        .fact("loss", history.epochs.last().map(|epoch| epoch.train_loss))
        .fact("training_seconds", history.seconds())
        .interrupted(history.stop == Stop::Interrupted))
}

/// What the judge says of `piece`; songs that could not be used are left out here, too.
fn judged(piece: &Piece, files: &[PathBuf]) -> Result<Judgement> {
    let songs: Vec<_> = files
        .iter()
        .filter_map(|path| Decoder::open(path).ok()?.read_mono_at(PitchBands::RATE_HZ).ok())
        .collect();
    evaluate::judge(piece.audio(), &songs.iter().collect::<Vec<_>>())
}

/// `report` with what the judge says of `piece`, or why it says nothing.
fn with_judgement(report: Report, piece: &Piece, files: &[PathBuf]) -> Report {
    match judged(piece, files) {
        Ok(judgement) => {
            report.fact("judgement", super::judge::facts(&judgement)).line(judgement.to_string())
        }
        Err(error) => report.warn([format!("not judged: {error}")]),
    }
}
