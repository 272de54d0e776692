//! WAV headers that Symphonia reads too literally, put right before it sees them.
//!
//! - A length that the file does not have, from a download that broke off or a program that wrote
//!   into a pipe: Symphonia drops the last packet. The length becomes what is there.
//! - More channels than there are names for loudspeakers: refused. The file is shown as one
//!   channel, which [`Channels`] deals out again.
//! - RF64, the 64-bit sister of WAV, unknown to Symphonia: up to 4 GB only its first four letters
//!   are different.

use super::repaired_file::Patches;
use std::io::{self, Read, Seek, SeekFrom};

/// Symphonia knows the positions of so many loudspeakers.
const MOST_NAMED_CHANNELS: u16 = 18;

/// No real file has as many in front of its sound.
const MOST_CHUNKS: usize = 10_000;

/// Tags are short; other lists are not looked at.
const LONGEST_LIST: u64 = 1 << 16;
const MOST_LISTS: usize = 8;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// What has to be put right in a WAV file's header.
#[derive(Debug, Default)]
pub(super) struct Repair {
    pub(super) patches: Patches,
    /// The frames the header promised, where the file holds fewer.
    pub(super) promised_frames: Option<u64>,
    /// The bodies of the `LIST` chunks, which may hold tags: Symphonia reads them and loses them.
    pub(super) lists: Vec<Vec<u8>>,
    /// The number of channels, where the file is shown as one channel.
    pub(super) hidden_channels: Option<usize>,
}

/// Looks at a WAV file's header; any other file needs no repair.
pub(super) fn plan(file: &mut (impl Read + Seek)) -> io::Result<Repair> {
    let mut repair = Repair::default();
    let file_bytes = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 12)?;
    if head.len() < 12 || &head[8..] != b"WAVE" || !matches!(&head[..4], b"RIFF" | b"RF64") {
        return Ok(repair);
    }
    repair.patches.add(0, b"RIFF");
    repair.patches.add(4, &u32::try_from(file_bytes - 8).unwrap_or(u32::MAX).to_le_bytes());
    let (mut at, mut format, mut wide_length) = (12, Format::default(), None);
    let mut has_data = false;
    for _ in 0..MOST_CHUNKS {
        let header = read_at(file, at, 8)?;
        if header.len() < 8 {
            break;
        }
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let mut length = u64::from(length);
        match &header[..4] {
            b"fmt " => {
                format = Format::parse(&read_at(file, at + 8, 40)?);
                if let Some(channels) = format.surplus_channels() {
                    repair.show_one_channel(at + 8, &format, channels);
                }
            }
            // The count of frames in it would be that of all channels together.
            b"fact" if repair.hidden_channels.is_some() => repair.patches.add(at, b"skip"),
            // Of an RF64 file: the lengths of the file and of its data, in 64 bits.
            b"ds64" => {
                let lengths = read_at(file, at + 8, 16)?;
                wide_length =
                    lengths.get(8..).and_then(|b| b.try_into().ok().map(u64::from_le_bytes));
            }
            // Symphonia goes by the first; what follows may still be tags.
            b"data" if !has_data => {
                has_data = true;
                length = wide_length.unwrap_or(length);
                let there = file_bytes.saturating_sub(at + 8);
                repair.set_length(at, length, there, &format);
                if length == 0 || length >= there {
                    break;
                }
            }
            b"LIST" if repair.lists.len() < MOST_LISTS => {
                repair.lists.push(read_at(file, at + 8, length.min(LONGEST_LIST))?);
            }
            _ => {}
        }
        let Some(next) = at.checked_add(8 + length % 2).and_then(|n| n.checked_add(length)) else {
            break;
        };
        at = next;
    }
    Ok(repair)
}

impl Repair {
    fn show_one_channel(&mut self, at: u64, format: &Format, channels: usize) {
        self.hidden_channels = Some(channels);
        let sample_bytes = format.frame_bytes / channels as u16;
        self.patches.add(at + 2, &1_u16.to_le_bytes());
        self.patches.add(at + 8, &format.rate_hz.wrapping_mul(sample_bytes.into()).to_le_bytes());
        self.patches.add(at + 12, &sample_bytes.to_le_bytes());
        if format.tag == EXTENSIBLE {
            /// The loudspeaker in front, in the middle.
            const FRONT_CENTER: u32 = 4;
            self.patches.add(at + 20, &FRONT_CENTER.to_le_bytes());
        }
    }

    fn set_length(&mut self, at: u64, promised: u64, there: u64, format: &Format) {
        // Programs that cannot go back to fill in the length write nothing or a very large number.
        let unknown = promised == 0 || (promised >= 0x7fff_0000 && promised > there);
        let mut length = if unknown { there } else { promised.min(there) };
        if format.is_linear() {
            let frame_bytes = u64::from(format.frame_bytes);
            length -= length % frame_bytes;
            if !unknown && promised > there {
                self.promised_frames = Some(promised / frame_bytes);
            }
        }
        self.patches.add(at + 4, &u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// The part of a `fmt ` chunk that matters here.
#[derive(Default)]
struct Format {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    frame_bytes: u16,
}

impl Format {
    fn parse(chunk: &[u8]) -> Self {
        let short =
            |at: usize| chunk.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        Self {
            tag: short(0),
            channels: short(2),
            rate_hz: u32::from(short(4)) | u32::from(short(6)) << 16,
            frame_bytes: short(12),
        }
    }

    /// Whether every frame takes the same room.
    fn is_linear(&self) -> bool {
        matches!(self.tag, PCM | FLOAT | EXTENSIBLE) && self.frame_bytes > 0
    }

    fn surplus_channels(&self) -> Option<usize> {
        let whole = self.channels > 0 && self.frame_bytes.is_multiple_of(self.channels);
        (self.channels > MOST_NAMED_CHANNELS && self.is_linear() && whole)
            .then_some(self.channels.into())
    }
}

fn read_at(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Deals the samples of a file that is shown as one channel out to its channels.
pub(super) struct Channels {
    count: usize,
    /// Samples of a frame that is not whole yet.
    rest: Vec<f32>,
}

impl Channels {
    pub(super) fn new(count: usize) -> Self {
        Self { count, rest: Vec::new() }
    }

    pub(super) fn deal(&mut self, samples: &[f32]) -> Vec<Vec<f32>> {
        self.rest.extend_from_slice(samples);
        let whole = self.rest.len() - self.rest.len() % self.count;
        let dealt = &self.rest[..whole];
        let channels = (0..self.count)
            .map(|channel| dealt.iter().skip(channel).step_by(self.count).copied().collect())
            .collect();
        self.rest.drain(..whole);
        channels
    }
}
