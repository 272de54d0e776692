//! A corpus that is there: its songs, and their sound.

use super::contents::{self, Contents};
use super::entry::{Entry, SongFacts, Stored};
use super::shards;
use super::summary::Summary;
use crate::audio::Decoder;
use crate::words::counted;
use crate::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of songs decoded once, in shards; see [`crate::corpus`] for its format.
///
/// Cloning is cheap: the table is shared. No sound is in memory.
///
/// ```
/// # use neural_composer::audio::Audio;
/// # let folder = tempfile::tempdir().unwrap();
/// # let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
/// # std::fs::create_dir(&songs).unwrap();
/// # let tone = (0..16_000).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
/// # Audio::mono(tone, 8000)?.save(songs.join("tone.wav"))?;
/// use neural_composer::corpus::{BuildSettings, Corpus};
/// let built = Corpus::build(&songs, &output, BuildSettings::default())?;
/// assert_eq!((built.changes.added.len(), built.decoded), (1, 1));
///
/// let corpus = Corpus::open(&output)?;
/// assert_eq!(corpus.songs().next().unwrap().title(), "tone");
/// let sound = corpus.song(0)?.read_all()?;
/// let middle = corpus.part_of_song(0, 8_000..12_000)?.read_all()?;
/// assert_eq!(middle.channels()[0], sound.channels()[0][8_000..12_000]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone)]
pub struct Corpus {
    folder: PathBuf,
    contents: Arc<Contents>,
    /// Rows that are stored.
    songs: Arc<[usize]>,
}

impl Corpus {
    /// Opens a corpus; only its table is read.
    ///
    /// # Errors
    /// [`Error::Corpus`] for a folder that is no corpus, or not yet, for a damaged table and for another
    /// version; [`Error::Io`] when the table cannot be read.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        Self::in_folder(folder.as_ref())
    }

    fn in_folder(folder: &Path) -> Result<Self> {
        let table = folder.join(contents::NAME);
        if !table.is_file() {
            let found = match (folder.is_dir(), folder.join(super::lock::NAME).exists()) {
                (_, true) => "one whose first build has not ended; run the same command again",
                (true, _) => "a folder without contents.parquet; name the folder of a corpus",
                (false, _) => "none; name the folder of one, or make it with `corpus build`",
            };
            return Err(Error::corpus(folder, format!("expected a corpus, found {found}")));
        }
        Self::of(folder, Contents::read_without_fingerprints(&table)?)
    }

    /// Whether a folder is a corpus, or one whose first build has not ended.
    pub fn is_at(folder: impl AsRef<Path>) -> bool {
        let folder = folder.as_ref();
        folder.join(contents::NAME).is_file() || folder.join(super::lock::NAME).is_file()
    }

    pub(super) fn of(folder: &Path, contents: Contents) -> Result<Self> {
        let table = folder.join(contents::NAME);
        let damaged = |what: &str| {
            let problem = format!("damaged: {what}; build the corpus again, into an empty folder");
            Error::corpus(&table, problem)
        };
        if !contents.is_sound {
            return Err(damaged("its rows are not those that were written"));
        }
        for entry in &contents.entries {
            if let Some(stored) = &entry.stored
                && !is_possible(stored, entry.facts.as_ref())
            {
                return Err(damaged(&format!("what it says of {:?} cannot be", entry.path)));
            }
        }
        let rows = contents.entries.iter().enumerate();
        let songs = rows.filter(|(_, entry)| entry.stored.is_some()).map(|(row, _)| row).collect();
        Ok(Self { folder: folder.to_path_buf(), contents: Arc::new(contents), songs })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All files of the folder that it was built from, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.contents.entries
    }

    /// The songs that are stored, sorted by path; the n-th is that of [`song`](Self::song).
    pub fn songs(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.songs.iter().map(|row| &self.contents.entries[*row])
    }

    /// What is known of the song that [`song`](Self::song) of the same number reads, for one that is
    /// there.
    pub(crate) fn entry_of(&self, song: usize) -> &Entry {
        &self.contents.entries[self.songs[song]]
    }

    /// Where other parts of the program keep what they have made of the songs; not made here.
    ///
    /// The files of a song begin with its [key](super::SongFacts::key): when it goes, they go.
    pub(crate) fn prepared_folder(&self) -> PathBuf {
        self.folder.join(super::PREPARED)
    }

    /// How many songs are stored.
    pub fn len(&self) -> usize {
        self.songs.len()
    }

    /// Whether no song is stored.
    pub fn is_empty(&self) -> bool {
        self.songs.is_empty()
    }

    /// How large a shard may be, in bytes, as the corpus was built.
    pub fn shard_bytes(&self) -> u64 {
        self.contents.shard_bytes
    }

    /// Hours, formats, rates and problems.
    pub fn summary(&self) -> Summary {
        Summary::of(self.entries())
    }

    /// A stream over the samples of a song; nothing before it in its shard is read.
    ///
    /// # Errors
    /// [`Error::Argument`] for a song that is not there, [`Error::Io`] and [`Error::Audio`] when the
    /// shard is missing or damaged.
    pub fn song(&self, song: usize) -> Result<Decoder> {
        let (_, facts, stored) = self.stored(song)?;
        let place = stored.offset..stored.offset.saturating_add(stored.size);
        Decoder::open_part(&self.shard(stored), place, facts.scale as f32)
    }

    /// As [`song`](Self::song), from one frame up to another; what comes before is skipped.
    ///
    /// # Errors
    /// As [`song`](Self::song), and [`Error::Argument`] for frames that the song does not have.
    pub fn part_of_song(&self, song: usize, frames: Range<u64>) -> Result<Decoder> {
        let (_, facts, _) = self.stored(song)?;
        if frames.start >= frames.end || frames.end > facts.frames {
            let expected = format!("a part of the {} frames", facts.frames);
            let found = format!("{} to {}", frames.start, frames.end);
            return Err(Error::argument("frames", expected, found));
        }
        let mut decoder = self.song(song)?;
        decoder.limit_to(frames)?;
        Ok(decoder)
    }

    fn stored(&self, song: usize) -> Result<(&Entry, &SongFacts, &Stored)> {
        let entry = self.songs.get(song).map(|row| &self.contents.entries[*row]);
        let parts =
            entry.and_then(|entry| Some((entry, entry.facts.as_ref()?, entry.stored.as_ref()?)));
        parts.ok_or_else(|| {
            let expected = format!("one of {}, counted from 0", counted(self.len(), "song"));
            Error::argument("song", expected, song)
        })
    }

    /// The file of the shard with a song.
    pub(super) fn shard(&self, stored: &Stored) -> PathBuf {
        self.folder.join(shards::FOLDER).join(&stored.shard)
    }
}

/// Whether a song may be stored like this: no name leads out of the folder.
fn is_possible(stored: &Stored, facts: Option<&SongFacts>) -> bool {
    shards::is_name(&stored.shard)
        && stored.offset.checked_add(stored.size).is_some()
        && facts.is_some_and(|facts| {
            facts.scale.is_finite() && facts.scale >= 1.0 && (1..=8).contains(&facts.channels)
        })
}

impl std::fmt::Display for Corpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.summary())
    }
}

impl std::fmt::Debug for Corpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Corpus({:?}, {})", self.folder, counted(self.len(), "song"))
    }
}
