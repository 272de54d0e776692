//! Songs as codes of overlapping spectra.

use super::along_beats::{BarPlace, PLACE_WIDTH};
use super::bands::Bands;
use super::codebook::Codebook;
use super::heard::{FRAMES_AT_ONCE, Heard, Looks};
use super::loudest::Loudest;
use super::residual::{ResidualSums, Residuals};
use super::rises::Rises;
use super::settings::CodeSettings;
use crate::dataset::{Gathered, Skipped, SongSource, gather};
use crate::features::{PrincipalComponents, Stft};
use crate::words::counted;
#[cfg(doc)]
use crate::{Error, features::GriffinLim};
use crate::{Result, interrupt};

/// One song as codes.
#[derive(Clone, Debug)]
pub struct CodedSong {
    /// What people call it.
    pub title: String,
    /// Codes of the block that starts at each frame: blocks overlap.
    pub(super) codes: Vec<u32>,
    /// Beats since the first bar's beginning at each frame; nothing where there is no clear beat.
    pub(super) beats: Option<Vec<f32>>,
    /// The metre.
    pub(super) beats_in_bar: usize,
    /// Samples from one frame to the next when it is played.
    pub(super) hop_samples: usize,
    /// What magnitudes were divided by.
    pub(super) loudest: f32,
    /// What was put up with in the song, one sentence each, with the name of its file.
    pub(super) warnings: Vec<String>,
}

/// Songs as blocks of overlapping spectra, each block told by a few codes.
///
/// Magnitudes of bands are compressed, turned into principal components, stacked into blocks and
/// quantised by a [`Codebook`]. Of songs in stereo there are three of each: of the mix of the channels and
/// of both; that is enough to find the channels again ([`GriffinLim::stereo`]).
/// Where a song has a steady beat the frames follow it, so that a block always lies at
/// the same place of a beat.
#[derive(Clone, Debug)]
pub struct CodedSongs {
    pub(super) settings: CodeSettings,
    pub(super) bands: Bands,
    pub(super) views: usize,
    /// Nothing for models from before it was kept.
    pub(super) loudest: Option<Loudest>,
    pub(super) components: PrincipalComponents,
    /// Nothing for models from before they were kept.
    pub(super) residuals: Option<Residuals>,
    pub(super) codebook: Codebook,
    pub(super) songs: Vec<CodedSong>,
    pub(super) skipped: Vec<Skipped>,
}

/// The views of a song in stereo: the mix of its channels, the left and the right one.
pub(super) const STEREO_VIEWS: usize = 3;
/// Blocks that codes are fitted to, about, and rows that are told by codes at a time.
const FITTED_BLOCKS: usize = 16_384;
const BLOCKS_AT_ONCE: usize = 4_096;
/// Frames that principal components are fitted to at most.
const MOST_FRAMES: usize = 6_000;

impl CodedSongs {
    /// Cuts songs into blocks and fits the codes. What cannot be used is left out and said in
    /// [`skipped`](Self::skipped).
    ///
    /// # Errors
    /// [`Error::Argument`] for impossible settings; [`Error::Data`] when no song can be used;
    /// [`Error::Interrupted`] on a request to stop.
    pub fn of(songs: &[SongSource], settings: CodeSettings) -> Result<Self> {
        let _job = interrupt::begin()?;
        settings.check()?;
        let stft = Stft::new(settings.stft)?;
        let read = |song: &SongSource| Heard::of(song, &settings);
        let Gathered { used: heard, skipped } =
            gather(songs, settings.need(), &mut |_, _| (), read)?;
        let bands = Bands::of(&settings);
        let stereo = heard.iter().any(|song| song.channels.len() == 2);
        let views = if stereo { STEREO_VIEWS } else { 1 };
        let total: usize = heard.iter().map(|song| song.centres.len()).sum();
        let step = total.div_ceil(MOST_FRAMES).max(1);
        let looks = Looks { stft, bands, views, settings: &settings };
        let mut sample = Vec::new();
        for song in &heard {
            let some: Vec<isize> = song.centres.iter().copied().step_by(step).collect();
            sample.extend(looks.compressed(song, &some));
        }
        let components = PrincipalComponents::fit(&sample, looks.width(), settings.components)?;
        drop(sample);

        let (frames, width) = (settings.frames_per_block, components.count());
        let mut places = Vec::with_capacity(heard.len());
        let mut loudest = Loudest::silence(views, &looks.bands);
        let mut left_of_bands = ResidualSums::new(looks.width());
        let power = settings.compression.recip();
        let mut rises = Rises::of(&looks.bands, power);
        for song in &heard {
            // Part by part: the spectra of a whole song are many times as large as what is kept.
            let mut of_song = Vec::with_capacity(song.centres.len() * width);
            for centres in song.centres.chunks(FRAMES_AT_ONCE) {
                let rows = looks.compressed(song, centres);
                for row in rows.chunks_exact(looks.width()) {
                    rises.hear(row.iter().copied());
                    loudest.hear(row, &looks.bands, power);
                }
                let projected = components.project(&rows)?;
                left_of_bands.add(&rows, &components.restore(&projected)?);
                of_song.extend(projected);
            }
            rises.pause();
            scale(&mut of_song, &components, 1.0);
            places.push(of_song);
        }
        let blocks = |places: &[f32]| (places.len() / width + 1).saturating_sub(frames);
        let all: usize = places.iter().map(|places| blocks(places)).sum();
        let every = all.div_ceil(FITTED_BLOCKS).max(1);
        let some: Vec<f32> = places
            .iter()
            .flat_map(|places| places.windows(frames * width).step_by(every * width).flatten())
            .copied()
            .collect();
        let codebook = Codebook::fit(&some, frames * width, settings.codebook)?;
        drop(some);
        let mut left_of_components = ResidualSums::new(width);
        let songs = heard.into_iter().zip(&places).map(|(song, places)| {
            let mut codes = Vec::with_capacity(blocks(places) * codebook.stages());
            for first in (0..blocks(places)).step_by(BLOCKS_AT_ONCE) {
                interrupt::check()?;
                let end = (first + BLOCKS_AT_ONCE).min(blocks(places));
                let part = &places[first * width..(end + frames - 1) * width];
                let of_part = codebook.encode(&stacked(part, width, frames))?;
                // Blocks overlap; those that follow each other tell each frame once.
                let following = of_part.chunks_exact(codebook.stages()).step_by(frames);
                let told = codebook.decode(&following.flatten().copied().collect::<Vec<_>>())?;
                left_of_components.add(part, &told);
                codes.extend(of_part);
            }
            Ok(CodedSong {
                codes,
                title: song.title,
                beats: song.beats,
                beats_in_bar: song.beats_in_bar,
                hop_samples: song.hop_samples,
                loudest: song.loudest,
                warnings: song.warnings,
            })
        });
        let songs = songs.collect::<Result<_>>()?;
        let residuals = Some(Residuals {
            components: left_of_components.residual(),
            bands: left_of_bands.residual(),
            rises_db: rises.mean_db(),
        });
        let (bands, loudest) = (looks.bands, Some(loudest));
        Ok(Self {
            songs,
            bands,
            views,
            loudest,
            components,
            residuals,
            codebook,
            skipped,
            settings,
        })
    }

    /// How songs became blocks.
    pub fn settings(&self) -> &CodeSettings {
        &self.settings
    }

    /// The songs in use.
    pub fn songs(&self) -> &[CodedSong] {
        &self.songs
    }

    /// What was left out, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The codes' entries.
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// What blocks of these codes sound like to a network: codebook width numbers a block, of
    /// deviations about 1.
    ///
    /// # Errors
    /// [`Error::Argument`] for codes that are none.
    pub fn heard(&self, codes: &[u32]) -> Result<Vec<f32>> {
        let mut rows = self.codebook.decode(codes)?;
        scale(&mut rows, &self.components, -0.75);
        let first = self.components.deviations().first().copied().unwrap_or(1.0);
        let size = first.max(1e-9).powf(0.25);
        rows.iter_mut().for_each(|value| *value /= size);
        Ok(rows)
    }

    /// How many magnitudes a bin has: 1, or 3 where there are songs in stereo.
    pub fn views(&self) -> usize {
        self.views
    }

    /// Length of a block of song number `song` when it is played.
    pub fn block_seconds(&self, song: usize) -> f64 {
        let hop = self.songs.get(song).map_or(self.settings.stft.hop_samples, |s| s.hop_samples);
        (hop * self.settings.frames_per_block) as f64 / f64::from(self.settings.sample_rate_hz)
    }
}

impl CodedSong {
    /// Frames that a block starts at.
    pub fn starts(&self, stages: usize) -> usize {
        self.codes.len() / stages.max(1)
    }

    /// The codes of the block that starts at `frame`.
    pub fn codes_at(&self, frame: usize, stages: usize) -> &[u32] {
        &self.codes[frame * stages..][..stages]
    }

    /// What was put up with in the song, one sentence each, with the name of its file.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Samples from one frame to the next when it is played.
    pub fn hop_samples(&self) -> usize {
        self.hop_samples
    }

    /// Where in beat and bar `frame` lies; nothing in a song without a clear beat.
    pub fn place_at(&self, frame: usize) -> Option<BarPlace> {
        let beat = self.beats.as_ref()?.get(frame).copied()?;
        Some(BarPlace { beat, beats_in_bar: self.beats_in_bar })
    }

    /// Beats from one frame to the next.
    pub fn beats_per_frame(&self) -> Option<f32> {
        let beats = self.beats.as_ref()?;
        Some(beats.get(1)? - beats.first()?)
    }
}

/// Width of an input row, for entries of `width` numbers.
pub(crate) fn input_width(width: usize) -> usize {
    width + PLACE_WIDTH
}

/// Adds an input row: a block, and where in beat and bar the next one lies; zeros without a beat.
pub(crate) fn input_row(block: &[f32], next: Option<BarPlace>, to: &mut Vec<f32>) {
    to.extend_from_slice(block);
    to.extend(next.map_or([0.0; PLACE_WIDTH], BarPlace::circles));
}

/// Multiplies each number of frames of components by its deviation to the power of `power`.
pub(super) fn scale(places: &mut [f32], components: &PrincipalComponents, power: f32) {
    let factors: Vec<f32> = components.deviations().iter().map(|d| d.powf(power)).collect();
    for row in places.chunks_exact_mut(components.count()) {
        row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
    }
}

/// The blocks of `frames` frames that start at each frame.
fn stacked(rows: &[f32], width: usize, frames: usize) -> Vec<f32> {
    rows.windows(frames * width).step_by(width).flatten().copied().collect()
}

impl std::fmt::Display for CodedSongs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stages = self.codebook.stages();
        let frames: usize = self.songs.iter().map(|song| song.starts(stages)).sum();
        let on_beat = self.songs.iter().filter(|song| song.beats.is_some()).count();
        write!(
            f,
            "{} of {} from {} ({on_beat} on the beat), {} of {} each",
            counted(frames / self.settings.frames_per_block, "block"),
            match self.settings.frames_per_block {
                1 => "1 spectrum".to_owned(),
                frames => format!("{frames} spectra"),
            },
            counted(self.songs.len(), "song"),
            counted(stages, "code"),
            self.codebook.codes()
        )
    }
}
