//! What the kernel and its evaluator say to each other over their socket.

use serde::{Deserialize, Serialize};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The status of a cell that reached its end.
pub const SUCCESSFUL: u8 = 0;
/// The status of a cell that a panic ended.
pub const PANICKED: u8 = 2;
/// The status of a cell whose variables were not what the kernel took them for.
pub const LOST_VARIABLES: u8 = 3;
/// The status of a cell that could not be loaded.
pub const NOT_LOADED: u8 = 4;

/// What the evaluator is to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// Load these before the first cell.
    Preload { objects: Vec<PathBuf> },
    /// Run a cell; drop `lost` variables before and `local` ones after it.
    Run {
        object: PathBuf,
        function: String,
        crates: Vec<PathBuf>,
        lost: Vec<String>,
        local: Vec<String>,
    },
    /// Tell the sizes of all variables.
    Sizes,
}

/// What a message of the evaluator is; `evaluator_support.rs` sends the small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Ready = b'R',
    Began = b'B',
    Returned = b'D',
    NotLoaded = b'N',
    Result = b'r',
    Error = b'e',
    Panic = b'p',
    Lost = b'l',
    Sizes = b's',
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [
            Kind::Ready,
            Kind::Began,
            Kind::Returned,
            Kind::NotLoaded,
            Kind::Result,
            Kind::Error,
            Kind::Panic,
            Kind::Lost,
            Kind::Sizes,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// One end of the socket. A message is its kind, its length in four bytes, its bytes.
pub struct Wire {
    socket: UnixStream,
}

impl Wire {
    pub fn new(socket: UnixStream) -> Self {
        Wire { socket }
    }

    pub fn send(&mut self, kind: u8, bytes: &[u8]) -> Result<()> {
        let length =
            u32::try_from(bytes.len()).map_err(|_| Error::from(ErrorKind::InvalidInput))?;
        let mut message = Vec::with_capacity(bytes.len() + 5);
        message.push(kind);
        message.extend(length.to_le_bytes());
        message.extend(bytes);
        self.socket.write_all(&message)
    }

    pub fn send_command(&mut self, command: &Command) -> Result<()> {
        self.send(b'C', &serde_json::to_vec(command)?)
    }

    /// The next message; none if the other side is gone.
    pub fn receive(&mut self) -> Result<Option<(Option<Kind>, String)>> {
        let mut head = [0; 5];
        match self.socket.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.socket.read_exact(&mut bytes)?;
        Ok(Some((Kind::of(head[0]), String::from_utf8_lossy(&bytes).into_owned())))
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }
}
