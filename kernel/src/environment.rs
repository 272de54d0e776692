//! The environment the kernel was started in, and the one evcxr sees.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

struct Original {
    path: Option<std::ffi::OsString>,
    cargo_home: Option<std::ffi::OsString>,
}

static ORIGINAL: OnceLock<Original> = OnceLock::new();

/// Makes `tools` (with a folder `bin` of stand-ins) what evcxr and its analyser find cargo, rustc
/// and rustup in, and sets `variables` besides.
///
/// # Safety
///
/// No other thread may exist yet: the environment is not protected against concurrent readers.
pub unsafe fn redirect(tools: &Path, variables: &[(&str, PathBuf)]) {
    let path = std::env::var_os("PATH");
    let cargo_home = std::env::var_os("CARGO_HOME");
    let folders = path.as_deref().map(std::env::split_paths).into_iter().flatten();
    let first = std::iter::once(tools.join("bin"));
    if let Ok(redirected) = std::env::join_paths(first.chain(folders)) {
        // SAFETY: the caller vouches for it.
        unsafe { std::env::set_var("PATH", redirected) };
    }
    // SAFETY: as above.
    unsafe { std::env::set_var("CARGO_HOME", tools) };
    for (name, value) in variables {
        // SAFETY: as above.
        unsafe { std::env::set_var(name, value) };
    }
    let _ = ORIGINAL.set(Original { path, cargo_home });
}

/// Gives a command the environment that the kernel was started in.
pub fn restore(command: &mut Command) -> &mut Command {
    let Some(original) = ORIGINAL.get() else { return command };
    for (name, value) in [("PATH", &original.path), ("CARGO_HOME", &original.cargo_home)] {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// `PATH` and `CARGO_HOME` as they were.
pub fn original() -> (String, Option<String>) {
    let text = |value: &Option<std::ffi::OsString>| {
        value.as_ref().map(|value| value.to_string_lossy().into_owned())
    };
    match ORIGINAL.get() {
        Some(original) => (text(&original.path).unwrap_or_default(), text(&original.cargo_home)),
        None => (std::env::var("PATH").unwrap_or_default(), std::env::var("CARGO_HOME").ok()),
    }
}
