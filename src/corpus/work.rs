//! What a build has done so far, in a folder of the corpus, so that nothing is lost when it is killed.
//!
//! `.building/songs` has for each song that is done its FLAC file and, written after it, its record, by
//! the hash of the song's file; `.building/shards` has the shards that are done. Each file is there as a
//! whole or not at all. The folder goes when the corpus is complete.

use super::VERSION;
use super::entry::{SongFacts, is_sha256};
use super::shards::{self, Place};
use crate::{Error, Result, atomic_file};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The folder's name.
pub(super) const NAME: &str = ".building";

/// What is known of a file by its hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: String,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It was decoded.
    Song {
        facts: Box<SongFacts>,
        fingerprint: Vec<u32>,
        /// Length and hash of its FLAC file; nothing for a duplicate, whose file is not kept.
        flac: Option<(u64, String)>,
    },
    /// It cannot be decoded, for what is in it and how its name ends.
    Problem {
        /// The ending of the name.
        ending: String,
        /// Why.
        words: String,
    },
}

impl Record {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { version: VERSION.to_owned(), outcome }
    }
}

/// The folder.
pub(super) struct Work {
    folder: PathBuf,
}

impl Work {
    /// The work of the corpus in `corpus`.
    pub(super) fn of(corpus: &Path) -> Self {
        Self { folder: corpus.join(NAME) }
    }

    /// Begins it, or goes on with it.
    pub(super) fn begin(&self) -> Result<()> {
        for folder in [self.songs(), self.shards()] {
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
            atomic_file::remove_left_behind(&folder);
        }
        Ok(())
    }

    fn songs(&self) -> PathBuf {
        self.folder.join("songs")
    }

    /// Where finished shards wait.
    pub(super) fn shards(&self) -> PathBuf {
        self.folder.join(shards::FOLDER)
    }

    /// The FLAC file of the song with this hash.
    pub(super) fn flac(&self, content_sha256: &str) -> PathBuf {
        self.songs().join(format!("{content_sha256}.flac"))
    }

    fn json(&self, content_sha256: &str) -> PathBuf {
        self.songs().join(format!("{content_sha256}.json"))
    }

    /// Keeps what is known of a file.
    pub(super) fn keep(&self, content_sha256: &str, record: &Record) -> Result<()> {
        let path = self.json(content_sha256);
        let text = serde_json::to_vec(record).unwrap_or_default();
        atomic_file::write(&path, |file| {
            file.write_all(&text).map_err(Error::io(&path, "write the file"))
        })
    }

    /// All that earlier runs of this version kept, by hash.
    pub(super) fn records(&self) -> Result<HashMap<String, Record>> {
        let folder = self.songs();
        let io = |error| Error::io(&folder, "list the folder")(error);
        let mut records = HashMap::new();
        for file in std::fs::read_dir(&folder).map_err(io)? {
            let path = file.map_err(io)?.path();
            let hash = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !is_sha256(hash) || path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let record =
                std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(record) = record.filter(|record: &Record| record.version == VERSION) {
                records.insert(hash.to_owned(), record);
            }
        }
        Ok(records)
    }

    /// The song's FLAC file, where it is kept here.
    pub(super) fn place(&self, content_sha256: &str, size: u64) -> Option<Place> {
        let file = self.flac(content_sha256);
        let is_whole = std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() == size);
        is_whole.then_some(Place { file, offset: 0 })
    }

    /// Removes a song's FLAC file, which is in a shard now.
    pub(super) fn forget(&self, content_sha256: &str) {
        let _ = std::fs::remove_file(self.flac(content_sha256));
    }

    /// Removes the folder.
    pub(super) fn end(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .map_err(Error::io(&self.folder, "remove the folder of work that is done"))
    }
}
