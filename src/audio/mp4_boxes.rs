//! The parts of an MP4 or M4A file that Symphonia does not use: the edit list of a track, which says
//! which part of the coded sound is the music, and the length of a file that is cut short.
//!
//! An AAC encoder puts 1024 or more samples of run-in before the music and fills the last packet;
//! the edit list (ISO/IEC 14496-12, 8.6.6) says how much. Symphonia reads it but does not apply it.

use super::gap::Gap;
use super::repaired_file::Patches;
use std::io::{self, Read, Seek, SeekFrom};

/// Which part of a track is music, in frames of the track's own time scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit {
    pub(super) track_id: u32,
    gap: Gap,
    /// The length is a whole number of the movie's time units; so many frames are one.
    unit_frames: u64,
}

impl Edit {
    /// The edit, made exact by the number of frames that the track's packets say they hold.
    ///
    /// A movie's time unit is often a millisecond, while the last packet's length is in frames.
    pub(super) fn gap(&self, packet_frames: Option<u64>) -> Gap {
        let mut gap = self.gap;
        if let (Some(music), Some(all)) = (gap.music_frames, packet_frames.filter(|&n| n > 0)) {
            let there = all.saturating_sub(gap.run_in_frames);
            if music.saturating_add(self.unit_frames) > there {
                gap.music_frames = Some(there);
            }
        }
        gap
    }
}

/// One edit for each track that has an edit list.
pub(super) fn read_edits(file: &mut (impl Read + Seek)) -> io::Result<Vec<Edit>> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut edits = Vec::new();
    let mut movie_scale = 0;
    for movie in children(file, 0, end)?.into_iter().filter(|b| &b.kind == b"moov") {
        for part in children(file, movie.start, movie.end)? {
            match &part.kind {
                b"mvhd" => movie_scale = time_scale(&part.read(file, 32)?),
                b"trak" => edits.extend(read_track(file, &part, movie_scale)?),
                _ => {}
            }
        }
    }
    Ok(edits)
}

fn read_track(
    file: &mut (impl Read + Seek),
    track: &Part,
    movie_scale: u32,
) -> io::Result<Option<Edit>> {
    let (mut track_id, mut track_scale, mut list) = (None, 0, None);
    for part in children(file, track.start, track.end)? {
        match &part.kind {
            b"tkhd" => track_id = track_number(&part.read(file, 32)?),
            b"edts" => {
                for inner in children(file, part.start, part.end)? {
                    if &inner.kind == b"elst" {
                        list = Some(inner.read(file, 1 << 16)?);
                    }
                }
            }
            b"mdia" => {
                for inner in children(file, part.start, part.end)? {
                    if &inner.kind == b"mdhd" {
                        track_scale = time_scale(&inner.read(file, 32)?);
                    }
                }
            }
            _ => {}
        }
    }
    let (Some(track_id), Some(list)) = (track_id, list) else { return Ok(None) };
    let Some((run_in_frames, length)) = played_part(&list) else { return Ok(None) };
    let music_frames = (length > 0 && movie_scale > 0 && track_scale > 0).then(|| {
        let scaled = u128::from(length) * u128::from(track_scale);
        (scaled as f64 / f64::from(movie_scale)).round() as u64
    });
    let unit_frames = track_scale.div_ceil(movie_scale.max(1)).into();
    Ok(Some(Edit { track_id, gap: Gap { run_in_frames, music_frames }, unit_frames }))
}

/// Start in the track's units and length in the movie's units. Empty edits, which only delay a
/// track against the others, are passed over; edits that follow each other count as one.
fn played_part(list: &[u8]) -> Option<(u64, u64)> {
    let wide = *list.first()? == 1;
    let entries = list.get(8..)?.chunks_exact(if wide { 20 } else { 12 });
    let mut played = entries.filter_map(|entry| {
        let (length, start) = if wide {
            (number(entry, 0..8)?, number(entry, 8..16)? as i64)
        } else {
            (number(entry, 0..4)?, i64::from(number(entry, 4..8)? as u32 as i32))
        };
        Some((u64::try_from(start).ok()?, length))
    });
    let (start, first) = played.next()?;
    Some((start, played.fold(first, |sum, (_, length)| sum.saturating_add(length))))
}

struct Part {
    kind: [u8; 4],
    start: u64,
    end: u64,
}

impl Part {
    fn read(&self, file: &mut (impl Read + Seek), limit: u64) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(self.start))?;
        let mut bytes = Vec::new();
        file.take(limit.min(self.end - self.start)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// For a file that ends inside its last box: the box's length as it is.
///
/// Symphonia passes over a box that is longer than the file, and all the sound in it.
pub(super) fn cut_short(file: &mut (impl Read + Seek)) -> io::Result<Patches> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut patches = Patches::default();
    let boxes = children(file, 0, end)?;
    let at = boxes.last().map_or(0, |b| b.end);
    let is_mp4 = boxes.first().is_some_and(|b| &b.kind == b"ftyp");
    if !is_mp4 || end - at < 16 {
        return Ok(patches);
    }
    let size = (Part { kind: [0; 4], start: at, end }).read(file, 4)?;
    match number(&size, 0..4) {
        Some(1) => patches.add(at + 8, &(end - at).to_be_bytes()),
        // 0 stands for: to the end of the file.
        _ => patches.add(at, &u32::try_from(end - at).unwrap_or(0).to_be_bytes()),
    }
    Ok(patches)
}

/// The boxes between two positions; stops quietly where the file is damaged.
fn children(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<Vec<Part>> {
    /// More than any real file has at one level.
    const MOST: usize = 4096;
    let mut parts = Vec::new();
    let mut at = start;
    while at + 8 <= end && parts.len() < MOST {
        file.seek(SeekFrom::Start(at))?;
        let mut header = Vec::new();
        file.by_ref().take(16).read_to_end(&mut header)?;
        let Some(kind) = header.get(4..8).and_then(|k| k.try_into().ok()) else { break };
        let (head, size) = match number(&header, 0..4) {
            Some(0) => (8, end - at),
            Some(1) => (16, number(&header, 8..16).unwrap_or(0)),
            Some(size) => (8, size),
            None => break,
        };
        let Some(next) = at.checked_add(size).filter(|&n| n <= end && size >= head) else { break };
        parts.push(Part { kind, start: at + head, end: next });
        at = next;
    }
    Ok(parts)
}

/// Big-endian, as everything in an MP4 file.
fn number(bytes: &[u8], range: std::ops::Range<usize>) -> Option<u64> {
    Some(bytes.get(range)?.iter().fold(0, |n, &b| n << 8 | u64::from(b)))
}

/// Of an `mvhd` or `mdhd` box; 0 when damaged.
fn time_scale(header: &[u8]) -> u32 {
    let at = if header.first() == Some(&1) { 20 } else { 12 };
    number(header, at..at + 4).unwrap_or(0) as u32
}

fn track_number(header: &[u8]) -> Option<u32> {
    let at = if header.first() == Some(&1) { 20 } else { 12 };
    number(header, at..at + 4).map(|n| n as u32)
}
