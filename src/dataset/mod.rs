//! Songs in a folder become training sequences.
//!
//! Every song is cut into blocks, every block becomes a row of numbers, and runs of consecutive
//! rows become sequences: the input is the run, the target the same run one block later. What
//! could not be used is kept, with the reason, in [`Dataset::skipped`].

mod batch;
pub mod codes;
mod fitness;
mod gathering;
pub mod grains;
mod prepared;
mod resident;
mod rows;
mod settings;
mod source;

pub use batch::{Batch, Batches, TensorDevice};
pub(crate) use fitness::too_short;
pub use gathering::Skipped;
pub(crate) use gathering::{Gathered, gather};
use gathering::{check_room, gather_with_room};
pub(crate) use resident::ResidentBlocks;
pub use settings::DatasetSettings;
pub use source::{CorpusSong, SongSource};
pub(crate) use source::{FitSong, unusable};

use crate::audio::{self, Audio, Need, Song, SubFolders};
use crate::features::{Blocks, Normaliser, RowStatistics};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use prepared::Prepared;
use rows::Rows;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A song as rows of normalised numbers.
#[derive(Clone, Debug)]
pub struct DatasetSong {
    /// The title, from the tags or else the file's name.
    pub title: String,
    /// Where it came from, when it came from a file.
    pub path: Option<PathBuf>,
    /// Length in seconds, at the blocks' rate.
    pub duration_seconds: f64,
    /// Training sequences cut from it.
    pub sequences: usize,
    /// What the decoder had to put up with.
    pub warnings: Vec<String>,
    rows: Rows,
}

/// A run of consecutive blocks of one song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sequence {
    song: usize,
    first_block: usize,
}

/// Training sequences from one or many songs.
///
/// ```
/// use neural_composer::{audio::Audio, dataset::{Dataset, DatasetSettings}};
/// let hum = Audio::mono((0..64_000).map(|i| (i as f32 * 0.1).sin()).collect(), 16_000)?;
/// let data = Dataset::from_audio(&[("hum".into(), hum)], DatasetSettings::fast())?;
/// assert_eq!(data.block_count(), 63);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset {
    settings: DatasetSettings,
    songs: Arc<[DatasetSong]>,
    skipped: Arc<[Skipped]>,
    sequences: Arc<[Sequence]>,
    normaliser: Normaliser,
}

impl Dataset {
    /// All songs of a folder, in the order of their names; a single file is a folder of one. Pieces
    /// that neural-composer composed are [`skipped`](Self::skipped).
    ///
    /// # Errors
    /// When the folder is missing or holds no song, or none of its songs can be used: the message
    /// then lists every file with its reason.
    pub fn from_dir(folder: impl AsRef<Path>, settings: DatasetSettings) -> Result<Self> {
        Self::of_folder(folder.as_ref(), settings)
    }

    fn of_folder(folder: &Path, settings: DatasetSettings) -> Result<Self> {
        let found = audio::search_songs(folder, SubFolders::Ignored)?;
        let composed = found.composed.clone().into_iter();
        let composed = composed.map(|path| Skipped { reason: audio::no_song(&path), path });
        let mut data = Self::from_files(&found.require_song()?, settings)?;
        data.skipped = data.skipped.iter().cloned().chain(composed).collect();
        Ok(data)
    }

    /// The named files. Files that cannot be used are reported in [`skipped`](Self::skipped).
    ///
    /// # Errors
    /// When no file can be used, or the settings are impossible.
    pub fn from_files(paths: &[PathBuf], settings: DatasetSettings) -> Result<Self> {
        Self::of(&paths.iter().cloned().map(SongSource::File).collect::<Vec<_>>(), settings)
    }

    /// Songs that are open already.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn from_songs(songs: &[Song], settings: DatasetSettings) -> Result<Self> {
        Self::of(&songs.iter().cloned().map(SongSource::Song).collect::<Vec<_>>(), settings)
    }

    /// Sound that is in memory already, each with its title.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn from_audio(audio: &[(String, Audio)], settings: DatasetSettings) -> Result<Self> {
        let source = |(title, audio): (String, Audio)| SongSource::Audio { title, audio };
        Self::of(&audio.iter().cloned().map(source).collect::<Vec<_>>(), settings)
    }

    /// Songs from anywhere; of a file only its rows stay in memory, of a song in a corpus nothing.
    ///
    /// Rows of a corpus's songs are computed once, and lie beside its shards, in `prepared/`: as many
    /// bytes as the blocks have numbers, four times. Training reads them from there.
    ///
    /// # Errors
    /// When nothing is long enough for a sequence, or the settings are impossible.
    pub fn of(songs: &[SongSource], settings: DatasetSettings) -> Result<Self> {
        Self::with_progress(songs, settings, &mut |_, _| ())
    }

    /// As [`of`](Self::of); `progress` is told (songs done, songs in all) while songs of a corpus are
    /// prepared.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn with_progress(
        songs: &[SongSource],
        settings: DatasetSettings,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let _job = interrupt::begin()?;
        settings.check()?;
        let in_memory: Vec<_> = songs.iter().filter(|song| song.in_corpus().is_none()).collect();
        check_room(&in_memory, settings.need())?;
        prepared::prepare(songs, &settings, progress)?;
        let mut all = RowStatistics::none(settings.blocks.width());
        let gathered = gather_with_room(songs, &mut |_, _| (), |source| {
            let (song, statistics) = settings.song(source)?;
            all.merge(&statistics)?;
            Ok(song)
        })?;
        let Gathered { used: mut songs, skipped } = gathered;
        let normaliser = Normaliser::from_rows(&all)?;
        let mut sequences = Vec::new();
        for (index, song) in songs.iter_mut().enumerate() {
            if let Rows::Memory(rows) = &mut song.rows {
                // Nobody else has them yet: they are not copied.
                normaliser.apply(Arc::make_mut(rows))?;
            }
            sequences.extend(
                (0..song.sequences)
                    .map(|i| Sequence { song: index, first_block: i * settings.stride_blocks }),
            );
        }
        Ok(Self {
            settings,
            songs: songs.into(),
            skipped: skipped.into(),
            sequences: sequences.into(),
            normaliser,
        })
    }

    /// How the songs were cut.
    pub fn settings(&self) -> DatasetSettings {
        self.settings
    }

    /// Block size, rate and layout.
    pub fn blocks(&self) -> Blocks {
        self.settings.blocks
    }

    /// The songs in use.
    pub fn songs(&self) -> &[DatasetSong] {
        &self.songs
    }

    /// The files not in use, with the reasons.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The statistics that normalised the rows.
    pub fn normaliser(&self) -> &Normaliser {
        &self.normaliser
    }

    /// Training sequences.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Never true for a dataset that was built: an empty one is an error.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Blocks of all songs together.
    pub fn block_count(&self) -> usize {
        self.songs.iter().map(|song| song.rows.count(self.blocks().width())).sum()
    }

    /// Length of all songs together.
    pub fn duration_seconds(&self) -> f64 {
        self.songs.iter().map(|song| song.duration_seconds).sum()
    }

    /// The normalised rows of sequence `index`, oldest first.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such sequence; [`Error::Io`] and [`Error::Data`] when rows
    /// of a corpus are gone or damaged.
    pub fn sequence(&self, index: usize) -> Result<Cow<'_, [f32]>> {
        let sequence = self.sequence_at(index)?;
        let blocks = sequence.first_block..sequence.first_block + self.settings.sequence_blocks;
        self.songs[sequence.song].rows.get(blocks, &self.normaliser)
    }

    /// Where sequence `index` is.
    fn sequence_at(&self, index: usize) -> Result<Sequence> {
        self.sequences.get(index).copied().ok_or_else(|| {
            Error::argument(
                "sequence",
                format!("a number below {}, the count of training sequences", self.len()),
                index,
            )
        })
    }

    /// The block past a song's end: zeros, normalised.
    fn silent_block(&self) -> Result<Vec<f32>> {
        let mut block = vec![0.0; self.blocks().width()];
        self.normaliser.apply(&mut block)?;
        Ok(block)
    }

    /// Song `index` as the network takes it in: at the blocks' rate, mono, filled up to whole blocks.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such song.
    pub fn song_audio(&self, index: usize) -> Result<Audio> {
        let Some(song) = self.songs.get(index) else {
            let expected = format!("a number below {}, the count of songs", self.songs.len());
            return Err(Error::argument("song", expected, index));
        };
        let count = song.rows.count(self.blocks().width());
        let mut rows = song.rows.get(0..count, &self.normaliser)?.into_owned();
        self.normaliser.undo(&mut rows)?;
        Audio::mono(self.blocks().samples(&rows)?, self.blocks().sample_rate_hz)
    }

    /// Whether rows are read from files.
    pub(crate) fn is_in_files(&self) -> bool {
        self.songs.iter().any(|song| matches!(song.rows, Rows::File(_)))
    }

    /// What tells the song of sequence `index` from others, where its rows are in a file.
    pub(crate) fn key_of(&self, index: usize) -> Option<&str> {
        self.songs[self.sequences.get(index)?.song].rows.key()
    }

    /// The title of the song that sequence `index` is from, and where in it the sequence starts.
    pub fn sequence_origin(&self, index: usize) -> Option<(&str, f64)> {
        let sequence = self.sequences.get(index)?;
        let seconds = sequence.first_block as f64 * self.blocks().block_seconds();
        Some((&self.songs[sequence.song].title, seconds))
    }

    /// Splits the sequences into those to train on and those to validate on: `fraction` of them,
    /// evenly spread over the songs, the same ones every time. A sequence that shares blocks with
    /// one of these is on neither side, so that nothing validated on was ever trained on.
    ///
    /// # Errors
    /// [`Error::Argument`] when the fraction is outside 0 to below 1, or leaves one side empty.
    pub fn split(&self, fraction: f64) -> Result<(Vec<usize>, Vec<usize>)> {
        if !(0.0..1.0).contains(&fraction) {
            return Err(Error::argument("validation", "a fraction from 0 to below 1", fraction));
        }
        let is_validation =
            |i: &usize| ((*i + 1) as f64 * fraction).floor() > (*i as f64 * fraction).floor();
        let (validation, others): (Vec<_>, Vec<_>) = (0..self.len()).partition(is_validation);
        // Both are in the songs' order: only neighbours can share a block.
        let shared = |other: &usize| {
            let next = validation.partition_point(|kept| kept < other);
            let neighbours = validation[..next].last().into_iter().chain(validation.get(next));
            neighbours.into_iter().any(|kept| self.overlap(*kept, *other))
        };
        let training: Vec<_> = others.into_iter().filter(|other| !shared(other)).collect();
        if training.is_empty() || (fraction > 0.0 && validation.is_empty()) {
            return Err(Error::argument(
                "validation",
                format!(
                    "a fraction that leaves some of {} on both sides",
                    counted(self.len(), "sequence")
                ),
                fraction,
            ));
        }
        Ok((training, validation))
    }

    /// Whether two sequences share a block.
    fn overlap(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.sequences[a], self.sequences[b]);
        a.song == b.song && a.first_block.abs_diff(b.first_block) < self.settings.sequence_blocks
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} of {} ({:.1} s each) from {}, {:.1} s of music",
            counted(self.len(), "sequence"),
            counted(self.settings.sequence_blocks, "block"),
            self.settings.sequence_blocks as f64 * self.blocks().block_seconds(),
            counted(self.songs.len(), "song"),
            self.duration_seconds()
        )?;
        for song in self.songs.iter().take(SONGS_TOLD) {
            writeln!(
                f,
                "  used     {} ({:.1} s, {})",
                song.title,
                song.duration_seconds,
                counted(song.sequences, "sequence")
            )?;
            for warning in &song.warnings {
                writeln!(f, "           note: {warning}")?;
            }
        }
        more(f, self.songs.len())?;
        for skipped in self.skipped.iter().take(SONGS_TOLD) {
            writeln!(f, "  skipped  {}", skipped.reason)?;
        }
        more(f, self.skipped.len())
    }
}

/// Songs of a dataset that are told one by one.
const SONGS_TOLD: usize = 40;

fn more(f: &mut std::fmt::Formatter<'_>, songs: usize) -> std::fmt::Result {
    match songs.saturating_sub(SONGS_TOLD) {
        0 => Ok(()),
        left => writeln!(f, "           and {left} more"),
    }
}

impl DatasetSettings {
    /// What songs take while they are read: their samples, and twice their rows.
    fn need(&self) -> Need {
        let rows = 2.0 * self.blocks.width() as f64 / self.blocks.block_seconds();
        let numbers = f64::from(self.blocks.sample_rate_hz) + rows;
        Need { work: "to learn from", bytes_per_second: (numbers * size_of::<f32>() as f64) as u64 }
    }

    /// A song's blocks, not yet normalised, and their statistics.
    fn song(&self, source: &SongSource) -> Result<(DatasetSong, RowStatistics)> {
        let width = self.blocks.width();
        let (title, rows, statistics, duration_seconds, warnings) = match source.in_corpus() {
            Some(song) => {
                let Prepared { rows, statistics, seconds, warnings } = Prepared::of(song, self)?;
                (source.title(), Rows::File(Arc::new(rows)), statistics, seconds, warnings)
            }
            None => {
                let FitSong { title, audio, warnings, .. } =
                    source.mono_at(self.blocks.sample_rate_hz, self.need())?;
                let rows = self.blocks.spectra(&audio)?;
                let statistics = RowStatistics::of(width, &rows);
                let seconds = audio.duration_seconds();
                (title, Rows::Memory(rows.into()), statistics, seconds, warnings)
            }
        };
        let sequences = self.sequences_in(rows.count(width));
        if sequences == 0 {
            let needed = self.sequence_blocks as f64 * self.blocks.block_seconds();
            let why = format!("a training sequence of {}", counted(self.sequence_blocks, "block"));
            let lengths = (duration_seconds, needed);
            return Err(too_short(&source.name(), lengths, &why, &warnings));
        }
        let path = source.path().map(Path::to_path_buf);
        let song = DatasetSong { title, path, duration_seconds, sequences, warnings, rows };
        Ok((song, statistics))
    }
}
