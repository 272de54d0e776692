//! Song files in a folder.

use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// File name endings that [`find_songs`] takes for songs, in lower case.
pub const SONG_EXTENSIONS: [&str; 26] = [
    "aac", "aif", "aifc", "aiff", "alac", "au", "bwf", "caf", "flac", "m4a", "m4b", "mka", "mov",
    "mp1", "mp2", "mp3", "mp4", "oga", "ogg", "opus", "rf64", "snd", "w64", "wav", "wave", "webm",
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
    let (mut files, mut folders) = (0_usize, Vec::new());
    for entry in std::fs::read_dir(path).map_err(Error::io(path, "list the folder"))? {
        let entry = entry.map_err(Error::io(path, "list the folder"))?.path();
        let hidden = entry.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if hidden || !entry.is_file() {
            if !hidden && entry.is_dir() {
                folders.push(entry);
            }
            continue;
        }
        files += 1;
        if is_song(&entry) {
            songs.push(entry);
        }
    }
    if songs.is_empty() {
        let found = match (files, folders.as_slice()) {
            (0, []) => "an empty folder".to_owned(),
            (0, [folder]) => format!("no file here, but the folder {}", folder.display()),
            (0, folders) => format!("no file here, but {} folders", folders.len()),
            (1, _) => "one file of another kind".to_owned(),
            (n, _) => format!("{n} files of other kinds"),
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

/// What [`find_songs`] passes over in a folder though it is sound, and links to songs that are gone, as
/// sentences; nothing for a file.
///
/// # Errors
/// [`Error::Io`] for a folder that may not be read.
pub fn passed_over(folder: impl AsRef<Path>) -> Result<Vec<String>> {
    let folder = folder.as_ref();
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut sentences = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "list the folder"))? {
        let path = entry.map_err(Error::io(folder, "list the folder"))?.path();
        let name = path.display();
        if path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')) {
            continue;
        }
        if is_song(&path) && !path.exists() {
            sentences.push(format!("{name}: passed over, the link leads nowhere"));
        } else if has_ending(&path, &UNDECODED_EXTENSIONS) && path.is_file() {
            sentences.push(format!("{name}: passed over, this kind is not decoded; convert it"));
        }
    }
    sentences.sort();
    Ok(sentences)
}

/// Endings of sound that is not decoded.
const UNDECODED_EXTENSIONS: [&str; 14] = [
    "3gp", "ac3", "amr", "ape", "dsf", "dts", "gsm", "mpc", "ra", "spx", "tta", "wma", "wv", "mid",
];

fn is_song(path: &Path) -> bool {
    has_ending(path, &SONG_EXTENSIONS)
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending.to_ascii_lowercase().as_str()))
}
