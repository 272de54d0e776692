//! A file some bytes of which read differently from what is on the disk.

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

/// The file as the patches make it, for Symphonia.
pub(super) struct RepairedFile {
    file: File,
    position: u64,
    patches: Patches,
}

impl RepairedFile {
    /// From the file's first byte on.
    pub(super) fn new(mut file: File, patches: Patches) -> io::Result<Self> {
        file.rewind()?;
        Ok(Self { file, position: 0, patches })
    }
}

impl Read for RepairedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let read = self.position..self.position + count as u64;
        for (at, byte) in self.patches.0.iter().filter(|(at, _)| read.contains(at)) {
            buffer[(at - read.start) as usize] = *byte;
        }
        self.position = read.end;
        Ok(count)
    }
}

impl Seek for RepairedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl MediaSource for RepairedFile {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.file.metadata().ok().map(|m| m.len())
    }
}
