//! Sun's AU files, shown to Symphonia as AIFF-C: the samples are coded alike.

use super::repaired_file::View;
use super::riff_chunks::read_at;
use std::io::{self, Read, Seek, SeekFrom};

/// What an AU file is.
#[derive(Debug, Default)]
pub(super) struct Au {
    /// What Symphonia is shown.
    pub(super) view: Option<View>,
    /// The frames the header promised, where the file holds fewer.
    pub(super) promised_frames: Option<u64>,
    /// How the sound is coded, where that cannot be decoded.
    pub(super) unknown_codec: Option<String>,
    /// The header is there, and no sound.
    pub(super) is_empty: bool,
}

/// Looks at an AU file's header; any other file is shown as it is.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<Au> {
    let mut au = Au::default();
    let file_bytes = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 24)?;
    let word = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let (Some(b".snd"), Some(start), Some(promised)) = (head.get(..4), word(4), word(8)) else {
        return Ok(au);
    };
    let (Some(coding), Some(rate_hz), Some(channels)) = (word(12), word(16), word(20)) else {
        return Ok(au);
    };
    let (letters, bits): (&[u8; 4], u16) = match coding {
        1 => (b"ulaw", 8),
        2 => (b"NONE", 8),
        3 => (b"NONE", 16),
        4 => (b"NONE", 24),
        5 => (b"NONE", 32),
        6 => (b"fl32", 32),
        7 => (b"fl64", 64),
        27 => (b"alaw", 8),
        other => {
            au.unknown_codec = Some(codec_name(other));
            return Ok(au);
        }
    };
    let Ok(channels) = u16::try_from(channels) else { return Ok(au) };
    let frame_bytes = u64::from(channels.max(1)) * u64::from(bits / 8);
    let there = file_bytes.saturating_sub(start.into());
    // All ones: a program that wrote into a pipe and did not know.
    let bytes = if promised == u32::MAX { there } else { there.min(promised.into()) };
    if promised != u32::MAX && u64::from(promised) > there {
        au.promised_frames = Some(u64::from(promised) / frame_bytes);
    }
    let frames = bytes / frame_bytes;
    au.is_empty = frames == 0;
    let head = aifc_head(letters, channels, bits, rate_hz, (frames, frames * frame_bytes));
    au.view = Some(View { head, body_at: start.into(), body_bytes: frames * frame_bytes });
    Ok(au)
}

/// What stands in front of the samples of an AIFF-C file.
fn aifc_head(
    letters: &[u8; 4],
    channels: u16,
    bits: u16,
    rate_hz: u32,
    (frames, bytes): (u64, u64),
) -> Vec<u8> {
    let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut head = b"FORM\0\0\0\0AIFCCOMM\0\0\0\x18".to_vec();
    head.extend(channels.to_be_bytes());
    head.extend(short(frames));
    head.extend(bits.to_be_bytes());
    // Ten bytes of floating point: the exponent, then the number with its highest bit in front.
    let shift = rate_hz.max(1).leading_zeros();
    head.extend((16_383 + 31 - shift as u16).to_be_bytes());
    head.extend((u64::from(rate_hz) << (32 + shift)).to_be_bytes());
    head.extend(letters);
    head.extend(b"\0\0SSND");
    head.extend(short(bytes + 8));
    head.extend([0; 8]);
    let whole = short(head.len() as u64 + bytes - 8);
    head[4..8].copy_from_slice(&whole);
    head
}

fn codec_name(coding: u32) -> String {
    match coding {
        23 => "G.721 ADPCM".into(),
        24 => "G.722 ADPCM".into(),
        25 | 26 => "G.723 ADPCM".into(),
        other => format!("codec number {other}"),
    }
}
