//! What sound that is worked on takes of memory, known before it is read.

use crate::memory::{available_bytes, gigabytes};
use crate::words::shown;
use crate::{Error, Result};
use std::path::Path;

/// What a kind of work takes of memory, so that longer sounds are refused before it begins.
///
/// ```
/// use neural_composer::audio::Need;
/// let need = Need { work: "to hum it", bytes_per_second: 200_000 };
/// assert!(need.check("song.mp3".as_ref(), 180.0).is_ok());
/// let refusal = need.check("night.mp3".as_ref(), 10_800.0).unwrap_err().to_string();
/// assert!(refusal.starts_with("night.mp3: is 180.0 min long, too long to hum it"), "{refusal}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What the sound is too long for, as in "to learn from".
    pub work: &'static str,
    /// Bytes of memory for each second of sound.
    pub bytes_per_second: u64,
}

impl Need {
    /// No single sound may be longer than this, an hour: what is longer is no song.
    pub const LONGEST_SECONDS: f64 = 3_600.0;

    /// The memory for so many seconds.
    pub fn bytes(&self, seconds: f64) -> u64 {
        (seconds.max(0.0) * self.bytes_per_second as f64) as u64
    }

    /// Refuses the sound in `path` when it is too long, or takes more memory than is free.
    ///
    /// # Errors
    /// [`Error::Memory`]: how long it is, what it would take, and what to do.
    pub fn check(&self, path: &Path, seconds: f64) -> Result<()> {
        let needed = self.bytes(seconds);
        let free = available_bytes().filter(|free| needed > *free);
        if free.is_none() && seconds <= Self::LONGEST_SECONDS {
            return Ok(());
        }
        let most = free.map_or_else(Self::longest, |free| format!("{} are free", gigabytes(free)));
        Err(self.refusal(path, &format!("{:.1} min", seconds / 60.0), seconds, &most))
    }

    /// The refusal of the sound in `path`, which goes on after so many seconds.
    pub(super) fn goes_on(&self, path: &Path, seconds: f64) -> Error {
        let more = format!("over {:.0} min", seconds / 60.0);
        self.refusal(path, &more, seconds, &Self::longest())
    }

    fn longest() -> String {
        format!("up to {:.0} min are taken", Self::LONGEST_SECONDS / 60.0)
    }

    fn refusal(&self, path: &Path, long: &str, seconds: f64, most: &str) -> Error {
        Error::Memory(format!(
            "{}: is {long} long, too long {}: that would need about {} of memory, and {most}; use a \
             part of it, for example with `ffmpeg -i IN -t 1200 PART.flac`",
            shown(path),
            self.work,
            gigabytes(self.bytes(seconds))
        ))
    }
}
