//! The parts of an MP4 or M4A file that Symphonia does not use: the edit list of a track, which says
//! which part of the coded sound is the music, and the length of a file that is cut short.
//!
//! An AAC encoder puts 1024 or more samples of run-in before the music and fills the last packet;
//! the edit list (ISO/IEC 14496-12, 8.6.6) says how much. Symphonia reads it but does not apply it.

use super::gap::Gap;
use super::repaired_file::Patches;
use std::io::{self, Read, Seek, SeekFrom};
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_MP3, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_MULAW,
    CODEC_ID_PCM_S24BE, CODEC_ID_PCM_S32BE,
};
use symphonia::core::formats::Track;

/// Where the first description of a sound has its number of channels.
const CHANNELS: std::ops::Range<usize> = 32..34;

/// What a track's boxes say.
#[derive(Clone, Debug, Default)]
pub(super) struct MovieTrack {
    pub(super) id: u32,
    /// Units of the track's clock a second.
    scale: u32,
    edit: Option<Edit>,
    /// How the sound is coded, in four letters.
    format: [u8; 4],
    channels: u16,
    bits: u16,
    rate_hz: u32,
    /// Where the file says how many channels there are, for PCM of more than Symphonia takes so.
    hidden_at: Option<u64>,
    /// The object type of an `esds` box: what `mp4a` stands for.
    object_type: Option<u8>,
    /// Of PCM that may be either: the least significant byte comes first.
    is_little_endian: bool,
}

/// Which part of a track is music, in units of the track's clock.
#[derive(Clone, Debug)]
struct Edit {
    gap: Gap,
    /// The length is a whole number of the movie's time units; so many units of the track are one.
    unit: u64,
}

impl MovieTrack {
    /// The edit, made exact by the length that the track's packets say they have, in units of the
    /// track's clock.
    ///
    /// A movie's time unit is often a millisecond, while the last packet's length is in frames.
    pub(super) fn gap(&self, packet_units: Option<u64>) -> Option<Gap> {
        let edit = self.edit.as_ref()?;
        let mut gap = edit.gap.clone();
        if let (Some(music), Some(all)) = (gap.music_frames, packet_units.filter(|&n| n > 0)) {
            let there = all.saturating_sub(gap.run_in_frames);
            if music.saturating_add(edit.unit) > there {
                gap.music_frames = Some(there);
            }
        }
        Some(gap)
    }

    /// Turns units of the track's clock into frames where they differ, and tells Symphonia the order of
    /// PCM's bytes, which it takes for little-endian.
    pub(super) fn correct(&self, track: &mut Track, gap: &mut Gap) {
        let Some(CodecParameters::Audio(parameters)) = &mut track.codec_params else { return };
        // A rate of 65,536 Hz or more has no place in the description; the clock has.
        if parameters.sample_rate.unwrap_or(0) == 0 && self.scale > 0 {
            parameters.with_sample_rate(self.scale);
        }
        if let Some(rate) = parameters.sample_rate
            && self.scale > 0
            && rate != self.scale
        {
            let ratio = f64::from(rate) / f64::from(self.scale);
            for units in [Some(&mut gap.run_in_frames), gap.music_frames.as_mut()]
                .into_iter()
                .chain([track.num_frames.as_mut()])
                .flatten()
            {
                *units = (*units as f64 * ratio).round() as u64;
            }
        }
        if parameters.channels.is_none() && parameters.codec == CODEC_ID_MP3 && self.channels > 0 {
            parameters.channels = Some(Channels::Discrete(self.channels));
        }
        if !self.is_little_endian {
            parameters.codec = match &self.format {
                b"in24" => CODEC_ID_PCM_S24BE,
                b"in32" => CODEC_ID_PCM_S32BE,
                b"fl32" => CODEC_ID_PCM_F32BE,
                b"fl64" => CODEC_ID_PCM_F64BE,
                _ => parameters.codec,
            };
        }
    }

    /// A-law and µ-law, which Symphonia finds and does not describe.
    pub(super) fn companded(&self) -> Option<CodecParameters> {
        let codec = match &self.format {
            b"ulaw" => CODEC_ID_PCM_MULAW,
            b"alaw" => CODEC_ID_PCM_ALAW,
            _ => return None,
        };
        let mut parameters = AudioCodecParameters::new();
        parameters
            .for_codec(codec)
            .with_sample_rate(self.rate_hz)
            .with_channels(Channels::Discrete(self.channels));
        (self.channels > 0).then_some(CodecParameters::Audio(parameters))
    }

    /// What Symphonia does not read, by the name that people know.
    pub(super) fn unread(&self) -> Option<String> {
        if self.bits == 8 && matches!(&self.format, b"twos" | b"sowt") {
            return Some("signed PCM of 8 bits".into());
        }
        let is_read = self.is_pcm() || matches!(&self.format, b"raw " | b"lpcm" | b"NONE");
        self.codec_name().filter(|_| !is_read)
    }

    /// The number of channels, where the sound is shown as one channel.
    pub(super) fn hidden_channels(&self) -> Option<usize> {
        self.hidden_at.map(|_| self.channels.into())
    }

    /// What shows a track of many channels as one channel.
    pub(super) fn patches(&self) -> Patches {
        let mut patches = Patches::default();
        if let Some(at) = self.hidden_at {
            patches.add(at, &1_u16.to_be_bytes());
        }
        patches
    }

    /// What the sound is coded in, by the name that people know.
    pub(super) fn codec_name(&self) -> Option<String> {
        let name = match &self.format {
            b"mp4a" => match self.object_type {
                Some(0x6b | 0x69) => "MP3",
                Some(0xa5) => "AC-3",
                Some(0xdd) => "Vorbis",
                Some(0xe1) => "QCELP",
                _ => "AAC",
            },
            b".mp3" | b"ms\0\x55" => "MP3",
            b"Opus" => "Opus",
            b"ac-3" | b"sac3" => "AC-3",
            b"ec-3" => "E-AC-3",
            b"ac-4" => "AC-4",
            b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" | b"dtsx" => "DTS",
            b"alac" => "ALAC",
            b"fLaC" => "FLAC",
            b"samr" | b"sawb" => "AMR",
            b"ima4" => "IMA ADPCM",
            b"ms\0\x02" => "MS ADPCM",
            b"ulaw" => "\u{b5}-law",
            b"alaw" => "A-law",
            b"drms" => "sound with Apple's copy protection (DRM)",
            b"enca" => "encrypted sound (DRM)",
            b"QDM2" | b"QDMC" => "QDesign Music",
            b"MAC3" | b"MAC6" => "MACE",
            b"raw " => "8-bit PCM",
            [0, 0, 0, 0] => return None,
            letters => return Some(format!("\"{}\"", letters.escape_ascii().to_string().trim())),
        };
        Some(name.into())
    }
}

/// Every track, in order.
pub(super) fn read_tracks(file: &mut (impl Read + Seek)) -> io::Result<Vec<MovieTrack>> {
    let end = file.seek(SeekFrom::End(0))?;
    let mut tracks = Vec::new();
    let mut movie_scale = 0;
    for movie in children(file, 0, end)?.into_iter().filter(|b| &b.kind == b"moov") {
        for part in children(file, movie.start, movie.end)? {
            match &part.kind {
                b"mvhd" => movie_scale = time_scale(&part.read(file, 32)?),
                b"trak" => tracks.push(read_track(file, &part, movie_scale)?),
                _ => {}
            }
        }
    }
    Ok(tracks)
}

fn read_track(
    file: &mut (impl Read + Seek),
    track: &Part,
    movie_scale: u32,
) -> io::Result<MovieTrack> {
    let (mut found, mut list) = (MovieTrack::default(), None);
    for part in children(file, track.start, track.end)? {
        match &part.kind {
            b"tkhd" => found.id = track_number(&part.read(file, 32)?).unwrap_or(0),
            b"edts" => {
                for inner in children(file, part.start, part.end)? {
                    if &inner.kind == b"elst" {
                        list = Some(inner.read(file, 1 << 16)?);
                    }
                }
            }
            b"mdia" => {
                for inner in children(file, part.start, part.end)? {
                    match &inner.kind {
                        b"mdhd" => found.scale = time_scale(&inner.read(file, 32)?),
                        b"minf" => found.read_format(file, &inner)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let Some((run_in_frames, length)) = list.as_deref().and_then(played_part) else {
        return Ok(found);
    };
    let music_frames = (length > 0 && movie_scale > 0 && found.scale > 0).then(|| {
        let scaled = u128::from(length) * u128::from(found.scale);
        (scaled as f64 / f64::from(movie_scale)).round() as u64
    });
    let unit = found.scale.div_ceil(movie_scale.max(1)).into();
    found.edit = Some(Edit { gap: Gap::new(run_in_frames, music_frames), unit });
    Ok(found)
}

impl MovieTrack {
    /// Looks into `minf`/`stbl`/`stsd`, the description of the samples.
    fn read_format(&mut self, file: &mut (impl Read + Seek), information: &Part) -> io::Result<()> {
        for table in children(file, information.start, information.end)? {
            if &table.kind != b"stbl" {
                continue;
            }
            for part in children(file, table.start, table.end)? {
                if &part.kind == b"stsd" {
                    let description = part.read(file, 1 << 16)?;
                    self.parse_description(&description);
                    // Version 2 names its channels elsewhere.
                    let is_old = number(&description, 24..26).is_some_and(|version| version < 2);
                    if is_old && self.is_pcm() && self.channels > 2 {
                        self.hidden_at = Some(part.start + CHANNELS.start as u64);
                    }
                }
            }
        }
        Ok(())
    }

    fn is_pcm(&self) -> bool {
        matches!(&self.format, b"twos" | b"sowt" | b"in24" | b"in32" | b"fl32" | b"fl64")
    }

    fn parse_description(&mut self, description: &[u8]) {
        // Version and count, then the first entry: its length, its four letters.
        self.bits = number(description, 34..36).unwrap_or(0) as u16;
        // With a fraction of 16 bits behind it.
        self.rate_hz = number(description, 40..42).unwrap_or(0) as u32;
        self.channels = number(description, CHANNELS).unwrap_or(0) as u16;
        if let Some(format) = description.get(12..16).and_then(|b| b.try_into().ok()) {
            self.format = format;
        }
        let after = |name: &[u8; 4]| {
            let at = description.windows(4).skip(16).position(|window| window == name)? + 20;
            description.get(at..)
        };
        // 1 in an `enda` box stands for little-endian; QuickTime's PCM without one is big-endian.
        self.is_little_endian = after(b"enda").is_some_and(|rest| rest.get(1) == Some(&1));
        // Descriptors within each other, 3 holding 4, whose first byte is the object type.
        self.object_type = after(b"esds").and_then(|rest| {
            let at = rest.iter().skip(4).position(|tag| *tag == 4)? + 5;
            // The length is in 7 bits a byte.
            let length = rest.get(at..)?.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
            rest.get(at + length).copied()
        });
    }
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
