//! Where an Ogg stream's sound begins and ends, by the positions that its pages name.
//!
//! Symphonia 0.6.1 takes off the end of every page what goes beyond the page's position, counts
//! positions from 0, and of files that are joined to a chain it often misses where a link ends. Only a
//! stream's last page may cut its packets, and a stream may begin anywhere, as a recording of internet
//! radio does (RFC 3533; RFC 7845, section 4; Vorbis I, appendix A.2).

use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;

/// A page's header without the lengths of its segments.
const HEADER_BYTES: usize = 27;
const BEGINS_STREAM: u8 = 2;
const ENDS_STREAM: u8 = 4;
/// So many bytes that belong to no page are looked through for the next one.
const MOST_STRAY_BYTES: usize = 1 << 20;
/// A day of radio has some hundreds of streams; whoever has more made them to fill memory.
const MOST_STREAMS: usize = 10_000;

/// The links of a chain; most files are one. In each, streams that run beside each other.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<BTreeMap<u32, Stream>>);

#[derive(Debug, Default)]
struct Stream {
    /// Of the page before, or the one before that if no packet ends there.
    position: Option<i64>,
    /// Positions of pages that say they are the last one; some files have several.
    ends: BTreeSet<i64>,
}

impl Links {
    /// Those of an Ogg file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "open the file"))?;
        Self::read(file).map_err(Error::io(path, "read the file"))
    }

    /// Reads the headers of all pages.
    fn read(file: impl Read + Seek) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(4096, file);
        let mut links = Self::default();
        let (mut is_opening, mut stray_bytes, mut streams) = (false, 0, 0);
        let (mut header, mut lengths) = ([0; HEADER_BYTES], [0; 255]);
        while is_read(&mut file, &mut header)? {
            if !header.starts_with(b"OggS") {
                stray_bytes += 1;
                if stray_bytes > MOST_STRAY_BYTES {
                    break;
                }
                // Damaged, or something in front of a page, a tag perhaps.
                file.seek_relative(1 - HEADER_BYTES as i64)?;
                continue;
            }
            let lengths = &mut lengths[..usize::from(header[26])];
            if !is_read(&mut file, lengths)? {
                break;
            }
            streams += usize::from(header[5] & BEGINS_STREAM != 0);
            if streams > MOST_STREAMS {
                break;
            }
            links.take(&header, &mut is_opening);
            file.seek_relative(lengths.iter().map(|length| i64::from(*length)).sum())?;
        }
        Ok(links)
    }

    fn take(&mut self, header: &[u8; HEADER_BYTES], is_opening: &mut bool) {
        let flags = header[5];
        let mut position = [0; 8];
        position.copy_from_slice(&header[6..14]);
        let position = i64::from_le_bytes(position);
        let serial = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
        let begins = flags & BEGINS_STREAM != 0;
        // Those of a link begin together, before any of them goes on.
        if begins && !*is_opening {
            self.0.push(BTreeMap::new());
        }
        *is_opening = begins;
        let Some(link) = self.0.last_mut() else { return };
        if begins {
            link.insert(serial, Stream::default());
        }
        if let Some(stream) = link.get_mut(&serial) {
            stream.position = Some(position).filter(|at| *at >= 0).or(stream.position);
            if flags & ENDS_STREAM != 0 {
                stream.ends.extend(stream.position);
            }
        }
    }

    /// Where the stream of that serial number ends; nothing in a chain, or when its last page is missing.
    pub(super) fn end(&self, serial: u32) -> Option<i64> {
        let [only] = self.0.as_slice() else { return None };
        only.get(&serial)?.ends.last().copied()
    }

    /// Whether the packet of a link reaches the end of its stream, so that its own end may be padding.
    pub(super) fn reaches_end(&self, link: usize, packet: &Packet) -> bool {
        let stream = self.0.get(link).and_then(|link| link.get(&packet.track_id));
        let Some(Stream { ends, .. }) = stream else { return false };
        let end = packet.pts.saturating_add(packet.dur).get();
        let lies_behind = packet.dur.get() == 0 && ends.first().is_some_and(|first| *first <= end);
        lies_behind || ends.contains(&end)
    }

    /// Whether the file ends before its last stream does.
    pub(super) fn are_cut_off(&self) -> bool {
        self.0.last().is_some_and(|link| link.values().all(|stream| stream.ends.is_empty()))
    }
}

/// Fills `bytes`; false at the end of the file.
fn is_read(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The position of the first frame: 0, or more where the stream was cut out of a longer one.
pub(super) fn first_frame(track: &Track) -> u64 {
    let delay = i64::from(track.delay.unwrap_or(0));
    u64::try_from(track.start_ts.get().saturating_add(delay)).unwrap_or(0)
}
