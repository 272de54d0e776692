//! The stop button: one flag that every long loop reads between batches, blocks or files.
//!
//! All long work goes through [`begin`] (a job, which a request ends) or [`check`] (a step of
//! somebody's loop). In NeuralComposer's notebook kernel one press of the button holds until its cell
//! has returned: the running job returns what it has, and whatever is begun after it is refused with
//! [`Error::Interrupted`], so that `?` carries the stop out of a loop around it.

use crate::{Error, Result};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Set in the notebook kernel's evaluator: a request then holds until its cell has returned.
static HOLDS_FOR_CELL: AtomicBool = AtomicBool::new(false);

/// How many put together what they have, or show it, and do not hear a request that holds.
static SET_ASIDE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Jobs that run on this thread, one inside the other.
    static JOBS: Cell<usize> = const { Cell::new(0) };
}

/// Exit status of a program that was ended by Ctrl-C.
const INTERRUPTED_STATUS: i32 = 130;

/// Asks every running loop to finish its current batch or block and return what it has.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Whether a stop was asked for since the last [`clear`].
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed) && SET_ASIDE.load(Ordering::Relaxed) == 0
}

/// Forgets an earlier request; [`begin`] does so for each long job.
///
/// In NeuralComposer's notebook kernel this does nothing: there one press of the stop button ends
/// every job of the cell, and the kernel forgets the request before the next cell.
pub fn clear() {
    if !holds() {
        REQUESTED.store(false, Ordering::Relaxed);
    }
}

fn holds() -> bool {
    HOLDS_FOR_CELL.load(Ordering::Relaxed)
}

/// A long job, which runs until this value is dropped.
#[must_use = "the job ends when this is dropped: `let _job = interrupt::begin()?;`"]
#[derive(Debug)]
pub struct Job {
    /// It counts on its own thread.
    stays: PhantomData<*const ()>,
}

/// Begins a long job that reads [`requested`] now and then and returns what it has when it is.
///
/// Jobs that it calls on the same thread are parts of it. Outside the notebook kernel a request from
/// before is forgotten.
///
/// ```
/// use neural_composer::{Result, interrupt};
/// fn count_slowly() -> Result<u64> {
///     let _job = interrupt::begin()?;
///     let mut sum = 0;
///     for number in 0..1_000_000 {
///         if interrupt::requested() {
///             break;
///         }
///         sum += number;
///     }
///     Ok(sum)
/// }
/// assert_eq!(count_slowly()?, 499_999_500_000);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Interrupted`] while a stop of this cell holds and no job of this thread is running.
pub fn begin() -> Result<Job> {
    check()?;
    let outer = JOBS.get();
    if outer == 0 {
        clear();
    }
    JOBS.set(outer + 1);
    Ok(Job { stays: PhantomData })
}

impl Drop for Job {
    fn drop(&mut self) {
        JOBS.set(JOBS.get() - 1);
    }
}

/// Refuses to go on while a stop of this cell holds, unless a job of this thread is running.
///
/// A step that is soon done calls it (a forward pass, a batch, a spectrum), so that a loop written
/// by hand over such steps ends as well.
///
/// # Errors
/// [`Error::Interrupted`]; never outside the notebook kernel.
pub fn check() -> Result<()> {
    if holds() && requested() && JOBS.get() == 0 {
        let words = "nothing was done, because the stop holds until its cell has ended";
        return Err(Error::Interrupted(words.into()));
    }
    Ok(())
}

/// While it lives, a request that holds is not heard.
#[must_use = "a request is heard again when this is dropped"]
pub(crate) struct SetAside;

/// For putting together what an interrupted job has, and for showing things: both are to be done
/// although the stop holds. Outside the notebook kernel requests are heard as ever.
pub(crate) fn set_aside() -> Option<SetAside> {
    holds().then(|| {
        SET_ASIDE.fetch_add(1, Ordering::Relaxed);
        SetAside
    })
}

impl Drop for SetAside {
    fn drop(&mut self) {
        SET_ASIDE.fetch_sub(1, Ordering::Relaxed);
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
