//! The evaluator: the child process that loads each compiled cell and runs it.
//!
//! Commands come, and what it has to say goes, over a socket of its own that neither cells nor the
//! processes they start can reach: standard input, output and error belong to the cells. It leads a
//! process group, an interrupt never kills it, it dies with its kernel, and it installs no handler
//! that a crash could hang in.

use crate::link::{Command, Kind, SUCCESSFUL, Wire};
use anyhow::{Context, Result};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW, Symbol};
use rustix::process::{Resource, Rlimit, Signal, kill_current_process_group, setpgid, setrlimit};
use std::ffi::OsStr;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::OnceLock;

/// Marks the process; its value is the folder that cells work in.
pub const FOLDER_ENV: &str = "NEURAL_COMPOSER_KERNEL_EVALUATOR";
/// Where the evaluator finds its sockets: commands, and input for cells.
pub const SOCKET_FD: i32 = 3;
pub const INPUT_FD: i32 = 4;
/// Sets the loader's list of objects that come first; see `stream_shim.rs`.
pub const PRELOAD_ENV: &str = "LD_PRELOAD";

/// Functions that the kernel looks for in what it loads; each takes and returns nothing.
const LISTEN_SYMBOL: &str = "neural_composer_interrupt_listen";
const CLEAR_SYMBOL: &str = "neural_composer_interrupt_clear";
const FLUSH_SYMBOL: &str = "neural_composer_kernel_flush";
const SIZES_SYMBOL: &str = "neural_composer_kernel_sizes";
const START_SYMBOL: &str = "neural_composer_kernel_start";
const FORGET_SYMBOL: &str = "neural_composer_kernel_forget";
const STREAMS_SYMBOL: &str = "neural_composer_streams_start";
const CELL_SYMBOL: &str = "neural_composer_streams_cell";

type PlainFn = unsafe extern "C" fn();
type Sink = extern "C" fn(u8, *const u8, usize);
type StartFn = unsafe extern "C" fn(Sink);
type ForgetFn = unsafe extern "C" fn(*const u8, usize);
type StreamsFn = unsafe extern "C" fn(i32);
type CellFn = unsafe extern "C" fn() -> u8;

/// The way to the kernel, for what cells have to say; the socket's other half reads commands.
static TO_KERNEL: OnceLock<Mutex<Wire>> = OnceLock::new();

/// Whether this process was started to run cells.
pub fn is_evaluator() -> bool {
    std::env::var_os(FOLDER_ENV).is_some()
}

/// Runs cells until the kernel is gone.
pub fn run() -> ! {
    let code = match Evaluator::start().and_then(|(evaluator, wire)| evaluator.serve(wire)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error:#}");
            99
        }
    };
    let _ = kill_current_process_group(Signal::KILL);
    std::process::exit(code)
}

#[derive(Default)]
struct Evaluator {
    /// Never unloaded: values in the variable store point into them.
    libraries: Vec<Library>,
    loaded: Vec<PathBuf>,
    clear_interrupt: Option<Symbol<PlainFn>>,
    flush: Option<Symbol<PlainFn>>,
    begin_cell: Option<Symbol<PlainFn>>,
    sizes: Option<Symbol<PlainFn>>,
    forget: Option<Symbol<ForgetFn>>,
}

impl Evaluator {
    fn start() -> Result<(Self, Wire)> {
        // Its own process group, so that the kernel can end it with everything it started.
        setpgid(None, None).context("could not lead a process group")?;
        die_of_faults();
        prefer_as_victim();
        let folder = std::env::var_os(FOLDER_ENV).context("the cells' folder is not named")?;
        // SAFETY: no other thread was started so far, so nothing reads the environment meanwhile.
        unsafe {
            std::env::remove_var(FOLDER_ENV);
            std::env::remove_var(PRELOAD_ENV);
        }
        std::env::set_current_dir(folder).context("the notebook's folder is gone")?;
        // SAFETY: the kernel, which alone starts this program so, has put sockets there.
        let [socket, input] = [SOCKET_FD, INPUT_FD].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        for fd in [&socket, &input] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
        }
        let socket = UnixStream::from(socket);
        let wire = Wire::new(socket.try_clone()?);
        let _ = TO_KERNEL.set(Mutex::new(Wire::new(socket)));
        let this = Library::this();
        if let Some(start) = find::<StreamsFn>(&this, STREAMS_SYMBOL) {
            // SAFETY: only `stream_shim.rs` has a function of this name; the socket stays open.
            unsafe { start(INPUT_FD) };
        }
        std::mem::forget(input);
        let evaluator = Evaluator { begin_cell: find(&this, CELL_SYMBOL), ..Evaluator::default() };
        Ok((evaluator, wire))
    }

    fn serve(mut self, mut wire: Wire) -> Result<()> {
        tell(Kind::Ready, "");
        let (sender, commands) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            while let Ok(Some((_, text))) = wire.receive() {
                if let Ok(command) = serde_json::from_str::<Command>(&text) {
                    let _ = sender.send(command);
                }
            }
            // The kernel is gone: so is everything that a cell has started.
            let _ = kill_current_process_group(Signal::KILL);
            std::process::exit(1);
        });
        for command in commands {
            match command {
                Command::Preload { objects } => {
                    objects.iter().for_each(|object| self.preload(object));
                    if self.clear_interrupt.is_none() {
                        ignore_interrupts()?;
                    }
                }
                Command::Run { object, function, crates, lost, local } => {
                    let status = self.run_cell(&object, &function, &crates, &lost, &local);
                    tell(Kind::Returned, &status.to_string());
                }
                Command::Sizes => {
                    call(&self.sizes);
                    tell(Kind::Returned, "0");
                }
            }
        }
        Ok(())
    }

    fn preload(&mut self, path: &Path) {
        // SAFETY: these are the library's and the kernel's own shared objects, built by the compiler
        // that builds the cells; loading them runs no code but Rust's initialisers.
        let library = match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(library) => library,
            Err(error) => {
                eprintln!("could not load {}: {error}", path.display());
                return;
            }
        };
        self.clear_interrupt = self.clear_interrupt.take().or(find(&library, CLEAR_SYMBOL));
        self.flush = self.flush.take().or(find(&library, FLUSH_SYMBOL));
        self.sizes = self.sizes.take().or(find(&library, SIZES_SYMBOL));
        self.forget = self.forget.take().or(find(&library, FORGET_SYMBOL));
        if let Some(start) = find::<StartFn>(&library, START_SYMBOL) {
            // SAFETY: only `evaluator_support.rs` has a function of this name.
            unsafe { start(sink) };
        }
        call(&find(&library, LISTEN_SYMBOL));
        self.libraries.push(library);
    }

    fn run_cell(
        &mut self,
        object: &Path,
        function: &str,
        crates: &[PathBuf],
        lost: &[String],
        local: &[String],
    ) -> u8 {
        for path in crates.iter().map(PathBuf::as_path).chain([object]) {
            if self.loaded.iter().any(|loaded| loaded == path) {
                continue;
            }
            // SAFETY: the kernel has just compiled it; its initialisers are Rust's, or those that the
            // user's crates bring.
            match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) } {
                Ok(library) => self.libraries.push(library),
                Err(error) => {
                    tell(Kind::NotLoaded, &error.to_string());
                    return 4;
                }
            }
            self.loaded.push(path.to_owned());
        }
        let cell = self.libraries.last().and_then(|library| find::<CellFn>(library, function));
        let Some(cell) = cell else {
            tell(Kind::NotLoaded, &format!("the compiled cell has no {function}"));
            return 4;
        };
        self.forget(lost);
        call(&self.clear_interrupt);
        call(&self.begin_cell);
        tell(Kind::Began, "");
        // SAFETY: `compose.rs` writes the function with exactly this signature.
        let status = unsafe { cell() };
        call(&self.flush);
        if status == SUCCESSFUL {
            self.forget(local);
        }
        status
    }

    fn forget(&self, names: &[String]) {
        if let (Some(forget), false) = (&self.forget, names.is_empty()) {
            let names = names.join("\n");
            // SAFETY: the text is UTF-8 and outlives the call.
            unsafe { forget(names.as_ptr(), names.len()) };
        }
    }
}

/// What a cell has to say, handed to the kernel.
extern "C" fn sink(kind: u8, text: *const u8, length: usize) {
    // SAFETY: `evaluator_support.rs` passes the parts of a string slice.
    let bytes = unsafe { std::slice::from_raw_parts(text, length) };
    send(kind, bytes);
}

fn tell(kind: Kind, text: &str) {
    send(kind as u8, text.as_bytes());
}

fn send(kind: u8, bytes: &[u8]) {
    if let Some(wire) = TO_KERNEL.get() {
        let mut wire = wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A kernel that is gone is noticed by the thread that reads.
        let _ = wire.send(kind, OsStr::from_bytes(bytes).as_bytes());
    }
}

fn find<T>(library: &Library, symbol: &str) -> Option<Symbol<T>> {
    // SAFETY: whoever exports one of these names gives it the type that the name stands for.
    unsafe { library.get::<T>(symbol) }.ok()
}

fn call(function: &Option<Symbol<PlainFn>>) {
    if let Some(function) = function {
        // SAFETY: see `find`; the library it came from is never unloaded.
        unsafe { function() }
    }
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
