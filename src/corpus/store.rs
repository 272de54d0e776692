//! A song's FLAC file and its record among the work that is done.

use super::hashed::{HashedFile, ending};
use super::shares::Clock;
use super::song::Hearing;
use super::work::{Outcome, Record, Work};
use crate::interrupt::Listener;
use crate::words::shown;
use crate::{Error, Result, atomic_file};
use serde::{Deserialize, Serialize};

/// What became of a file.
#[derive(Serialize, Deserialize)]
pub(super) enum Done {
    /// Kept: the same content has the same outcome.
    Known(Record),
    /// It could not be read this time, and why.
    Unread(String),
}

impl Done {
    /// How much sound was decoded.
    pub(super) fn seconds(&self) -> f64 {
        match self {
            Self::Known(Record { outcome: Outcome::Song { facts, .. }, .. }) => facts.seconds,
            _ => 0.0,
        }
    }
}

/// Decodes the file and keeps what it holds.
///
/// # Errors
/// [`Error::Io`] when the corpus takes no more, [`Error::Interrupted`].
pub(super) fn store(
    file: &HashedFile,
    work: &Work,
    stop: &Listener,
    clock: &Clock,
) -> Result<Done> {
    let hash = match &file.hash {
        Ok(hash) => hash,
        Err(problem) => return Ok(Done::Unread(problem.clone())),
    };
    if stop.requested() {
        return Err(Error::Interrupted("before the next song".into()));
    }
    let target = work.flac(hash);
    let hearing =
        Hearing { source: &file.path, content_sha256: hash, target: &target, stop, clock };
    let mut heard = None;
    let written = atomic_file::write(&target, |output| {
        heard = Some(hearing.write(output)?);
        Ok(())
    });
    let outcome = match (written, heard) {
        (Ok(()), Some(heard)) => Outcome::Song {
            facts: Box::new(heard.facts),
            fingerprint: heard.fingerprint,
            flac: Some((heard.size, heard.sha256)),
        },
        (Err(Error::Audio { problem, .. }), _) => {
            Outcome::Problem { ending: ending(&file.name).to_owned(), words: problem }
        }
        (Err(Error::Io { path, action, source }), _) if path == file.path => {
            return Ok(Done::Unread(format!("could not {action}: {source}")));
        }
        (Err(error @ (Error::Io { .. } | Error::Interrupted(_))), _) => return Err(error),
        (Err(error), _) => {
            // The corpus does not depend on how the folder was named.
            let named = format!("{}: ", shown(&file.path));
            let words = error.to_string();
            return Ok(Done::Unread(words.strip_prefix(&named).unwrap_or(&words).to_owned()));
        }
        (Ok(()), None) => return Ok(Done::Unread("nothing was read".into())),
    };
    if !file.is_unchanged() {
        work.forget(hash);
        let problem = "it changed while it was read: run the same command again";
        return Ok(Done::Unread(problem.into()));
    }
    let record = Record::new(outcome);
    work.keep(hash, &record)?;
    Ok(Done::Known(record))
}
