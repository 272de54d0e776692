//! What a cell says to a composer of grains.

use super::composing::composed_to;
use super::lab_folder::keep_in_lab;
use super::training::LiveTraining;
use crate::Result;
use crate::audio::Song;
use crate::dataset::SongSource;
use crate::dataset::grains::GrainPool;
use crate::display::{Candidate, ChoiceStep, Choices, Output};
use crate::generate::{GrainComposer, GrainLearning, GrainOptions, Opening, Piece};
use crate::interrupt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

impl GrainComposer {
    /// Learns from songs with the usual settings, with a live chart of the loss; the stop button ends
    /// it after the running step.
    ///
    /// # Errors
    /// What [`GrainComposer::learn`] reports.
    pub fn of(songs: &[Song]) -> Result<Self> {
        let sources: Vec<SongSource> = songs.iter().cloned().map(SongSource::Song).collect();
        Self::learn_to(Output::new(), &sources, &GrainLearning::default())
    }

    /// Learns from songs as told by `settings`, drawing through `output`.
    ///
    /// # Errors
    /// What [`GrainComposer::learn`] reports.
    pub fn learn_to(
        output: Output,
        songs: &[SongSource],
        settings: &GrainLearning,
    ) -> Result<Self> {
        let _job = interrupt::begin()?;
        let pool = GrainPool::of(songs, settings.grains.clone(), &mut |_, _| ())?;
        let mut live = LiveTraining::to(output);
        let mut training = settings.training.clone();
        keep_in_lab(&mut training.descent.checkpoints, false);
        let composer = Self::learn_pool(Arc::new(pool), &training, &mut live)?;
        live.finish(composer.history());
        Ok(composer)
    }

    /// Composes `seconds` with the usual options, saying how far it is; the stop button ends it after
    /// the running grain.
    ///
    /// # Errors
    /// What [`GrainComposer::compose`] reports.
    pub fn piece(&self, seconds: f64, seed: u64) -> Result<Piece> {
        self.compose_to(Output::new(), seconds, seed, &GrainOptions::default())
    }

    /// As [`compose`](Self::compose), saying how far it is through `output`.
    ///
    /// # Errors
    /// What [`GrainComposer::compose`] reports.
    pub fn compose_to(
        &self,
        output: Output,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
    ) -> Result<Piece> {
        said(output, |progress| self.compose(seconds, seed, options, progress))
    }

    /// As [`recompose`](Self::recompose), saying how far it is through `output`.
    ///
    /// # Errors
    /// What [`GrainComposer::recompose`] reports.
    pub fn recompose_to(
        &self,
        output: Output,
        piece: &Piece,
        part_seconds: Range<f64>,
        seed: u64,
        options: &GrainOptions,
    ) -> Result<Piece> {
        said(output, |progress| self.recompose(piece, part_seconds, seed, options, progress))
    }

    /// Composes with other options than the usual ones, saying how far it is.
    ///
    /// # Errors
    /// What [`GrainComposer::compose`] reports.
    pub fn piece_with(&self, seconds: f64, seed: u64, options: &GrainOptions) -> Result<Piece> {
        self.compose_to(Output::new(), seconds, seed, options)
    }

    /// `piece` with the part between two times composed anew, with the usual options.
    ///
    /// # Errors
    /// What [`GrainComposer::recompose`] reports.
    pub fn again(&self, piece: &Piece, part_seconds: Range<f64>, seed: u64) -> Result<Piece> {
        self.recompose_to(Output::new(), piece, part_seconds, seed, &GrainOptions::default())
    }

    /// `seconds` of new music after `recording`, with the usual options.
    ///
    /// # Errors
    /// What [`GrainComposer::with_guest`] and [`GrainComposer::compose`] report.
    pub fn continue_from(&self, recording: &Song, seconds: f64, seed: u64) -> Result<Piece> {
        let options = GrainOptions { opening: Opening::Continue, ..GrainOptions::default() };
        self.with_guest(&SongSource::Song(recording.clone()))?.piece_with(seconds, seed, &options)
    }

    /// A piece that begins with the notes of `tune`, hummed or played, with the usual options.
    ///
    /// # Errors
    /// What [`GrainComposer::with_guest`] and [`GrainComposer::compose`] report.
    pub fn from_tune(&self, tune: &Song, seconds: f64, seed: u64) -> Result<Piece> {
        let options = GrainOptions { opening: Opening::Tune, ..GrainOptions::default() };
        self.with_guest(&SongSource::Song(tune.clone()))?.piece_with(seconds, seed, &options)
    }

    /// What the network expected at every step of `piece`, and what was taken: a picture of the
    /// distribution that the piece was drawn from, before joins, form and copies were thought of.
    ///
    /// # Errors
    /// What [`GrainComposer::expectations`] reports.
    pub fn choices(&self, piece: &Piece) -> Result<Choices> {
        let pool = self.pool();
        let place = |candidate: usize, probability: f32| {
            let grain = &pool.grains()[pool.grain_of(candidate)];
            Candidate { song: grain.song, song_seconds: grain.start_seconds, probability }
        };
        let steps = self.expectations(piece)?.into_iter().map(|step| {
            let taken = step.taken;
            let candidates = step.likeliest.into_iter().map(|(c, p)| place(c, p)).collect();
            ChoiceStep {
                piece_seconds: taken.at_seconds,
                length_seconds: pool.grains()[pool.grain_of(taken.candidate)].seconds(),
                candidates,
                chosen: place(taken.candidate, step.probability),
            }
        });
        let songs = pool.own_songs().iter();
        let songs = songs.map(|song| (song.title.clone(), song.duration_seconds)).collect();
        Choices::new(songs, steps.collect())
    }
}

/// Runs `compose`, saying how far it is.
fn said(
    output: Output,
    compose: impl FnOnce(&mut dyn FnMut(f64, f64)) -> Result<Piece>,
) -> Result<Piece> {
    let start = Instant::now();
    let line = |done: f64, total: f64| {
        let share = 100.0 * done / total.max(1e-9);
        format!("composed {share:.0} % in {:.0} s", start.elapsed().as_secs_f64().max(1e-9))
    };
    composed_to(output, line, compose)
}
