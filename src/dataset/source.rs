//! Where a song's samples are.

use super::fitness::{Measured, make_fit, offset_of, without_offset};
use crate::audio::{Audio, Decoder, Need, Resampler, Song, extend, mix_to_mono};
use crate::corpus::{Corpus, Entry, SongFacts};
use crate::words::{one_line, shown};
use crate::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Where the samples of a song are: in a file, read when they are needed, or in memory.
#[derive(Clone, Debug)]
pub enum SongSource {
    /// A file; nothing of it stays in memory.
    File(PathBuf),
    /// An opened song.
    Song(Song),
    /// A song of a corpus, read when it is needed.
    InCorpus(CorpusSong),
    /// Any sound, under a name.
    Audio {
        /// What people call it.
        title: String,
        /// The samples.
        audio: Audio,
    },
}

/// A song of a [`Corpus`].
#[derive(Clone, Debug)]
pub struct CorpusSong {
    corpus: Corpus,
    song: usize,
    /// The corpus, and in it what the song was read from.
    place: PathBuf,
}

impl CorpusSong {
    /// The song's row of the table.
    pub fn entry(&self) -> &Entry {
        self.corpus.entry_of(self.song)
    }

    /// Where it is.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Of what the sound depends on: the name of the song's members in its shard.
    pub(crate) fn key(&self) -> &str {
        self.entry().facts.as_ref().map_or("", SongFacts::key)
    }

    fn decoder(&self) -> Result<Decoder> {
        self.corpus.song(self.song)
    }
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
    /// All songs of a corpus, in its order.
    ///
    /// ```no_run
    /// use neural_composer::corpus::Corpus;
    /// use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
    /// let songs = SongSource::of_corpus(&Corpus::open("corpus")?);
    /// let data = Dataset::of(&songs, DatasetSettings::fast())?;
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    pub fn of_corpus(corpus: &Corpus) -> Vec<Self> {
        let song = |(song, entry): (usize, &Entry)| {
            let place = corpus.folder().join(&entry.path);
            Self::InCorpus(CorpusSong { corpus: corpus.clone(), song, place })
        };
        corpus.songs().enumerate().map(song).collect()
    }

    /// `songs`, of which those of corpora are only some where all of them are longer than `seconds`: as
    /// many as that, drawn by `seed`, in their order.
    ///
    /// Grains and codes are in memory while a piece is made; what a step of it takes grows with them.
    pub fn some_of(songs: &[Self], seconds: f64, seed: u64) -> Vec<Self> {
        let length = |song: &Self| song.seconds().unwrap_or(0.0);
        let in_corpora: Vec<usize> =
            (0..songs.len()).filter(|song| songs[*song].in_corpus().is_some()).collect();
        let all: f64 = in_corpora.iter().map(|song| length(&songs[*song])).sum();
        if all <= seconds {
            return songs.to_vec();
        }
        let mut order = in_corpora;
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut left = seconds;
        let mut is_drawn = |song: &usize| {
            // The first one in any case: something has to be drawn.
            let fits = left == seconds || length(&songs[*song]) <= left;
            left -= if fits { length(&songs[*song]) } else { 0.0 };
            fits
        };
        let drawn: HashSet<usize> = order.into_iter().filter(|song| is_drawn(song)).collect();
        let songs = songs.iter().enumerate();
        let is_kept =
            |song: usize, source: &Self| source.in_corpus().is_none() || drawn.contains(&song);
        songs.filter(|(song, source)| is_kept(*song, source)).map(|(_, s)| s.clone()).collect()
    }

    /// All samples, all channels.
    ///
    /// # Errors
    /// What [`Song::open`] reports, for a file.
    pub fn audio(&self) -> Result<Audio> {
        match self {
            Self::File(path) => Decoder::open(path)?.read_all(),
            Self::InCorpus(song) => song.decoder()?.read_all(),
            Self::Song(song) => Ok(song.audio().clone()),
            Self::Audio { audio, .. } => Ok(audio.clone()),
        }
    }

    /// A stream over its samples; nothing for what is in memory.
    ///
    /// # Errors
    /// As [`audio`](Self::audio).
    pub fn decoder(&self) -> Option<Result<Decoder>> {
        match self {
            Self::File(path) => Some(Decoder::open(path)),
            Self::InCorpus(song) => Some(song.decoder()),
            Self::Song(_) | Self::Audio { .. } => None,
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
        let streamed = self.decoder().transpose()?;
        let (title, own_rate, channel_count);
        let mut channels: Vec<Vec<f32>>;
        let (fingerprint, measured, mut warnings);
        match streamed {
            Some(mut decoder) => {
                let path = self.place().unwrap_or(decoder.path()).to_owned();
                (title, own_rate) = (self.title_of(&decoder), decoder.sample_rate_hz());
                channel_count = decoder.channel_count();
                let both = stereo && channel_count == 2;
                let mut marks = Fingerprint::new(own_rate, channel_count);
                let count = if both { 2 } else { 1 };
                let mut resampler = Resampler::new(own_rate, rate, count)?;
                let mut mixed = [Vec::new()];
                channels = (0..count).map(|_| decoder.room_at(rate)).collect();
                let mut take = |new: &[Vec<f32>]| -> Result<()> {
                    let pairs = channels.iter_mut().zip(new);
                    pairs.into_iter().try_for_each(|(to, new)| extend(to, new, &path))
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
                if let Self::InCorpus(song) = self {
                    let facts = song.entry().facts.as_ref();
                    warnings.extend(facts.iter().flat_map(|facts| facts.warnings.iter().cloned()));
                }
            }
            None => {
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
            Self::InCorpus(song) => song.entry().facts.as_ref().map(|facts| facts.seconds),
            Self::Song(song) => Some(song.audio().duration_seconds()),
            Self::Audio { audio, .. } => Some(audio.duration_seconds()),
        }
    }

    /// The name of its file without the folder, or else its title.
    pub(crate) fn short_name(&self) -> String {
        let name = self.place().and_then(Path::file_name);
        name.map_or_else(|| self.title(), |name| name.to_string_lossy().into_owned())
    }

    /// What errors call it: the file, or else its title.
    pub fn name(&self) -> String {
        self.place().map_or_else(|| self.title(), |path| shown(path).to_string())
    }

    /// The song of a corpus that it is.
    pub(crate) fn in_corpus(&self) -> Option<&CorpusSong> {
        match self {
            Self::InCorpus(song) => Some(song),
            _ => None,
        }
    }

    /// What people call it.
    pub fn title(&self) -> String {
        match self {
            Self::File(path) => {
                one_line(&path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy())
            }
            Self::Song(song) => song.title().to_owned(),
            Self::InCorpus(song) => one_line(song.entry().title()),
            Self::Audio { title, .. } => title.clone(),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Song(song) => Some(song.path()),
            Self::InCorpus(_) | Self::Audio { .. } => None,
        }
    }

    /// Where it is found again: its file, or its corpus and what it is called there.
    pub(crate) fn place(&self) -> Option<&Path> {
        match self {
            Self::InCorpus(song) => Some(&song.place),
            _ => self.path(),
        }
    }

    /// The title of a song that `decoder` reads: the tag of a file, what is known of others.
    pub fn title_of(&self, decoder: &Decoder) -> String {
        match self {
            Self::File(_) => decoder.title(),
            _ => self.title(),
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
    match source.place() {
        Some(path) => Error::audio(path, problem),
        None => Error::Data(format!("{}: {problem}", source.title())),
    }
}
