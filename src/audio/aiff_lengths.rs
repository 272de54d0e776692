//! Lengths of an AIFF file that says it is longer than it is.

use super::repaired_file::Patches;
use super::riff_chunks::read_at;
use std::io::{self, Read, Seek, SeekFrom};

/// More chunks than any real file has.
const MOST_CHUNKS: usize = 10_000;

/// What an AIFF file says wrongly; nothing for any other file.
#[derive(Debug, Default)]
pub(super) struct AiffLengths {
    /// The whole file's length, and that of a sound that is cut short.
    pub(super) patches: Patches,
    /// The frames the header promised, where the file holds fewer.
    pub(super) promised_frames: Option<u64>,
}

/// Looks at an AIFF file's chunks.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<AiffLengths> {
    let (mut lengths, mut frames) = (AiffLengths::default(), None);
    let patches = &mut lengths.patches;
    let end = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 12)?;
    if head.len() < 12 || &head[..4] != b"FORM" || !matches!(&head[8..], b"AIFF" | b"AIFC") {
        return Ok(lengths);
    }
    let length = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    patches.add(4, &length(end - 8));
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        let head = read_at(file, at, 8)?;
        let Some(bytes) = head.get(4..8).and_then(|bytes| bytes.try_into().ok()) else { break };
        let bytes = u64::from(u32::from_be_bytes(bytes));
        if head.starts_with(b"COMM") {
            let counts = read_at(file, at + 8, 6)?;
            let count = counts.get(2..6).and_then(|count| count.try_into().ok());
            frames = count.map(|count| u64::from(u32::from_be_bytes(count)));
        }
        if head.starts_with(b"SSND") && at + 8 + bytes > end {
            patches.add(at + 4, &length(end - at - 8));
            lengths.promised_frames = frames;
        }
        at += 8 + bytes + bytes % 2;
    }
    Ok(lengths)
}
