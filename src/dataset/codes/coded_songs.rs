//! Songs as codes of overlapping spectra.

use super::along_beats::{BarPlace, Frames, PLACE_WIDTH};
use super::bands::Bands;
use super::codebook::Codebook;
use super::loudest::Loudest;
use super::settings::CodeSettings;
use crate::audio::mix_to_mono;
use crate::dataset::{FitSong, Gathered, Skipped, SongSource, gather, too_short, unusable};
#[cfg(doc)]
use crate::features::GriffinLim;
use crate::features::{PrincipalComponents, Stft, StftSettings, magnitudes};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

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
/// Frames whose spectra are held at a time.
const FRAMES_AT_ONCE: usize = 4_096;
/// Of the noise that wide bands are filled with: always the same.
const GRAIN_SEED: u64 = 1;
/// A song has at least so many blocks, about three seconds.
const LEAST_BLOCKS: usize = 32;
/// Frames whose loudest bin has less than this share of the song's loudest are silent: -40 dB.
const SILENT: f32 = 0.01;

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
        for song in &heard {
            // Part by part: the spectra of a whole song are many times as large as what is kept.
            let mut of_song = Vec::with_capacity(song.centres.len() * width);
            for centres in song.centres.chunks(FRAMES_AT_ONCE) {
                let rows = looks.compressed(song, centres);
                for row in rows.chunks_exact(looks.width()) {
                    loudest.hear(row, &looks.bands, settings.compression.recip());
                }
                of_song.extend(components.project(&rows)?);
            }
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
        let songs = heard.into_iter().zip(&places).map(|(song, places)| {
            let mut codes = Vec::with_capacity(blocks(places) * codebook.stages());
            for first in (0..blocks(places)).step_by(BLOCKS_AT_ONCE) {
                interrupt::check()?;
                let end = (first + BLOCKS_AT_ONCE).min(blocks(places));
                let part = &places[first * width..(end + frames - 1) * width];
                codes.extend(codebook.encode(&stacked(part, width, frames))?);
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
        let (bands, loudest) = (looks.bands, Some(loudest));
        Ok(Self { songs, bands, views, loudest, components, codebook, skipped, settings })
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

    /// The magnitudes of blocks of these codes, frames × bins, for a song as loud as number `song`: of
    /// one channel, or of the mix of two, the left and the right one.
    ///
    /// # Errors
    /// [`Error::Argument`] for codes or a song that are none.
    pub fn magnitudes(&self, codes: &[u32], song: usize) -> Result<Vec<Vec<f32>>> {
        let Some(song) = self.songs.get(song) else {
            return Err(Error::argument("song", format!("below {}", self.songs.len()), song));
        };
        let mut places = self.codebook.decode(codes)?;
        scale(&mut places, &self.components, -1.0);
        let power = self.settings.compression.recip();
        let (count, width) = (self.bands.count(), self.components.count());
        let frames = places.len() / width;
        let bins = self.bands.bins();
        let grain = self.grain(frames, song.hop_samples)?;
        let mut grain = grain.chunks_exact(bins);
        let mut views = vec![Vec::with_capacity(frames * bins); self.views];
        for places in places.chunks(FRAMES_AT_ONCE * width) {
            let mut levels = self.components.restore(places)?;
            for frame in levels.chunks_exact_mut(self.views * count) {
                match &self.loudest {
                    Some(loudest) => loudest.restrain(frame, &self.bands, power),
                    None => frame.iter_mut().for_each(|level| *level = level.max(0.0).powf(power)),
                }
                frame.iter_mut().for_each(|level| *level *= song.loudest);
            }
            for (frame, grain) in levels.chunks_exact(self.views * count).zip(&mut grain) {
                for (to, levels) in views.iter_mut().zip(frame.chunks_exact(count)) {
                    self.bands.spread(levels, grain, to);
                }
            }
        }
        Ok(views)
    }

    /// Magnitudes of noise, frames × bins. Where bins are put together only their level is known; what has
    /// a smooth spectrum is a click, and what is up there (cymbals, bows, breath) is ragged as noise is.
    fn grain(&self, frames: usize, hop_samples: usize) -> Result<Vec<f32>> {
        let mut random = ChaCha8Rng::seed_from_u64(GRAIN_SEED);
        let samples = frames.saturating_sub(1) * hop_samples + 1;
        let noise: Vec<f32> = (0..samples).map(|_| random.random_range(-1.0..1.0)).collect();
        magnitudes(&noise, StftSettings { hop_samples, ..self.settings.stft })
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
fn scale(places: &mut [f32], components: &PrincipalComponents, power: f32) {
    let factors: Vec<f32> = components.deviations().iter().map(|d| d.powf(power)).collect();
    for row in places.chunks_exact_mut(components.count()) {
        row.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
    }
}

/// The blocks of `frames` frames that start at each frame.
fn stacked(rows: &[f32], width: usize, frames: usize) -> Vec<f32> {
    rows.windows(frames * width).step_by(width).flatten().copied().collect()
}

/// A song on its way to blocks.
struct Heard {
    title: String,
    /// The mix of its channels.
    mix: Vec<f32>,
    /// Both channels, where it has two.
    channels: Vec<Vec<f32>>,
    centres: Vec<isize>,
    beats: Option<Vec<f32>>,
    beats_in_bar: usize,
    hop_samples: usize,
    loudest: f32,
    warnings: Vec<String>,
}

impl Heard {
    fn of(source: &SongSource, settings: &CodeSettings) -> Result<Self> {
        let FitSong { audio, mut warnings, .. } =
            source.fit_at(settings.sample_rate_hz, settings.stereo, settings.need())?;
        warnings
            .iter_mut()
            .for_each(|warning| *warning = format!("{}: {warning}", source.short_name()));
        let Frames { centres, beats, beats_in_bar, hop_samples } =
            Frames::of(&audio.to_mono(), settings)?;
        let least = LEAST_BLOCKS * settings.frames_per_block;
        if centres.len() < least {
            let needed =
                (least * settings.stft.hop_samples) as f64 / f64::from(settings.sample_rate_hz);
            let why = format!("{LEAST_BLOCKS} blocks of spectra");
            return Err(too_short(
                &source.name(),
                (audio.duration_seconds(), needed),
                &why,
                &warnings,
            ));
        }
        let mut mix = Vec::new();
        mix_to_mono(audio.channels(), &mut mix);
        let channels = if audio.channel_count() == 2 { audio.channels().to_vec() } else { vec![] };
        drop(audio);
        let stft = Stft::new(settings.stft)?;
        let mut peaks: Vec<f32> = Vec::with_capacity(centres.len());
        for centres in centres.chunks(FRAMES_AT_ONCE) {
            let magnitudes = stft.magnitudes_at(&mix, centres);
            let frames = magnitudes.chunks_exact(stft.bins());
            peaks.extend(frames.map(|frame| frame.iter().copied().fold(0.0, f32::max)));
        }
        let loudest = peaks.iter().copied().fold(0.0, f32::max);
        if loudest < 1e-4 {
            return Err(unusable(source, "is silent, there is nothing to learn from"));
        }
        // Silence before and after the music is left out, in whole blocks, so that the beat stays.
        let sounds = |peak: &f32| *peak > SILENT * loudest;
        let from = peaks.iter().position(sounds).unwrap_or(0);
        let from = from - from % settings.frames_per_block;
        let to = peaks.iter().rposition(sounds).map_or(peaks.len(), |last| last + 1);
        let to = to.max(from + least).min(peaks.len());
        let from = from.min(to - least);
        let (centres, beats) =
            (centres[from..to].to_vec(), beats.map(|beats| beats[from..to].to_vec()));
        let title = source.title();
        Ok(Self {
            title,
            mix,
            channels,
            centres,
            beats,
            beats_in_bar,
            hop_samples,
            loudest,
            warnings,
        })
    }
}

/// How spectra are looked at.
struct Looks<'a> {
    stft: Stft,
    bands: Bands,
    views: usize,
    settings: &'a CodeSettings,
}

impl Looks<'_> {
    /// Numbers of a frame.
    fn width(&self) -> usize {
        self.views * self.bands.count()
    }

    /// Compressed magnitudes of the frames centred on `centres`: frames × width, of a frame view after
    /// view. A song of one channel is the same in all of them.
    fn compressed(&self, song: &Heard, centres: &[isize]) -> Vec<f32> {
        let (bins, count) = (self.stft.bins(), self.bands.count());
        let mut rows = vec![0.0; centres.len() * self.width()];
        for view in 0..self.views {
            let samples = match view {
                0 => &song.mix,
                _ => song.channels.get(view - 1).unwrap_or(&song.mix),
            };
            let magnitudes = self.stft.magnitudes_at(samples, centres);
            let frames = magnitudes.chunks_exact(bins);
            for (row, frame) in rows.chunks_exact_mut(self.width()).zip(frames) {
                let to = row[view * count..][..count].iter_mut();
                for (to, level) in to.zip(self.bands.levels(frame)) {
                    *to = (level / song.loudest).powf(self.settings.compression);
                }
            }
        }
        rows
    }
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
