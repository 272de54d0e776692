//! The files of the folder with their hashes.

use super::places::relative;
use super::seen::{Seen, Stamp};
use crate::interrupt::Listener;
use crate::processes::Processes;
use crate::sha256::hex;
use crate::{Error, Result, sha256};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file of the folder.
pub(super) struct HashedFile {
    pub(super) path: PathBuf,
    /// As the corpus calls it.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) stamp: Option<Stamp>,
    /// SHA-256 of the file, or why it cannot be read.
    pub(super) hash: Result<String, String>,
}

/// How a file's name ends; what is said of one that cannot be decoded may depend on it.
pub(super) fn ending(name: &str) -> &str {
    name.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ending)| ending)
}

/// What a look at a file tells.
#[derive(Serialize, Deserialize)]
struct Look {
    bytes: u64,
    stamp: Option<Stamp>,
    hash: Result<String, String>,
}

impl Look {
    fn at(folder: &Path, path: &Path, seen: &Seen) -> Self {
        let metadata = std::fs::metadata(path);
        let stamp = metadata.as_ref().ok().map(Stamp::of);
        let bytes = metadata.map_or(0, |metadata| metadata.len());
        let known = stamp.as_ref().and_then(|stamp| seen.hash(path, stamp));
        let hash = match known {
            _ if relative(folder, path).is_none() => {
                Err("expected a name in UTF-8, found other bytes: rename it".to_owned())
            }
            Some(hash) => Ok(hash.to_owned()),
            None => File::open(path)
                .and_then(|mut file| sha256::of_all(&mut file))
                .map(|(_, hash)| hash)
                .map_err(|error| format!("could not read the file: {error}")),
        };
        Self { bytes, stamp, hash }
    }
}

impl HashedFile {
    fn of(folder: &Path, path: &Path, look: Look) -> Self {
        let Look { bytes, stamp, hash } = look;
        let name = relative(folder, path).unwrap_or_else(|| {
            path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
        });
        Self { path: path.to_path_buf(), name, bytes, stamp, hash }
    }

    /// Whether the file is as it was when it was looked at.
    pub(super) fn is_unchanged(&self) -> bool {
        let now = std::fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        now.is_some() && now == self.stamp
    }

    /// What to remember of it.
    pub(super) fn seen(&self) -> Option<(PathBuf, Stamp, String)> {
        let hash = self.hash.as_ref().ok()?;
        Some((self.path.clone(), self.stamp.clone()?, hash.clone()))
    }
}

/// All `files` by name, of which those are read that are not as they were `seen`; each of the
/// `processes` looks at its part of them.
pub(super) fn hash_all(
    folder: &Path,
    files: &[PathBuf],
    seen: &Seen,
    stop: &Listener,
    processes: &Processes,
) -> Result<Vec<HashedFile>> {
    let mut names = Sha256::new();
    for path in files {
        let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes();
        names.update((name.len() as u64).to_le_bytes());
        names.update(name);
    }
    processes.check_alike("songs in the folder", &hex(names.finalize()))?;
    let at = |path: &PathBuf| match stop.requested() {
        true => Err(Error::Interrupted("while looking at the songs; nothing was changed".into())),
        false => Ok(Look::at(folder, path, seen)),
    };
    let part = &files[processes.part(files.len())];
    let looks: Result<Vec<Look>> = part.par_iter().with_max_len(1).map(at).collect();
    let looks = processes.gather_all(processes.all_done(looks)?)?;
    let of = |(path, look): (&PathBuf, Look)| HashedFile::of(folder, path, look);
    let mut files: Vec<HashedFile> =
        files.iter().zip(looks.into_iter().flatten()).map(of).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
