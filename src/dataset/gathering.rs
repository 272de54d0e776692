//! Songs, one after the other: what cannot be used is told, not fatal.

use super::SongSource;
use crate::audio::Need;
use crate::memory::{available_bytes, gigabytes};
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

/// Refuses songs that together take more memory than is free, before any is read.
///
/// # Errors
/// [`Error::Memory`]: how long they are, what they would take, and what to do.
pub(crate) fn check_room(songs: &[&SongSource], need: Need) -> Result<()> {
    let Some(free) = available_bytes().filter(|_| songs.len() > 1) else { return Ok(()) };
    // One that is too long is not used.
    let lengths = songs.iter().filter_map(|song| song.seconds());
    let seconds: f64 = lengths.filter(|seconds| *seconds <= Need::LONGEST_SECONDS).sum();
    let needed = need.bytes(seconds);
    if needed <= free {
        return Ok(());
    }
    Err(Error::Memory(format!(
        "{} songs, {:.0} min in all, are too long {}: that would need about {} of memory, and {} are \
         free; use fewer songs, or a part of each",
        songs.len(),
        seconds / 60.0,
        need.work,
        gigabytes(needed),
        gigabytes(free)
    )))
}

/// Reads songs with `read`, which takes as much memory as `need` says; `progress` is told (songs done,
/// songs in all).
///
/// # Errors
/// [`Error::Memory`] when they take more than is free; what [`gather_with_room`] reports.
pub(crate) fn gather<T>(
    songs: &[SongSource],
    need: Need,
    progress: &mut dyn FnMut(usize, usize),
    read: impl FnMut(&SongSource) -> Result<T>,
) -> Result<Gathered<T>> {
    check_room(&songs.iter().collect::<Vec<_>>(), need)?;
    gather_with_room(songs, progress, read)
}

/// As [`gather`], where there is room for them.
///
/// # Errors
/// [`Error::Argument`] when there is no song; what is wrong with it when the only one cannot be used,
/// [`Error::Data`] with every reason when none of several can; [`Error::Interrupted`] on a request to
/// stop.
pub(crate) fn gather_with_room<T>(
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
            Err(problem) => problems.push((song.place().unwrap_or(Path::new("")), problem)),
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
