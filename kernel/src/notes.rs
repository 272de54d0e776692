//! Notes on standard error, for whoever started the kernel.

use std::io::Write;
use std::sync::LazyLock;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Notes that wait; when nobody reads standard error, further ones are lost.
const QUEUE_LENGTH: usize = 64;

/// Writes a line to standard error, from a thread of its own: nobody may read there any more.
pub fn note(text: String) {
    static QUEUE: LazyLock<Option<SyncSender<String>>> = LazyLock::new(start);
    if let Some(queue) = &*QUEUE {
        let _ = queue.try_send(text);
    }
}

fn start() -> Option<SyncSender<String>> {
    let (sender, notes) = sync_channel::<String>(QUEUE_LENGTH);
    let write = move || {
        for note in notes {
            let _ = writeln!(std::io::stderr(), "{note}");
        }
    };
    std::thread::Builder::new().name("notes".to_owned()).spawn(write).ok()?;
    Some(sender)
}
