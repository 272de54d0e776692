//! A kernel's own temporary folder, and the removal of those that killed kernels left.

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "neural-composer-kernel-";
/// Locked by the folder's owner as long as it lives.
const OWNER: &str = "owner.lock";

/// When it is looked for orphans; a kernel that was killed, and its compilers, may still be ending.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(20)];

/// A temporary folder that nobody removes while this process lives.
pub struct Folder {
    folder: TempDir,
    /// The lock; none where the file system has no locks, and then nobody else removes the folder.
    _owner: Option<File>,
}

impl Folder {
    pub fn new() -> Result<Self> {
        let place = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place);
        let folder = folder.with_context(|| {
            format!("could not make a folder in {}: set TMPDIR to one with room", place.display())
        })?;
        let owner = own(folder.path()).ok();
        Ok(Folder { folder, _owner: owner })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Has the folders beside this one removed whose owners were killed.
    pub fn remove_orphans(&self) {
        remove_orphans(self.folder.path().parent().map(Path::to_owned).unwrap_or_default());
    }

    pub fn close(self) -> std::io::Result<()> {
        self.folder.close()
    }
}

/// Leaves a file in the folder that is locked from the moment that it has its name.
fn own(folder: &Path) -> std::io::Result<File> {
    let unnamed = tempfile::NamedTempFile::new_in(folder)?;
    flock(&unnamed, FlockOperation::NonBlockingLockExclusive)?;
    Ok(unnamed.persist(folder.join(OWNER))?)
}

/// Removes what kernels of this user left that were killed; in the background, as it may be much.
fn remove_orphans(place: PathBuf) {
    let remove = move || {
        for pause in PAUSES {
            std::thread::sleep(pause);
            for folder in folders(&place) {
                if let Some(owner) = lock_orphan(&folder) {
                    remove_orphan(&folder);
                    drop(owner);
                }
            }
        }
    };
    let _ = std::thread::Builder::new().name("orphans".to_owned()).spawn(remove);
}

/// The folders of this user's kernels.
fn folders(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(PREFIX)
            && path.symlink_metadata().is_ok_and(|found| {
                found.is_dir() && found.uid() == rustix::process::geteuid().as_raw()
            })
    };
    entries.flatten().map(|entry| entry.path()).filter(is_ours).collect()
}

/// The folder's lock, if it has one and its owner has died.
fn lock_orphan(folder: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW);
    let owner = options.open(folder.join(OWNER)).ok()?;
    flock(&owner, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(owner)
}

/// Removes the lock last: if this process is killed meanwhile, the next one goes on.
fn remove_orphan(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut is_empty = true;
    for entry in entries.flatten().filter(|entry| entry.file_name() != OWNER) {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        let removed =
            if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        is_empty &= removed.is_ok();
    }
    let owner = folder.join(OWNER);
    if is_empty && std::fs::remove_file(&owner).is_ok() && std::fs::remove_dir(folder).is_err() {
        // A compiler that outlived its kernel has just left something.
        let _ = File::create(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_dead_owner_is_an_orphan() {
        let folder = tempfile::tempdir().unwrap();
        assert!(lock_orphan(folder.path()).is_none(), "nobody says whose it is");
        let owner = own(folder.path()).unwrap();
        assert!(lock_orphan(folder.path()).is_none(), "its owner lives");
        drop(owner);
        let lock = lock_orphan(folder.path()).unwrap();
        assert!(lock_orphan(folder.path()).is_none(), "another kernel removes it");
        std::fs::create_dir_all(folder.path().join("a b/c")).unwrap();
        std::fs::write(folder.path().join("a b/c/d"), "").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        remove_orphan(folder.path());
        drop(lock);
        assert!(!folder.path().exists());
    }

    #[test]
    fn a_lock_that_is_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(OWNER)).unwrap();
        assert!(lock_orphan(folder.path()).is_none());
    }
}
