use crate::dataset::Dataset;
use crate::display::{Bundle, Live, LossChart, LossRun, Output, Progress, Show, plain};
use crate::model::Network;
use crate::train::{self, History, Observer, Position, Training};
use crate::{Error, Result, atomic_file};
use std::path::Path;

/// Draws the loss while a network trains.
pub struct LiveTraining {
    live: Live,
    epochs: usize,
}

impl LiveTraining {
    /// Draws through `output`; `epochs` are planned.
    pub fn to(output: Output, epochs: usize) -> Self {
        Self { live: Live::to(output), epochs }
    }

    /// Shows the final state.
    pub fn finish(self, history: &History) {
        self.live.finish(&history.to_string(), || bundle(history, 0));
    }
}

impl Observer for LiveTraining {
    fn batch(&mut self, history: &History, position: &Position) {
        let progress = Progress {
            done: position.batches_done() as u64,
            total: position.batches_planned() as u64,
            line: line(history, position),
        };
        let epochs = self.epochs;
        self.live.update(&progress, || bundle(history, epochs));
    }

    fn epoch(&mut self, history: &History, position: &Position) {
        self.batch(history, position);
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

fn bundle(history: &History, epochs: usize) -> Bundle {
    let chart = history.chart().total_epochs(epochs);
    let drawn = chart
        .picture()
        .map(|picture| Bundle::from_picture(&history.to_string(), picture, &history.to_string()));
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
        let mut live = LiveTraining::to(output, settings.epochs);
        let history = train::run(self, data, settings, &mut live)?;
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

    /// Writes the chart as an SVG picture.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save_chart(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let picture = self.chart().picture()?;
        atomic_file::write(path, |file| {
            use std::io::Write;
            file.write_all(picture.svg().as_bytes()).map_err(Error::io(path, "write the chart"))
        })
    }
}

impl Show for History {
    fn bundle(&self) -> Result<Bundle> {
        Ok(bundle(self, 0))
    }
}
