//! The evaluator: the child process that loads each compiled cell and runs it.
//!
//! It speaks evcxr's two-line protocol on standard input (`LOAD_AND_RUN library function`), as
//! evcxr's own runtime does, and differs from it in what a training notebook needs: the cell's
//! output goes to pipes of the kernel's (so that it is seen byte by byte, in order), an interrupt
//! never kills it, it dies with its kernel, and it installs no crash handler that could hang.

use crate::output_stream::EVALUATOR_TAG;
use anyhow::{Context, Result, bail};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW, Symbol};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{
    Resource, Rlimit, Signal, getpid, kill_current_process_group, setpgid, setrlimit,
};
use std::ffi::c_void;
use std::io::{BufRead, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The kernel's socket; set for the evaluator only.
pub const SOCKET_ENV: &str = "NEURAL_COMPOSER_KERNEL_SOCKET";
/// Set by evcxr for the process that runs cells.
const EVCXR_RUNTIME_ENV: &str = "EVCXR_IS_RUNTIME";
/// Libraries to load before the first cell, separated by colons.
pub const PRELOAD_ENV: &str = "NEURAL_COMPOSER_KERNEL_PRELOAD";

/// Functions the kernel looks for in the preloaded libraries; each takes and returns nothing.
const LISTEN_SYMBOL: &str = "neural_composer_interrupt_listen";
const CLEAR_SYMBOL: &str = "neural_composer_interrupt_clear";
const FLUSH_SYMBOL: &str = "neural_composer_kernel_flush";
const START_SYMBOL: &str = "neural_composer_kernel_start";

type PlainFn = unsafe extern "C" fn();
type CellFn = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// Whether this process was started to run cells.
pub fn is_evaluator() -> bool {
    std::env::var_os(EVCXR_RUNTIME_ENV).is_some() && std::env::var_os(SOCKET_ENV).is_some()
}

/// Runs cells until standard input ends.
pub fn run() -> ! {
    let code = match Evaluator::start().and_then(Evaluator::run_cells) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error:#}");
            99
        }
    };
    std::process::exit(code)
}

struct Evaluator {
    /// Never unloaded: values in the variable store point into them.
    libraries: Vec<Library>,
    clear_interrupt: Option<Symbol<PlainFn>>,
    flush: Option<Symbol<PlainFn>>,
    variable_store: *mut c_void,
}

impl Evaluator {
    fn start() -> Result<Self> {
        // Its own process group, so that the kernel can end it with everything it started.
        setpgid(None, None).context("could not lead a process group")?;
        die_of_faults();
        prefer_as_victim();
        let link = connect()?;
        std::thread::spawn(move || die_with_kernel(link));
        let mut evaluator = Evaluator {
            libraries: Vec::new(),
            clear_interrupt: None,
            flush: None,
            variable_store: std::ptr::null_mut(),
        };
        evaluator.preload();
        if evaluator.clear_interrupt.is_none() {
            ignore_interrupts()?;
        }
        Ok(evaluator)
    }

    fn preload(&mut self) {
        let paths = std::env::var(PRELOAD_ENV).unwrap_or_default();
        for path in paths.split(':').filter(|path| !path.is_empty()) {
            // SAFETY: these are the library's and the kernel's own shared objects, built by the
            // compiler that builds the cells; loading them runs no code but Rust's initialisers.
            let library = match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
                Ok(library) => library,
                Err(error) => {
                    eprintln!("could not load {path}: {error}");
                    continue;
                }
            };
            self.clear_interrupt = self.clear_interrupt.take().or(find(&library, CLEAR_SYMBOL));
            self.flush = self.flush.take().or(find(&library, FLUSH_SYMBOL));
            for start in [START_SYMBOL, LISTEN_SYMBOL] {
                call(&find(&library, start));
            }
            self.libraries.push(library);
        }
    }

    fn run_cells(mut self) -> Result<()> {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let mut words = line.split(' ');
            match (words.next(), words.next(), words.next()) {
                (Some("LOAD_AND_RUN"), Some(path), Some(function)) => {
                    self.load_and_run(path, function)?;
                }
                _ => bail!("the evaluator does not understand {line:?}"),
            }
        }
        Ok(())
    }

    fn load_and_run(&mut self, path: &str, function: &str) -> Result<()> {
        // SAFETY: evcxr has just compiled this object for us; its initialisers are Rust's.
        let library = unsafe { Library::open(Some(path), RTLD_NOW) }
            .with_context(|| format!("could not load the compiled cell {path}"))?;
        // SAFETY: evcxr generates this function with exactly this signature.
        let cell = unsafe { library.get::<CellFn>(function) }
            .with_context(|| format!("the compiled cell {path} has no {function}"))?;
        call(&self.clear_interrupt);
        mark(&mut std::io::stdout(), "began")?;
        // SAFETY: the store is null at first (the cell makes one) or what the last cell returned.
        self.variable_store = unsafe { cell(self.variable_store) };
        self.libraries.push(library);
        call(&self.flush);
        mark(&mut std::io::stderr(), "returned")?;
        mark(&mut std::io::stdout(), "returned")?;
        Ok(())
    }
}

fn find(library: &Library, symbol: &str) -> Option<Symbol<PlainFn>> {
    // SAFETY: whoever exports one of these names gives it the type `extern "C" fn()`.
    unsafe { library.get::<PlainFn>(symbol) }.ok()
}

fn call(function: &Option<Symbol<PlainFn>>) {
    if let Some(function) = function {
        // SAFETY: see `find`; the library it came from is never unloaded.
        unsafe { function() }
    }
}

fn mark(stream: &mut impl Write, what: &str) -> Result<()> {
    // One write, so that no other thread's output can come between.
    stream.write_all(format!("{EVALUATOR_TAG}{what}\n").as_bytes())?;
    stream.flush()?;
    Ok(())
}

/// Where no library listens, the stop button must not end the process. A handler rather than
/// ignoring the signal, which the processes that a cell starts would inherit.
fn ignore_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {}).context("could not handle SIGINT")
}

/// Rust's own handler of memory faults lets a process live on whose fault was sent by another, and
/// evcxr's may hang while it looks at the stack. Nor is a core file wanted beside the notebook.
fn die_of_faults() {
    for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL] {
        // SAFETY: the default action is not a function that could be unsound.
        unsafe { libc::signal(fault, libc::SIG_DFL) };
    }
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Core files are a nuisance, not an error.
    let _ = setrlimit(Resource::Core, none);
}

/// When memory runs out, the evaluator is the process to end, not the kernel or Jupyter.
fn prefer_as_victim() {
    // Only Linux has this file, and it may be forbidden: then the kernel takes its chance.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

/// Sends the kernel our end of evcxr's output pipe and the reading ends of two new ones, which
/// become standard output and standard error.
fn connect() -> Result<UnixStream> {
    let path = std::env::var_os(SOCKET_ENV).context("the kernel's socket is not named")?;
    let link = UnixStream::connect(path).context("could not reach the kernel")?;
    let (out_reader, out_writer) = std::io::pipe()?;
    let (err_reader, err_writer) = std::io::pipe()?;
    let stdout = std::io::stdout();
    let fds = [stdout.as_fd(), out_reader.as_fd(), err_reader.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        bail!("no room for three file descriptors");
    }
    let hello = format!("evaluator {}\n", getpid().as_raw_pid());
    sendmsg(&link, &[IoSlice::new(hello.as_bytes())], &mut ancillary, SendFlags::empty())
        .context("could not greet the kernel")?;
    let mut answer = [0; 3];
    (&link).read_exact(&mut answer).context("the kernel did not answer")?;
    rustix::stdio::dup2_stdout(OwnedFd::from(out_writer))?;
    rustix::stdio::dup2_stderr(OwnedFd::from(err_writer))?;
    Ok(link)
}

/// The kernel never writes after its greeting: anything read means that it is gone.
fn die_with_kernel(mut link: UnixStream) {
    let _ = link.read(&mut [0; 1]);
    let _ = kill_current_process_group(Signal::KILL);
    std::process::exit(1);
}
