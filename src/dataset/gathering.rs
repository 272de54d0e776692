//! Songs, one after the other: what cannot be used is told, not fatal.

use super::SongSource;
use crate::{Error, Result, interrupt};
use std::fmt;
use std::path::{Path, PathBuf};

/// A file that was not used, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// The reason, as a sentence.
    pub reason: String,
}

impl Skipped {
    /// What there is to say of songs that could not be used.
    pub fn notes(skipped: &[Self]) -> Vec<String> {
        skipped.iter().map(|skipped| format!("not used: {skipped}")).collect()
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What was read, in the songs' order, and what could not be used.
pub(crate) struct Gathered<T> {
    pub used: Vec<T>,
    pub skipped: Vec<Skipped>,
}

/// Reads songs with `read`; `progress` is told (songs done, songs in all).
///
/// # Errors
/// [`Error::Argument`] when there is no song; what is wrong with it when the only one cannot be used,
/// [`Error::Data`] with every reason when none of several can; [`Error::Interrupted`] on a request to
/// stop.
pub(crate) fn gather<T>(
    songs: &[SongSource],
    progress: &mut dyn FnMut(usize, usize),
    mut read: impl FnMut(&SongSource) -> Result<T>,
) -> Result<Gathered<T>> {
    let (mut used, mut problems) = (Vec::new(), Vec::new());
    for (done, song) in songs.iter().enumerate() {
        progress(done, songs.len());
        if interrupt::requested() {
            return Err(Error::Interrupted("while songs were read".into()));
        }
        match read(song) {
            Ok(read) => used.push(read),
            Err(stopped @ Error::Interrupted(_)) => return Err(stopped),
            Err(problem) => problems.push((song.path().unwrap_or(Path::new("")), problem)),
        }
    }
    progress(songs.len(), songs.len());
    if used.is_empty() {
        return Err(match problems.len() {
            0 => Error::argument("songs", "at least one song", "none"),
            1 => problems.remove(0).1,
            _ => {
                let reasons: Vec<String> =
                    problems.iter().map(|(_, problem)| format!("  {problem}")).collect();
                Error::Data(format!("no song can be used:\n{}", reasons.join("\n")))
            }
        });
    }
    let skipped = problems
        .into_iter()
        .map(|(path, problem)| Skipped { path: path.to_owned(), reason: problem.to_string() })
        .collect();
    Ok(Gathered { used, skipped })
}
