//! The stop button: one flag that every long loop reads between batches, blocks or files.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks every running loop to finish its current batch or block and return what it has.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Whether a stop was asked for since the last [`clear`].
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Forgets an earlier request; each long job calls this when it starts.
pub fn clear() {
    REQUESTED.store(false, Ordering::Relaxed);
}
