//! Song files in a folder.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// File name endings that [`find_songs`] takes for songs, in lower case.
pub const SONG_EXTENSIONS: [&str; 22] = [
    "aac", "aif", "aifc", "aiff", "alac", "bwf", "caf", "flac", "m4a", "m4b", "mka", "mov", "mp1",
    "mp2", "mp3", "mp4", "oga", "ogg", "rf64", "w64", "wav", "wave",
];

/// The songs in a folder, sorted by name; a file is the only song of itself.
///
/// Looks at the endings of the names only (see [`SONG_EXTENSIONS`], in any case), not into
/// sub-folders, and passes over hidden files.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # for name in ["b.mp3", "a.FLAC", "notes.txt", ".hidden.mp3"] {
/// #     std::fs::write(folder.path().join(name), "").unwrap();
/// # }
/// let songs = neural_composer::audio::find_songs(folder.path())?;
/// assert_eq!(songs, [folder.path().join("a.FLAC"), folder.path().join("b.mp3")]);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] for a folder that is missing or may not be read, [`Error::Data`] for one without
/// a song in it.
pub fn find_songs(folder_or_file: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = folder_or_file.as_ref();
    let metadata = std::fs::metadata(path).map_err(Error::io(path, "find the song or folder"))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut songs = Vec::new();
    let mut files = 0_usize;
    for entry in std::fs::read_dir(path).map_err(Error::io(path, "list the folder"))? {
        let entry = entry.map_err(Error::io(path, "list the folder"))?.path();
        let hidden = entry.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if hidden || !entry.is_file() {
            continue;
        }
        files += 1;
        if is_song(&entry) {
            songs.push(entry);
        }
    }
    if songs.is_empty() {
        let found = match files {
            0 => "no file".to_owned(),
            1 => "one file of another kind".to_owned(),
            n => format!("{n} files of other kinds"),
        };
        return Err(Error::Data(format!(
            "{}: expected songs ({}), found {found}; put songs into this folder or name another",
            path.display(),
            SONG_EXTENSIONS.map(|e| format!(".{e}")).join(", "),
        )));
    }
    songs.sort();
    Ok(songs)
}

fn is_song(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| SONG_EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}
