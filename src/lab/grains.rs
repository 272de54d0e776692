use super::training::LiveTraining;
use crate::Result;
use crate::audio::Song;
use crate::dataset::grains::{GrainPool, SongSource};
use crate::display::{Bundle, Live, Output, Progress};
use crate::generate::{GrainComposer, GrainLearning, GrainOptions, Piece};
use crate::interrupt;
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
        interrupt::clear();
        let pool = GrainPool::of(songs, settings.grains.clone(), &mut |_, _| ())?;
        let epochs = settings.training.steps.div_ceil(settings.training.steps_per_epoch.max(1));
        let mut live = LiveTraining::to(output, epochs);
        let composer = Self::learn_pool(Arc::new(pool), &settings.training, &mut live)?;
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
        let start = Instant::now();
        let mut live = Live::to(output);
        let piece = self.compose(seconds, seed, options, &mut |done, total| {
            let elapsed = start.elapsed().as_secs_f64().max(1e-9);
            let speed = done / elapsed;
            let line = format!(
                "composed {done:.1} of {total:.1} s, at {speed:.0} times the speed of playing"
            );
            // In hundredths of a second, which is finer than a grain.
            let (done, total) = ((done * 100.0) as u64, (total * 100.0) as u64);
            let progress = Progress { done, total, line: line.clone() };
            live.update(&progress, || Bundle::from_text(&line));
        })?;
        let line = format!("{piece}, in {:.1} s", start.elapsed().as_secs_f64());
        live.finish(&line, || Bundle::from_text(&line));
        Ok(piece)
    }
}
