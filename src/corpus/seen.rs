//! Hashes of files as they were last seen, so that unchanged ones need not be read.
//!
//! A file of the same path, length, time of change and number in its file system is taken for the same.
//! This is what a machine remembers of its own files, and no part of a corpus: it lies in the user's
//! cache (`$XDG_CACHE_HOME`, else `~/.cache`, under `neural-composer/corpora`), and where there is none
//! every file is read.

use super::entry::is_sha256;
use crate::atomic_file;
use crate::sha256::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that changed less than this ago may change again under the same time.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells a file from another version of itself without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    bytes: u64,
    /// Times of the last change of its content and of its name, in nanoseconds.
    changed: Vec<i64>,
    /// Its number in its file system.
    number: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified = metadata.modified().map_or(0, |time| since(time).as_nanos() as i64);
        #[cfg(unix)]
        let (changed, number) = {
            use std::os::unix::fs::MetadataExt;
            let renamed = metadata.ctime() * 1_000_000_000;
            (vec![modified, renamed + metadata.ctime_nsec()], metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, number) = (vec![modified], 0);
        Self { bytes: metadata.len(), changed, number }
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let latest = self.changed.iter().copied().max().unwrap_or(i64::MAX);
        latest.saturating_add(SETTLED.as_nanos() as i64) < now.as_nanos() as i64
    }
}

/// What was seen when the corpus in a folder was built.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Seen {
    corpus: PathBuf,
    /// By their paths, seen from the root: stamp and hash.
    files: BTreeMap<PathBuf, (Stamp, String)>,
}

impl Seen {
    /// What is remembered for the corpus in the folder `corpus`.
    pub(super) fn of(corpus: &Path) -> Self {
        let corpus = std::fs::canonicalize(corpus).unwrap_or_else(|_| corpus.to_path_buf());
        let text = file_for(&corpus).and_then(|path| std::fs::read(path).ok());
        let seen = text.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let seen = seen.filter(|seen| seen.corpus == corpus);
        seen.unwrap_or(Self { corpus, files: BTreeMap::new() })
    }

    /// The hash of a file that is as it was.
    pub(super) fn hash(&self, path: &Path, stamp: &Stamp) -> Option<&str> {
        let (seen, hash) = self.files.get(path)?;
        (seen == stamp && is_sha256(hash)).then_some(hash)
    }

    /// Takes in what was found; files that are no longer there are forgotten.
    pub(super) fn set(&mut self, found: impl Iterator<Item = (PathBuf, Stamp, String)>) {
        let settled = found.filter(|(_, stamp, _)| stamp.is_settled());
        self.files = settled.map(|(path, stamp, hash)| (path, (stamp, hash))).collect();
    }

    /// Remembers it, where that is possible.
    pub(super) fn keep(&self) {
        let Some(path) = file_for(&self.corpus) else { return };
        let Some(folder) = path.parent() else { return };
        let Ok(text) = serde_json::to_vec(self) else { return };
        if std::fs::create_dir_all(folder).is_err() {
            return;
        }
        forget_gone(folder);
        let _ = atomic_file::write(&path, |file| {
            file.write_all(&text).map_err(crate::Error::io(&path, "write the file"))
        });
    }
}

/// Removes what is remembered for corpora that are no longer there.
fn forget_gone(folder: &Path) {
    #[derive(Deserialize)]
    struct Whose {
        corpus: PathBuf,
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let whose = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if whose.is_some_and(|whose: Whose| !whose.corpus.exists()) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn file_for(corpus: &Path) -> Option<PathBuf> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let caches = named.or_else(|| Some(std::env::home_dir().and_then(absolute)?.join(".cache")))?;
    let name = hex(Sha256::digest(corpus.as_os_str().as_encoded_bytes()));
    Some(caches.join("neural-composer/corpora").join(format!("{}.json", &name[..32])))
}
