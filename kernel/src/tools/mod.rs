//! `cargo`, `rustc` and `rustup` as the analyser sees them.
//!
//! rust-analyzer asks cargo, rustc and rustup a dozen questions whose answers do not change while the
//! library does not. This program, called by those names, answers them from memory. All other calls go
//! to the real tools.

mod answers;
mod setup;

pub use setup::{SETUP_ENV, Setup};

use std::path::Path;

/// The tools this program stands in for.
pub const NAMES: [&str; 3] = ["cargo", "rustc", "rustup"];

/// Runs as the tool this program was called by, if it was called by a tool's name.
pub fn run_if_called() {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(tool) = NAMES.into_iter().find(|tool| *tool == name) else { return };
    let arguments: Vec<String> = arguments.collect();
    let answer = Setup::load().and_then(|setup| setup.answer(tool, &arguments));
    let code = answer.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        101
    });
    std::process::exit(code)
}
