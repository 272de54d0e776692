//! Files that stand for standard input and output, which cannot be read or written at any place.

use crate::{Error, Result, interrupt, words};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tempfile::TempDir;

/// A temporary file in place of a stream, gone with this value.
///
/// What a killed program left is removed by [`remove_left_behind`].
#[derive(Debug)]
pub struct StreamFile {
    folder: TempDir,
    path: PathBuf,
    /// Locked as long as the file is in use.
    _held: File,
}

/// How often a stop is looked for while a stream keeps waiting.
const PATIENCE: Duration = Duration::from_millis(50);

/// The file by which the folder of a living program is known.
const HELD: &str = "held";

impl StreamFile {
    /// Reads standard input to its end.
    ///
    /// # Errors
    /// [`Error::Data`] when there is nothing in it, [`Error::Io`] when it cannot be read or kept,
    /// [`Error::Interrupted`] when it was stopped.
    pub fn read() -> Result<Self> {
        let file = Self::new(words::STREAMS[0])?;
        let mut kept = File::create(&file.path).map_err(Error::io(&file.path, "keep it"))?;
        let bytes = patiently("while standard input was read", move || {
            copy(&mut io::stdin().lock(), &mut kept)
        })?
        .map_err(Error::io(&file.path, "keep it in a temporary file"))?;
        if bytes == 0 {
            return Err(Error::Data("no standard input: give a file, or pipe one in".into()));
        }
        Ok(file)
    }

    /// A file to be written, which [`deliver`](Self::deliver) then copies to standard output.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder for temporary files takes none.
    pub fn to_write() -> Result<Self> {
        Self::new(words::STREAMS[1])
    }

    fn new(name: &str) -> Result<Self> {
        let place = std::env::temp_dir();
        let refused = Error::io(&place, "keep a temporary file in it");
        let (folder, held) = held_folder(&place).map_err(refused)?;
        let path = folder.path().join(name);
        Ok(Self { folder, path, _held: held })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies what was written to standard output; a reader that went away is no failure.
    ///
    /// # Errors
    /// [`Error::Io`] when standard output takes no more, [`Error::Interrupted`] when it was stopped.
    pub fn deliver(self) -> Result<()> {
        let mut written = File::open(&self.path).map_err(Error::io(&self.path, "read it"))?;
        // What is there is given out, also after a stop; another one ends it.
        let _heard = interrupt::heard();
        let given = patiently("while standard output was written", move || {
            let mut output = io::stdout().lock();
            copy(&mut written, &mut output).and_then(|_| output.flush())
        })?;
        let closed = self.folder.close();
        match given {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::io(&self.path, "write all of it")(error))
            }
            _ => closed.map_err(Error::io(&self.path, "remove its temporary file")),
        }
    }
}

/// Removes what killed programs left in the folder for temporary files.
pub fn remove_left_behind() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(words::TEMPORARY.as_bytes());
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let held = entry.path().join(HELD);
        // Empty: its program was killed before it could hold it, or will take another.
        if !held.is_file() {
            let _ = std::fs::remove_dir(entry.path());
        } else if File::open(&held).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A new folder, and the locked file in it that says it is in use.
fn held_folder(place: &Path) -> io::Result<(TempDir, File)> {
    loop {
        let folder = tempfile::Builder::new().prefix(words::TEMPORARY).tempdir_in(place)?;
        let path = folder.path().join(HELD);
        let held = match File::create(&path) {
            // Another program took it for left behind a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            held => held?,
        };
        // Where files cannot be locked, nothing is removed either.
        let _ = held.try_lock();
        if path.exists() {
            return Ok((folder, held));
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        to.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}

/// Does what may wait for ever, on a thread of its own, until it is done or a stop is asked for.
fn patiently<T: Send + 'static>(
    when: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (done, waiting) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    loop {
        match waiting.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if !interrupt::requested() => {}
            Err(_) => return Err(Error::Interrupted(when.to_owned())),
        }
    }
}
