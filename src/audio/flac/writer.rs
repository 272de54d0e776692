//! A FLAC file that is written while its samples come.

use super::bits::BitWriter;
use super::frame::{BLOCK, Shape, frame};
use md5::{Digest, Md5};
use std::io::{self, Seek, SeekFrom, Write};

/// The first block of a file's head.
pub(super) struct StreamInfo {
    pub(super) shape: Shape,
    /// Samples per channel.
    pub(super) frames: u64,
    /// The smallest and the largest frame in bytes; 0 where that is not known.
    pub(super) sizes: (usize, usize),
    /// Of the samples, interleaved, in whole bytes, the lowest first; zeros where it is not known.
    pub(super) md5: [u8; 16],
}

impl StreamInfo {
    pub(super) fn block(&self) -> Vec<u8> {
        let mut bits = BitWriter::default();
        bits.put(0, 8); // stream info, not the last block
        bits.put(34, 24);
        bits.put(BLOCK as u64, 16);
        bits.put(BLOCK as u64, 16);
        bits.put(self.sizes.0 as u64, 24);
        bits.put(self.sizes.1 as u64, 24);
        bits.put(u64::from(self.shape.sample_rate_hz), 20);
        bits.put(self.shape.channels as u64 - 1, 3);
        bits.put(u64::from(self.shape.bits - 1), 5);
        bits.put(self.frames, 36);
        let mut block = bits.finish();
        block.extend(self.md5);
        block
    }
}

/// The last block of the head: blocks and where they begin, behind the head. It has `room` points; those
/// that are not used are placeholders.
pub(super) fn seek_table(points: &[(u64, u64)], room: usize, frames: u64) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0x83, 8); // seek table, the last block
    bits.put(room as u64 * 18, 24);
    for (block, start) in points {
        let first = block * BLOCK as u64;
        bits.put(first, 64);
        bits.put(*start, 64);
        bits.put((frames - first).min(BLOCK as u64), 16);
    }
    for _ in points.len()..room {
        bits.put(u64::MAX, 64);
        bits.put(0, 64);
        bits.put(0, 16);
    }
    bits.finish()
}

/// Writes a FLAC file block by block, in bounded memory.
pub(crate) struct FlacWriter<W> {
    file: W,
    shape: Shape,
    /// Points in the seek table.
    room: usize,
    /// What is not yet a whole block, one vector per channel.
    pending: Vec<Vec<i32>>,
    /// Samples per channel in blocks that are written.
    frames: u64,
    blocks: u64,
    /// Bytes of all frames.
    bytes: u64,
    sizes: (usize, usize),
    points: Vec<(u64, u64)>,
    /// Blocks from one seek point to the next.
    step: u64,
    md5: Md5,
    interleaved: Vec<u8>,
}

impl<W: Write + Seek> FlacWriter<W> {
    /// Begins a file of `shape` at the beginning of `file`; `expected_frames` decides how long the seek
    /// table is, which has a point each five seconds, or fewer where more frames come.
    pub(crate) fn new(mut file: W, shape: Shape, expected_frames: Option<u64>) -> io::Result<Self> {
        const UNKNOWN: u64 = 128;
        const MOST: u64 = 4096;
        let step = (u64::from(shape.sample_rate_hz) * 5 / BLOCK as u64).max(1);
        let blocks = expected_frames.map(|frames| frames.div_ceil(BLOCK as u64));
        let room = blocks.map_or(UNKNOWN, |blocks| blocks.div_ceil(step)).clamp(1, MOST) as usize;
        let head = Self::head(shape, room, &[], 0, (0, 0), [0; 16]);
        file.write_all(&head)?;
        Ok(Self {
            file,
            shape,
            room,
            pending: vec![Vec::new(); shape.channels],
            frames: 0,
            blocks: 0,
            bytes: 0,
            sizes: (usize::MAX, 0),
            points: Vec::new(),
            step,
            md5: Md5::new(),
            interleaved: Vec::new(),
        })
    }

    fn head(
        shape: Shape,
        room: usize,
        points: &[(u64, u64)],
        frames: u64,
        sizes: (usize, usize),
        md5: [u8; 16],
    ) -> Vec<u8> {
        let mut head = b"fLaC".to_vec();
        head.extend(StreamInfo { shape, frames, sizes, md5 }.block());
        head.extend(seek_table(points, room, frames));
        head
    }

    /// The next samples, one vector per channel, all of one length and within the shape's bits.
    pub(crate) fn write(&mut self, chunk: &[Vec<i32>]) -> io::Result<()> {
        self.add_to_checksum(chunk);
        for (pending, new) in self.pending.iter_mut().zip(chunk) {
            pending.extend_from_slice(new);
        }
        let whole = self.pending[0].len() / BLOCK;
        for block in 0..whole {
            self.write_block(block * BLOCK..(block + 1) * BLOCK)?;
        }
        self.pending.iter_mut().for_each(|channel| drop(channel.drain(..whole * BLOCK)));
        Ok(())
    }

    fn add_to_checksum(&mut self, chunk: &[Vec<i32>]) {
        let bytes = self.shape.bits as usize / 8;
        let (frames, step) = (chunk[0].len(), bytes * chunk.len());
        self.interleaved.resize(frames * step, 0);
        for (place, channel) in chunk.iter().enumerate() {
            let samples = self.interleaved.chunks_exact_mut(step).zip(channel);
            for (frame, sample) in samples {
                let at = place * bytes;
                frame[at..at + bytes].copy_from_slice(&sample.to_le_bytes()[..bytes]);
            }
        }
        self.md5.update(&self.interleaved);
    }

    fn write_block(&mut self, range: std::ops::Range<usize>) -> io::Result<()> {
        let parts: Vec<&[i32]> = self.pending.iter().map(|c| &c[range.clone()]).collect();
        let coded = frame(&parts, self.blocks, self.shape);
        if self.blocks.is_multiple_of(self.step) {
            self.points.push((self.blocks, self.bytes));
            if self.points.len() > self.room {
                // Every second one, from now on.
                self.step *= 2;
                let mut nth = 0;
                self.points.retain(|_| {
                    nth += 1;
                    nth % 2 == 1
                });
            }
        }
        self.file.write_all(&coded)?;
        self.sizes = (self.sizes.0.min(coded.len()), self.sizes.1.max(coded.len()));
        self.bytes += coded.len() as u64;
        self.blocks += 1;
        self.frames += range.len() as u64;
        Ok(())
    }

    /// Writes what is left, and the head. Returns the samples per channel.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let rest = self.pending[0].len();
        if rest > 0 {
            self.write_block(0..rest)?;
        }
        let md5 = self.md5.finalize().into();
        let sizes = if self.blocks == 0 { (0, 0) } else { self.sizes };
        let head = Self::head(self.shape, self.room, &self.points, self.frames, sizes, md5);
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&head)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(self.frames)
    }
}
