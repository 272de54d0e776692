//! One builder at a time, and whose folder it is.

use crate::words::shown;
use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file that says that the folder is a corpus's; empty but while somebody builds. It is never removed:
/// who held a removed one would not see the next.
pub(super) const NAME: &str = ".corpus-lock";

/// Held while a corpus is built; the system lets it go when the process ends, however it ends.
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of the corpus in `folder`.
    ///
    /// # Errors
    /// [`Error::Corpus`] when another process has it, with its number; [`Error::Io`].
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let io = |error| Error::io(&path, "lock the corpus")(error);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&file).take(64).read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    number => format!("process {number}"),
                };
                let problem = format!(
                    "{holder} is building this corpus: wait until it is done, or stop it (Ctrl-C \
                     keeps what it has); nothing was changed in {}",
                    shown(folder)
                );
                return Err(Error::corpus(folder, problem));
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        file.set_len(0).map_err(io)?;
        write!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.seek(SeekFrom::Start(0)).and_then(|_| self.0.set_len(0));
    }
}
