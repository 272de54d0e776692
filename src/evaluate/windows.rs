//! The windows in which copies are looked for, the same for all detectors.

use crate::interrupt::Listener;
use crate::{Error, Result};

/// Seconds that are compared at a time.
pub(super) const WINDOW_SECONDS: f64 = 2.0;
/// Seconds that are compared at a time when runs in the original order are measured.
pub(super) const RUN_WINDOW_SECONDS: f64 = 1.0;
/// What correlates at least so well is called a copy.
pub(super) const COPIED: f32 = 0.95;

/// An error for a piece of `seconds` that is to be longer.
pub(super) fn too_short(seconds: f64) -> Error {
    Error::Data(format!(
        "the piece is {seconds:.1} s long: copies are looked for in windows of {WINDOW_SECONDS} s, so \
         judge a longer piece"
    ))
}

/// An error when the user asked to stop.
pub(super) fn go_on(stop: &Listener) -> Result<()> {
    match stop.requested() {
        true => Err(Error::Interrupted("while copies were looked for".into())),
        false => Ok(()),
    }
}
