//! The kernel's socket for its own child processes: evaluators hand over their output there, and
//! compilers ask to start.

use crate::cell_output::{CellOutput, StreamAssembler};
use crate::output_stream::StreamSplitter;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::Pid;
use std::fs::File;
use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 64 << 10;

/// Answers child processes on a socket at `path`, on a thread of its own.
pub fn listen(path: &Path, output: CellOutput) -> Result<()> {
    let listener = UnixListener::bind(path)
        .with_context(|| format!("could not listen on {}", path.display()))?;
    std::thread::Builder::new().name("link".to_owned()).spawn(move || {
        for link in listener.incoming().flatten() {
            let output = output.clone();
            let answer = move || {
                if let Err(error) = greet(link, &output) {
                    eprintln!("a child process left: {error:#}");
                }
            };
            let _ = std::thread::Builder::new().name("child".to_owned()).spawn(answer);
        }
    })?;
    Ok(())
}

fn greet(link: UnixStream, output: &CellOutput) -> Result<()> {
    let mut bytes = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(&link, &mut buffer, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let fds: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        })
        .flatten()
        .collect();
    let hello = String::from_utf8_lossy(&bytes[..received.bytes]).into_owned();
    let (role, id) = hello.trim_end().split_once(' ').context("an empty greeting")?;
    let pid = id.parse().ok().and_then(Pid::from_raw).context("a greeting without an id")?;
    match (role, <[OwnedFd; 3]>::try_from(fds)) {
        ("evaluator", Ok(fds)) => serve_evaluator(link, pid, fds, output),
        ("compiler", _) => serve_compiler(link, pid, output),
        _ => anyhow::bail!("an unknown greeting {hello:?}"),
    }
}

/// Lets a compiler start unless its cell was interrupted, and shows what it says until it ends.
fn serve_compiler(mut link: UnixStream, group: Pid, output: &CellOutput) -> Result<()> {
    if !output.activity.admit_compiler(group) {
        link.write_all(b"no\n")?;
        return Ok(());
    }
    link.write_all(b"go\n")?;
    let mut width = 0;
    for line in BufReader::new(&link).lines() {
        let Ok(line) = line else { break };
        // One line that is written over, as wide as the longest before it.
        let padding = " ".repeat(usize::saturating_sub(width, line.chars().count()));
        width = line.chars().count();
        output.publisher.text("stderr", &format!("\r{line}{padding}"));
    }
    if width > 0 {
        output.publisher.text("stderr", &format!("\r{}\r", " ".repeat(width)));
    }
    output.activity.compiler_ended(group);
    Ok(())
}

fn serve_evaluator(
    mut link: UnixStream,
    evaluator: Pid,
    [evcxr, stdout, stderr]: [OwnedFd; 3],
    output: &CellOutput,
) -> Result<()> {
    output.activity.evaluator_started(evaluator);
    link.write_all(b"ok\n")?;
    let stderr_link = link.try_clone()?;
    let stderr_output = output.clone();
    let stderr_pump = std::thread::Builder::new().name("stderr".to_owned()).spawn(move || {
        pump(stderr, &stderr_link, StreamAssembler::new(stderr_output, "stderr"), None);
    })?;
    let evcxr = File::from(evcxr);
    pump(stdout, &link, StreamAssembler::new(output.clone(), "stdout"), Some(&evcxr));
    let _ = stderr_pump.join();
    output.activity.evaluator_ended(evaluator);
    // Closing evcxr's pipe, last of all, tells evcxr that the evaluator is gone.
    drop(evcxr);
    Ok(())
}

/// Reads one stream until the evaluator is gone. A process that the cell started and that holds the
/// stream open does not keep this waiting: the end of `link` counts, not the end of the stream.
fn pump(
    stream: OwnedFd,
    link: &UnixStream,
    mut assembler: StreamAssembler,
    mut evcxr: Option<&File>,
) {
    let mut splitter = StreamSplitter::default();
    let mut stream = File::from(stream);
    let mut bytes = vec![0; READ_BYTES];
    let mut since: Option<Instant> = None;
    let mut deliver = |assembler: &mut StreamAssembler, pieces| {
        for piece in pieces {
            if let Some(line) = assembler.take(piece)
                && let Some(evcxr) = &mut evcxr
            {
                let _ = evcxr.write_all(format!("{line}\n").as_bytes());
            }
        }
    };
    loop {
        let wait = since
            .zip(assembler.patience())
            .map(|(since, patience)| patience.saturating_sub(since.elapsed()));
        match wait_for(&stream, link, wait) {
            Wake::Readable => match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => {
                    deliver(&mut assembler, splitter.feed(&bytes[..length]));
                    match assembler.patience() {
                        None => since = None,
                        Some(patience)
                            if since.get_or_insert_with(Instant::now).elapsed() >= patience =>
                        {
                            assembler.publish();
                            since = None;
                        }
                        Some(_) => {}
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            },
            Wake::Timeout => {
                assembler.publish();
                since = None;
            }
            Wake::Gone => break,
        }
    }
    deliver(&mut assembler, splitter.finish());
    assembler.publish();
}

enum Wake {
    Readable,
    Timeout,
    /// The evaluator is gone and nothing is left to read.
    Gone,
}

fn wait_for(stream: &File, link: &UnixStream, wait: Option<Duration>) -> Wake {
    let timeout = wait.and_then(|wait| Timespec::try_from(wait).ok());
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(link.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Wake::Timeout,
            Ok(_) if !fds[0].revents().is_empty() => return Wake::Readable,
            Ok(_) => return Wake::Gone,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Wake::Gone,
        }
    }
}
