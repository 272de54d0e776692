//! Lines that begin with `!`: run by the shell, shown while they run.

use crate::activity::Activity;
use crate::publisher::Publisher;
use rustix::process::Pid;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Runs a line in a folder and shows what it prints; the stop button ends it.
pub fn run(
    line: &str,
    folder: &Path,
    publisher: &Publisher,
    activity: &Activity,
) -> std::io::Result<ExitStatus> {
    let mut shell = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(shell.id()).ok().and_then(Pid::from_raw);
    group.iter().for_each(|&group| activity.compiler_started(group));
    let readers = [
        shell.stdout.take().map(|stream| show(stream, "stdout", publisher)),
        shell.stderr.take().map(|stream| show(stream, "stderr", publisher)),
    ];
    let status = shell.wait();
    group.iter().for_each(|&group| activity.compiler_ended(group));
    // Something that the line has put into the background may hold the streams open.
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(300);
    for reader in readers.into_iter().flatten() {
        while !reader.is_finished() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    status
}

fn show(
    mut stream: impl Read + Send + 'static,
    name: &'static str,
    publisher: &Publisher,
) -> std::thread::JoinHandle<()> {
    let publisher = publisher.clone();
    // What the line leaves in the background goes on writing below its own cell.
    let parent = publisher.parent();
    std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        let mut pending = Vec::new();
        while let Ok(length) = stream.read(&mut bytes) {
            if length == 0 {
                break;
            }
            pending.extend_from_slice(&bytes[..length]);
            // A character may arrive in parts.
            let whole = match std::str::from_utf8(&pending) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => pending.len(),
            };
            let text: Vec<u8> = pending.drain(..whole).collect();
            publisher.text_below(&parent, name, &String::from_utf8_lossy(&text));
        }
        publisher.text_below(&parent, name, &String::from_utf8_lossy(&pending));
    })
}
