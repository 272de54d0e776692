//! The crate `neural_cells`, which every cell links: variables between cells, results, errors.
//!
//! The kernel compiles it with the toolchain that compiles cells, as a shared object, and the evaluator
//! loads it before the first cell: all cells share its one store of variables, and its panic hook sees
//! theirs. What a cell has to say to the kernel goes to the function that the evaluator registers here,
//! never through the cell's own output.

use std::any::{Any, TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{Debug, Display, Write as _};
use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::OnceLock;
use std::time::Duration;

/// How often output that no newline ended is let out, so that `print!("\r{percent} %")` is seen.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// Longest text of a result, in bytes: about what a page can bear.
const LONGEST_RESULT: usize = 20_000;
/// Longest text of a `Result` that a cell ends in: most likely a `?` is missing.
const LONGEST_UNOPENED: usize = 1_000;

/// Longest text of a `Result` that is shown without a word about the `?`.
const LONGEST_WITHOUT_HINT: usize = 60;

/// Takes one message for the kernel: what it is, and its text.
type Sink = extern "C" fn(kind: u8, text: *const u8, length: usize);

static SINK: OnceLock<Sink> = OnceLock::new();

/// What messages to the kernel are about; the kernel's `link.rs` has the same list.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Result = b'r',
    Error = b'e',
    Panic = b'p',
    Lost = b'l',
    Sizes = b's',
}

fn tell(kind: Kind, text: &str) {
    if let Some(sink) = SINK.get() {
        sink(kind as u8, text.as_ptr(), text.len());
    }
}

// ---------------------------------------------------------------------------- variables

thread_local! {
    /// The notebook's variables; cells run on one thread. Never dropped as a whole: what the values
    /// do when they are dropped must not run while the process ends.
    static VARIABLES: ManuallyDrop<RefCell<HashMap<String, Box<dyn Any>>>> =
        ManuallyDrop::new(RefCell::new(HashMap::new()));
}

// What cells call is generic in a value's type and short, and hands a box to functions that are compiled
// once, here: each cell would compile its own hash table else, half of what it takes.

/// Keeps a variable for later cells. `NUMBER` names the call to the kernel, which reads the
/// variable's type from it in the compiler's MIR.
#[inline(never)]
pub fn keep_variable<const NUMBER: usize, T: 'static>(name: &str, value: T) {
    store(name, Box::new(value));
}

/// Puts a variable back that a cell has used.
pub fn return_variable<T: 'static>(name: &str, value: T) {
    store(name, Box::new(value));
}

#[inline(never)]
fn store(name: &str, value: Box<dyn Any>) {
    let before = VARIABLES.with(|all| all.borrow_mut().insert(name.to_owned(), value));
    drop(before);
}

/// Whether there is a variable of this name and type. The size is that of the definition that made
/// the value: the last barrier against memory that is read as something else.
pub fn holds<T: 'static>(name: &str) -> bool {
    holds_type(name, TypeId::of::<T>(), size_of::<T>())
}

#[inline(never)]
fn holds_type(name: &str, type_id: TypeId, size: usize) -> bool {
    let is_same = |value: &dyn Any| value.type_id() == type_id && size_of_val(value) == size;
    let is_there = VARIABLES.with(|all| all.borrow().get(name).is_some_and(|value| is_same(&**value)));
    if !is_there {
        tell(Kind::Lost, name);
    }
    is_there
}

/// Takes a variable out of the store, for a cell that uses it.
///
/// # Panics
/// If there is none of this type, which [`holds`] has said before.
pub fn take_variable<T: 'static>(name: &str) -> T {
    match take(name).downcast::<T>() {
        Ok(value) => *value,
        Err(_) => is_not_there(name),
    }
}

#[inline(never)]
fn take(name: &str) -> Box<dyn Any> {
    let value = VARIABLES.with(|all| all.borrow_mut().remove(name));
    value.unwrap_or_else(|| is_not_there(name))
}

#[inline(never)]
fn is_not_there(name: &str) -> ! {
    panic!("the variable `{name}` is not there")
}

/// Drops a variable.
fn forget(name: &str) {
    let value = VARIABLES.with(|all| all.borrow_mut().remove(name));
    // The value's own `drop` may panic.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

/// The bytes that a value holds on the heap, for the types whose length says it.
fn heap_bytes(value: &dyn Any) -> usize {
    fn vec<T: 'static>(value: &dyn Any) -> Option<usize> {
        value.downcast_ref::<Vec<T>>().map(|vec| vec.capacity() * size_of::<T>())
    }
    let strings = |value: &dyn Any| {
        let all = value.downcast_ref::<Vec<String>>()?;
        let text: usize = all.iter().map(String::capacity).sum();
        Some(all.capacity() * size_of::<String>() + text)
    };
    let sizes: [fn(&dyn Any) -> Option<usize>; 14] = [
        |value| value.downcast_ref::<String>().map(String::capacity),
        vec::<f32>,
        vec::<f64>,
        vec::<u8>,
        vec::<i8>,
        vec::<u16>,
        vec::<i16>,
        vec::<u32>,
        vec::<i32>,
        vec::<u64>,
        vec::<i64>,
        vec::<usize>,
        vec::<bool>,
        vec::<(f32, f32)>,
    ];
    sizes.iter().find_map(|size| size(value)).or_else(|| strings(value)).unwrap_or(0)
}

// ------------------------------------------------------------------------------- errors

/// The error that a `?` carries out of a cell, in the words of the error's `Display`.
pub struct CellError(String);

impl<E: Display> From<E> for CellError {
    #[track_caller]
    fn from(error: E) -> Self {
        CellError(error_words(Location::caller(), &format_args!("{error}")))
    }
}

/// The error that a `?` carries out of a cell, in the words of the error's `Debug`.
pub struct DebugCellError(String);

impl<E: Debug> From<E> for DebugCellError {
    #[track_caller]
    fn from(error: E) -> Self {
        DebugCellError(error_words(Location::caller(), &format_args!("{error:?}")))
    }
}

#[inline(never)]
fn error_words(place: &Location<'_>, error: &dyn Display) -> String {
    format!("{place}\0{error}")
}

/// How a cell's code ended.
pub trait Ending {
    /// Where and what the error was, if it was one.
    fn error(self) -> Option<String>;
}

impl Ending for Result<(), CellError> {
    fn error(self) -> Option<String> {
        self.err().map(|CellError(words)| words)
    }
}

impl Ending for Result<(), DebugCellError> {
    fn error(self) -> Option<String> {
        self.err().map(|DebugCellError(words)| words)
    }
}

/// Runs a cell's code; a panic ends the cell, not the process. Returns 0 if the code reached its end, 1
/// after an error, 2 after a panic.
pub fn run<E>(code: impl FnOnce() -> Result<(), E>) -> u8
where
    Result<(), E>: Ending,
{
    run_to_end(Box::new(|| code().error()))
}

// A box, and not an option that is emptied: the compiler may take it that what cannot run well, such as
// a write to a null pointer, does not run, and would find the other way through.
#[inline(never)]
fn run_to_end(code: Box<dyn FnOnce() -> Option<String> + '_>) -> u8 {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(Some(words)) => {
            tell(Kind::Error, &words);
            1
        }
        Ok(None) => 0,
        Err(payload) => {
            // A payload may panic when it is dropped.
            std::mem::forget(payload);
            2
        }
    }
}

// ------------------------------------------------------------------------------ results

/// What a method `evcxr_display` returns that is not the value's own.
pub struct NoOwnDisplay;

/// Gives every value a method `evcxr_display`, behind the value's own and those of traits in scope.
pub trait AnyDisplay {
    /// Shows nothing.
    fn evcxr_display(&self) -> NoOwnDisplay {
        NoOwnDisplay
    }
}

impl<T: ?Sized> AnyDisplay for &T {}

/// A reference to a value, perhaps to a reference or a pointer.
pub struct Outer<'a, T: ?Sized>(pub &'a T);

/// Looks behind references and pointers: a method `evcxr_display` may be there.
pub trait Pointing<'a> {
    /// What is pointed to.
    type Target: ?Sized;
    /// The value behind the pointer.
    fn target(&self) -> &'a Self::Target;
}

macro_rules! pointing {
    ($($pointer:ty),+) => {$(
        impl<'a, T: ?Sized> Pointing<'a> for Outer<'a, $pointer> {
            type Target = T;
            fn target(&self) -> &'a T {
                self.0
            }
        }
    )+};
}

pointing!(&T, &mut T, Box<T>, std::rc::Rc<T>, std::sync::Arc<T>);

/// Leaves values that are no pointers.
pub trait Plain<'a> {
    /// The value's type.
    type Target: ?Sized;
    /// The value.
    fn target(&self) -> &'a Self::Target;
}

impl<'a, T: ?Sized> Plain<'a> for &Outer<'a, T> {
    type Target = T;
    fn target(&self) -> &'a T {
        self.0
    }
}

/// A value whose text is asked for: by `Debug` where there is one, else by its type.
pub struct Asked<'a, T: ?Sized>(pub &'a T);

/// Writes values that have `Debug`.
pub trait ByDebug {
    /// Writes the value into `out`; `format` is how.
    fn text(&self, out: &mut Limited, format: &str) -> std::fmt::Result;
}

impl<T: Debug + ?Sized> ByDebug for &Asked<'_, T> {
    fn text(&self, out: &mut Limited, format: &str) -> std::fmt::Result {
        write_debug(out, &self.0, format)
    }
}

#[inline(never)]
fn write_debug(out: &mut Limited, value: &dyn Debug, format: &str) -> std::fmt::Result {
    match format {
        "{:#?}" => write!(out, "{value:#?}"),
        _ => write!(out, "{value:?}"),
    }
}

/// Writes what can be said of values that have no `Debug`.
pub trait ByType {
    /// Writes the value's type into `out`.
    fn text(&self, out: &mut Limited, format: &str) -> std::fmt::Result;
}

impl<T: ?Sized> ByType for Asked<'_, T> {
    fn text(&self, out: &mut Limited, _: &str) -> std::fmt::Result {
        write!(out, "a value of type {}, which has no Debug", short_name(type_name::<T>()))
    }
}

/// Text that ends when it is too long.
pub struct Limited {
    text: String,
    limit: usize,
    is_cut: bool,
}

impl std::fmt::Write for Limited {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        let room = self.limit - self.text.len().min(self.limit);
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&at| part.is_char_boundary(at)).unwrap_or(0);
        self.text.push_str(&part[..end]);
        self.is_cut = true;
        // Ends the formatting, which might go on for long.
        Err(std::fmt::Error)
    }
}

/// Shows a cell's last value, unless its own `evcxr_display` did.
pub fn show<D: 'static, T: ?Sized>(
    _: &D,
    _: &T,
    text: impl FnOnce(&mut Limited) -> std::fmt::Result,
) {
    if TypeId::of::<D>() == TypeId::of::<NoOwnDisplay>() && type_name::<T>() != "()" {
        show_text(type_name::<T>(), Box::new(text));
    }
}

#[inline(never)]
fn show_text(type_name: &str, text: Box<dyn FnOnce(&mut Limited) -> std::fmt::Result + '_>) {
    let is_unopened = type_name.starts_with("core::result::Result<");
    let limit = if is_unopened { LONGEST_UNOPENED } else { LONGEST_RESULT };
    let mut out = Limited { text: String::new(), limit, is_cut: false };
    let written = text(&mut out);
    if out.is_cut && is_unopened {
        out.text += "… (cut here: this is a Result; put `?` behind it for the value itself)";
    } else if is_unopened && out.text.len() > LONGEST_WITHOUT_HINT {
        out.text += "\n(a Result: put `?` behind it for the value itself)";
    } else if out.is_cut {
        out.text += "… (cut here; print the value to see all of it)";
    } else if written.is_err() {
        out.text += "… (the value's Debug failed)";
    }
    tell(Kind::Result, &out.text);
}

/// A type's name without the paths of its parts: `Vec<Song>`.
fn short_name(path: &str) -> String {
    let mut out = String::new();
    for part in path.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        let end = part.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').len();
        let (path, rest) = part.split_at(end);
        out += path.rsplit("::").next().unwrap_or(path);
        out += rest;
    }
    out
}

// -------------------------------------------------------------- what the evaluator calls

/// Starts: messages go to `sink`, panics are told, output is let out at times.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_kernel_start(sink: Sink) {
    let _ = SINK.set(sink);
    let cells_thread = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a value that is not text".to_owned());
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if std::thread::current().id() == cells_thread {
            let places = if is_in_cell(&place) { place } else { format!("{place}\n{}", cell_frames()) };
            tell(Kind::Panic, &format!("{places}\0{message}"));
        } else {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("without a name");
            eprintln!("a thread ({name}) panicked at {place}: {message}");
        }
    }));
    let flusher = std::thread::Builder::new().name("flush".to_owned());
    let _ = flusher.spawn(|| {
        loop {
            std::thread::sleep(FLUSH_INTERVAL);
            let _ = std::io::stdout().flush();
        }
    });
}

/// Whether a source position is in a cell, whose files are called `cell_5.rs`.
fn is_in_cell(place: &str) -> bool {
    place.starts_with("cell_")
}

/// The positions in cells on the way to a panic, the innermost first, one a line.
fn cell_frames() -> String {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let places = trace.lines().filter_map(|line| {
        let place = line.trim().strip_prefix("at ")?;
        let place = place.rsplit('/').next()?;
        is_in_cell(place).then(|| format!("{place}\n"))
    });
    places.collect()
}

/// Lets out what waits in standard output's buffer.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_kernel_flush() {
    let _ = std::io::stdout().flush();
}

/// Drops the variables named in `names`, one a line.
///
/// # Safety
/// `names` is `length` bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn neural_composer_kernel_forget(names: *const u8, length: usize) {
    // SAFETY: the caller vouches for it.
    let names = unsafe { std::slice::from_raw_parts(names, length) };
    String::from_utf8_lossy(names).lines().for_each(forget);
}

/// Tells the size of every variable in bytes, one a line: itself, on the heap as far as known, name.
#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_kernel_sizes() {
    let sizes = VARIABLES.with(|all| {
        let mut text = String::new();
        for (name, value) in all.borrow().iter() {
            let (own, heap) = (size_of_val::<dyn Any>(&**value), heap_bytes(&**value));
            let _ = writeln!(text, "{own} {heap} {name}");
        }
        text
    });
    tell(Kind::Sizes, &sizes);
}
