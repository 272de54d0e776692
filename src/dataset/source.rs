//! Where a song's samples are.

use crate::audio::{Audio, Decoder, Song, peak_of};
use crate::words::{one_line, shown};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Where the samples of a song are: in a file, read when they are needed, or in memory.
#[derive(Clone, Debug)]
pub enum SongSource {
    /// A file; nothing of it stays in memory.
    File(PathBuf),
    /// An opened song.
    Song(Song),
    /// Any sound, under a name.
    Audio {
        /// What people call it.
        title: String,
        /// The samples.
        audio: Audio,
    },
}

/// A song as a dataset takes it in.
pub(crate) struct Mono {
    pub title: String,
    pub audio: Audio,
    /// The largest magnitude before channels were mixed.
    pub peak: f32,
    pub warnings: Vec<String>,
}

/// Below this a sound is silence, 80 dB under full scale.
const AUDIBLE: f32 = 1e-4;
/// Channels of which the mix keeps less than this share cancel each other.
const KEPT_BY_MIX: f32 = 1e-3;

/// Refuses sound that no model can learn from; `peak` is that of the channels before they were mixed.
///
/// # Errors
/// [`Error::Data`] for silence, and for channels that cancel each other when they are mixed.
pub(crate) fn require_audible(source: &SongSource, mono: &Audio, peak: f32) -> Result<()> {
    let name = source.path().map_or_else(|| source.title(), |path| shown(path).to_string());
    if peak < AUDIBLE && mono.channels().iter().flatten().any(|sample| !sample.is_finite()) {
        return Err(Error::Data(format!(
            "{name}: holds samples that are not numbers; convert it anew"
        )));
    }
    if peak < AUDIBLE {
        return Err(Error::Data(format!("{name}: is silent, there is nothing to learn from")));
    }
    if mono.channels().len() == 1 && peak_of(mono.channels()) < KEPT_BY_MIX * peak {
        return Err(Error::Data(format!(
            "{name}: its channels cancel each other in mono, where everything is learned; use one of \
             them, for example with `ffmpeg -i IN -af pan=mono|c0=c0 out.flac`"
        )));
    }
    Ok(())
}

impl SongSource {
    /// All samples, all channels.
    ///
    /// # Errors
    /// What [`Song::open`] reports, for a file.
    pub fn audio(&self) -> Result<Audio> {
        match self {
            Self::File(path) => Decoder::open(path)?.read_all(),
            Self::Song(song) => Ok(song.audio().clone()),
            Self::Audio { audio, .. } => Ok(audio.clone()),
        }
    }

    /// One channel at `rate` Hz, with the title and what the decoder had to put up with; of a file only
    /// this much is ever in memory.
    ///
    /// # Errors
    /// What [`Song::open`] reports, for a file.
    pub(crate) fn mono_at(&self, rate: u32) -> Result<Mono> {
        Ok(match self {
            Self::File(path) => {
                let mut decoder = Decoder::open(path)?;
                let audio = decoder.read_mono_at(rate)?;
                let (title, peak) = (decoder.title(), decoder.peak());
                Mono { title, audio, peak, warnings: decoder.warnings() }
            }
            Self::Song(song) => Mono {
                title: song.title().to_owned(),
                audio: song.audio().clone(),
                peak: peak_of(song.audio().channels()),
                warnings: song.warnings().to_vec(),
            },
            Self::Audio { title, audio } => {
                let peak = peak_of(audio.channels());
                Mono { title: title.clone(), audio: audio.clone(), peak, warnings: Vec::new() }
            }
        })
    }

    /// What people call it.
    pub fn title(&self) -> String {
        match self {
            Self::File(path) => {
                one_line(&path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy())
            }
            Self::Song(song) => song.title().to_owned(),
            Self::Audio { title, .. } => title.clone(),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Song(song) => Some(song.path()),
            Self::Audio { .. } => None,
        }
    }
}

/// A number that tells one sound from another: of its samples, rounded to 16 bits, so that the same
/// file gives the same number whatever decoded the last bit.
pub(crate) fn fingerprint(audio: &Audio) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    let mut add = |value: u64| hash = (hash ^ value).wrapping_mul(PRIME);
    add(u64::from(audio.sample_rate_hz()));
    for channel in audio.channels() {
        add(channel.len() as u64);
        for sample in channel.iter().step_by(16) {
            add((sample * 32_767.0).round() as i16 as u16 as u64);
        }
    }
    hash
}

/// Names the song in an error about what is in it.
pub(crate) fn unusable(source: &SongSource, problem: &str) -> Error {
    match source.path() {
        Some(path) => Error::audio(path, problem),
        None => Error::Data(format!("{}: {problem}", source.title())),
    }
}
