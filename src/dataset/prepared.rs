//! Rows of a corpus's songs, computed once and kept beside its shards.
//!
//! A song's file is `prepared/BLOCKS/KEY.safetensors`, where `BLOCKS` tells the settings and `KEY` the
//! song. It has the rows as they are before they are normalised (`rows`), a CRC-32 of each
//! (`checksums`), and their statistics (`mean`, `squares`, see [`RowStatistics`]); metadata tell what was
//! put up with. Files come whole or not at all, and say the same whoever writes them: a killed job goes on
//! with what is there, and several may prepare one corpus.

use super::DatasetSettings;
use super::source::{CorpusSong, FitSong, SongSource};
use crate::corpus;
use crate::features::{Blocks, RowStatistics};
use crate::interrupt::Listener;
use crate::sha256::hex;
use crate::{Error, Result, atomic_file};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

/// Of what rows are computed by; with another one they are computed anew.
const VERSION: &str = "1";
/// The metadata's key.
const SONG: &str = "neural-composer.rows";
/// A prime: numbers of processes that follow one another lead to places far apart.
const SPREAD: usize = 7919;
/// Headers are no longer than this.
const LONGEST_HEADER: u64 = 1 << 20;

/// What a file of rows says of its song.
#[derive(Debug, Serialize, Deserialize)]
struct Song {
    /// Length in seconds, at the blocks' rate.
    seconds: f64,
    /// What was put up with.
    warnings: Vec<String>,
}

/// The rows of a song in a file.
#[derive(Debug)]
pub(super) struct PreparedRows {
    path: PathBuf,
    count: usize,
    width: usize,
    /// Where in the file the rows begin.
    rows: u64,
    /// … and their checksums.
    checksums: u64,
}

/// A song whose rows are in a file.
pub(super) struct Prepared {
    pub rows: PreparedRows,
    pub statistics: RowStatistics,
    pub seconds: f64,
    pub warnings: Vec<String>,
}

/// Prepares what is not there yet, on all cores; `progress` is told (songs done, songs in all).
///
/// What cannot be used is left out: [`Prepared::of`] says why.
pub(super) fn prepare(
    songs: &[SongSource],
    settings: &DatasetSettings,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let missing = |song: &&CorpusSong| !place(song, &settings.blocks).exists();
    let mut songs: Vec<_> =
        songs.iter().filter_map(SongSource::in_corpus).filter(missing).collect();
    // Processes that prepare the same songs at the same time begin at different ones.
    let first = std::process::id() as usize * SPREAD % songs.len().max(1);
    songs.rotate_left(first);
    let stop = Listener::here();
    let one = |song: &&CorpusSong| {
        if stop.requested() {
            let words = "while songs were prepared; those that are done are kept";
            return Err(Error::Interrupted(words.into()));
        }
        if !missing(song) {
            return Ok(());
        }
        match Prepared::of(song, settings) {
            // Without room no other song can be prepared either.
            Err(problem @ (Error::Io { .. } | Error::Interrupted(_))) => Err(problem),
            _ => Ok(()),
        }
    };
    std::thread::scope(|scope| {
        let (sender, done) = channel();
        let prepared = scope.spawn(|| {
            songs.par_iter().with_max_len(1).try_for_each_with(sender, |sender, song| {
                one(song)?;
                // Whoever looks on has not gone.
                let _ = sender.send(());
                Ok(())
            })
        });
        (1..).zip(done).for_each(|(count, ())| progress(count, songs.len()));
        prepared.join().unwrap_or_else(|_| {
            Err(Error::Data("a song could not be prepared: the program failed".into()))
        })
    })
}

impl Prepared {
    /// Opens the rows of a song; computes them first where they are not there.
    ///
    /// # Errors
    /// Those of reading the song, and of writing the file.
    pub fn of(song: &CorpusSong, settings: &DatasetSettings) -> Result<Self> {
        let path = place(song, &settings.blocks);
        if let Ok(prepared) = Self::open(&path, settings.blocks.width()) {
            return Ok(prepared);
        }
        let source = SongSource::InCorpus(song.clone());
        let FitSong { audio, warnings, .. } =
            source.mono_at(settings.blocks.sample_rate_hz, settings.need())?;
        let rows = settings.blocks.spectra(&audio)?;
        let about = Song { seconds: audio.duration_seconds(), warnings };
        drop(audio);
        write(&path, &rows, settings.blocks.width(), &about)?;
        Self::open(&path, settings.blocks.width())
    }

    /// Reads all but the rows.
    fn open(path: &Path, width: usize) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path, "open"))?;
        let failed = || Error::io(path, "read");
        let damaged = |what: &str| damaged(path, what);
        let length = file.metadata().map_err(failed())?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(failed())?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER.min(length.saturating_sub(8)) {
            return Err(damaged("its header cannot be that long"));
        }
        let header = read_at(&mut file, 8..8 + size).map_err(failed())?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| damaged(&error.to_string()))?;
        let about = metadata.metadata().as_ref().and_then(|about| about.get(SONG));
        let about = about.and_then(|about| serde_json::from_str::<Song>(about).ok());
        let Song { seconds, warnings } = about.ok_or_else(|| damaged("it says nothing"))?;
        let data = 8 + size;
        let tensor = |name: &str, dtype: Dtype, shape: &[usize]| -> Result<Range<u64>> {
            place_of(&metadata, name, dtype, shape)
                .map(|place| data + place.start as u64..data + place.end as u64)
                .filter(|place| place.end <= length)
                .ok_or_else(|| damaged(&format!("no {name} as it has to be")))
        };
        let count = metadata.info("rows").map_or(0, |rows| rows.shape.first().map_or(0, |n| *n));
        let rows = tensor("rows", Dtype::F32, &[count, width])?.start;
        let checksums = tensor("checksums", Dtype::U32, &[count])?.start;
        let mut numbers = |name: &str| -> Result<Vec<f64>> {
            let place = tensor(name, Dtype::F64, &[width])?;
            let bytes = read_at(&mut file, place).map_err(failed())?;
            Ok(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        };
        let (mean, squares) = (numbers("mean")?, numbers("squares")?);
        let statistics = RowStatistics { rows: count as u64, mean, squares };
        let is_number = |value: &f64| value.is_finite();
        if !statistics.mean.iter().chain(&statistics.squares).all(is_number) {
            return Err(damaged("its statistics are no numbers"));
        }
        let rows = PreparedRows { path: path.to_owned(), count, width, rows, checksums };
        Ok(Self { rows, statistics, seconds, warnings })
    }
}

impl PreparedRows {
    /// What tells the song from others: its file is named by it.
    pub fn key(&self) -> Option<&str> {
        self.path.file_stem()?.to_str()
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Reads rows that are there, not normalised.
    ///
    /// # Errors
    /// [`Error::Io`] when the file is gone; [`Error::Data`] when it was damaged since.
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f32>> {
        let failed = || Error::io(&self.path, "read");
        let mut file = File::open(&self.path).map_err(failed())?;
        let mut part = |start: u64, bytes: usize| {
            let place = start + (rows.start * bytes) as u64..start + (rows.end * bytes) as u64;
            read_at(&mut file, place).map_err(failed())
        };
        let of_row = self.width * size_of::<f32>();
        let bytes = part(self.rows, of_row)?;
        let checksums = part(self.checksums, size_of::<u32>())?;
        for (row, written) in bytes.chunks_exact(of_row).zip(checksums.as_chunks().0) {
            if crc32fast::hash(row) != u32::from_le_bytes(*written) {
                return Err(damaged(&self.path, "a row is not what was written"));
            }
        }
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// Where the rows of a song are.
fn place(song: &CorpusSong, blocks: &Blocks) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(format!("{VERSION} {} {blocks:?}", corpus::VERSION));
    let settings = hex(&hash.finalize()[..8]);
    let folder = song.corpus().prepared_folder().join(format!("blocks-{settings}"));
    folder.join(format!("{}{}", song.key(), corpus::PREPARED_ENDING))
}

/// Writes the file piece by piece: the rows of a long song are in memory once, and in no copy.
fn write(path: &Path, rows: &[f32], width: usize, about: &Song) -> Result<()> {
    let problem = |error: &dyn std::fmt::Display| {
        Error::Data(format!("{}: could not be put together: {error}", path.display()))
    };
    let statistics = RowStatistics::of(width, rows);
    let count = rows.len() / width;
    let about = serde_json::to_string(about).map_err(|e| problem(&e))?;
    // The widest numbers first: each is where a multiple of its size is.
    let header = header(
        HashMap::from([(SONG.to_owned(), about)]),
        [
            ("mean", Dtype::F64, vec![width]),
            ("squares", Dtype::F64, vec![width]),
            ("rows", Dtype::F32, vec![count, width]),
            ("checksums", Dtype::U32, vec![count]),
        ],
    );
    let header = header.map_err(|e| problem(&e))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
    }
    atomic_file::write(path, |to| {
        let mut put = |bytes: &[u8]| to.write_all(bytes).map_err(Error::io(path, "write the rows"));
        put(&header)?;
        for number in statistics.mean.iter().chain(&statistics.squares) {
            put(&number.to_le_bytes())?;
        }
        let (mut bytes, mut checksums) = (Vec::new(), Vec::with_capacity(count));
        for row in rows.chunks_exact(width) {
            bytes.clear();
            bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
            checksums.push(crc32fast::hash(&bytes));
            put(&bytes)?;
        }
        checksums.iter().try_for_each(|checksum| put(&checksum.to_le_bytes()))
    })
}

/// What a safetensors file begins with: the length of its header, and the header, which tells of tensors
/// that follow one another.
fn header(
    about: HashMap<String, String>,
    tensors: impl IntoIterator<Item = (&'static str, Dtype, Vec<usize>)>,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut end = 0;
    let mut info = |(name, dtype, shape): (&str, Dtype, Vec<usize>)| {
        let start = end;
        end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        (name.to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) })
    };
    let tensors = tensors.into_iter().map(&mut info).collect();
    let mut text = serde_json::to_vec(&Metadata::new(Some(about), tensors)?)?;
    text.resize(text.len().next_multiple_of(size_of::<u64>()), b' ');
    Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
}

/// Where a tensor of this type and shape is in the file's data.
fn place_of(
    metadata: &Metadata,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Option<Range<usize>> {
    let found = metadata.info(name)?;
    let (start, end) = found.data_offsets;
    let bytes = shape.iter().product::<usize>().checked_mul(dtype.bitsize() / 8)?;
    let fits = found.dtype == dtype && found.shape == shape && end.checked_sub(start)? == bytes;
    fits.then_some(start..end)
}

fn read_at(file: &mut File, place: Range<u64>) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; (place.end - place.start) as usize];
    file.seek(SeekFrom::Start(place.start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Data(format!(
        "{}: damaged, {what}; remove it, and it is made again",
        crate::words::shown(path)
    ))
}
