//! The kernel's side of the evaluator: starts it, gives it cells, waits for their end.

use crate::activity::Activity;
use crate::cell_output::CellOutput;
use crate::evaluator::{FOLDER_ENV, INPUT_FD, PRELOAD_ENV, SOCKET_FD};
use crate::evaluator_reader::{Event, Reader, Stream};
use crate::link::{Command, Kind, Wire};
use anyhow::{Context, Result};
use rustix::process::Pid;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

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
            stdout: Stream::new(OwnedFd::from(stdout), output, "stdout")?,
            stderr: Stream::new(OwnedFd::from(stderr), output, "stderr")?,
            output: output.clone(),
            events: sender,
            child,
            process,
            told: 0,
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
