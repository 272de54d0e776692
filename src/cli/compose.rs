//! `compose`: the whole job, from songs to a piece.

use super::given::Given;
use super::grains::GrainArgs;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output as File, Replacing, beside, save_chart};
use super::report::Report;
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::dataset::SongSource;
use neural_composer::display::Output;
use neural_composer::evaluate::{self, Heard, Judgement, Moments};
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
    pub fn run(mut self, given: &Given) -> Result<Report> {
        TrainingOptions::refuse_foreign(self.model, given)?;
        match self.model {
            Kind::Grains => drop(self.grains.options()?),
            _ => GrainArgs::refuse(given)?,
        }
        neural_composer::generate::check_length(self.seconds)?;
        let files = self.training.song_files()?;
        self.grains.check_blend(files.len())?;
        let (model, chart) = (beside(&self.output, MODEL), beside(&self.output, CHART));
        let outputs = [
            File::named("--output", &self.output, outputs::Kind::Sound),
            File::beside("--output", &model, outputs::Kind::Model),
            File::beside("--output", &chart, outputs::Kind::Picture),
        ];
        let inputs: Vec<PathBuf> = files.iter().chain(self.grains.inputs()).cloned().collect();
        outputs::check(&outputs, &inputs, self.replacing.force)?;
        self.grains.check_inputs()?;
        let learned = self.training.learn(self.model, &files)?;
        self.grains.keep_blend(&files, &learned.songs);
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
        let report = match &learned.model {
            Model::Grains(composer) => self.grains.tell_blend(report, composer),
            _ => report,
        };
        let report = report.warn(learned.notes).interrupted(stopped);
        if stopped {
            return with_learning(report, &self.output, &learned.history);
        }
        let report = with_judgement(report, &piece, &learned.songs);
        let report = match &learned.model {
            Model::Blocks(_) => with_similarity(report, &piece, &learned.songs)?,
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

/// How alike the piece and the first song that was used are.
fn with_similarity(report: Report, piece: &Piece, songs: &[SongSource]) -> Result<Report> {
    let Some(path) = songs.first().and_then(SongSource::path) else { return Ok(report) };
    let song = Moments::read(&mut Decoder::open(path)?)?;
    let alike = Moments::of(piece.audio())?.compare(&song);
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

/// What the judge says of `piece`, made from `songs`.
fn judged(piece: &Piece, songs: &[SongSource]) -> Result<Judgement> {
    let paths = songs.iter().filter_map(SongSource::path);
    let songs = paths.map(|path| Heard::read(&mut Decoder::open(path)?));
    evaluate::judge_heard(&Heard::of(piece.audio())?, songs.collect::<Result<_>>()?)
}

/// `report` with what the judge says of `piece`, or why it says nothing.
fn with_judgement(report: Report, piece: &Piece, songs: &[SongSource]) -> Report {
    match judged(piece, songs) {
        Ok(judgement) => {
            report.fact("judgement", super::judge::facts(&judgement)).line(judgement.to_string())
        }
        Err(error) => report.warn([format!("not judged: {error}")]),
    }
}
