//! What each fuzz target does with an input: it panics where a promise is broken.
//!
//! The same files are compiled into the tests that replay the corpus on stable Rust:
//! `tests/fuzz_corpus.rs` for the library, `hostile` modules for the kernel.

// The library's.
pub mod corpus_table;
pub mod display_lines;
pub mod model_file;
mod scratch_file;
pub mod sound;
pub mod sweep_plan;
pub mod sweep_table;
pub mod tags;

// The kernel's: it is a program, so the files that are tried are compiled again, by themselves.
pub mod hostile_cell_splitting;
pub mod hostile_kernel_messages;
pub mod hostile_output_stream;

#[allow(dead_code)]
mod cells;
#[allow(dead_code)]
#[path = "../../kernel/src/completeness.rs"]
mod completeness;
#[allow(dead_code)]
#[path = "../../kernel/src/output_stream.rs"]
mod output_stream;
#[allow(dead_code)]
#[path = "../../kernel/src/publisher.rs"]
mod publisher;
#[allow(dead_code)]
#[path = "../../kernel/src/stream_marks.rs"]
mod stream_marks;
#[allow(dead_code)]
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

pub use libfuzzer_sys;

/// What the last panic said.
static LAST_WORDS: Mutex<String> = Mutex::new(String::new());

/// Makes a panic that the library catches no finding: decoders of others may panic.
///
/// libFuzzer's own hook ends the process at once.
pub fn forgive_caught_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut words) = LAST_WORDS.lock() {
            *words = format!("{panic}\n{}", std::backtrace::Backtrace::force_capture());
        }
    }));
}

/// Tries an input; what panics is a finding, with the words of the panic.
pub fn attempt(body: impl Fn(&[u8]), data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| body(data))).is_err() {
        eprintln!("{}", LAST_WORDS.lock().map(|words| words.clone()).unwrap_or_default());
        std::process::abort();
    }
}

/// A fuzz target with this body.
#[macro_export]
macro_rules! target {
    ($body:expr) => {
        $crate::libfuzzer_sys::fuzz_target!(
            init: { $crate::forgive_caught_panics(); },
            |data: &[u8]| { $crate::attempt($body, data) }
        );
    };
}
