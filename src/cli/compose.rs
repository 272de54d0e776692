//! `compose`: the whole job, from songs to a piece.

use super::given::Given;
use super::grains::GrainArgs;
use super::options::{Kind, TrainingOptions};
use super::outputs::{self, Output as File, Replacing, beside, save_chart};
use super::report::{self, Report};
use super::streams::{Input, Target};
use clap::Args;
use neural_composer::dataset::SongSource;
use neural_composer::display::Output;
use neural_composer::evaluate::{self, Heard, Judgement, Moments};
use neural_composer::generate::{Learned, Model, Options, Piece};
use neural_composer::train::{History, Stop};
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result, atomic_file, interrupt};
use std::path::PathBuf;

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
    /// The piece, a WAV file; - is standard output, without model and drawing
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
        neural_composer::generate::check_length(self.seconds)?;
        match self.model {
            Kind::Grains => self.grains.check(self.seconds)?,
            _ => GrainArgs::refuse(given)?,
        }
        neural_composer::generate::check_length(self.seconds)?;
        self.training.check(self.model)?;
        let mut songs = self.training.songs()?;
        self.grains.check_blend(songs.sources().len())?;
        Input::check(songs.files.iter().chain(self.grains.inputs()))?;
        let target = Target::of("--output", &self.output, given)?;
        let inputs: Vec<PathBuf> =
            songs.files.iter().chain(self.grains.inputs()).cloned().collect();
        let mut beside = Beside::of(&target);
        outputs::check(&beside.outputs(&target), &inputs, self.replacing.force)?;
        if self.model == Kind::Grains && Input::is_among(&songs.files) {
            beside.model = None;
            let note = "no model is written: one of grains reads its songs again, and standard \
                        input is gone";
            songs.notes.push(note.to_owned());
        }
        self.training.checkpoints.keep_beside(&target, true)?;
        let _input = Input::read(songs.files.iter_mut().chain(self.grains.inputs_mut()))?;
        self.grains.check_inputs()?;
        let learned = self.training.learn(self.model, &songs)?;
        self.grains.keep_blend(&songs.sources(), &learned.songs);
        if interrupt::requested() {
            return beside.stopped_while_learning(learned);
        }
        let piece = match self.compose(&learned) {
            Err(Error::Interrupted(_)) => return beside.stopped_while_learning(learned),
            piece => piece?,
        };
        // A stop ends what runs; what is there is written.
        let stopped = interrupt::requested();
        let _heard = interrupt::heard();
        let written = atomic_file::together(|| {
            piece.save(&target.path)?;
            beside.save(&learned)
        });
        self.training.checkpoints.not_lost(written)?;
        self.training.checkpoints.forget();
        let report = super::generate::report(&piece, &target.path, &learned.model);
        let report = match &learned.model {
            Model::Grains(composer) => self.grains.tell_blend(report, composer),
            _ => report,
        };
        let mut report = report.warn(learned.notes).interrupted(stopped);
        if !stopped {
            report = with_judgement(report, &piece, &learned.songs);
            if matches!(learned.model, Model::Blocks(_)) {
                report = with_similarity(report, &piece, &learned.songs)?;
            }
        }
        target.deliver(beside.with_learning(report, &learned.history))
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

/// Songs that a piece is compared with at most, by itself.
const JUDGED_SONGS: usize = 40;

/// What is written beside the piece; nothing, where it goes to standard output.
struct Beside {
    model: Option<PathBuf>,
    chart: Option<PathBuf>,
}

impl Beside {
    fn of(target: &Target) -> Self {
        let place = |ending| (!target.is_stream()).then(|| beside(&target.path, ending));
        Self { model: place(MODEL), chart: place(CHART) }
    }

    /// All files that are written.
    fn outputs<'a>(&'a self, target: &'a Target) -> Vec<File<'a>> {
        let piece = File::named("--output", &target.path, outputs::Kind::Sound);
        let beside = |path: &'a Option<PathBuf>, kind| {
            path.as_deref().map(|path| File::beside("--output", path, kind))
        };
        let model = beside(&self.model, outputs::Kind::Model);
        let chart = beside(&self.chart, outputs::Kind::Picture);
        [piece].into_iter().chain(model).chain(chart).collect()
    }

    fn save(&self, learned: &Learned) -> Result<()> {
        self.model.as_ref().map_or(Ok(()), |path| learned.model.save(path))?;
        self.chart.as_ref().map_or(Ok(()), |path| save_chart(&learned.history, path))
    }

    /// What was learned is written, and no piece composed.
    fn stopped_while_learning(&self, learned: Learned) -> Result<Report> {
        let _heard = interrupt::heard();
        atomic_file::together(|| self.save(&learned))?;
        let words = match &self.model {
            Some(model) => format!("stopped before it composed; `generate {}` does", shown(model)),
            None => "stopped before it composed".to_owned(),
        };
        let report = Report::default().line(words).warn(learned.notes).interrupted(true);
        Ok(self.with_learning(report, &learned.history))
    }

    /// Adds what there is to say of the model and of how it learned.
    fn with_learning(&self, report: Report, history: &History) -> Report {
        let mut words = Vec::new();
        if let Some(model) = &self.model {
            words.push(format!("{}: the model", shown(model)));
        }
        if let Some(chart) = &self.chart {
            words.push(format!("{}: its loss", shown(chart)));
        }
        let report = if words.is_empty() { report } else { report.line(words.join("; ")) };
        report
            .fact("model", self.model.as_deref().map(report::path))
            .fact("chart", self.chart.as_deref().map(report::path))
            .fact("epochs", history.epochs.len())
            .fact("loss", history.epochs.last().map(|epoch| epoch.train_loss))
            .fact("training_seconds", history.seconds())
            .interrupted(history.stop == Stop::Interrupted)
    }
}

/// How alike the piece and the first song that was used are.
fn with_similarity(report: Report, piece: &Piece, songs: &[SongSource]) -> Result<Report> {
    let Some((first, decoder)) = songs.first().and_then(|song| Some((song, song.decoder()?)))
    else {
        return Ok(report);
    };
    let song = Moments::read(&mut decoder?)?;
    let alike = Moments::of(piece.audio())?.compare(&song);
    Ok(report
        .line(format!("Compared with {}: {alike}", first.name()))
        .fact("similarity", super::similarity::facts(&alike)))
}

/// What the judge says of `piece`, made from `songs`.
fn judged(piece: &Piece, songs: &[SongSource]) -> Result<Judgement> {
    if songs.len() > JUDGED_SONGS {
        let words = "so many songs take long: name some with `neural-composer judge`";
        return Err(Error::Data(format!("{}, {words}", counted(songs.len(), "song"))));
    }
    let (mut titles, mut heard) = (Vec::new(), Vec::new());
    for song in songs {
        let Some(decoder) = song.decoder() else { continue };
        let mut decoder = decoder?;
        titles.push(song.title_of(&decoder));
        heard.push(Heard::read(&mut decoder)?);
    }
    evaluate::judge_heard(&piece.heard_among(&titles)?, heard)
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
