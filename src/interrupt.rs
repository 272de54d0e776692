//! The stop button: one flag that every long loop reads between batches, blocks or files.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Exit status of a program that was ended by Ctrl-C.
const INTERRUPTED_STATUS: i32 = 130;

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

/// Makes Ctrl-C (SIGINT) raise the flag instead of ending the program; a second one, sent before the
/// first was cleared, ends it with status 130. Call it once, from a program's `main`. It holds even
/// where the parent had SIGINT ignored, as shells do for background jobs: who sends it means it.
///
/// # Errors
/// When the system refuses the handler.
pub fn listen() -> std::io::Result<()> {
    let handler = || {
        if requested() {
            std::process::exit(INTERRUPTED_STATUS);
        }
        request();
    };
    ctrlc::set_handler(handler).map_err(|error| match error {
        ctrlc::Error::System(error) => error,
        error => std::io::Error::other(error),
    })
}
