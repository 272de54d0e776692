//! What a Matroska or WebM file says that Symphonia does not tell (RFC 9559).
//!
//! A track says how it is coded and how long its decoder runs in, its last block how much of it is
//! padding; a file that is cut short still has an index of what is gone.

use super::repaired_file::Patches;
use super::riff_chunks::read_at;
use crate::words::controls;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Read, Seek, SeekFrom};

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const CODEC: u32 = 0x86;
const CODEC_DELAY: u32 = 0x56aa;
const CLUSTER: u32 = 0x1f43_b675;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const DISCARD_PADDING: u32 = 0x75a2;

/// What a Matroska file is; empty for any other file.
#[derive(Debug, Default)]
pub(super) struct Matroska {
    tracks: Vec<MatroskaTrack>,
    /// For a file that ends early: takes its index away, whose places Symphonia would look for, and
    /// the lengths that reach beyond the end, with which it would pass over what is there.
    pub(super) patches: Patches,
    /// The last element ends where the file does, though no length was known, as in a live recording.
    pub(super) is_whole: bool,
}

impl Matroska {
    pub(super) fn track(&self, number: u32) -> Option<&MatroskaTrack> {
        self.tracks.iter().find(|track| track.number == u64::from(number))
    }
}

/// What a track says.
#[derive(Debug, Default)]
pub(super) struct MatroskaTrack {
    number: u64,
    /// As in `A_OPUS`.
    codec: String,
    /// Of the decoder, in front of the music.
    pub(super) delay_nanoseconds: u64,
    /// Padding at the end of the last block.
    pub(super) padding_nanoseconds: u64,
}

impl MatroskaTrack {
    /// What the sound is coded in, by the name that people know.
    pub(super) fn codec_name(&self) -> Option<String> {
        let codec = self.codec.strip_prefix("A_")?;
        Some(match codec {
            "AC3" => "AC-3".into(),
            "EAC3" => "E-AC-3".into(),
            "TTA1" => "TTA".into(),
            "WAVPACK4" => "WavPack".into(),
            "TRUEHD" => "Dolby TrueHD".into(),
            "MS/ACM" => "a codec of Windows".into(),
            "QUICKTIME" | "QUICKTIME/QDM2" | "QUICKTIME/QDMC" => "a codec of QuickTime".into(),
            "OPUS" => "Opus".into(),
            "VORBIS" => "Vorbis".into(),
            "MPEG/L3" => "MP3".into(),
            codec if codec.starts_with("AAC") => "AAC".into(),
            codec if codec.starts_with("REAL") => "RealAudio".into(),
            // Of damaged files, too.
            codec => codec.chars().filter(|letter| !controls(*letter)).take(32).collect(),
        })
    }
}

/// Looks at a Matroska file.
pub(super) fn read(file: &mut (impl Read + Seek)) -> io::Result<Matroska> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut matroska = Matroska::default();
    if read_at(file, 0, 4)? != EBML.to_be_bytes() {
        return Ok(matroska);
    }
    let top = elements(file, 0, end)?;
    let Some(segment) = top.iter().find(|element| element.id == SEGMENT) else {
        return Ok(matroska);
    };
    let parts = elements(file, segment.start, segment.end)?;
    for part in parts.iter().filter(|part| part.id == TRACKS) {
        for track in elements(file, part.start, part.end)?.iter().filter(|e| e.id == TRACK) {
            matroska.tracks.push(read_track(file, track)?);
        }
    }
    let last = parts.iter().rfind(|part| part.id == CLUSTER);
    let blocks = last.map_or(Ok(Vec::new()), |last| elements(file, last.start, last.end))?;
    let paddings = paddings(file, &blocks)?;
    for track in &mut matroska.tracks {
        track.padding_nanoseconds = paddings.get(&track.number).copied().unwrap_or(0);
    }
    matroska.is_whole =
        blocks.last().is_some_and(|block| !block.is_cut) && parts.iter().all(|part| !part.is_cut);
    if segment.is_cut || parts.iter().any(|part| part.is_cut) {
        for index in parts.iter().filter(|part| part.id == SEEK_HEAD) {
            matroska.patches.append(as_void(index));
        }
        for part in [segment].into_iter().chain(last).filter(|part| part.is_cut) {
            matroska.patches.append(part.of_unknown_length());
        }
    }
    Ok(matroska)
}

fn read_track(file: &mut (impl Read + Seek), track: &Element) -> io::Result<MatroskaTrack> {
    let mut found = MatroskaTrack::default();
    for fact in elements(file, track.start, track.end)? {
        match fact.id {
            TRACK_NUMBER => found.number = fact.number(file)?,
            CODEC_DELAY => found.delay_nanoseconds = fact.number(file)?,
            CODEC => {
                let letters = read_at(file, fact.start, (fact.end - fact.start).min(64))?;
                found.codec = String::from_utf8_lossy(&letters).into_owned();
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Makes an element of four letters one that readers pass over.
fn as_void(element: &Element) -> Patches {
    let mut patches = Patches::default();
    let (from, length) = (element.at, element.end - element.start);
    // A name of one byte instead of four leaves three more for the length.
    let length_bytes = (element.start - from - 1).min(8);
    if length_bytes >= 4 {
        let mut bytes =
            (length | 1 << (7 * length_bytes)).to_be_bytes()[8 - length_bytes as usize..].to_vec();
        bytes.insert(0, 0xec);
        patches.add(from, &bytes);
    }
    patches
}

/// The padding of each track's last block. Every block is looked at once, however many tracks there are.
fn paddings(file: &mut (impl Read + Seek), blocks: &[Element]) -> io::Result<HashMap<u64, u64>> {
    let mut found = HashMap::new();
    for block in blocks.iter().rev() {
        let group = match block.id {
            SIMPLE_BLOCK => vec![*block],
            BLOCK_GROUP => elements(file, block.start, block.end)?,
            _ => continue,
        };
        let Some(inner) = group.iter().find(|e| matches!(e.id, BLOCK | SIMPLE_BLOCK)) else {
            continue;
        };
        let head = read_at(file, inner.start, 8)?;
        let Some((track, _)) = variable(&head) else { continue };
        if let Entry::Vacant(place) = found.entry(track) {
            let padding = group.iter().find(|element| element.id == DISCARD_PADDING);
            place.insert(padding.map_or(Ok(0), |padding| padding.number(file))?);
        }
    }
    Ok(found)
}

/// An element of EBML (RFC 8794): its name and the place of its body.
#[derive(Clone, Copy, Debug)]
struct Element {
    id: u32,
    /// Where its name stands.
    at: u64,
    start: u64,
    end: u64,
    /// It is longer than the file, or than what it stands in.
    is_cut: bool,
}

impl Element {
    /// All ones, which stands for: as long as there is something.
    fn of_unknown_length(&self) -> Patches {
        let mut patches = Patches::default();
        let name_bytes = (4 - self.id.leading_zeros() / 8) as u64;
        let (at, length_bytes) = (self.at + name_bytes, self.start - self.at - name_bytes);
        if (1..=8).contains(&length_bytes) {
            let ones = u64::MAX >> (64 - 7 * length_bytes) | 1 << (7 * length_bytes);
            patches.add(at, &ones.to_be_bytes()[8 - length_bytes as usize..]);
        }
        patches
    }

    /// A number; 0 for a negative or damaged one.
    fn number(&self, file: &mut (impl Read + Seek)) -> io::Result<u64> {
        let bytes = read_at(file, self.start, (self.end - self.start).min(9))?;
        let number = bytes.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(if bytes.len() > 8 { 0 } else { i64::try_from(number).map_or(0, |n| n as u64) })
    }
}

/// The elements between two places; stops quietly where the file is damaged.
fn elements(file: &mut (impl Read + Seek), start: u64, end: u64) -> io::Result<Vec<Element>> {
    /// More than three days of clusters.
    const MOST: usize = 100_000;
    let (mut found, mut at) = (Vec::new(), start);
    while at < end && found.len() < MOST {
        let head = read_at(file, at, 12)?;
        let Some(id_bytes) = head.first().map(|byte| byte.leading_zeros() as usize + 1) else {
            break;
        };
        if id_bytes > 4 || head.len() <= id_bytes {
            break;
        }
        let id = head[..id_bytes].iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let Some((length, length_bytes)) = variable(&head[id_bytes..]) else { break };
        let body = at + (id_bytes + length_bytes) as u64;
        // All ones: the length is not known.
        let is_unknown = length == (1 << (7 * length_bytes)) - 1;
        let after = if is_unknown { Some(end) } else { body.checked_add(length) };
        let Some(next) = after.filter(|_| body <= end) else { break };
        found.push(Element { id, at, start: body, end: next.min(end), is_cut: next > end });
        at = next;
    }
    Ok(found)
}

/// A number whose leading zeros say how many bytes it has, and how many these are.
fn variable(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 || bytes.len() < length {
        return None;
    }
    let own = u64::from(first) & ((1 << (8 - length)) - 1);
    Some((bytes[1..length].iter().fold(own, |n, &byte| n << 8 | u64::from(byte)), length))
}
