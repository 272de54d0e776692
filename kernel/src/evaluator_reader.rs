//! The thread that reads the evaluator: its socket, its standard output and its standard error.
//!
//! What a cell wrote before it returned is in the pipes by the time the socket says "returned", so it
//! is read first: no mark within the output is needed, and none can be forged.

use crate::activity::Phase;
use crate::cell_output::{CellOutput, StreamAssembler};
use crate::link::{Kind, Wire};
use crate::output_stream::StreamSplitter;
use crate::publisher::Parent;
use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 64 << 10;

/// What the evaluator did.
pub enum Event {
    Said(Kind, String),
    /// The evaluator is gone.
    Gone(String),
}

/// One of the evaluator's output streams.
pub struct Stream {
    file: File,
    splitter: StreamSplitter,
    assembler: StreamAssembler,
    /// Since when text waits to be shown.
    since: Option<Instant>,
    is_open: bool,
}

impl Stream {
    /// A stream by its name, `stdout` or `stderr`.
    pub fn new(fd: OwnedFd, output: &CellOutput, name: &'static str) -> Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Stream {
            file: File::from(fd),
            splitter: StreamSplitter::default(),
            assembler: StreamAssembler::new(output.clone(), name),
            since: None,
            is_open: true,
        })
    }

    /// Reads what is there, at most `limit` bytes; how much it was.
    fn read(&mut self, limit: usize) -> usize {
        let mut bytes = vec![0; limit.min(READ_BYTES)];
        match self.file.read(&mut bytes) {
            Ok(0) => {
                self.is_open = false;
                0
            }
            Ok(length) => {
                for piece in self.splitter.feed(&bytes[..length]) {
                    self.assembler.take(piece);
                }
                match self.assembler.patience() {
                    None => self.since = None,
                    Some(patience) => {
                        let since = *self.since.get_or_insert_with(Instant::now);
                        if since.elapsed() >= patience {
                            self.publish();
                        }
                    }
                }
                length
            }
            Err(_) => 0,
        }
    }

    /// Reads what is in the pipe now, but not what others go on writing.
    fn drain(&mut self) {
        let waiting = rustix::io::ioctl_fionread(&self.file).unwrap_or(0);
        let mut left = usize::try_from(waiting).unwrap_or(usize::MAX);
        while left > 0 {
            match self.read(left) {
                0 => return,
                length => left -= length.min(left),
            }
        }
    }

    fn publish(&mut self) {
        self.assembler.publish();
        self.since = None;
    }

    /// What is read from now on belongs to this cell; what waits is shown below its own.
    fn belong_to(&mut self, parent: &Parent) {
        self.assembler.belong_to(parent);
        if self.assembler.patience().is_none() {
            self.since = None;
        }
    }

    /// Shows what there is, whole or not: the cell has returned.
    fn finish(&mut self) {
        for piece in self.splitter.finish() {
            self.assembler.take(piece);
        }
        self.assembler.publish_text();
    }

    fn wait(&self) -> Option<Duration> {
        let patience = self.assembler.patience()?;
        Some(patience.saturating_sub(self.since.map_or(Duration::ZERO, |since| since.elapsed())))
    }

    /// Text that was read before the other stream's is shown before it.
    fn publish_text_first(&mut self) {
        if self.assembler.has_text() {
            self.assembler.publish_text();
            self.since = None;
        }
    }
}

/// What the thread reads, and where it tells of it.
pub struct Reader {
    pub wire: Wire,
    pub input: File,
    pub stdout: Stream,
    pub stderr: Stream,
    pub output: CellOutput,
    pub events: Sender<Event>,
    pub child: Child,
    pub process: Pid,
    /// The number of the last cell below which it was said that an earlier one writes.
    pub told: u64,
}

impl Reader {
    /// Reads until the evaluator is gone.
    pub fn run(mut self) {
        while self.step() {}
        self.stdout.drain();
        self.stderr.drain();
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.finish();
            stream.publish();
        }
        let how = self.child.wait().map_or_else(|_| "is gone".to_owned(), explain);
        self.output.activity.evaluator_ended(self.process);
        let _ = self.events.send(Event::Gone(how));
    }

    /// Waits for something to read, and reads it; whether the evaluator is still there.
    fn step(&mut self) -> bool {
        let wait = [self.stdout.wait(), self.stderr.wait()].into_iter().flatten().min();
        let ready = {
            let streams = [&self.stdout, &self.stderr].map(|stream| {
                // A stream that has ended would be ready for ever.
                let flags = if stream.is_open { PollFlags::IN } else { PollFlags::empty() };
                PollFd::from_borrowed_fd(stream.file.as_fd(), flags)
            });
            let [stdout, stderr] = streams;
            let socket = PollFd::new(self.wire.socket(), PollFlags::IN);
            let input = PollFd::new(&self.input, PollFlags::IN);
            let mut fds = [socket, stdout, stderr, input];
            let timeout = wait.and_then(|wait| Timespec::try_from(wait).ok());
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => fds.map(|fd| !fd.revents().is_empty()),
                Err(_) => [false; 4],
            }
        };
        let [socket, stdout, stderr, input] = ready;
        let parent = self.output.publisher.parent();
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.belong_to(&parent);
        }
        let is_waiting =
            || matches!(self.output.activity.phase(), Phase::Compiling | Phase::Loading);
        // That a cell begins is said before it writes.
        if is_waiting() && (socket || self.has_message()) {
            return self.take_message();
        }
        let has_output = stdout && self.stdout.is_open || stderr && self.stderr.is_open;
        if has_output && parent.is_before_its_code() {
            self.tell_of_thread(&parent);
        }
        if stdout && self.stdout.is_open {
            self.stderr.publish_text_first();
            self.stdout.read(READ_BYTES);
        }
        if stderr && self.stderr.is_open {
            self.stdout.publish_text_first();
            self.stderr.read(READ_BYTES);
        }
        for stream in [&mut self.stdout, &mut self.stderr] {
            if stream.wait().is_some_and(|wait| wait.is_zero()) {
                stream.publish();
            }
        }
        if input {
            self.answer_input(&parent);
        }
        !socket || self.take_message()
    }

    fn has_message(&self) -> bool {
        let mut fds = [PollFd::new(self.wire.socket(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Says, once a cell, that what follows is not its own.
    fn tell_of_thread(&mut self, parent: &Parent) {
        if std::mem::replace(&mut self.told, parent.number) != parent.number {
            self.stdout.publish_text_first();
            self.stderr.publish_text_first();
            let note = "(something that an earlier cell started writes here)\n";
            self.output.publisher.text_below(parent, "stderr", note);
        }
    }

    fn take_message(&mut self) -> bool {
        let Ok(Some((kind, text))) = self.wire.receive() else { return false };
        let Some(kind) = kind else { return true };
        match kind {
            Kind::Began => {
                self.output.publisher.cell_began();
                self.output.activity.cell_began();
            }
            Kind::Returned => {
                self.stdout.drain();
                self.stderr.drain();
                self.stdout.finish();
                self.stderr.finish();
                self.stdout.since = None;
                self.stderr.since = None;
                let bundle = self.stdout.assembler.take_bundle();
                if !bundle.is_empty() {
                    self.output.record().result = Some(bundle);
                }
                self.output.activity.cell_returned();
            }
            _ => {}
        }
        self.events.send(Event::Said(kind, text)).is_ok()
    }

    /// A cell reads standard input: the front end is asked, on a thread of its own.
    fn answer_input(&mut self, parent: &Parent) {
        let mut question = [0; 1];
        if !matches!(self.input.read(&mut question), Ok(1)) {
            return;
        }
        if question == *b"t" {
            self.tell_of_thread(parent);
            return;
        }
        self.stdout.drain();
        self.stdout.assembler.publish();
        let (prompt, is_password) = self.output.record().prompt.take().unwrap_or_default();
        let reader = self.output.input();
        let Ok(mut answer) = self.input.try_clone() else { return };
        std::thread::spawn(move || {
            let line = reader.and_then(|reader| reader(&prompt, is_password));
            let bytes = line.map(|line| line + "\n").unwrap_or_default().into_bytes();
            let length = u32::try_from(bytes.len()).unwrap_or(0);
            let mut message = length.to_le_bytes().to_vec();
            message.extend(bytes);
            let _ = std::io::Write::write_all(&mut answer, &message);
        });
    }
}

/// The way a process ended, in words that follow "it".
fn explain(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exited with status {}", status.code().unwrap_or(-1));
    };
    let words = match signal {
        libc::SIGKILL => "was killed (SIGKILL), most likely because memory ran out",
        libc::SIGSEGV => {
            "had a segmentation fault (SIGSEGV): a bad pointer, or recursion without end"
        }
        libc::SIGBUS => "had a bus error (SIGBUS)",
        libc::SIGILL => "met an illegal instruction (SIGILL)",
        libc::SIGFPE => "had an arithmetic fault (SIGFPE)",
        libc::SIGABRT => "aborted (SIGABRT); its last words are above",
        libc::SIGTERM => "was ended by SIGTERM",
        _ => return format!("was ended by signal {signal}"),
    };
    words.to_owned()
}
