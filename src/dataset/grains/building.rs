//! Songs cut into grains and described, one after the other, before a pool is made of them.

use super::cut::{self, Grain};
use super::describe::Described;
use super::edges::Edges;
use super::settings::GrainSettings;
use super::song::PoolSong;
use crate::Result;
use crate::dataset::{SongSource, too_short, unusable};
use crate::features::{
    Beats, Chroma, ChromaSettings, LogMel, MelSettings, PitchBands, PrincipalComponents,
};
use crate::words::counted;

/// Fewer grains are nothing to choose from.
const FEWEST_GRAINS: usize = 6;
/// A song of this length has enough of them.
const LEAST_SECONDS: f64 = 2.0;
/// Grains that are this much below the loudest one are left out.
const NEARLY_SILENT_DB: f32 = 50.0;
/// What counts as silence whatever the rest of the song.
const SILENT_DB: f32 = -85.0;
/// Rows that the principal components are found from, at most.
const FITTED_ROWS: usize = 12_000;

/// Songs that are cut and described, on their way into a pool.
#[derive(Default)]
pub(super) struct Building {
    /// Songs and grains of the pool that come before these.
    before: (usize, usize),
    pub(super) songs: Vec<PoolSong>,
    pub(super) grains: Vec<Grain>,
    /// What each candidate sounds like, before the principal components are known.
    pub(super) descriptions: Vec<f32>,
    /// Numbers per candidate in `descriptions`.
    width: usize,
    pub(super) edges: Edges,
}

impl Building {
    /// Nothing yet, for a pool that holds so many songs and grains already.
    pub(super) fn after(songs: usize, grains: usize) -> Self {
        Self { before: (songs, grains), ..Self::default() }
    }

    /// Cuts a song, or says what is wrong with it.
    pub(super) fn add(&mut self, source: &SongSource, settings: &GrainSettings) -> Result<()> {
        let mel_settings = MelSettings::default();
        let read = source.mono_at(mel_settings.sample_rate_hz, settings.need())?;
        let mono = read.audio;
        let samples = &mono.channels()[0];
        let mel = LogMel::of_samples(samples, mel_settings, 0)?;
        let loudest_db = mel.db().iter().copied().fold(LogMel::FLOOR_DB, f32::max);
        if loudest_db < SILENT_DB {
            return Err(unusable(source, "is silent: there is nothing to compose from"));
        }
        let seconds = samples.len() as f64 / f64::from(mel_settings.sample_rate_hz);
        let beats = Beats::of(&mel)?;
        let least = settings.least_beat_confidence;
        let song = self.before.0 + self.songs.len();
        let mut grains = cut::cut(song, seconds, &beats, settings.grain_seconds, least);
        let has_beat = grains.first().is_some_and(|grain| grain.phase.in_beat().is_some());
        leave_out_silence(&mut grains, &mel, loudest_db);
        if grains.len() < FEWEST_GRAINS {
            let grain = settings.grain_seconds;
            let problem = format!(
                "sound for {} of {grain:.2} s, and at least {FEWEST_GRAINS} are needed",
                counted(grains.len(), "grain")
            );
            if seconds < LEAST_SECONDS {
                return Err(too_short(
                    &source.name(),
                    (seconds, LEAST_SECONDS),
                    &problem,
                    &read.warnings,
                ));
            }
            return Err(unusable(source, &format!("has {problem}: take a song with more sound")));
        }
        let chroma = Chroma::of_samples(samples, ChromaSettings::default())?;
        let bands = PitchBands::of(&mono)?;
        let song_sound =
            Described { mel: &mel, pitches: &bands, chroma: &chroma, shift: 0, loudest_db };
        self.describe(samples, &grains, &song_sound, settings)?;
        let first = self.before.1 + self.grains.len();
        self.grains.append(&mut grains);
        self.songs.push(PoolSong {
            source: source.clone(),
            title: source.title(),
            warnings: read.warnings,
            fingerprint: read.fingerprint,
            duration_seconds: seconds,
            sample_rate_hz: read.sample_rate_hz,
            channel_count: read.channel_count,
            beats_per_minute: has_beat.then(|| beats.per_minute()),
            beats_in_bar: has_beat.then(|| beats.beats_in_bar()),
            grains: first..self.before.1 + self.grains.len(),
            sections: Vec::new(),
            bands,
        });
        Ok(())
    }

    fn describe(
        &mut self,
        samples: &[f32],
        grains: &[Grain],
        song: &Described,
        settings: &GrainSettings,
    ) -> Result<()> {
        let shifts = &settings.shifts;
        let mels: Vec<LogMel> = shifts
            .iter()
            .map(|shift| match shift {
                0 => Ok(song.mel.clone()),
                shift => LogMel::of_samples(samples, song.mel.settings(), *shift),
            })
            .collect::<Result<_>>()?;
        for grain in grains {
            for (mel, shift) in mels.iter().zip(shifts) {
                let described = Described { mel, shift: *shift, ..*song };
                self.width = described.width();
                described.description(grain, &mut self.descriptions);
                self.edges.add(&described, grain, settings.grain_seconds);
            }
        }
        Ok(())
    }

    /// The `count` principal components of everything that was added.
    pub(super) fn components(&self, count: usize) -> Result<PrincipalComponents> {
        let rows = self.descriptions.len() / self.width;
        // Transpositions come in turns: an odd step meets all of them.
        let step = (rows / FITTED_ROWS).max(1) | 1;
        let fitted: Vec<f32> =
            self.descriptions.chunks_exact(self.width).step_by(step).flatten().copied().collect();
        PrincipalComponents::fit(&fitted, self.width, count)
    }
}

/// Leaves out grains in which next to nothing sounds, unless hardly any would be left.
fn leave_out_silence(grains: &mut Vec<Grain>, mel: &LogMel, loudest_db: f32) {
    let level = |grain: &Grain| {
        let row = cut::mean_rows(mel, grain.start_seconds, grain.end_seconds);
        row.into_iter().fold(LogMel::FLOOR_DB, f32::max)
    };
    let levels: Vec<f32> = grains.iter().map(level).collect();
    let is_heard = |least: f32| levels.iter().filter(|level| **level > least).count();
    let quiet = loudest_db - NEARLY_SILENT_DB;
    let least = if is_heard(quiet) >= 4 * FEWEST_GRAINS { quiet } else { SILENT_DB.min(quiet) };
    let mut levels = levels.into_iter();
    grains.retain(|_| levels.next().is_some_and(|level| level > least));
    for index in 0..grains.len() {
        let gap = match index.checked_sub(1) {
            Some(before) => grains[index].start_seconds - grains[before].end_seconds,
            None => f64::INFINITY,
        };
        grains[index].follows = gap < 1e-6;
    }
}
