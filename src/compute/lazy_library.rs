//! Functions of a shared library that is opened when one of them is first called.
//!
//! A program that names a library's functions for the linker does not start where the library is
//! missing. [`lazy_functions!`] defines functions of these names instead. Each jumps to the address in
//! a slot of its own: at first that of [`first_call`], which looks the library's function up and puts
//! its address there. Where the library or the function is missing, a refusal answers.

use std::arch::naked_asm;
use std::error::Error;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use libloading::Library;

/// A shared library that may be missing.
#[derive(Debug)]
pub struct LazyLibrary {
    /// Its file names, the best first.
    pub names: &'static [&'static str],
    /// Folders to look in after those that the system's loader knows.
    pub folders: &'static [&'static str],
    /// Answers for its functions where they are missing.
    pub refusal: extern "C" fn() -> usize,
    /// What came of opening it.
    pub opened: OnceLock<Result<Library, String>>,
}

impl LazyLibrary {
    /// The library, opened now if it was not yet; it stays open.
    ///
    /// # Errors
    /// What the system's loader says of the first name.
    pub fn open(&self) -> Result<&Library, &str> {
        self.opened.get_or_init(|| self.first_that_opens()).as_ref().map_err(String::as_str)
    }

    fn first_that_opens(&self) -> Result<Library, String> {
        let known = self.names.iter().map(PathBuf::from);
        let elsewhere = self
            .folders
            .iter()
            .flat_map(|folder| self.names.iter().map(move |name| Path::new(folder).join(name)));
        let mut problem = None;
        for file in known.chain(elsewhere) {
            // SAFETY: what a library does as it is opened is what it does before `main` in a program
            // that is linked to it.
            match unsafe { Library::new(&file) } {
                Ok(library) => return Ok(library),
                // The loader's own words, which name the file.
                Err(error) => problem = problem.or_else(|| Some(words_of(&error))),
            }
        }
        Err(problem.unwrap_or_default())
    }

    fn find(&self, function: &CStr) -> Option<*const ()> {
        let library = self.open().ok()?;
        // SAFETY: nobody calls it by this type; its callers have declared the function of this name.
        let found = unsafe { library.get::<extern "C" fn()>(function.to_bytes_with_nul()) };
        found.ok().map(|function| *function as *const ())
    }
}

fn words_of(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Where a function is; the address comes first, for the jump.
#[derive(Debug)]
#[repr(C)]
pub struct Slot {
    /// The function, or [`first_call`].
    pub address: AtomicPtr<()>,
    /// Its library.
    pub library: &'static LazyLibrary,
    /// Its name there.
    pub name: &'static CStr,
}

/// Finds a slot's function, or its library's refusal, and keeps it for the calls that follow.
extern "C" fn resolve(slot: &Slot) -> *const () {
    let refusal = slot.library.refusal as *const ();
    let address = slot.library.find(slot.name).unwrap_or(refusal);
    slot.address.store(address.cast_mut(), Ordering::Release);
    address
}

/// Jumps to the function of the slot in `r11` as if it had been called: every register that may hold
/// an argument is put by while the function is looked up.
///
/// # Safety
/// `r11` must hold the address of a [`Slot`]; the arguments must be the function's own.
#[unsafe(naked)]
pub unsafe extern "C" fn first_call() {
    // After the return address and ten values the stack is 8 bytes off a multiple of 16; 136 more put
    // that right.
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "push rax",
        "push r10",
        "push r11",
        "sub rsp, 136",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "mov rdi, r11",
        "call {resolve}",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "add rsp, 136",
        "pop r11",
        "mov r11, rax",
        "pop r10",
        "pop rax",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "pop rbp",
        "jmp r11",
        resolve = sym resolve,
    )
}

/// Defines functions of a [`LazyLibrary`] for the linker, under their own names and for this program
/// alone.
macro_rules! lazy_functions {
    ($library:path: $($name:ident)+) => {$(
        #[allow(non_snake_case)]
        mod $name {
            use std::ffi::CStr;
            use std::sync::atomic::AtomicPtr;

            use crate::compute::lazy_library::{Slot, first_call};

            static SLOT: Slot = Slot {
                address: AtomicPtr::new(first_call as *const () as *mut ()),
                library: &$library,
                name: match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => unreachable!(),
                },
            };

            std::arch::global_asm!(
                concat!(".globl ", stringify!($name)),
                concat!(".hidden ", stringify!($name)),
                concat!(".type ", stringify!($name), ", @function"),
                concat!(stringify!($name), ":"),
                "lea r11, [rip + {slot}]",
                "jmp [r11]",
                concat!(".size ", stringify!($name), ", . - ", stringify!($name)),
                slot = sym SLOT,
            );
        }
    )+};
}

#[cfg(feature = "cuda")]
pub(super) use lazy_functions;

#[cfg(test)]
mod tests {
    use std::ffi::{c_int, c_long};
    use std::sync::OnceLock;

    use super::LazyLibrary;

    extern "C" fn seven() -> usize {
        7
    }

    static MATHEMATICS: LazyLibrary = LazyLibrary {
        names: &["libnot-there-either.so.1", "libm.so.6"],
        folders: &[],
        refusal: seven,
        opened: OnceLock::new(),
    };
    static NOWHERE: LazyLibrary = LazyLibrary {
        names: &["libnowhere.so.9"],
        folders: &["/nowhere"],
        refusal: seven,
        opened: OnceLock::new(),
    };
    lazy_functions!(crate::compute::lazy_library::tests::MATHEMATICS: nextafter scalbln jn not_in_mathematics);
    lazy_functions!(crate::compute::lazy_library::tests::NOWHERE: not_anywhere);

    unsafe extern "C" {
        fn nextafter(from: f64, to: f64) -> f64;
        fn scalbln(value: f64, exponent: c_long) -> f64;
        fn jn(order: c_int, value: f64) -> f64;
        fn not_in_mathematics(a: usize, b: f64) -> c_int;
        fn not_anywhere(a: usize, b: f64) -> c_int;
    }

    #[test]
    fn functions_are_called_with_their_arguments_the_first_time_and_later() {
        for _ in 0..3 {
            // SAFETY: of the C library, as declared.
            let (next, scaled, bessel) = unsafe { (nextafter(1., 2.), scalbln(3., 4), jn(0, 0.)) };
            assert_eq!((next, scaled, bessel), (1f64.next_up(), 48., 1.));
        }
    }

    #[test]
    fn threads_may_call_first_all_at_once() {
        std::thread::scope(|scope| {
            for number in 0..8u32 {
                scope.spawn(move || {
                    for exponent in 0..100 {
                        // SAFETY: of the C library, as declared.
                        let scaled = unsafe { scalbln(f64::from(number), exponent) };
                        assert_eq!(scaled, f64::from(number) * 2f64.powi(exponent as i32));
                    }
                });
            }
        });
    }

    #[test]
    fn what_is_missing_refuses_and_says_why() {
        for _ in 0..2 {
            // SAFETY: a refusal takes no argument and gives a number.
            let answers = unsafe { (not_in_mathematics(1, 2.), not_anywhere(1, 2.)) };
            assert_eq!(answers, (7, 7));
        }
        assert!(MATHEMATICS.open().is_ok());
        let problem = NOWHERE.open().unwrap_err();
        assert!(problem.contains("libnowhere.so.9"), "{problem}");
    }
}
