//! Whether an Ogg file ends where its stream ends.

use std::io::{self, Read, Seek, SeekFrom};

/// A page of Ogg is at most 65,307 bytes long (RFC 3533, section 6).
const LONGEST_PAGE_BYTES: u64 = 65_307;

/// Whether the last page of the file is there in full and marked as the last of its stream.
pub(super) fn has_end(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_PAGE_BYTES)))?;
    let mut tail = Vec::new();
    file.take(LONGEST_PAGE_BYTES).read_to_end(&mut tail)?;
    Ok((0..tail.len()).rev().find_map(|at| whole_page(&tail[at..])).unwrap_or(false))
}

/// For a page that is not cut off: whether it is marked as the last.
fn whole_page(bytes: &[u8]) -> Option<bool> {
    if !bytes.starts_with(b"OggS") {
        return None;
    }
    let segments = usize::from(*bytes.get(26)?);
    let body: usize = bytes.get(27..27 + segments)?.iter().map(|&s| usize::from(s)).sum();
    (bytes.len() >= 27 + segments + body).then_some(bytes[5] & 4 != 0)
}
