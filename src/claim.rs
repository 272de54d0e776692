//! Work that one process does at a time, and the file that says so.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Work that nobody else does while this lives; the system lets it go when the process ends, however it
/// ends.
///
/// Its file holds the process's number meanwhile, and is empty afterwards. It is never removed: who held
/// a removed one would not see the next.
pub(crate) struct Claim(File);

impl Claim {
    /// Takes the work that `path` stands for, unless a process has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Some(Self(file)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = self.0.seek(SeekFrom::Start(0)).and_then(|_| self.0.set_len(0));
    }
}

/// Whether a folder holds something, and not the file `mark`, which tells whose it is.
pub(crate) fn is_anothers(folder: &Path, mark: &Path) -> io::Result<bool> {
    if mark.exists() {
        return Ok(false);
    }
    let is_empty = std::fs::read_dir(folder)?.next().is_none();
    // Another process may just have made the mark.
    Ok(!is_empty && !mark.exists())
}
