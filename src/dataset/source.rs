//! Where a song's samples are.

use super::fitness::{Measured, make_fit, offset_of, without_offset};
use crate::audio::{Audio, Decoder, Need, Resampler, Song, extend, mix_to_mono};
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
pub(crate) struct FitSong {
    pub title: String,
    /// Its channels, or their mix, fit to learn from.
    pub audio: Audio,
    /// The song's own rate and channels.
    pub sample_rate_hz: u32,
    pub channel_count: usize,
    /// Tells it from other songs and from another version of itself.
    pub fingerprint: u64,
    /// What was put up with, one sentence each.
    pub warnings: Vec<String>,
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

    /// As [`audio`](Self::audio), as pieces are made of it: without an offset.
    ///
    /// # Errors
    /// As [`audio`](Self::audio).
    pub(crate) fn audio_without_offset(&self) -> Result<Audio> {
        let audio = self.audio()?;
        if !audio.channels().iter().any(|channel| offset_of(channel).is_some()) {
            return Ok(audio);
        }
        let mut channels = audio.channels().to_vec();
        without_offset(&mut channels);
        Audio::new(channels, audio.sample_rate_hz())
    }

    /// One channel at `rate` Hz, fit to learn from, with what there is to say of the song; of a file
    /// only this much is ever in memory. What takes more than `need` allows is refused before it is read.
    ///
    /// # Errors
    /// What [`Song::open`] reports, for a file; [`Error::Memory`](crate::Error::Memory) for a sound that
    /// is too long; [`Error::Data`](crate::Error::Data) for one that nothing can be learned from.
    pub(crate) fn mono_at(&self, rate: u32, need: Need) -> Result<FitSong> {
        self.fit_at(rate, false, need)
    }

    /// As [`mono_at`](Self::mono_at), but a song of two channels keeps them with `stereo`.
    ///
    /// # Errors
    /// As [`mono_at`](Self::mono_at).
    pub(crate) fn fit_at(&self, rate: u32, stereo: bool, need: Need) -> Result<FitSong> {
        let (title, own_rate, channel_count);
        let (mut channels, fingerprint, measured, mut warnings);
        match self {
            Self::File(path) => {
                let mut decoder = Decoder::open(path)?;
                (title, own_rate) = (decoder.title(), decoder.sample_rate_hz());
                channel_count = decoder.channel_count();
                let both = stereo && channel_count == 2;
                let mut marks = Fingerprint::new(own_rate, channel_count);
                let count = if both { 2 } else { 1 };
                let mut resampler = Resampler::new(own_rate, rate, count)?;
                let mut mixed = [Vec::new()];
                channels = vec![Vec::new(); count];
                let mut take = |new: &[Vec<f32>]| -> Result<()> {
                    let pairs = channels.iter_mut().zip(new);
                    pairs.into_iter().try_for_each(|(to, new)| extend(to, new, path))
                };
                decoder.each_chunk(Some(need), &mut |chunk| {
                    marks.push(chunk);
                    if both {
                        return take(resampler.push(chunk)?);
                    }
                    mix_to_mono(chunk, &mut mixed[0]);
                    take(resampler.push(&mixed)?)
                })?;
                take(&resampler.finish()?)?;
                fingerprint = marks.finish();
                // The decoder tells what it made silent.
                measured = Measured { peak: decoder.peak(), not_finite: 0 };
                warnings = decoder.warnings();
            }
            Self::Song(_) | Self::Audio { .. } => {
                let audio = self.audio()?;
                need.check(self.name().as_ref(), audio.duration_seconds())?;
                (title, own_rate) = (self.title(), audio.sample_rate_hz());
                channel_count = audio.channel_count();
                let both = stereo && channel_count == 2;
                let taken = if both { audio.clone() } else { audio.to_mono() };
                channels = taken.resample(rate)?.channels().to_vec();
                let mut marks = Fingerprint::new(own_rate, channel_count);
                marks.push(audio.channels());
                fingerprint = marks.finish();
                measured = Measured::of(audio.channels());
                warnings = match self {
                    Self::Song(song) => song.warnings().to_vec(),
                    _ => Vec::new(),
                };
            }
        }
        warnings.extend(make_fit(&self.name(), &mut channels, measured)?);
        let audio = Audio::new(channels, rate)?;
        Ok(FitSong { title, audio, sample_rate_hz: own_rate, channel_count, fingerprint, warnings })
    }

    /// How long it is, in seconds, without reading it; nothing where that is not known.
    pub(crate) fn seconds(&self) -> Option<f64> {
        match self {
            Self::File(path) => Decoder::open(path).ok()?.expected_seconds(),
            Self::Song(song) => Some(song.audio().duration_seconds()),
            Self::Audio { audio, .. } => Some(audio.duration_seconds()),
        }
    }

    /// The name of its file without the folder, or else its title.
    pub(crate) fn short_name(&self) -> String {
        let name = self.path().and_then(Path::file_name);
        name.map_or_else(|| self.title(), |name| name.to_string_lossy().into_owned())
    }

    /// What errors call it: the file, or else its title.
    pub(crate) fn name(&self) -> String {
        self.path().map_or_else(|| self.title(), |path| shown(path).to_string())
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
struct Fingerprint {
    rate: u32,
    frames: usize,
    /// Some samples of each channel.
    marks: Vec<Vec<i16>>,
}

impl Fingerprint {
    /// Frames from one sample that counts to the next.
    const STEP: usize = 16;

    fn new(rate: u32, channels: usize) -> Self {
        Self { rate, frames: 0, marks: vec![Vec::new(); channels] }
    }

    /// Takes the next samples, one vector per channel.
    fn push(&mut self, chunk: &[Vec<f32>]) {
        let first = self.frames.next_multiple_of(Self::STEP) - self.frames;
        for (marks, channel) in self.marks.iter_mut().zip(chunk) {
            let some = channel.iter().skip(first).step_by(Self::STEP);
            marks.extend(some.map(|sample| (sample * 32_767.0).round() as i16));
        }
        self.frames += chunk.first().map_or(0, Vec::len);
    }

    fn finish(self) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let mut hash = OFFSET;
        let mut add = |value: u64| hash = (hash ^ value).wrapping_mul(PRIME);
        add(u64::from(self.rate));
        for marks in &self.marks {
            add(self.frames as u64);
            marks.iter().for_each(|mark| add(*mark as u16 as u64));
        }
        hash
    }
}

/// Names the song in an error about what is in it.
pub(crate) fn unusable(source: &SongSource, problem: &str) -> Error {
    match source.path() {
        Some(path) => Error::audio(path, problem),
        None => Error::Data(format!("{}: {problem}", source.title())),
    }
}
