//! The stop: what asks long work to end, and who hears it.
//!
//! Long work goes through [`begin`] (a job, which a request ends) or [`check`] (a step of somebody's
//! loop). Requests are counted, never cleared: each listener hears those that came after it began to
//! listen, so that none from before can end later work. Who listens to what:
//!
//! - A job listens to the process's signal ([`request`], raised by Ctrl-C after [`listen`]).
//! - All work inside [`Handle::during`] listens to that handle, too. Once it was asked to stop, nothing
//!   long begins there any more: it fails with [`Error::Interrupted`], so that `?` carries the stop out
//!   of a loop around it.
//! - In NeuralComposer's notebook kernel a cell is such a stretch of work, and the stop button its
//!   handle.

use crate::{Error, Result};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// How often the process was asked to stop.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// How many of these requests are over and done with, outside the notebook kernel.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// Whether this is the process in which the notebook kernel runs cells.
static RUNS_CELLS: AtomicBool = AtomicBool::new(false);

/// How many requests there were when the running cell began.
static BEFORE_CELL: AtomicU64 = AtomicU64::new(0);

/// How many [`Heard`] there are; threads without a listener of their own do not hear meanwhile.
static SET_ASIDE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What the work on this thread listens to.
    static HERE: RefCell<Option<Stretch>> = const { RefCell::new(None) };
}

/// The signal that last asked the process to stop; 0 for none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Ctrl-C, and what [`exit_status`] takes where there was no signal.
const CTRL_C: i32 = 2;

/// Work on one thread that listens to the same requests.
struct Stretch {
    listener: Listener,
    /// Jobs that run, one inside the other.
    jobs: usize,
    /// Whether the first job opened it, and the last one closes it.
    is_a_job: bool,
}

/// Hears the requests that come after it was made; it may be taken to other threads.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// How many of the process's requests it does not hear.
    process_from: u64,
    /// Handles, and how many of their requests it does not hear.
    handles: Vec<(Handle, u64)>,
}

impl Listener {
    fn to_process() -> Self {
        let in_cell = runs_cells() && !set_aside();
        let from = if in_cell { &BEFORE_CELL } else { &REQUESTS };
        Self { process_from: from.load(Ordering::Relaxed), handles: Vec::new() }
    }

    /// Of the work that goes on here.
    pub(crate) fn here() -> Self {
        let here = HERE.with_borrow(|here| here.as_ref().map(|here| here.listener.clone()));
        here.unwrap_or_else(Self::to_process)
    }

    /// Whether a stop was asked for.
    pub(crate) fn requested(&self) -> bool {
        REQUESTS.load(Ordering::Relaxed) > self.process_from
            || self.handles.iter().any(|(handle, from)| handle.count() > *from)
    }

    /// One that hears only what comes from now on.
    fn later(&self) -> Self {
        Self {
            process_from: REQUESTS.load(Ordering::Relaxed),
            handles: self
                .handles
                .iter()
                .map(|(handle, _)| (handle.clone(), handle.count()))
                .collect(),
        }
    }
}

/// Asks the long work inside its [`during`](Self::during) to stop; copies are the same handle.
///
/// ```
/// use neural_composer::{Error, interrupt};
/// let stop = interrupt::Handle::new();
/// let button = stop.clone();
/// std::thread::spawn(move || button.request()).join().unwrap();
/// let outcome = stop.during(|| interrupt::begin().map(drop));
/// assert!(matches!(outcome, Err(Error::Interrupted(_))));
/// assert!(interrupt::begin().is_ok(), "what comes after is none of its business");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Handle(Arc<AtomicU64>);

impl Handle {
    /// A handle that was not used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to finish its current batch, block or file and to return what it has.
    pub fn request(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `work`, which listens to this handle, to those around it, and to the process's signal.
    ///
    /// A request from before ends it as one that comes while it runs.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Inside(Option<Stretch>);
        impl Drop for Inside {
            fn drop(&mut self) {
                let before = self.0.take();
                if before.is_none() {
                    answer();
                }
                HERE.set(before);
            }
        }
        let mut listener = Listener::here();
        listener.handles.push((self.clone(), 0));
        let inside = Stretch { listener, jobs: 0, is_a_job: false };
        let _inside = Inside(HERE.replace(Some(inside)));
        work()
    }
}

/// Asks all running work of the process to finish its current batch or block and return what it has.
pub fn request() {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
}

/// Whether the work on this thread was asked to stop.
///
/// Where neither a job nor a [`Handle::during`] is running: whether the process was asked to since the
/// last job began.
pub fn requested() -> bool {
    let here = HERE.with_borrow(|here| here.as_ref().map(|here| here.listener.requested()));
    here.unwrap_or_else(|| !set_aside() && pending())
}

fn set_aside() -> bool {
    SET_ASIDE.load(Ordering::Relaxed) > 0
}

fn pending() -> bool {
    let before = if runs_cells() { &BEFORE_CELL } else { &ANSWERED };
    REQUESTS.load(Ordering::Relaxed) > before.load(Ordering::Relaxed)
}

fn runs_cells() -> bool {
    RUNS_CELLS.load(Ordering::Relaxed)
}

/// All requests so far are over and done with.
fn answer() {
    ANSWERED.fetch_max(REQUESTS.load(Ordering::Relaxed), Ordering::Relaxed);
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
/// Jobs that it calls on the same thread are parts of it, and hear what it hears.
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
/// [`Error::Interrupted`] when the [`Handle::during`] or the notebook's cell around it was asked to
/// stop and no job of this thread is running.
pub fn begin() -> Result<Job> {
    check()?;
    HERE.with_borrow_mut(|here| match here {
        Some(here) => here.jobs += 1,
        None => {
            if !runs_cells() {
                answer();
            }
            let listener = Listener::to_process();
            *here = Some(Stretch { listener, jobs: 1, is_a_job: true });
        }
    });
    Ok(Job { stays: PhantomData })
}

impl Drop for Job {
    fn drop(&mut self) {
        HERE.with_borrow_mut(|place| {
            let Some(here) = place else { return };
            here.jobs = here.jobs.saturating_sub(1);
            if here.jobs == 0 && here.is_a_job {
                *place = None;
            }
        });
    }
}

/// Refuses a step where a job would be refused: after a request, unless a job is running.
///
/// A step that is soon done calls it (a forward pass, a batch, a spectrum), so that a loop written
/// by hand over such steps ends as well.
///
/// # Errors
/// [`Error::Interrupted`], as [`begin`].
pub fn check() -> Result<()> {
    let refused = HERE.with_borrow(|here| match here {
        Some(here) => here.jobs == 0 && here.listener.requested(),
        None => runs_cells() && !set_aside() && pending(),
    });
    if !refused {
        return Ok(());
    }
    let until = if runs_cells() { ", and holds until its cell has ended" } else { "" };
    Err(Error::Interrupted(format!(
        "nothing was done, because the stop came before it began{until}"
    )))
}

/// While it lives, requests from before it are not heard on its thread.
#[must_use = "earlier requests are heard again when this is dropped"]
#[derive(Debug)]
pub struct Heard {
    /// What was listened to before.
    listener: Option<Listener>,
    stays: PhantomData<*const ()>,
}

/// Goes on although a stop was asked for, which has been heard: to put together what an interrupted
/// job has, to show or to save it. Requests that come from now on are heard.
///
/// ```
/// use neural_composer::interrupt;
/// let stop = interrupt::Handle::new();
/// stop.during(|| {
///     stop.request();
///     assert!(interrupt::begin().is_err());
///     let heard = interrupt::heard();
///     assert!(interrupt::begin().is_ok());
///     drop(heard);
///     assert!(interrupt::requested());
/// });
/// ```
pub fn heard() -> Heard {
    SET_ASIDE.fetch_add(1, Ordering::Relaxed);
    answer();
    let listener = HERE.with_borrow_mut(|here| {
        let here = here.as_mut()?;
        let later = here.listener.later();
        Some(std::mem::replace(&mut here.listener, later))
    });
    Heard { listener, stays: PhantomData }
}

impl Drop for Heard {
    fn drop(&mut self) {
        SET_ASIDE.fetch_sub(1, Ordering::Relaxed);
        HERE.with_borrow_mut(|here| {
            if let (Some(here), Some(listener)) = (here, self.listener.take()) {
                here.listener = listener;
            }
        });
    }
}

/// Makes Ctrl-C (SIGINT), SIGTERM and SIGHUP a [`request`] instead of the program's end; a second one,
/// before another job has begun, ends it with [`exit_status`]. Call it once, from a program's `main`. It
/// holds even where the parent had the signal ignored, as shells do for background jobs and `nohup`
/// does: who sends it means it.
///
/// In NeuralComposer's notebook kernel it is called for you, and the kernel decides what a second
/// interrupt does.
///
/// # Errors
/// When the system refuses the handler.
pub fn listen() -> std::io::Result<()> {
    install(&STOPPING_SIGNALS, || {
        if pending() {
            std::process::exit(exit_status());
        }
        request();
    })
}

/// The status with which shells report a program that the last signal ended: 130 for Ctrl-C, 143 for
/// SIGTERM, 129 for SIGHUP.
pub fn exit_status() -> i32 {
    let signal = SIGNAL.load(Ordering::Relaxed);
    128 + if signal == 0 { CTRL_C } else { signal }
}

#[cfg(unix)]
const STOPPING_SIGNALS: [i32; 3] =
    [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const STOPPING_SIGNALS: [i32; 1] = [CTRL_C];

#[cfg(unix)]
fn install(signals: &[i32], handler: impl Fn() + Send + 'static) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    let heard = move || {
        for signal in signals.forever() {
            SIGNAL.store(signal, Ordering::Relaxed);
            handler();
        }
    };
    std::thread::Builder::new().name("stop".into()).spawn(heard).map(drop)
}

#[cfg(not(unix))]
fn install(_: &[i32], handler: impl Fn() + Send + 'static) -> std::io::Result<()> {
    ctrlc::set_handler(handler).map_err(std::io::Error::other)
}

/// What the notebook kernel calls, by this name, in the process that runs cells.
// SAFETY: no other crate exports a symbol of this name.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_interrupt_listen() {
    match install(&[CTRL_C], request) {
        Ok(()) => RUNS_CELLS.store(true, Ordering::Relaxed),
        Err(error) => eprintln!("the stop button will not work in this notebook: {error}"),
    }
}

/// What the notebook kernel calls, by this name, before each cell.
// SAFETY: no other crate exports a symbol of this name.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_interrupt_clear() {
    BEFORE_CELL.store(REQUESTS.load(Ordering::Relaxed), Ordering::Relaxed);
}
