//! `compose`: the whole job, from songs to a piece.

use super::given::Given;
use super::grains::GrainArgs;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output as File, Replacing, beside, save_chart};
use super::report::Report;
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::display::Output;
use neural_composer::evaluate::{self, Judgement};
use neural_composer::features::PitchBands;
use neural_composer::generate::{Learned, Model, Options, Piece};
use neural_composer::train::{History, Stop};
use neural_composer::{Error, Result, interrupt};
use std::path::{Path, PathBuf};

/// How the name of the model's file ends; but for that it is the piece's.
const MODEL: &str = "safetensors";
/// How the name of the chart's file ends.
const CHART: &str = "loss.svg";

/// Do the whole job: train on songs, compose a piece, write it
///
/// Writes the piece, and beside it the model (out.safetensors) and the loss over the epochs
/// (out.loss.svg). Options that only some models understand say which.
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
    #[command(flatten)]
    replacing: Replacing,
}

impl Compose {
    pub fn run(self, given: &Given) -> Result<Report> {
        TrainingOptions::refuse_foreign(self.model, given)?;
        match self.model {
            Kind::Grains => drop(self.grains.options()?),
            _ => GrainArgs::refuse(given)?,
        }
        neural_composer::generate::check_length(self.seconds)?;
        let files = self.training.song_files()?;
        let (model, chart) = (beside(&self.output, MODEL), beside(&self.output, CHART));
        let outputs = [
            File::named("--output", &self.output, outputs::Kind::Sound),
            File::beside("--output", &model, outputs::Kind::Model),
            File::beside("--output", &chart, outputs::Kind::Picture),
        ];
        let inputs: Vec<PathBuf> = files.iter().chain(self.grains.inputs()).cloned().collect();
        outputs::check(&outputs, &inputs, self.replacing.force)?;
        let learned = self.training.learn(self.model, &files)?;
        if interrupt::requested() {
            return self.stopped_while_learning(learned, &model);
        }
        let piece = match self.compose(&learned) {
            Err(Error::Interrupted(_)) => return self.stopped_while_learning(learned, &model),
            piece => piece?,
        };
        // A stop ends what runs; what is there is written.
        let stopped = interrupt::requested();
        let _heard = interrupt::heard();
        piece.save(&self.output)?;
        learned.model.save(&model)?;
        let report = super::generate::report(&piece, &self.output, &learned.model);
        let report = report.warn(learned.notes).interrupted(stopped);
        if stopped {
            return with_learning(report, &self.output, &learned.history);
        }
        let report = with_judgement(report, &piece, &files);
        let report = match &learned.model {
            Model::Blocks(_) => with_similarity(report, &piece, &files)?,
            _ => report,
        };
        with_learning(report, &self.output, &learned.history)
    }

    /// What was learned is written, and no piece composed.
    fn stopped_while_learning(self, learned: Learned, model: &Path) -> Result<Report> {
        let _heard = interrupt::heard();
        learned.model.save(model)?;
        let words = format!("stopped before it composed; `generate {}` does", model.display());
        let report = Report::default().line(words).warn(learned.notes).interrupted(true);
        with_learning(report, &self.output, &learned.history)
    }

    fn compose(&self, learned: &Learned) -> Result<Piece> {
        let seed = self.training.seed;
        if let Model::Grains(composer) = &learned.model {
            return self.grains.compose(composer, self.seconds, seed);
        }
        let options = Options { start: learned.start.clone(), ..Options::default() };
        learned.model.compose_to(Output::for_progress(), self.seconds, seed, &options)
    }
}

/// How alike the piece and the first song that can be used are.
fn with_similarity(report: Report, piece: &Piece, files: &[PathBuf]) -> Result<Report> {
    let rate = piece.audio().sample_rate_hz();
    let sound = |path: &PathBuf| Decoder::open(path).ok()?.read_mono_at(rate).ok();
    let mut usable = files.iter().filter_map(|path| Some((path, sound(path)?)));
    let Some((path, song)) = usable.next() else { return Ok(report) };
    let alike = evaluate::similarity(piece.audio(), &song)?;
    Ok(report
        .line(format!("Compared with {}: {alike}", path.display()))
        .fact("similarity", super::similarity::facts(&alike)))
}

/// Draws how the model learned beside the piece, and adds what there is to say of both.
fn with_learning(report: Report, output: &Path, history: &History) -> Result<Report> {
    let (model, chart) = (beside(output, MODEL), beside(output, CHART));
    save_chart(history, &chart)?;
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
