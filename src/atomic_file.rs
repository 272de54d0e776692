//! Writing a file so that a reader sees the old content or the new, never half of it.

use crate::words::TEMPORARY;
use crate::{Error, Result};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// Writes `path` through a temporary file in the same folder: flushed, synced, then renamed, and the
/// folder synced.
///
/// When `write` fails, the temporary file goes away and `path` is as it was. Where `path` is a symbolic
/// link, the file that it leads to is written, and the link stays.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("notes.txt");
/// neural_composer::atomic_file::write(&path, |file| {
///     use std::io::Write;
///     file.write_all(b"hello").map_err(neural_composer::Error::io(&path, "write the file"))
/// })?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"hello");
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// What [`check`] reports; [`Error::Io`] when the folder or the disk takes no more; what `write` does.
pub fn write(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let written = Written::to(path.as_ref(), write)?;
    let held = TOGETHER.with_borrow_mut(|files| match files {
        Some(files) => {
            files.push(written);
            None
        }
        None => Some(written),
    });
    held.map_or(Ok(()), Written::appear)
}

thread_local! {
    /// What [`together`] has written so far on this thread.
    static TOGETHER: RefCell<Option<Vec<Written>>> = const { RefCell::new(None) };
}

/// Runs `work`; the files that it [writes](write()) on this thread appear together at its end, and none of
/// them when it fails.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use neural_composer::{Error, atomic_file};
/// let (first, second) = (folder.path().join("first"), folder.path().join("second"));
/// let outcome = atomic_file::together(|| {
///     atomic_file::write(&first, |_| Ok(()))?;
///     assert!(!first.exists());
///     atomic_file::write(&second, |_| Err(Error::Data("no more room".into())))
/// });
/// assert!(outcome.is_err() && !first.exists());
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// What `work` does; [`Error::Io`] when a finished file cannot take its name.
pub fn together<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    /// Puts back what was before, also when `work` panics.
    struct Inside(Option<Vec<Written>>);
    impl Drop for Inside {
        fn drop(&mut self) {
            TOGETHER.set(self.0.take());
        }
    }
    let inside = Inside(TOGETHER.replace(Some(Vec::new())));
    let value = work()?;
    let files = TOGETHER.take().unwrap_or_default();
    drop(inside);
    files.into_iter().try_for_each(Written::appear)?;
    Ok(value)
}

/// A finished file under its temporary name.
struct Written {
    temporary: TempPath,
    target: PathBuf,
    /// As it was named.
    path: PathBuf,
}

impl Written {
    fn to(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<Self> {
        let target = target(path)?;
        let folder = folder_of(&target);
        let temporary = temporary_in(folder).map_err(Error::io(path, "create the file"))?;
        let (file, temporary) = temporary.into_parts();
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        write(&mut writer)?;
        writer.flush().map_err(Error::io(path, "write the file"))?;
        writer.get_ref().sync_all().map_err(Error::io(path, "write the file"))?;
        Ok(Self { temporary, target, path: path.to_path_buf() })
    }

    fn appear(self) -> Result<()> {
        let Self { temporary, target, path } = self;
        let renamed = temporary.persist(&target);
        renamed.map_err(|e| Error::io(&path, "rename the finished file")(e.error))?;
        // The name, too, is to outlive a loss of power; some file systems cannot promise that.
        if let Ok(folder) = File::open(folder_of(&target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

/// A temporary file that is held as long as this program lives: what nobody holds was left by one that
/// was killed.
fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions_like_new_files()
            .tempfile_in(folder)?;
        // Where files cannot be locked, nothing is removed either.
        let _ = temporary.as_file().try_lock();
        // Another program may have taken it for left behind a moment ago.
        if temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

/// So much is written at once.
const BUFFER_BYTES: usize = 1 << 17;

/// Makes the limit for a file's size an error of writing, as a full disk is one, instead of the program's
/// end. Call it once, from a program's `main`.
///
/// # Errors
/// When the system refuses the handler.
pub fn survive_size_limit() -> io::Result<()> {
    #[cfg(unix)]
    {
        let noted = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, noted)?;
    }
    Ok(())
}

/// Whether `path` could be written now; nothing is changed but what killed programs left beside it.
///
/// # Errors
/// [`Error::Io`] when it is a folder, a device, a FIFO or write-protected, when its folder is missing or
/// takes no files, and when its name is too long.
pub fn check(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let target = target(path)?;
    let folder = folder_of(&target);
    tempfile::tempfile_in(folder).map(drop).map_err(Error::io(path, "write into its folder"))?;
    remove_left_behind(folder);
    Ok(())
}

/// The regular file that writing `path` replaces or makes.
fn target(path: &Path) -> Result<PathBuf> {
    let refused = |kind: ErrorKind, words: &str| {
        Error::io(path, "write the file")(io::Error::new(kind, words.to_owned()))
    };
    if path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(refused(ErrorKind::InvalidInput, "it names a folder; name a file in it"));
    }
    let target = behind_links(path).map_err(Error::io(path, "find the file"))?;
    let metadata = match std::fs::symlink_metadata(&target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(target),
        Err(error) => return Err(Error::io(path, "find the file")(error)),
    };
    if metadata.is_dir() {
        return Err(refused(ErrorKind::IsADirectory, "it is a folder; name a file in it"));
    }
    if !metadata.is_file() {
        let words = "it is a device, a FIFO or a socket, which is not replaced; name a file";
        return Err(refused(ErrorKind::InvalidInput, words));
    }
    if metadata.permissions().readonly() {
        let words = "it is write-protected; make it writable or name another file";
        return Err(refused(ErrorKind::PermissionDenied, words));
    }
    Ok(target)
}

/// Follows symbolic links, also to where there is nothing yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST {
        match std::fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            // No link.
            Err(error) if error.kind() == ErrorKind::InvalidInput => return Ok(path),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "it is a symbolic link to itself"))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Removes temporary files that no living program holds.
pub(crate) fn remove_left_behind(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_temporary = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_temporary
            && is_file
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

trait PermissionsLikeNewFiles {
    fn permissions_like_new_files(&mut self) -> &mut Self;
}

impl PermissionsLikeNewFiles for tempfile::Builder<'_, '_> {
    /// `tempfile` makes files that only their owner may read; a result should be as readable as any
    /// other new file. The umask applies on top.
    fn permissions_like_new_files(&mut self) -> &mut Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            self.permissions(std::fs::Permissions::from_mode(0o666));
        }
        self
    }
}
