//! From a folder of songs to a corpus, anew or from where an earlier build was left.

use super::builder::Build;
use super::changes::Changes;
use super::contents::{self, Contents};
use super::hashed::{HashedFile, hash_all};
use super::lock;
use super::open::Corpus;
use super::places;
use super::progress::BuildProgress;
use super::seen::Seen;
use super::shares::Shares;
use crate::interrupt;
use crate::processes::Processes;
use crate::{Error, Result, atomic_file};
use std::path::Path;

/// How a corpus is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// No shard of more than one song is larger, in bytes; 256 million by default.
    pub shard_bytes: u64,
}

impl BuildSettings {
    /// The least that [`shard_bytes`](Self::shard_bytes) may be.
    pub const LEAST_SHARD_BYTES: u64 = 100_000;
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self { shard_bytes: 256_000_000 }
    }
}

/// A corpus that was just built, and what there is to say of it.
#[derive(Clone, Debug)]
pub struct Built {
    /// The corpus.
    pub corpus: Corpus,
    /// What is different from the corpus that was there before.
    pub changes: Changes,
    /// How many files were decoded in this run.
    pub decoded: usize,
    /// How much sound that was, in seconds.
    pub decoded_seconds: f64,
    /// Time spent on it, of all threads and processes together.
    pub shares: Shares,
    /// What was passed over in the folder, one sentence each.
    pub notes: Vec<String>,
}

impl Corpus {
    /// Builds the corpus of the songs in `folder`, or brings it up to date.
    ///
    /// Folders of the folder are looked into. `output` is a new or empty folder, or a corpus. What an
    /// earlier build that was stopped or killed has done is gone on with. Files that cannot be decoded
    /// are rows with a problem, no errors.
    ///
    /// # Errors
    /// [`Error::Argument`] named `folder`, `output` or `shard_bytes` for what cannot be, or would harm
    /// other files; [`Error::Data`] for a folder without songs; [`Error::Corpus`] while another process
    /// builds it, and for damage; [`Error::Io`], of a full disk for example; [`Error::Interrupted`] when
    /// it was stopped, with all that is done kept.
    pub fn build(
        folder: impl AsRef<Path>,
        output: impl AsRef<Path>,
        settings: BuildSettings,
    ) -> Result<Built> {
        build(folder.as_ref(), output.as_ref(), settings, &Processes::default(), &|_| ())
    }

    /// As [`build`](Self::build); `watch` is told of each song that is done, on any thread.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_watched(
        folder: impl AsRef<Path>,
        output: impl AsRef<Path>,
        settings: BuildSettings,
        watch: &(dyn Fn(&BuildProgress) + Sync),
    ) -> Result<Built> {
        build(folder.as_ref(), output.as_ref(), settings, &Processes::default(), watch)
    }

    /// As [`build_watched`](Self::build_watched), by several processes that call it alike: each decodes
    /// and packs its part.
    ///
    /// The corpus is that of one process, to the byte. Folder and corpus lie in a file system that all of
    /// them see. `watch` is told of the songs of all processes.
    ///
    /// # Errors
    /// As [`build`](Self::build), in all processes where it happens in one; [`Error::Processes`] when
    /// one was lost, or sees other songs.
    pub fn build_together(
        folder: impl AsRef<Path>,
        output: impl AsRef<Path>,
        settings: BuildSettings,
        processes: &Processes,
        watch: &(dyn Fn(&BuildProgress) + Sync),
    ) -> Result<Built> {
        build(folder.as_ref(), output.as_ref(), settings, processes, watch)
    }
}

fn build(
    folder: &Path,
    output: &Path,
    settings: BuildSettings,
    processes: &Processes,
    watch: &(dyn Fn(&BuildProgress) + Sync),
) -> Result<Built> {
    if settings.shard_bytes < BuildSettings::LEAST_SHARD_BYTES {
        let expected = format!("at least {} bytes", BuildSettings::LEAST_SHARD_BYTES);
        return Err(Error::argument("shard_bytes", expected, settings.shard_bytes));
    }
    let _job = processes.all_done(interrupt::begin())?;
    let found = processes.all_done(places::songs(folder))?;
    let claim = processes.by_first(|| {
        places::prepare(folder, output)?;
        lock::take(output)
    })?;
    let table = output.join(contents::NAME);
    let old = processes.all_done(read_old(&table))?;
    let mut build = Build::new(output, processes);
    processes.by_first(|| {
        atomic_file::remove_left_behind(output);
        build.work.begin()
    })?;
    processes.all_done(build.recall(old.as_ref()))?;
    processes.check_alike("corpus so far", &build.mark())?;
    let mut seen = Seen::of(output);
    let files = hash_all(folder, &found.songs, &seen, &build.stop, processes)?;
    let entries = build.entries(&files, watch)?;
    let (entries, shards) = build.shard(entries, settings.shard_bytes)?;
    let contents = Contents::new(entries, settings.shard_bytes);
    let before = old.as_ref().map_or(&[][..], |old| &old.entries);
    let changes = Changes::between(before, &contents.entries);
    processes.by_first(|| {
        build.commit(&contents, old.as_ref(), &shards)?;
        seen.set(files.iter().filter_map(HashedFile::seen));
        seen.keep();
        build.work.end()
    })?;
    drop(claim);
    let (decoded, decoded_seconds) = (build.decoded.len(), build.decoded_seconds);
    let shares = build.clock.shares(processes)?;
    let corpus = Corpus::of(output, contents.without_fingerprints())?;
    Ok(Built { corpus, changes, decoded, decoded_seconds, shares, notes: found.notes() })
}

/// The corpus that is there before, if there is one.
fn read_old(table: &Path) -> Result<Option<Contents>> {
    if !table.exists() {
        return Ok(None);
    }
    let contents = Contents::read(table)?;
    if contents.is_sound {
        return Ok(Some(contents));
    }
    let problem = "the table of contents is damaged: build the corpus again, into an empty folder";
    Err(Error::corpus(table, problem))
}
