//! One builder at a time, and whose folder it is.

use crate::claim::Claim;
use crate::words::shown;
use crate::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A file that says that the folder is a corpus's; empty but while somebody builds.
pub(super) const NAME: &str = ".corpus-lock";

/// Takes the corpus in `folder`, to build it.
///
/// # Errors
/// [`Error::Corpus`] when another process has it, with its number; [`Error::Io`].
pub(super) fn take(folder: &Path) -> Result<Claim> {
    let path = folder.join(NAME);
    if let Some(claim) = Claim::take(&path).map_err(Error::io(&path, "lock the corpus"))? {
        return Ok(claim);
    }
    let mut holder = String::new();
    let _ = File::open(&path).and_then(|file| file.take(64).read_to_string(&mut holder));
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        number => format!("process {number}"),
    };
    let problem = format!(
        "{holder} is building this corpus: wait until it is done, or stop it (Ctrl-C keeps what it \
         has); nothing was changed in {}",
        shown(folder)
    );
    Err(Error::corpus(folder, problem))
}
