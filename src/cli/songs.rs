//! The songs that a subcommand is given: files, folders, standard input.

use super::streams::STREAM;
use clap::Args;
use neural_composer::audio::{FoundSongs, SubFolders, search_songs};
use neural_composer::corpus::Corpus;
use neural_composer::dataset::SongSource;
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

/// How folders are searched.
#[derive(Args, Clone)]
pub struct FolderOptions {
    /// Look for songs in the folders of folders, too
    #[arg(short, long)]
    recursive: bool,
}

/// Songs, and what there is to say of those that are not used.
#[derive(Default)]
pub struct Songs {
    pub files: Vec<PathBuf>,
    pub corpora: Vec<Corpus>,
    pub notes: Vec<String>,
}

impl Songs {
    /// Files first, then the corpora's.
    pub fn sources(&self) -> Vec<SongSource> {
        let files = self.files.iter().cloned().map(SongSource::File);
        files.chain(self.corpora.iter().flat_map(SongSource::of_corpus)).collect()
    }
}

impl FolderOptions {
    /// Every song that was named, folders opened up; pieces of ours only where they are named.
    pub fn songs(&self, named: &[PathBuf]) -> Result<Songs> {
        if let Some(corpus) = named.iter().find(|path| Corpus::is_at(path)) {
            let found = format!("{}, a corpus: name the songs themselves", shown(corpus));
            return Err(Error::argument("songs", "files, or folders of files", found));
        }
        self.songs_and_corpora(named)
    }

    /// As [`songs`](Self::songs), where corpora will do, too.
    pub fn songs_and_corpora(&self, named: &[PathBuf]) -> Result<Songs> {
        let mut songs = Songs::default();
        for path in named {
            if Corpus::is_at(path) {
                songs.corpora.push(Corpus::open(path)?);
                continue;
            }
            let found = self.search(path)?;
            songs.notes.extend(found.notes());
            songs.files.extend(self.require_song(found)?);
        }
        Ok(songs)
    }

    /// Every song that was named and every piece beside them.
    pub fn songs_and_pieces(&self, named: &Path) -> Result<Songs> {
        let mut found = self.search(named)?;
        found.songs.append(&mut found.composed);
        found.songs.sort();
        let notes = found.notes();
        Ok(Songs { files: self.require_song(found)?, notes, ..Songs::default() })
    }

    fn search(&self, path: &Path) -> Result<FoundSongs> {
        if path == Path::new(STREAM) {
            return Ok(FoundSongs { songs: vec![STREAM.into()], ..FoundSongs::default() });
        }
        search_songs(path, if self.recursive { SubFolders::Searched } else { SubFolders::Ignored })
    }

    /// Tells of songs in folders of the folder where there is none in itself.
    fn require_song(&self, found: FoundSongs) -> Result<Vec<PathBuf>> {
        if !found.songs.is_empty() || self.recursive || found.folders.is_empty() {
            return found.require_song();
        }
        let below = search_songs(&found.place, SubFolders::Searched)?.songs;
        let [first, others @ ..] = below.as_slice() else { return found.require_song() };
        let folder = first.parent().unwrap_or(first);
        let one_folder = others.iter().all(|song| song.parent() == Some(folder));
        let whereabouts = match one_folder {
            true => format!("in the folder {}", shown(folder)),
            false => "in folders of it".to_owned(),
        };
        Err(Error::Data(format!(
            "{}: no song here; {} {whereabouts}: add --recursive, or name what you want",
            shown(&found.place),
            counted(below.len(), "song"),
        )))
    }
}
