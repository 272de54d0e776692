//! What a cell says to a composer of codes.

use super::composing::composed_to;
use super::lab_folder::keep_in_lab;
use super::training::LiveTraining;
use crate::Result;
use crate::audio::Song;
use crate::dataset::SongSource;
use crate::display::{Bundle, Output, Show, shown_in_notebooks};
use crate::generate::{CodeComposer, CodeLearning, CodeOptions, Piece};

impl CodeComposer {
    /// Learns from songs with the usual settings, with a live chart of the loss; the stop button ends
    /// it after the running step.
    ///
    /// # Errors
    /// What [`CodeComposer::learn`] reports.
    pub fn of(songs: &[Song]) -> Result<Self> {
        let sources: Vec<SongSource> = songs.iter().cloned().map(SongSource::Song).collect();
        Self::learn_to(Output::new(), &sources, &CodeLearning::default())
    }

    /// Learns from songs as told by `settings`, drawing through `output`.
    ///
    /// # Errors
    /// What [`CodeComposer::learn`] reports.
    pub fn learn_to(output: Output, songs: &[SongSource], settings: &CodeLearning) -> Result<Self> {
        let mut live = LiveTraining::to(output);
        let mut settings = settings.clone();
        keep_in_lab(&mut settings.training.descent.checkpoints, false);
        let composer = Self::learn(songs, &settings, &mut live)?;
        live.finish(composer.history());
        Ok(composer)
    }

    /// Composes `seconds` with the usual options, saying how far it is; the stop button ends it after
    /// the running block.
    ///
    /// # Errors
    /// What [`CodeComposer::compose`] reports.
    pub fn piece(&self, seconds: f64, seed: u64) -> Result<Piece> {
        self.compose_to(Output::new(), seconds, seed, &CodeOptions::default())
    }

    /// As [`compose`](Self::compose), saying how far it is through `output`.
    ///
    /// # Errors
    /// What [`CodeComposer::compose`] reports.
    pub fn compose_to(
        &self,
        output: Output,
        seconds: f64,
        seed: u64,
        options: &CodeOptions,
    ) -> Result<Piece> {
        let line = |done: f64, total: f64| {
            format!("composed {done:.1} of {total:.1} s; then phases are found")
        };
        composed_to(output, line, |progress| self.compose(seconds, seed, options, progress))
    }
}

impl Show for CodeComposer {
    fn bundle(&self) -> Result<Bundle> {
        let text = format!("{}\n{}\n{}", self.blocks(), self.network(), self.history());
        Ok(Bundle::from_text(&text))
    }
}

shown_in_notebooks!(CodeComposer);
