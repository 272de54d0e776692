//! Composing, with a progress line; what a cell does with a piece.

use crate::Result;
use crate::audio::{Playback, Song};
use crate::display::{Bundle, Live, Output, Player, Progress};
use crate::evaluate::{self, Similarity};
use crate::generate::{self, Model, Options, Piece, Seed};
use crate::model::Network;
use std::path::Path;
use std::time::Instant;

impl Network {
    /// Composes `seconds` of sound after `start`, saying how far it is; the stop button ends it after
    /// the running block.
    ///
    /// # Errors
    /// What [`generate::blocks`] reports.
    pub fn compose(&self, seconds: f64, start: impl Into<Seed>) -> Result<Piece> {
        self.compose_to(Output::new(), seconds, start)
    }

    /// As [`compose`](Self::compose), saying it through `output`.
    ///
    /// # Errors
    /// What [`generate::blocks`] reports.
    pub fn compose_to(
        &self,
        output: Output,
        seconds: f64,
        start: impl Into<Seed>,
    ) -> Result<Piece> {
        self.compose_from(output, seconds, &start.into())
    }

    fn compose_from(&self, output: Output, seconds: f64, start: &Seed) -> Result<Piece> {
        let begun = Instant::now();
        let line = |done: f64, total: f64| {
            let speed = done / begun.elapsed().as_secs_f64().max(1e-9);
            format!("composed {done:.1} of {total:.1} s, at {speed:.0} times the speed of playing")
        };
        composed_to(output, line, |progress| generate::blocks(self, seconds, start, progress))
    }
}

impl Model {
    /// As [`compose`](Self::compose), saying how far it is through `output`.
    ///
    /// # Errors
    /// What [`Model::compose`] reports.
    pub fn compose_to(
        &self,
        output: Output,
        seconds: f64,
        seed: u64,
        options: &Options,
    ) -> Result<Piece> {
        let line =
            |done: f64, total: f64| format!("composed {:.0} %", 100.0 * done / total.max(1e-9));
        composed_to(output, line, |progress| self.compose(seconds, seed, options, progress))
    }
}

/// Runs `compose`, which tells (seconds done, seconds in all), and says through `output` what `line`
/// makes of that, and at the end what came of it.
pub(super) fn composed_to(
    output: Output,
    line: impl Fn(f64, f64) -> String,
    compose: impl FnOnce(&mut dyn FnMut(f64, f64)) -> Result<Piece>,
) -> Result<Piece> {
    let start = Instant::now();
    let mut live = Live::to(output);
    let piece = compose(&mut |done, total| {
        let line = line(done, total);
        // In hundredths of a second, which is finer than a grain or a block.
        let (done, total) = ((done * 100.0) as u64, (total * 100.0) as u64);
        let progress = Progress { done, total, line: line.clone() };
        live.update(&progress, || Bundle::from_text(&line));
    })?;
    let line = format!("{piece}, in {:.1} s", start.elapsed().as_secs_f64());
    live.finish(&line, || Bundle::from_text(&line));
    Ok(piece)
}

impl Piece {
    /// Writes a 16-bit WAV file.
    ///
    /// # Errors
    /// What [`Audio::save`](crate::audio::Audio::save) reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.audio().save_composed(path)
    }

    /// Plays it through the speakers, in the background.
    ///
    /// # Errors
    /// What [`Audio::play`](crate::audio::Audio::play) reports, most often that there are no speakers.
    pub fn play(&self) -> Result<Playback> {
        self.audio().play()
    }

    /// A player that switches between the piece and `song` at the same position.
    pub fn beside(&self, song: &Song) -> Player {
        Player::new("A new piece", self.audio()).compared_with(song.title(), song.audio())
    }

    /// How alike it is to `song`.
    ///
    /// # Errors
    /// What [`evaluate::similarity`] reports.
    pub fn compare(&self, song: &Song) -> Result<Similarity> {
        evaluate::similarity(self.audio(), song.audio())
    }
}

impl Song {
    /// Plays it through the speakers, in the background.
    ///
    /// # Errors
    /// What [`Audio::play`](crate::audio::Audio::play) reports, most often that there are no speakers.
    pub fn play(&self) -> Result<Playback> {
        self.audio().play()
    }
}
