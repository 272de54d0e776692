//! What a sound repeats of itself.

use super::frames::Frames;
use super::mel_copies::{Matched, RANGE_DB, SETTINGS, own};
use super::windows::{WINDOW_SECONDS, too_short};
#[cfg(doc)]
use crate::Error;
use crate::audio::Audio;
use crate::features::LogMel;
use crate::{Result, interrupt};
use std::fmt;

/// What a sound repeats of itself. See [`repeats`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repeats {
    /// Share of its two-second windows that correlate above 0.95 with a window elsewhere in it, from 0
    /// to 1.
    pub share: f64,
    /// The longest stretch that is elsewhere in it, too, in seconds: 10 at most, as that is how much is
    /// looked for at a time. Stretches under a second are not seen.
    pub longest_run_seconds: f64,
}

/// Looks for what `sound` plays more than once, as [`mel_copies`](super::mel_copies()) looks for
/// copies: windows of mel bands, correlated with every place at least two seconds before or after
/// the window.
///
/// Up to two minutes of it are looked for, in parts of ten seconds, in all of it.
///
/// ```
/// use neural_composer::{audio::Audio, evaluate::repeats};
/// let tone = |at: usize| (at as f32 * at as f32 * 1e-6).sin();
/// let once: Vec<f32> = (0..8 * 22_050).map(|at| 0.3 * tone(at)).collect();
/// let twice = [once.clone(), once].concat();
/// assert!(repeats(&Audio::mono(twice, 22_050)?)?.longest_run_seconds > 5.0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] when `sound` is shorter than two seconds; what resampling reports.
pub fn repeats(sound: &Audio) -> Result<Repeats> {
    let _job = interrupt::begin()?;
    of_mel(&LogMel::of(sound, SETTINGS)?)
}

/// As [`repeats`], of what was computed already.
pub(super) fn of_mel(mel: &LogMel) -> Result<Repeats> {
    let seconds = mel.frames() as f64 * SETTINGS.hop_seconds();
    if seconds < WINDOW_SECONDS {
        return Err(too_short(seconds));
    }
    let frames = Frames::of_mel(mel, 1, 0, RANGE_DB);
    Ok(own(&frames, frames.len()).into())
}

impl From<Matched> for Repeats {
    fn from(matched: Matched) -> Self {
        Self { share: matched.share(), longest_run_seconds: matched.run_seconds() }
    }
}

impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} %, {:.1} s in a row", self.share * 100.0, self.longest_run_seconds)
    }
}
