//! The kernel's side of the evaluator: starts it, gives it cells, reads all that it says.
//!
//! One thread reads the evaluator's socket, its standard output and its standard error. What a cell
//! wrote before it returned is in the pipes by the time the socket says "returned", so it is read
//! first: no mark within the output is needed, and none can be forged.

use crate::activity::{Activity, Phase};
use crate::cell_output::{CellOutput, StreamAssembler};
use crate::evaluator::{FOLDER_ENV, INPUT_FD, PRELOAD_ENV, SOCKET_FD};
use crate::link::{Command, Kind, Wire};
use crate::output_stream::StreamSplitter;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

const READ_BYTES: usize = 64 << 10;
/// How long the processes of a cell may take to end after an interrupt before they are killed.
const CHILDREN_PATIENCE: Duration = Duration::from_millis(400);
/// How often a waiting kernel looks whether a cell was interrupted.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How to start an evaluator.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub folder: PathBuf,
    /// Where the stream shim is; the program starts there, since the loader's list of what comes
    /// first cannot hold every path.
    pub objects_folder: PathBuf,
    pub shim: Option<String>,
    /// Loaded before the first cell.
    pub preload: Vec<PathBuf>,
    pub environment: Vec<(&'static str, String)>,
}

/// A running evaluator.
pub struct Runner {
    wire: Wire,
    events: Receiver<Event>,
    activity: Arc<Activity>,
    /// It has ended: how, in words.
    death: Option<String>,
}

enum Event {
    Said(Kind, String),
    /// The evaluator is gone.
    Gone(String),
}

/// How a cell's run ended.
pub enum Ended {
    /// With a status of `link.rs`, and what the evaluator said meanwhile.
    Returned { status: u8, said: Vec<(Kind, String)> },
    /// The evaluator died, for this reason.
    Died(String),
}

impl Runner {
    /// Starts an evaluator and waits until it can run cells.
    pub fn start(recipe: &Recipe, output: &CellOutput) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let (our_input, their_input) = UnixStream::pair()?;
        let (stdout, stdout_writer) = std::io::pipe()?;
        let (stderr, stderr_writer) = std::io::pipe()?;
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command
            .env(FOLDER_ENV, &recipe.folder)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&recipe.objects_folder)
            .stdin(Stdio::null())
            .stdout(stdout_writer)
            .stderr(stderr_writer);
        if let Some(shim) = &recipe.shim {
            command.env(PRELOAD_ENV, format!("./{shim}"));
        }
        give_sockets(&mut command, [theirs.as_raw_fd(), their_input.as_raw_fd()]);
        let child = command.spawn().context("could not start the evaluator")?;
        // Their ends must be closed here, or nobody would notice that the evaluator is gone.
        drop((command, theirs, their_input));
        let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = process.context("the evaluator has no process id")?;
        output.activity.evaluator_started(process);
        let (sender, events) = channel();
        let reader = Reader {
            wire: Wire::new(ours.try_clone()?),
            input: File::from(OwnedFd::from(our_input)),
            stdout: Stream::new(
                OwnedFd::from(stdout),
                StreamAssembler::new(output.clone(), "stdout"),
            )?,
            stderr: Stream::new(
                OwnedFd::from(stderr),
                StreamAssembler::new(output.clone(), "stderr"),
            )?,
            output: output.clone(),
            events: sender,
            child,
            process,
        };
        std::thread::Builder::new().name("evaluator".to_owned()).spawn(move || reader.run())?;
        let mut runner = Runner {
            wire: Wire::new(ours),
            events,
            activity: output.activity.clone(),
            death: None,
        };
        runner.wait_until_ready()?;
        let preload = Command::Preload { objects: recipe.preload.clone() };
        runner.wire.send_command(&preload).context("the evaluator does not listen")?;
        Ok(runner)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        loop {
            match self.events.recv() {
                Ok(Event::Said(Kind::Ready, _)) => return Ok(()),
                Ok(Event::Said(..)) => {}
                Ok(Event::Gone(how)) => anyhow::bail!("the evaluator could not start: it {how}"),
                Err(_) => anyhow::bail!("the evaluator could not start"),
            }
        }
    }

    /// How it ended, if it did.
    pub fn death(&mut self) -> Option<&str> {
        while let Ok(event) = self.events.try_recv() {
            if let Event::Gone(how) = event {
                self.death = Some(how);
            }
        }
        self.death.as_deref()
    }

    /// Gives the evaluator a command and waits for its end; `begun` is called when a cell begins.
    pub fn run(&mut self, command: &Command, mut begun: impl FnMut()) -> Ended {
        if self.wire.send_command(command).is_err() {
            return Ended::Died(self.wait_for_death());
        }
        let mut said = Vec::new();
        let mut interrupted: Option<Instant> = None;
        loop {
            match self.events.recv_timeout(LOOK_INTERVAL) {
                Ok(Event::Said(Kind::Began, _)) => begun(),
                Ok(Event::Said(Kind::Returned, status)) => {
                    return Ended::Returned { status: status.parse().unwrap_or(0), said };
                }
                Ok(Event::Said(kind, text)) => said.push((kind, text)),
                Ok(Event::Gone(how)) => {
                    self.death = Some(how.clone());
                    return Ended::Died(how);
                }
                Err(RecvTimeoutError::Timeout) => self.follow_interrupt(&mut interrupted),
                Err(RecvTimeoutError::Disconnected) => return Ended::Died(self.wait_for_death()),
            }
        }
    }

    /// Some time after an interrupt, what the cell has started is ended by force.
    fn follow_interrupt(&self, interrupted: &mut Option<Instant>) {
        if self.activity.interrupts() == 0 {
            return;
        }
        let since = *interrupted.get_or_insert_with(Instant::now);
        if since.elapsed() >= CHILDREN_PATIENCE {
            self.activity.end_children();
            *interrupted = Some(Instant::now());
        }
    }

    fn wait_for_death(&mut self) -> String {
        while let Ok(event) = self.events.recv() {
            if let Event::Gone(how) = event {
                self.death = Some(how);
            }
        }
        self.death.clone().unwrap_or_else(|| "is gone".to_owned())
    }
}

/// Makes the command's process find sockets at the places where it looks for them.
fn give_sockets(command: &mut std::process::Command, [socket, input]: [RawFd; 2]) {
    // SAFETY: between fork and exec only system calls are made, which is allowed there. The two
    // sources are copied out of the way of the targets first, since they may stand in them.
    unsafe {
        command.pre_exec(move || {
            let out_of_the_way = |fd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 10);
            let (socket, input) = (out_of_the_way(socket), out_of_the_way(input));
            if libc::dup2(socket, SOCKET_FD) < 0 || libc::dup2(input, INPUT_FD) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// One of the evaluator's output streams.
struct Stream {
    file: File,
    splitter: StreamSplitter,
    assembler: StreamAssembler,
    /// Since when text waits to be shown.
    since: Option<Instant>,
    is_open: bool,
}

impl Stream {
    fn new(fd: OwnedFd, assembler: StreamAssembler) -> Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let file = File::from(fd);
        Ok(Stream {
            file,
            splitter: StreamSplitter::default(),
            assembler,
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
}

struct Reader {
    wire: Wire,
    input: File,
    stdout: Stream,
    stderr: Stream,
    output: CellOutput,
    events: Sender<Event>,
    child: Child,
    process: Pid,
}

impl Reader {
    fn run(mut self) {
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
        let is_waiting =
            || matches!(self.output.activity.phase(), Phase::Compiling | Phase::Loading);
        // That a cell begins is said before it writes.
        if is_waiting() && (socket || self.has_message()) {
            return self.take_message();
        }
        let is_early = is_waiting();
        if (stdout && self.stdout.is_open || stderr && self.stderr.is_open) && is_early {
            self.tell_of_thread();
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
            self.answer_input();
        }
        !socket || self.take_message()
    }

    fn has_message(&self) -> bool {
        let mut fds = [PollFd::new(self.wire.socket(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Says, once a cell, that what follows is not its own.
    fn tell_of_thread(&mut self) {
        if !std::mem::replace(&mut self.output.record().is_told_of_threads, true) {
            self.stdout.publish_text_first();
            self.stderr.publish_text_first();
            let note = "(something that an earlier cell started writes here)\n";
            self.output.publisher.text("stderr", note);
        }
    }

    fn take_message(&mut self) -> bool {
        let Ok(Some((kind, text))) = self.wire.receive() else { return false };
        let Some(kind) = kind else { return true };
        match kind {
            Kind::Began => self.output.activity.cell_began(),
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
    fn answer_input(&mut self) {
        let mut question = [0; 1];
        if !matches!(self.input.read(&mut question), Ok(1)) {
            return;
        }
        if question == *b"t" {
            self.tell_of_thread();
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

impl Stream {
    /// Text that was read before the other stream's is shown before it.
    fn publish_text_first(&mut self) {
        if self.assembler.has_text() {
            self.assembler.publish_text();
            self.since = None;
        }
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
