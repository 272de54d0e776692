//! Decoders are given files from anywhere; a damaged one may make them panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` returns, or `None` if it panicked.
///
/// Only for calls into a decoder or reader that is thrown away, or reset, after a panic: that is
/// why nothing broken is seen afterwards.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
