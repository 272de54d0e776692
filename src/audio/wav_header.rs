//! WAV headers that Symphonia reads too literally, rewritten before it sees them.
//!
//! Programs write headers of many kinds: lengths that the file does not have or that lost their upper
//! half, lists of odd length, A-law with a short `fmt `, a wrong block align, 12 bits in 16, more
//! channels than there are names for loudspeakers, RF64, BW64 and Wave64. Here the chunks are read as
//! other programs read them, and Symphonia is shown a plain header in front of the sound.

use super::repaired_file::View;
use super::riff_chunks::{Chunk, chunks, read_at};
use crate::words::counted;
use std::io::{self, Read, Seek, SeekFrom};

/// Symphonia knows the positions of so many loudspeakers.
const MOST_NAMED_CHANNELS: u16 = 18;

/// Tags are short; other lists are not looked at.
const LONGEST_LIST: u64 = 1 << 16;
const MOST_LISTS: usize = 8;
/// With a picture of the cover.
const LONGEST_ID3: u64 = 1 << 24;

const PCM: u16 = 1;
const MS_ADPCM: u16 = 2;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const IMA_ADPCM: u16 = 0x11;
const MP2: u16 = 0x50;
const MP3: u16 = 0x55;
const EXTENSIBLE: u16 = 0xfffe;

/// What a WAV file is.
#[derive(Debug, Default)]
pub(super) struct Wav {
    /// What Symphonia is shown.
    pub(super) view: Option<View>,
    /// The frames the header promised, where the file holds fewer.
    pub(super) promised_frames: Option<u64>,
    /// The bodies of the `LIST` chunks, which may hold tags: Symphonia reads them and loses them.
    pub(super) lists: Vec<Vec<u8>>,
    /// The bodies of `id3 ` chunks: tags as MP3 files have them.
    pub(super) id3: Vec<Vec<u8>>,
    /// The number of channels, where the file is shown as one channel.
    pub(super) hidden_channels: Option<usize>,
    /// How the sound is coded, where that cannot be decoded.
    pub(super) unknown_codec: Option<String>,
    /// The header has a place for sound, and there is none.
    pub(super) is_empty: bool,
}

/// Looks at a WAV file's header; any other file is shown as it is.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<Wav> {
    let mut wav = Wav::default();
    let file_bytes = file.seek(SeekFrom::End(0))?;
    let Some(chunks) = chunks(file)? else { return Ok(wav) };
    let of = |name: &[u8; 4]| chunks.iter().find(|chunk| &chunk.name == name).copied();
    for list in chunks.iter().filter(|chunk| &chunk.name == b"LIST").take(MOST_LISTS) {
        wav.lists.push(read_at(file, list.at, list.bytes.min(LONGEST_LIST))?);
    }
    let is_id3 = |chunk: &&Chunk| chunk.name.eq_ignore_ascii_case(b"id3 ");
    for tag in chunks.iter().filter(is_id3).take(MOST_LISTS) {
        wav.id3.push(read_at(file, tag.at, tag.bytes.min(LONGEST_ID3))?);
    }
    let (Some(format), Some(data)) = (of(b"fmt "), of(b"data")) else { return Ok(wav) };
    let chunk = read_at(file, format.at, format.bytes.min(1 << 16))?;
    let Some(format) = Format::parse(&chunk) else { return Ok(wav) };
    let there = file_bytes.saturating_sub(data.at);
    let bytes = data.bytes.min(there);
    wav.is_empty = bytes == 0;
    match format.codec {
        PCM | FLOAT | A_LAW | MU_LAW => wav.show_linear(&format, data, there),
        MS_ADPCM | IMA_ADPCM => {
            let mut head = Head::new(&format.without_extension(&chunk));
            if let Some(fact) = of(b"fact") {
                head.add(b"fact", &read_at(file, fact.at, fact.bytes.min(16))?);
            }
            wav.view = Some(head.before(data.at, bytes));
        }
        // A stream with headers of its own.
        MP2 | MP3 => {
            wav.view = Some(View { head: Vec::new(), body_at: data.at, body_bytes: bytes });
        }
        codec => wav.unknown_codec = Some(codec_name(codec)),
    }
    Ok(wav)
}

impl Wav {
    fn show_linear(&mut self, format: &Format, data: Chunk, there: u64) {
        let Some(sample_bytes) = format.sample_bytes() else {
            self.unknown_codec = Some(format!("PCM of {}", counted(format.bits, "bit")));
            return;
        };
        let frame_bytes = u64::from(sample_bytes) * u64::from(format.channels);
        let bytes = data.bytes.min(there) / frame_bytes * frame_bytes;
        self.is_empty = bytes == 0;
        if data.bytes > there {
            self.promised_frames = Some(data.bytes / frame_bytes);
        }
        let mut channels = format.channels;
        if channels > MOST_NAMED_CHANNELS {
            self.hidden_channels = Some(channels.into());
            channels = 1;
        }
        let head = Head::new(&format.plain(channels, sample_bytes));
        self.view = Some(head.before(data.at, bytes));
    }
}

/// The part of a `fmt ` chunk that matters here.
struct Format {
    /// What an extensible one stands for, too.
    codec: u16,
    channels: u16,
    rate_hz: u32,
    frame_bytes: u16,
    bits: u16,
    /// Which loudspeakers, of an extensible one.
    mask: Option<u32>,
}

impl Format {
    fn parse(chunk: &[u8]) -> Option<Self> {
        let short =
            |at: usize| chunk.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        let long = |at: usize| u32::from(short(at)) | u32::from(short(at + 2)) << 16;
        if chunk.len() < 14 || short(2) == 0 {
            return None;
        }
        let is_extensible = short(0) == EXTENSIBLE && chunk.len() >= 26;
        Some(Self {
            codec: if is_extensible { short(24) } else { short(0) },
            channels: short(2),
            rate_hz: long(4),
            frame_bytes: short(12),
            bits: short(14),
            mask: is_extensible.then(|| long(20)),
        })
    }

    /// The chunk with the codec in its own place and what belongs to it right behind.
    fn without_extension(&self, chunk: &[u8]) -> Vec<u8> {
        match chunk.get(40..) {
            Some(own) if chunk.starts_with(&EXTENSIBLE.to_le_bytes()) => {
                let length = (own.len() as u16).to_le_bytes();
                [&self.codec.to_le_bytes()[..], &chunk[2..16], &length, own].concat()
            }
            _ => chunk.to_vec(),
        }
    }

    /// Bytes of a sample: as the bits say; the block align is often wrong, but for 24 bits in 32.
    fn sample_bytes(&self) -> Option<u16> {
        if matches!(self.codec, A_LAW | MU_LAW) {
            return Some(1);
        }
        let is_in_four = u32::from(self.frame_bytes) == 4 * u32::from(self.channels);
        let bytes = match self.bits.div_ceil(8) {
            3 if is_in_four => 4,
            bytes => bytes,
        };
        match self.codec {
            FLOAT => matches!(bytes, 4 | 8).then_some(bytes),
            _ => (1..=4).contains(&bytes).then_some(bytes),
        }
    }

    /// A `fmt ` chunk that says the same in the plainest way.
    fn plain(&self, channels: u16, sample_bytes: u16) -> Vec<u8> {
        let frame_bytes = sample_bytes * channels;
        let bits = 8 * sample_bytes;
        // Loudspeakers are told where each channel has one; Symphonia takes no mask with A-law.
        let is_companded = matches!(self.codec, A_LAW | MU_LAW);
        let mask = self.mask.filter(|mask| {
            mask.count_ones() == u32::from(channels) && channels > 2 && !is_companded
        });
        let mut chunk = Vec::new();
        let codec = if mask.is_some() { EXTENSIBLE } else { self.codec };
        chunk.extend(codec.to_le_bytes());
        chunk.extend(channels.to_le_bytes());
        chunk.extend(self.rate_hz.to_le_bytes());
        chunk.extend(self.rate_hz.wrapping_mul(frame_bytes.into()).to_le_bytes());
        chunk.extend(frame_bytes.to_le_bytes());
        chunk.extend(bits.to_le_bytes());
        match mask {
            Some(mask) => {
                chunk.extend(22u16.to_le_bytes());
                chunk.extend(bits.to_le_bytes());
                chunk.extend(mask.to_le_bytes());
                chunk.extend(self.codec.to_le_bytes());
                chunk.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
            }
            None if is_companded => chunk.extend(0u16.to_le_bytes()),
            None => {}
        }
        chunk
    }
}

/// The beginning of a WAV file.
struct Head(Vec<u8>);

impl Head {
    fn new(format: &[u8]) -> Self {
        let mut head = Self(b"RIFF\0\0\0\0WAVE".to_vec());
        head.add(b"fmt ", format);
        head
    }

    fn add(&mut self, name: &[u8; 4], body: &[u8]) {
        self.0.extend(name);
        self.0.extend((body.len() as u32).to_le_bytes());
        self.0.extend(body);
        self.0.resize(self.0.len().next_multiple_of(2), 0);
    }

    /// In front of so many bytes of sound.
    fn before(mut self, body_at: u64, body_bytes: u64) -> View {
        let short = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        self.0.extend(b"data");
        self.0.extend(short(body_bytes));
        let whole = short(self.0.len() as u64 + body_bytes - 8);
        self.0[4..8].copy_from_slice(&whole);
        View { head: self.0, body_at, body_bytes }
    }
}

/// By the names that people know.
fn codec_name(codec: u16) -> String {
    match codec {
        0x31 | 0x32 => "GSM 6.10".into(),
        0x40 | 0x45 | 0x64 => "G.726 ADPCM".into(),
        0x42 => "G.723".into(),
        0x92 | 0x2000 => "AC-3".into(),
        0x2001 => "DTS".into(),
        0xff | 0x1600 | 0x1601 | 0x1602 | 0x1610 | 0xa106 => "AAC".into(),
        0x160..=0x163 => "WMA".into(),
        0x270 | 0x272 => "ATRAC".into(),
        0x566f | 0x674f..=0x6771 => "Vorbis".into(),
        0x704f => "Opus".into(),
        0x5756 => "WavPack".into(),
        0xf1ac => "FLAC".into(),
        codec => format!("codec number 0x{codec:04x}"),
    }
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
