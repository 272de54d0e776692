//! A file that reads differently from what is on the disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use symphonia::core::io::MediaSource;

/// Bytes of a file to be replaced, by their place.
#[derive(Clone, Debug, Default)]
pub(super) struct Patches(Vec<(u64, u8)>);

impl Patches {
    pub(super) fn add(&mut self, at: u64, bytes: &[u8]) {
        self.0.extend((at..).zip(bytes.iter().copied()));
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// A part of a file behind another beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// What is read first.
    pub(super) head: Vec<u8>,
    /// Where in the file what follows begins.
    pub(super) body_at: u64,
    /// Bytes of the file that follow.
    pub(super) body_bytes: u64,
}

/// The file as patches and view make it, for Symphonia.
pub(super) struct RepairedFile {
    file: File,
    position: u64,
    patches: Patches,
    view: View,
}

impl RepairedFile {
    /// The whole file with `patches`, or what `view` leaves of it.
    pub(super) fn new(file: File, patches: Patches, view: Option<View>) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let view = view.unwrap_or(View { head: Vec::new(), body_at: 0, body_bytes: bytes });
        let mut repaired = Self { file, position: 0, patches, view };
        repaired.rewind()?;
        Ok(repaired)
    }

    fn length(&self) -> u64 {
        self.view.head.len() as u64 + self.view.body_bytes
    }
}

impl Read for RepairedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head = self.view.head.len() as u64;
        if self.position < head {
            let rest = &self.view.head[self.position as usize..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.position += count as u64;
            return Ok(count);
        }
        let left = self.length().saturating_sub(self.position).min(buffer.len() as u64) as usize;
        // Where the body begins nothing has been read of it yet.
        if self.position == head {
            self.file.seek(SeekFrom::Start(self.view.body_at))?;
        }
        let count = self.file.read(&mut buffer[..left])?;
        let from = self.position - head + self.view.body_at;
        let read = from..from + count as u64;
        for (at, byte) in self.patches.0.iter().filter(|(at, _)| read.contains(at)) {
            buffer[(at - read.start) as usize] = *byte;
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for RepairedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the beginning");
        self.position = position.ok_or_else(before)?;
        // Behind the end there is nothing to read, however far; file systems know no place as far as that.
        let in_body = self.position.saturating_sub(self.view.head.len() as u64);
        let place = self.view.body_at.saturating_add(in_body.min(self.view.body_bytes));
        self.file.seek(SeekFrom::Start(place))?;
        Ok(self.position)
    }
}

impl MediaSource for RepairedFile {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length())
    }
}
