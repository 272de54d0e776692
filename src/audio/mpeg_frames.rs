//! Whether a file really is MPEG audio (MP3) or ADTS (raw AAC).
//!
//! Both kinds have no signature, only a sync word of 11 or 12 bits at the start of every frame, so
//! that a megabyte of any other data holds false ones. Here the frames have to follow each other
//! without a gap.

use super::riff_chunks::read_at;
use std::io::{self, Read, Seek, SeekFrom};

/// How far into the file the first frame may lie, after an ID3v2 tag.
const SCAN_BYTES: u64 = 1 << 20;

/// How many frames must follow each other, unless the file ends before.
const CHAIN_LENGTH: usize = 3;

/// What the first frames of an MPEG or ADTS file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frames {
    /// A Xing, Info or VBRI header gives the number of frames, so that the length is known.
    pub(super) counted: bool,
    /// Where such a header gives none: what has to be replaced for Symphonia not to believe it.
    pub(super) uncounted: Option<(u64, [u8; 4])>,
}

/// Whether the file begins with frames of free format: of a bit rate that their headers do not name.
pub(super) fn is_free_format(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let start = after_id3v2(file)?;
    let Ok(head) = read_at(file, start, 4)?.try_into() else { return Ok(false) };
    let word = u32::from_be_bytes(head);
    // Sync, a version and a layer that exist, no bit rate, a sample rate that exists.
    Ok(word >> 21 == 0x7ff
        && word >> 19 & 0b11 != 0b01
        && word >> 17 & 0b11 != 0
        && word >> 12 & 0xf == 0
        && word >> 10 & 0b11 != 0b11)
}

/// The first chain of frames, or `None` when the file holds something else.
pub(super) fn find_frames(file: &mut (impl Read + Seek)) -> io::Result<Option<Frames>> {
    let start = after_id3v2(file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // Room for a chain that begins at the very end of the scanned part.
    file.take(SCAN_BYTES + CHAIN_LENGTH as u64 * 8192).read_to_end(&mut bytes)?;
    let first = (0..bytes.len().min(SCAN_BYTES as usize)).find(|&at| is_chain(&bytes, at));
    Ok(first.map(|at| match Header::find(&bytes[at..]) {
        Some(header) if header.frames > 0 => Frames { counted: true, uncounted: None },
        Some(header) => {
            let place = start + (at + header.at) as u64;
            Frames { counted: false, uncounted: Some((place, header.without_count)) }
        }
        None => Frames { counted: false, uncounted: None },
    }))
}

fn after_id3v2(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut position = 0;
    loop {
        file.seek(SeekFrom::Start(position))?;
        let mut header = [0; 10];
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(position),
            Err(e) => return Err(e),
        }
        if &header[..3] != b"ID3" {
            return Ok(position);
        }
        // The size is written in 7 bits a byte so that it never looks like a sync word.
        let size = header[6..].iter().fold(0, |size, &b| size << 7 | u64::from(b & 0x7f));
        position += 10 + size;
    }
}

fn is_chain(bytes: &[u8], start: usize) -> bool {
    let Some(first) = Frame::parse(&bytes[start..]) else { return false };
    let mut at = start + first.bytes;
    for _ in 1..CHAIN_LENGTH {
        let rest = bytes.get(at..).unwrap_or_default();
        if is_end(rest) {
            // A file this short is one whole frame or more; half a frame proves nothing.
            return at <= bytes.len();
        }
        match Frame::parse(rest) {
            Some(next) if next.kind == first.kind => at += next.bytes,
            _ => return false,
        }
    }
    true
}

/// Nothing more, or one of the tags that are written behind the sound.
fn is_end(rest: &[u8]) -> bool {
    rest.len() < 4 || rest.starts_with(b"TAG") || rest.starts_with(b"APETAGEX")
}

/// A header that an encoder hides in the first frame.
struct Header {
    /// How many frames there are; 0 where it does not say.
    frames: u32,
    /// Where in the frame something stands for a count being there, and what stands there without one.
    at: usize,
    without_count: [u8; 4],
}

impl Header {
    fn find(frame: &[u8]) -> Option<Self> {
        // Behind the side information (9 to 32 bytes) and a CRC.
        let names = frame.get(4..64)?.windows(4);
        let at = 4 + names.clone().position(|w| w == b"Xing" || w == b"Info" || w == b"VBRI")?;
        let number = |at: usize| {
            let bytes = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u32::from_be_bytes(bytes.unwrap_or_default())
        };
        if frame[at..].starts_with(b"VBRI") {
            // Version, delay and quality, then bytes and frames.
            return Some(Self { frames: number(at + 14), at, without_count: [0; 4] });
        }
        let flags = number(at + 4);
        let frames = if flags & 1 == 1 { number(at + 8) } else { 0 };
        // Without a count the header stays as it is: other fields move up where the bit is gone.
        let is_zero = flags & 1 == 1 && frames == 0;
        let without_count = if is_zero { *b"none" } else { flags.to_be_bytes() };
        let place = if is_zero { at } else { at + 4 };
        Some(Self { frames, at: place, without_count })
    }
}

struct Frame {
    bytes: usize,
    /// The parts of the header that stay the same through a file: version, layer, sample rate.
    kind: u32,
}

impl Frame {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..7)?;
        let word = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if word >> 20 == 0xfff && word >> 17 & 0b11 == 0 {
            Self::parse_adts(head, word)
        } else if word >> 21 == 0x7ff {
            Self::parse_mpeg(word)
        } else {
            None
        }
    }

    fn parse_adts(head: &[u8], word: u32) -> Option<Self> {
        let length =
            usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5]) >> 5;
        let rate_index = word >> 10 & 0xf;
        (rate_index < 13 && length > 7).then_some(Self { bytes: length, kind: word & 0xffff_fdc0 })
    }

    /// ISO/IEC 11172-3 and 13818-3, section 2.4.2.3.
    fn parse_mpeg(word: u32) -> Option<Self> {
        const RATES_HZ: [u32; 3] = [44_100, 48_000, 32_000];
        const V1_KBIT: [[u32; 15]; 3] = [
            [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        ];
        const V2_KBIT: [[u32; 15]; 2] = [
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ];
        let version_1 = match word >> 19 & 0b11 {
            0b01 => return None,
            version => version == 0b11,
        };
        let halvings = [2, 0, 1, 0][(word >> 19 & 0b11) as usize];
        let layer = 4 - (word >> 17 & 0b11) as usize;
        let rate_hz = RATES_HZ.get((word >> 10 & 0b11) as usize)? >> halvings;
        let bit_rate_index = (word >> 12 & 0xf) as usize;
        let table = if version_1 { &V1_KBIT[layer - 1] } else { &V2_KBIT[usize::from(layer > 1)] };
        let bit_rate = table.get(bit_rate_index).filter(|&&kbit| kbit > 0)? * 1000;
        let padding = word >> 9 & 1;
        let bytes = match layer {
            1 => (12 * bit_rate / rate_hz + padding) * 4,
            3 if !version_1 => 72 * bit_rate / rate_hz + padding,
            _ => 144 * bit_rate / rate_hz + padding,
        };
        Some(Self { bytes: bytes as usize, kind: word & 0xfffe_0c00 })
    }
}
