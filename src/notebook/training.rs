//! Training with a live chart and samples to listen to.

use super::lab_folder::keep_in_lab;
use crate::dataset::Dataset;
use crate::display::{
    Bundle, Live, LossChart, LossRun, Output, Progress, Show, SoundSample, html, plain,
    sound_samples,
};
use crate::generate::{self, Model, Options, Seed};
use crate::model::{ModelKind, Network};
use crate::train::{self, History, InTraining, Observer, Position, Saved, Stop, Training};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use std::path::Path;

/// How often to hear what a network makes while it trains.
///
/// ```
/// use neural_composer::notebook::Listening;
/// let listening = Listening { every_epochs: 10, ..Listening::default() };
/// assert_eq!(listening.seconds, 4.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listening {
    /// A sample after every so many epochs. Usual: 5. After sixteen samples they come half as often,
    /// after sixteen more half as often again: a long training fills no notebook.
    pub every_epochs: usize,
    /// How long a sample is. Usual: 4.
    pub seconds: f64,
    /// The training sequence that the network takes in before. Usual: 0, the first one.
    pub sequence: usize,
}

impl Default for Listening {
    fn default() -> Self {
        Self { every_epochs: 5, seconds: 4.0, sequence: 0 }
    }
}

/// What a network made on the way.
struct Samples {
    listening: Listening,
    options: Options,
    made: usize,
    /// Those that are shown when the training has ended, because they could not be before.
    kept: Vec<SoundSample>,
}

impl Samples {
    /// After so many they come half as often.
    const AS_OFTEN: usize = 16;
    /// What one may take in the page.
    const BYTES: usize = 80_000;

    fn listen(&mut self, model: InTraining<'_>, epoch: usize) -> Result<SoundSample> {
        let piece = Model::sketch(model, self.listening.seconds, 1, &self.options)?;
        let label = format!("after epoch {epoch}");
        let sample = SoundSample::new(piece.audio(), &label, Self::BYTES)?;
        self.made += 1;
        if self.made.is_multiple_of(Self::AS_OFTEN) {
            self.listening.every_epochs *= 2;
        }
        Ok(sample)
    }
}

/// Draws the loss while a network trains, and lets it be heard.
pub struct LiveTraining {
    live: Live,
    /// Whether it was told how to go on with what is not done.
    is_advised: bool,
    samples: Option<Samples>,
}

impl LiveTraining {
    /// Draws through `output`.
    pub fn to(output: Output) -> Self {
        Self { live: Live::to(output), is_advised: false, samples: None }
    }

    /// Lets the network compose now and then, from a training sequence of `data`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible interval, length or sequence.
    pub fn listening(self, data: &Dataset, listening: Listening) -> Result<Self> {
        let start = Some(Seed::sequence(data, listening.sequence)?);
        self.heard_as(listening, Options { start, ..Options::default() })
    }

    /// Lets what learns compose now and then, with the options of the finished model.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible interval or length.
    pub fn heard_as(mut self, listening: Listening, options: Options) -> Result<Self> {
        Error::refuse_zero([("every_epochs", listening.every_epochs)])?;
        generate::check_length(listening.seconds)?;
        self.samples = Some(Samples { listening, options, made: 0, kept: Vec::new() });
        Ok(self)
    }

    /// Shows the final state.
    pub fn finish(mut self, history: &History) {
        if self.is_advised && history.stop != Stop::Interrupted {
            self.live.advise("");
        }
        let heard = sound_samples(self.samples.as_ref().map_or(&[], |samples| &samples.kept));
        let words = with_notes(history.to_string(), history);
        self.live.finish(&words, || bundle(history, &words, 0, &heard));
    }
}

impl Observer for LiveTraining {
    fn batch(&mut self, history: &History, position: &Position) {
        let progress = Progress {
            done: position.batches_done() as u64,
            total: position.batches_planned() as u64,
            line: line(history, position),
        };
        let (line, epochs) = (&progress.line, position.epochs);
        let drawn = || bundle(history, &with_notes(line.clone(), history), epochs, "");
        self.live.update(&progress, drawn);
    }

    fn preparing(&mut self, done: usize, songs: usize) {
        let line = format!("{} of {} prepared", plain::count(done as u64), counted(songs, "song"));
        let progress = Progress { done: done as u64, total: songs as u64, line };
        self.live.update(&progress, || Bundle::from_text(&progress.line));
    }

    fn saved(&mut self, saved: &Saved<'_>) {
        self.is_advised = !saved.done;
        self.live.advise(&advice(saved));
    }

    fn epoch(&mut self, history: &History, position: &Position) {
        self.batch(history, position);
    }

    fn learned(&mut self, model: InTraining<'_>, history: &History) -> Result<()> {
        let epoch = history.epochs.len();
        if let Some(samples) = &mut self.samples
            && epoch.is_multiple_of(samples.listening.every_epochs)
            && !interrupt::requested()
            // A network that makes no sound yet trains all the same.
            && let Ok(sample) = samples.listen(model, epoch)
            && !self.live.append(&sample.bundle())
        {
            samples.kept.push(sample);
        }
        Ok(())
    }
}

fn line(history: &History, position: &Position) -> String {
    let validation = history.epochs.last().and_then(|epoch| epoch.validation_loss);
    format!(
        "epoch {}/{}, loss {:.4}{}, {:.1} batches/s, {} left",
        position.epoch,
        position.epochs,
        position.loss,
        validation.map_or(String::new(), |loss| format!(", validation {loss:.4}")),
        position.batches_per_second(),
        plain::duration(position.remaining_seconds()),
    )
}

/// With what there is to say besides the losses.
fn with_notes(words: String, history: &History) -> String {
    let besides = history.resumed.iter().chain(&history.notes);
    besides.fold(words, |words, note| format!("{words}; {note}"))
}

/// How to go on from a checkpoint, should the cell's process die.
fn advice(saved: &Saved<'_>) -> String {
    let path = format!("{:?}", saved.path.to_string_lossy());
    let load = format!("    let mut network = Network::load({path}, &Device::best())?;");
    let Saved { epochs, planned, .. } = saved;
    match (saved.kind, saved.done) {
        (ModelKind::Blocks, false) => format!(
            "Training was saved after epoch {epochs} of {planned}. Make its data again, then go on \
             with\n{load}\n    let history = network.train(&data, Training::resume({path})?)?;\n\
             or run the cell that trained again: it goes on by itself."
        ),
        (ModelKind::Blocks, true) => {
            format!("The trained network was saved; it is there again with\n{load}")
        }
        (_, false) => format!(
            "Training was saved after epoch {epochs} of {planned}. Run its cells again: it goes on by \
             itself."
        ),
        (_, true) => String::new(),
    }
}

fn bundle(history: &History, words: &str, epochs: usize, heard: &str) -> Bundle {
    let chart = history.chart().total_epochs(epochs);
    let drawn = chart.picture().map(|picture| {
        let figure = html::figure(&picture, Some(&html::isolated(words)));
        Bundle::new(&format!("{figure}{heard}"), Some(picture), words)
    });
    drawn.unwrap_or_else(|error| Bundle::from_text(&error.to_string()))
}

impl Network {
    /// Trains with a live chart of the loss; the stop button ends it after the running batch.
    ///
    /// # Errors
    /// What [`train::run`] reports.
    pub fn train(&mut self, data: &Dataset, settings: Training) -> Result<History> {
        self.train_to(Output::new(), data, &settings)
    }

    /// As [`train`](Self::train), with samples to listen to below the chart: what the network makes
    /// after every few epochs.
    ///
    /// # Errors
    /// What [`train::run`] reports, and [`Error::Argument`] for impossible samples.
    pub fn train_and_listen(
        &mut self,
        data: &Dataset,
        settings: Training,
        listening: Listening,
    ) -> Result<History> {
        let live = LiveTraining::to(Output::new());
        self.train_live(live.listening(data, listening)?, data, &settings)
    }

    /// As [`train`](Self::train), drawing through `output`.
    ///
    /// # Errors
    /// What [`train::run`] reports.
    pub fn train_to(
        &mut self,
        output: Output,
        data: &Dataset,
        settings: &Training,
    ) -> Result<History> {
        self.train_live(LiveTraining::to(output), data, settings)
    }

    fn train_live(
        &mut self,
        mut live: LiveTraining,
        data: &Dataset,
        settings: &Training,
    ) -> Result<History> {
        let mut settings = settings.clone();
        keep_in_lab(&mut settings.checkpoints, true);
        let history = train::run(self, data, &settings, &mut live)?;
        live.finish(&history);
        Ok(history)
    }
}

impl History {
    /// The losses as a chart.
    pub fn chart(&self) -> LossChart {
        LossChart::new(vec![self.named("")])
    }

    /// The losses as one of several runs in a [`LossChart`].
    pub fn named(&self, name: &str) -> LossRun {
        LossRun { name: name.to_owned(), points: self.epochs.clone() }
    }

    /// Writes the chart, as [`Picture::save`](crate::display::Picture::save).
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save_chart(&self, path: impl AsRef<Path>) -> Result<()> {
        self.chart().picture()?.save(path)
    }
}

impl Show for History {
    fn bundle(&self) -> Result<Bundle> {
        Ok(bundle(self, &self.to_string(), 0, ""))
    }
}
