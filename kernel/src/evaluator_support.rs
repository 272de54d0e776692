// Loaded into the evaluator before the first cell. Compiled by the toolchain that compiles cells and
// linked to the same shared standard library as they are: only so does it flush their output and
// see their panics.

use std::io::Write;
use std::time::Duration;

/// How often output that no newline ended is let out, so that `print!("\r{percent} %")` is seen.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_kernel_start() {
    let cells_thread = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic
            .payload()
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.payload().downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a value that is not text".to_owned());
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if std::thread::current().id() == cells_thread {
            // Line breaks would end the line.
            let message = message.replace('\n', "\u{1f}");
            eprintln!("\u{1e}neural-composer-evaluator panic {} {message}", place.replace(' ', "_"));
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

#[unsafe(no_mangle)]
pub extern "C" fn neural_composer_kernel_flush() {
    let _ = std::io::stdout().flush();
}
