//! The folder of songs, and the folder that becomes a corpus: what they may be.

use super::{contents, lock};
use crate::audio::{FoundSongs, SubFolders, search_songs};
use crate::words::shown;
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The songs in `folder` and its folders.
pub(super) fn songs(folder: &Path) -> Result<FoundSongs> {
    let metadata = std::fs::metadata(folder).map_err(Error::io(folder, "find the folder"))?;
    if !metadata.is_dir() {
        let found = format!("{}, which is a file", shown(folder));
        return Err(Error::argument("folder", "a folder of songs", found));
    }
    let found = search_songs(folder, SubFolders::Searched)?;
    if found.songs.is_empty() {
        found.clone().require_song()?;
    }
    Ok(found)
}

/// Refuses a folder for the corpus where something would be harmed, and makes it where it is not there.
///
/// # Errors
/// [`Error::Argument`] with the name `output`.
pub(super) fn prepare(songs: &Path, output: &Path) -> Result<()> {
    let refused = |expected: &str, found: String| Err(Error::argument("output", expected, found));
    let name = shown(output);
    match std::fs::metadata(output) {
        Ok(metadata) if !metadata.is_dir() => {
            refused("a folder for the corpus", format!("{name}, which is a file"))
        }
        Ok(_) => {
            let (songs, place) = (whole(songs)?, whole(output)?);
            if songs.starts_with(&place) {
                let found = format!("{name}, which holds the songs");
                return refused("a folder beside the songs or in them", found);
            }
            match stranger(output)? {
                Some(stranger) => refused(
                    "a corpus, an empty folder or a new one",
                    format!("{name}, which holds something else ({})", shown(&stranger)),
                ),
                None => Ok(()),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => std::fs::create_dir(output)
            .or_else(|error| refused("a folder that can be made", format!("{name}: {error}"))),
        Err(error) => refused("a folder for the corpus", format!("{name}: {error}")),
    }
}

fn whole(folder: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(folder).map_err(Error::io(folder, "find the folder"))
}

/// Something in the folder, if the folder is no corpus's.
fn stranger(folder: &Path) -> Result<Option<PathBuf>> {
    let is_there = |name: &str| folder.join(name).is_file();
    if is_there(lock::NAME) {
        return Ok(None);
    }
    if is_there(contents::NAME) && contents::Contents::read(&folder.join(contents::NAME)).is_ok() {
        return Ok(None);
    }
    let mut entries = std::fs::read_dir(folder).map_err(Error::io(folder, "list the folder"))?;
    let first = entries.next().transpose().map_err(Error::io(folder, "list the folder"))?;
    Ok(first.map(|entry| entry.file_name().into()))
}

/// A file as the corpus calls it: seen from the folder, with `/` between names; nothing where its name is
/// no text.
pub(super) fn relative(folder: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let names: Option<Vec<&str>> = below.iter().map(|name| name.to_str()).collect();
    names.map(|names| names.join("/"))
}
