//! Stands between the evaluator's standard streams and the system; loaded before everything else.
//!
//! The kernel reads standard output and standard error from two pipes. Text written to the one waits
//! here until what was written to the other has been read: so the order in which a cell prints is the
//! order in which it arrives. Text of a thread that an earlier cell has started is told of. And a read
//! of standard input asks the kernel for a line. Processes that a cell starts do not load this: their
//! standard input is empty.

use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

#[cfg(target_arch = "x86_64")]
const READ: c_long = 0;
#[cfg(target_arch = "x86_64")]
const WRITE: c_long = 1;
#[cfg(target_arch = "x86_64")]
const GETTID: c_long = 186;
#[cfg(not(target_arch = "x86_64"))]
const GETTID: c_long = 178;
#[cfg(not(target_arch = "x86_64"))]
const READ: c_long = 63;
#[cfg(not(target_arch = "x86_64"))]
const WRITE: c_long = 64;
const FIONREAD: c_ulong = 0x541b;

/// How often, and how many microseconds apart, a writer looks whether the other stream was read.
const LOOKS: u32 = 400;
const PAUSE_MICROSECONDS: u32 = 50;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn usleep(microseconds: u32) -> c_int;
    fn getpid() -> c_int;
}

static INPUT: AtomicI32 = AtomicI32::new(-1);
static PROCESS: AtomicI32 = AtomicI32::new(-1);
/// Input that was received and not yet read.
static LEFT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The number of the cell that runs, from 1.
static CELL: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The cell during which this thread wrote first: most likely the one that started it.
    static FIRST_CELL: Cell<u32> = const { Cell::new(0) };
    /// The cell during which it was last told that the thread is an earlier cell's.
    static TOLD: Cell<u32> = const { Cell::new(0) };
}

/// A cell begins.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_streams_cell() {
    CELL.fetch_add(1, Ordering::Relaxed);
}

/// Tells the kernel when a thread of an earlier cell writes below the cell that runs.
fn tell_of_thread(socket: c_int) {
    let cell = CELL.load(Ordering::Relaxed);
    // SAFETY: it has no preconditions.
    let is_first_thread = unsafe { syscall(GETTID) } == c_long::from(PROCESS.load(Ordering::Relaxed));
    if is_first_thread || cell == 0 {
        return;
    }
    let first = FIRST_CELL.try_with(|first| {
        if first.get() == 0 {
            first.set(cell);
        }
        first.get()
    });
    if first.is_ok_and(|first| first < cell) && TOLD.try_with(|told| told.replace(cell)).is_ok_and(|told| told < cell) {
        let message = b"t";
        // SAFETY: the buffer is one byte.
        unsafe { syscall(WRITE, socket, message.as_ptr(), 1usize) };
    }
}

/// From now on cells ask for input over this socket.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_streams_start(input: c_int) {
    INPUT.store(input, Ordering::Relaxed);
    // SAFETY: it has no preconditions.
    PROCESS.store(unsafe { getpid() }, Ordering::Relaxed);
}

/// In place of the C library's.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: usize) -> isize {
    let socket = INPUT.load(Ordering::Relaxed);
    if (fd == 1 || fd == 2) && socket >= 0 {
        tell_of_thread(socket);
        // The other stream, which a process of the cell may have written to as well.
        wait_until_read(3 - fd);
    }
    // SAFETY: the caller vouches for the buffer.
    unsafe { syscall(WRITE, fd, bytes, count) as isize }
}

/// Waits until nothing is left in a pipe, but not for long: nobody may be reading it.
fn wait_until_read(fd: c_int) {
    for _ in 0..LOOKS {
        let mut left: c_int = 0;
        // SAFETY: the request writes one integer; another kind of file refuses it.
        let status = unsafe { ioctl(fd, FIONREAD, &mut left) };
        if status != 0 || left == 0 {
            return;
        }
        // SAFETY: it has no preconditions.
        unsafe { usleep(PAUSE_MICROSECONDS) };
    }
}

/// In place of the C library's.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: usize) -> isize {
    let input = INPUT.load(Ordering::Relaxed);
    // SAFETY: it has no preconditions. A child that has not started its program yet is another process.
    if fd != 0 || input < 0 || unsafe { getpid() } != PROCESS.load(Ordering::Relaxed) {
        // SAFETY: the caller vouches for the buffer.
        return unsafe { syscall(READ, fd, buffer, count) as isize };
    }
    let Ok(mut left) = LEFT.lock() else { return 0 };
    if left.is_empty() {
        *left = ask(input);
    }
    let length = left.len().min(count);
    // SAFETY: the caller vouches for `count` bytes behind `buffer`; the vector has `length`.
    unsafe { std::ptr::copy_nonoverlapping(left.as_ptr(), buffer.cast::<u8>(), length) };
    left.drain(..length);
    length as isize
}

/// Asks the kernel for input, and waits for it; empty at the end of the input.
fn ask(socket: c_int) -> Vec<u8> {
    let question = b"?";
    // SAFETY: the buffer is one byte.
    if unsafe { syscall(WRITE, socket, question.as_ptr(), 1usize) } != 1 {
        return Vec::new();
    }
    let mut head = [0; 4];
    if !receive(socket, &mut head) {
        return Vec::new();
    }
    let mut bytes = vec![0; u32::from_le_bytes(head) as usize];
    if receive(socket, &mut bytes) { bytes } else { Vec::new() }
}

fn receive(socket: c_int, buffer: &mut [u8]) -> bool {
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        // SAFETY: the buffer is as long as it says.
        let got = unsafe { syscall(READ, socket, rest.as_mut_ptr(), rest.len()) };
        match usize::try_from(got) {
            Ok(0) => return false,
            Ok(got) => done += got,
            // The stop button's signal; the kernel answers all the same.
            Err(_) if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    true
}
