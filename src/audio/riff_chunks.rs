//! The chunks of a WAV file in all its forms: RIFF, RF64, BW64 and Sony's Wave64.

use std::io::{self, Read, Seek, SeekFrom};

/// No real file has as many in front of its sound.
const MOST_CHUNKS: usize = 10_000;

/// Wave64's names of chunks are 16 bytes long; these follow the four letters of the file's own.
const WAVE64_RIFF: &[u8; 12] = b"\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// A chunk: its name and the place of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) name: [u8; 4],
    pub(super) at: u64,
    /// As the file says.
    pub(super) bytes: u64,
}

/// The chunks of a WAV file, in order, up to where they stop making sense; `None` for any other file.
pub(super) fn chunks(file: &mut (impl Read + Seek)) -> io::Result<Option<Vec<Chunk>>> {
    let end = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 40)?;
    if head.starts_with(b"riff") && head.get(4..16) == Some(WAVE64_RIFF) {
        return wave64(file, end).map(Some);
    }
    if head.len() < 12
        || &head[8..12] != b"WAVE"
        || !matches!(&head[..4], b"RIFF" | b"RF64" | b"BW64")
    {
        return Ok(None);
    }
    let (mut chunks, mut at, mut wide, mut has_sound) = (Vec::new(), 12, None, false);
    while chunks.len() < MOST_CHUNKS {
        let Some((name, length)) = header_at(file, at)? else { break };
        let mut chunk = Chunk { name, at: at + 8, bytes: length.into() };
        if &name == b"ds64" {
            // The lengths of the file and of its data, in 64 bits.
            let lengths = read_at(file, at + 8, 16)?;
            wide = lengths.get(8..).and_then(|b| b.try_into().ok().map(u64::from_le_bytes));
        }
        // The first is the sound; to look behind each of ten thousand would take minutes.
        if &name == b"data" && !has_sound {
            has_sound = true;
            chunk.bytes = match wide {
                Some(wide) if length == u32::MAX || wide > u64::from(length) => wide,
                _ => data_bytes(file, chunk, end)?,
            };
        }
        chunks.push(chunk);
        let Some(next) = chunk.at.checked_add(chunk.bytes) else { break };
        // Each begins at an even place, but for those of programs that forget it.
        let forgotten =
            chunk.bytes % 2 == 1 && is_name_at(file, next)? && !is_name_at(file, next + 1)?;
        at = if forgotten { next } else { next.saturating_add(chunk.bytes % 2) };
    }
    Ok(Some(chunks))
}

fn wave64(file: &mut (impl Read + Seek), end: u64) -> io::Result<Vec<Chunk>> {
    let (mut chunks, mut at) = (Vec::new(), 40);
    while chunks.len() < MOST_CHUNKS && at + 24 <= end {
        let head = read_at(file, at, 24)?;
        let (Some(name), Some(length)) = (array(&head, 0), array(&head, 16)) else { break };
        let length = u64::from_le_bytes(length);
        if length < 24 {
            break;
        }
        chunks.push(Chunk { name, at: at + 24, bytes: length - 24 });
        let Some(next) = at.checked_add(length).and_then(|n| n.checked_next_multiple_of(8)) else {
            break;
        };
        at = next;
    }
    Ok(chunks)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// How long the sound is: as the file says, or, where it says nothing or what cannot be, up to the
/// chunks behind it or the file's end.
fn data_bytes(file: &mut (impl Read + Seek), data: Chunk, end: u64) -> io::Result<u64> {
    let there = end.saturating_sub(data.at);
    let promised = data.bytes;
    let is_whole = |file: &mut _, bytes: u64| ends_in_chunks(file, data.at + bytes, end);
    if promised == 0 {
        // Nothing but chunks behind it: there is no sound. Else it was never filled in.
        return if is_whole(file, 0)? { Ok(0) } else { before_chunks(file, data.at, end) };
    }
    // 2 GB or more that are not there: a program that wrote into a pipe.
    if promised >= 0x7fff_0000 && promised > there {
        return before_chunks(file, data.at, end);
    }
    // More than 4 GB, of which the length lost the upper part.
    if there > u64::from(u32::MAX) && !is_whole(file, promised)? {
        let lost = (there - promised.min(there)) >> 32;
        for upper in (1..=lost).rev() {
            if is_whole(file, promised + (upper << 32))? {
                return Ok(promised + (upper << 32));
            }
        }
        return before_chunks(file, data.at, end);
    }
    Ok(promised)
}

/// Bytes from `start` to the chunks at the file's end, or to the end where there are none.
fn before_chunks(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<u64> {
    /// Tags with a picture are seldom longer.
    const LOOKED_AT: u64 = 4 << 20;
    let from = start.max(end.saturating_sub(LOOKED_AT));
    let tail = read_at(file, from, end - from)?;
    let first = (start - start.min(from)) as usize;
    let names: [&[u8; 4]; 6] = [b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX"];
    let whole = whole_to_the_end(&tail);
    let is_first =
        |&at: &usize| whole[at] && names.iter().any(|name| tail[at..].starts_with(*name));
    let found = (first..tail.len().saturating_sub(8)).find(is_first);
    Ok(found.map_or(end, |at| from + at as u64) - start)
}

/// For each place, whether from there to the end there is one whole chunk after the other: told from
/// the back, as a crafted file has a chunk of its own at every place.
fn whole_to_the_end(tail: &[u8]) -> Vec<bool> {
    let end = tail.len();
    let mut whole = vec![false; end];
    for at in (0..end).rev() {
        let Some((_, length)) = header(&tail[at..]) else { continue };
        let next = at as u64 + 8 + u64::from(length) + u64::from(length % 2);
        // A byte of padding may follow the last one, or be missing.
        let ends = (end as u64).saturating_sub(1)..=end as u64 + 1;
        whole[at] = ends.contains(&next) || (next < end as u64 && whole[next as usize]);
    }
    whole
}

/// Whether from here to the file's end there is one whole chunk after the other, or nothing.
fn ends_in_chunks(file: &mut (impl Read + Seek), mut at: u64, end: u64) -> io::Result<bool> {
    for _ in 0..MOST_CHUNKS {
        // A byte of padding may follow the last one.
        if at == end || at + 1 == end {
            return Ok(true);
        }
        let Some((_, length)) = header_at(file, at)? else { return Ok(false) };
        at += 8 + u64::from(length) + u64::from(length % 2);
        if at > end + 1 {
            return Ok(false);
        }
        if at == end + 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Name and length of the chunk at a place, if there is a name.
fn header_at(file: &mut (impl Read + Seek), at: u64) -> io::Result<Option<([u8; 4], u32)>> {
    Ok(header(&read_at(file, at, 8)?))
}

fn header(bytes: &[u8]) -> Option<([u8; 4], u32)> {
    let (name, length) = (array(bytes, 0)?, array(bytes, 4)?);
    is_name(&name).then(|| (name, u32::from_le_bytes(length)))
}

fn is_name_at(file: &mut (impl Read + Seek), at: u64) -> io::Result<bool> {
    Ok(header_at(file, at)?.is_some())
}

/// Four printable characters.
fn is_name(name: &[u8; 4]) -> bool {
    name.iter().all(|letter| matches!(letter, b' '..=b'~'))
}

/// Up to so many bytes at a place; none where no file can have any.
pub(super) fn read_at(file: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Vec<u8>> {
    match file.seek(SeekFrom::Start(at)) {
        // Further than the file system's largest file.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(Vec::new()),
        place => place?,
    };
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
