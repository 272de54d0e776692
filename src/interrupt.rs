//! The stop button: one flag that every long loop reads between batches, blocks or files.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Set in the notebook kernel's evaluator: a request then holds until its cell has returned.
static HOLDS_FOR_CELL: AtomicBool = AtomicBool::new(false);

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
///
/// In NeuralComposer's notebook kernel this does nothing: there one press of the stop button ends
/// every job of the cell, and the kernel forgets the request before the next cell.
pub fn clear() {
    if !HOLDS_FOR_CELL.load(Ordering::Relaxed) {
        REQUESTED.store(false, Ordering::Relaxed);
    }
}

/// Makes Ctrl-C (SIGINT) raise the flag instead of ending the program; a second one, sent before the
/// first was cleared, ends it with status 130. Call it once, from a program's `main`. It holds even
/// where the parent had SIGINT ignored, as shells do for background jobs: who sends it means it.
///
/// In NeuralComposer's notebook kernel it is called for you, and the kernel decides what a second
/// interrupt does.
///
/// # Errors
/// When the system refuses the handler.
pub fn listen() -> std::io::Result<()> {
    install(|| {
        if requested() {
            std::process::exit(INTERRUPTED_STATUS);
        }
        request();
    })
}

fn install(handler: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    ctrlc::set_handler(handler).map_err(|error| match error {
        ctrlc::Error::System(error) => error,
        error => std::io::Error::other(error),
    })
}

/// What the notebook kernel calls, by this name, in the process that runs cells.
// SAFETY: no other crate exports a symbol of this name.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_interrupt_listen() {
    match install(request) {
        Ok(()) => HOLDS_FOR_CELL.store(true, Ordering::Relaxed),
        Err(error) => eprintln!("the stop button will not work in this notebook: {error}"),
    }
}

/// What the notebook kernel calls, by this name, before each cell.
// SAFETY: no other crate exports a symbol of this name.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_interrupt_clear() {
    REQUESTED.store(false, Ordering::Relaxed);
}
