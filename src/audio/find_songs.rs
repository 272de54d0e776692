//! Song files in a folder.

use super::composed::is_composed;
use crate::words::{counted, shown};
use crate::{Error, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// File name endings that [`find_songs`] takes for songs, in lower case.
pub const SONG_EXTENSIONS: [&str; 26] = [
    "aac", "aif", "aifc", "aiff", "alac", "au", "bwf", "caf", "flac", "m4a", "m4b", "mka", "mov",
    "mp1", "mp2", "mp3", "mp4", "oga", "ogg", "opus", "rf64", "snd", "w64", "wav", "wave", "webm",
];

/// The songs in a folder, sorted by name; a file is the only song of itself.
///
/// Looks at the endings of the names (see [`SONG_EXTENSIONS`], in any case), not into sub-folders
/// ([`search_songs`] does), and passes over hidden files and pieces that neural-composer composed.
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
/// Those of [`FoundSongs::require_song`] and [`search_songs`].
pub fn find_songs(folder_or_file: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    search(folder_or_file.as_ref(), SubFolders::Ignored)?.require_song()
}

/// Whether songs are looked for in the folders of a folder, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubFolders {
    /// In the folder itself alone.
    #[default]
    Ignored,
    /// In folders of folders, however deep; where links lead in a circle, each once.
    Searched,
}

/// What is in a folder; of a file, the file itself as a song.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundSongs {
    /// The folder, or the file.
    pub place: PathBuf,
    /// Songs, sorted by name.
    pub songs: Vec<PathBuf>,
    /// Pieces that neural-composer composed, which are songs only where they are named.
    pub composed: Vec<PathBuf>,
    /// What cannot be used though it is sound, and links to songs that are gone, as sentences.
    pub passed_over: Vec<String>,
    /// How many files are of other kinds.
    pub other_files: usize,
    /// Folders that were not looked into.
    pub folders: Vec<PathBuf>,
}

/// Looks for songs in a folder by the endings of their names; hidden files and `__MACOSX` are passed
/// over.
///
/// # Errors
/// [`Error::Io`] for a folder that is missing or may not be read.
pub fn search_songs(
    folder_or_file: impl AsRef<Path>,
    sub_folders: SubFolders,
) -> Result<FoundSongs> {
    search(folder_or_file.as_ref(), sub_folders)
}

fn search(place: &Path, sub_folders: SubFolders) -> Result<FoundSongs> {
    let metadata = std::fs::metadata(place).map_err(Error::io(place, "find the song or folder"))?;
    let mut found = FoundSongs { place: place.to_path_buf(), ..FoundSongs::default() };
    if !metadata.is_dir() {
        found.songs.push(place.to_path_buf());
        return Ok(found);
    }
    let mut seen = HashSet::from([whole(place)]);
    let mut to_do = vec![place.to_path_buf()];
    while let Some(folder) = to_do.pop() {
        let before = found.folders.len();
        match found.look_into(&folder) {
            // A folder of the folder does not hide the others.
            Err(error) if folder != place => {
                found.passed_over.push(format!("passed over: {error}"))
            }
            result => result?,
        }
        if sub_folders == SubFolders::Searched {
            // In the order of their names, whatever order the system has.
            let mut new = found.folders.split_off(before);
            new.sort();
            new.retain(|folder| seen.insert(whole(folder)));
            to_do.extend(new.into_iter().rev());
        }
    }
    found.songs.sort();
    found.composed.sort();
    found.passed_over.sort();
    found.folders.sort();
    Ok(found)
}

/// One name for a folder, whatever links lead to it.
fn whole(folder: &Path) -> PathBuf {
    std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf())
}

impl FoundSongs {
    /// The songs, of which there is at least one.
    ///
    /// # Errors
    /// [`Error::Data`] for a folder without a song, with what is in it.
    pub fn require_song(self) -> Result<Vec<PathBuf>> {
        if !self.songs.is_empty() {
            return Ok(self.songs);
        }
        let found = match (self.other_files, self.composed.as_slice(), self.folders.as_slice()) {
            (0, [], []) => "an empty folder".to_owned(),
            (0, [], [folder]) => format!("no file here, but the folder {}", shown(folder)),
            (0, [], folders) => format!("no file here, but {}", counted(folders.len(), "folder")),
            (_, [piece], _) => format!("the piece {} of neural-composer, not named", shown(piece)),
            (_, [_, ..], _) => {
                format!("{} pieces of neural-composer, not named", self.composed.len())
            }
            (1, [], _) => "one file of another kind".to_owned(),
            (n, [], _) => format!("{n} files of other kinds"),
        };
        Err(Error::Data(format!(
            "{}: expected songs ({}), found {found}; put songs into this folder or name another",
            shown(&self.place),
            SONG_EXTENSIONS.map(|e| format!(".{e}")).join(", "),
        )))
    }

    /// What was not used, and why, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let composed = self.composed.iter().map(|piece| no_song(piece));
        self.passed_over.iter().cloned().chain(composed).collect()
    }

    fn look_into(&mut self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "list the folder"))? {
            let path = entry.map_err(Error::io(folder, "list the folder"))?.path();
            let name = path.file_name().unwrap_or_default();
            // Archives of macOS keep attributes there, under the songs' names.
            if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
                continue;
            }
            if path.is_dir() {
                self.folders.push(path);
            } else if is_song(&path) && !path.exists() {
                let note = format!("{}: passed over, the link leads nowhere", shown(&path));
                self.passed_over.push(note);
            } else if path.is_file() {
                self.sort_in(path);
            }
        }
        Ok(())
    }

    fn sort_in(&mut self, file: PathBuf) {
        if is_song(&file) {
            let pieces = is_composed(&file);
            if pieces { &mut self.composed } else { &mut self.songs }.push(file);
            return;
        }
        self.other_files += 1;
        if has_ending(&file, &UNDECODED_EXTENSIONS) {
            let words = "passed over, this kind is not decoded; convert it";
            self.passed_over.push(format!("{}: {words}", shown(&file)));
        }
    }
}

/// Why a composed piece is no song of its folder.
pub(crate) fn no_song(piece: &Path) -> String {
    format!("{}: passed over, neural-composer composed it; name it to use it", shown(piece))
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
