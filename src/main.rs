//! The command line: the notebook's steps, each a subcommand.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_candle_from_waiting();
    cli::run()
}

/// Has Candle add, multiply and so on without threads of its own, unless the environment says how
/// many: on other programs' cores they cost twice the time, on free ones they save none. (Whoever
/// waits for them never lets go of its core. Products of matrices have the library's threads.)
fn keep_candle_from_waiting() {
    const CANDLE_THREADS: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(CANDLE_THREADS).is_none() {
        // SAFETY: no other thread was started so far, so nothing reads the environment meanwhile.
        unsafe { std::env::set_var(CANDLE_THREADS, "1") };
    }
}
