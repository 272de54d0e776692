//! Writing a file so that a reader sees the old content or the new, never half of it.

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `path` through a temporary file in the same folder: flushed, synced, then renamed.
///
/// When `write` fails, the temporary file goes away and `path` is as it was.
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
pub fn write(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".neural-composer-")
        .permissions_like_new_files()
        .tempfile_in(folder)
        .map_err(Error::io(path, "create the file"))?;
    let (file, temporary_path) = temporary.into_parts();
    let mut writer = BufWriter::new(file);
    write(&mut writer)?;
    writer.flush().map_err(Error::io(path, "write the file"))?;
    writer.get_ref().sync_all().map_err(Error::io(path, "write the file"))?;
    temporary_path.persist(path).map_err(|e| Error::io(path, "rename the finished file")(e.error))
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
