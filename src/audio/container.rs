//! What a file is before anything is decoded: the container, its track, tags and gaps.
//!
//! Symphonia finds the container; what it leaves out is read here from the file directly.

use super::gap::Gap;
use super::repaired_file::{Patches, RepairedFile};
use super::riff_chunks::read_at;
use super::{Tags, mp4_boxes, mpeg_frames, no_panic, signatures, wav_header};
use crate::words::counted;
use crate::{Error, Result};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known as format_id;
use symphonia::core::formats::{FormatId, FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Timestamp;

const MPEG_FORMATS: [FormatId; 4] = [
    format_id::FORMAT_ID_MP1,
    format_id::FORMAT_ID_MP2,
    format_id::FORMAT_ID_MP3,
    format_id::FORMAT_ID_ADTS,
];

/// A higher rate than any converter has; a header that says more is damaged.
const HIGHEST_RATE_HZ: u32 = 6_144_000;

/// An opened file and the track of it that holds the sound.
pub(super) struct Container {
    pub(super) reader: Box<dyn FormatReader>,
    pub(super) track: Track,
    pub(super) tags: Tags,
    pub(super) gap: Gap,
    /// Frames of music according to the file, where it says so for certain.
    pub(super) expected_frames: Option<u64>,
    /// Whether the decoder may trust the reader about what to take off at both ends.
    pub(super) gapless: bool,
    /// Where the frames end that an MPEG file's header counts, padding included.
    pub(super) counted_end: Option<Timestamp>,
    /// For a WAV file with more channels than Symphonia takes.
    pub(super) hidden_channels: Option<usize>,
    /// What the track holds, by the name that people know, where that is found.
    pub(super) codec: Option<String>,
    pub(super) warnings: Vec<String>,
}

pub(super) fn open(path: &Path) -> Result<Container> {
    require_file(path)?;
    let mut file = File::open(path).map_err(Error::io(path, "open the file"))?;
    let facts = Facts::read(&mut file).map_err(Error::io(path, "read the file"))?;
    facts.refuse(path)?;
    let source = RepairedFile::new(file, facts.patches.clone(), facts.wav.view.clone())
        .map(Box::new)
        .map_err(Error::io(path, "read the file"))?;
    let mut reader = no_panic::catch(|| {
        let stream = MediaSourceStream::new(source, Default::default());
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata)
    })
    .ok_or_else(|| facts.not_audio(path, &"the header is damaged"))?
    .map_err(|fault| facts.not_audio(path, &fault))?;
    let format = reader.format_info().format;
    let is_mpeg = MPEG_FORMATS.contains(&format);
    if is_mpeg && facts.mpeg.is_none() {
        return Err(facts.not_audio(path, &"no two frames of MPEG audio follow each other"));
    }
    let mut warnings = Vec::new();
    let (mut tags, itunes_gap) = read_tags(&mut *reader);
    facts.wav.lists.iter().for_each(|list| tags.merge_riff_list(list));
    let mut track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| Error::audio(path, "expected sound, found a file without a sound track"))?
        .clone();
    if format == format_id::FORMAT_ID_OGG && track.num_frames.is_none() {
        warnings.push("the end of the stream is missing: the file is truncated".to_owned());
    }
    // Without a count of frames in an MPEG file, Symphonia estimates one from the first frames and
    // would cut a file of varying bit rate short.
    let gapless = !is_mpeg || facts.mpeg.is_some_and(|f| f.counted);
    let mut gap = Gap::default();
    if format == format_id::FORMAT_ID_ISOMP4 {
        let movie_track = facts.tracks.iter().find(|found| found.id == track.id);
        let edit = movie_track.and_then(|found| found.gap(track.num_frames));
        gap = edit.or(itunes_gap).unwrap_or_default();
        if let Some(found) = movie_track {
            found.correct(&mut track, &mut gap);
        }
    }
    let codec = facts.codec(path, &track);
    let hidden_channels = facts.wav.hidden_channels;
    let channels = hidden_channels.unwrap_or(1) as u64;
    let counted = track.num_frames.filter(|&n| gapless && n > 0);
    let expected_frames = facts
        .wav
        .promised_frames
        .or(gap.music_frames)
        .or(counted.map(|n| (n / channels).saturating_sub(gap.run_in_frames)));
    let counted_end = counted
        .filter(|_| is_mpeg)
        .and_then(|n| i64::try_from(n).ok()?.checked_add(track.padding.unwrap_or(0).into()))
        .map(Timestamp::new);
    Ok(Container {
        reader,
        track,
        tags,
        gap,
        expected_frames,
        gapless,
        counted_end,
        hidden_channels,
        codec,
        warnings,
    })
}

/// Looked at before it is opened: who opens a pipe waits for somebody who writes.
fn require_file(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path, "open the file"))?;
    if metadata.is_dir() {
        let problem = "expected an audio file, found a folder; name one of the files in it";
        return Err(Error::audio(path, problem));
    }
    if !metadata.is_file() {
        let problem = "expected an audio file, found a device or a pipe; copy it into a file, or \
                       pipe it into standard input and name that (-)";
        return Err(Error::audio(path, problem));
    }
    if metadata.len() == 0 {
        let problem = "expected an audio file, found an empty one (0 bytes); copy or download it \
                       again";
        return Err(Error::audio(path, problem));
    }
    Ok(())
}

/// What Symphonia does not tell, and what it has to be told.
struct Facts {
    mpeg: Option<mpeg_frames::Frames>,
    tracks: Vec<mp4_boxes::MovieTrack>,
    wav: wav_header::Wav,
    patches: Patches,
    /// The first bytes.
    head: Vec<u8>,
    is_free_format: bool,
}

impl Facts {
    fn read(file: &mut File) -> io::Result<Self> {
        let wav = wav_header::read(file)?;
        let mut patches = mp4_boxes::cut_short(file)?;
        patches.append(aiff_length(file)?);
        let tracks = mp4_boxes::read_tracks(file)?;
        let mpeg = mpeg_frames::find_frames(file)?;
        if let Some((at, bytes)) = mpeg.and_then(|frames| frames.uncounted) {
            patches.add(at, &bytes);
        }
        let is_free_format = mpeg_frames::is_free_format(file)?;
        let head = read_at(file, 0, HEAD_BYTES)?;
        Ok(Self { mpeg, tracks, wav, patches, head, is_free_format })
    }

    /// Refuses what is known not to be decoded.
    fn refuse(&self, path: &Path) -> Result<()> {
        if let Some(codec) = &self.wav.unknown_codec {
            let problem = format!("holds {codec} inside a WAV file, {CONVERT}");
            return Err(Error::audio(path, problem));
        }
        if self.wav.is_empty {
            return Err(no_sound(path, ""));
        }
        Ok(())
    }

    /// An error for what Symphonia does not take, by its own name where that is known.
    fn not_audio(&self, path: &Path, cause: &dyn std::fmt::Display) -> Error {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match signatures::name(&self.head, &ending) {
            Some(name) => Error::audio(path, format!("is {name}, {CONVERT}")),
            None if self.is_free_format => {
                Error::audio(path, format!("is MP3 of free format, {CONVERT}"))
            }
            None => not_audio(path, cause),
        }
    }

    /// The name of what a track without a decoder holds.
    fn codec(&self, path: &Path, track: &Track) -> Option<String> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let movie_track = self.tracks.iter().find(|found| found.id == track.id);
        movie_track
            .and_then(|found| found.codec_name())
            .or_else(|| signatures::name(&self.head, &ending).map(str::to_owned))
    }
}

/// How far into a file its kind is looked for.
const HEAD_BYTES: u64 = 4096;

/// What to do with a file that is not decoded.
const CONVERT: &str =
    "which is not supported; convert it, for example with `ffmpeg -i IN out.flac`";

/// For an AIFF file that says it is longer than it is: its length.
fn aiff_length(file: &mut File) -> io::Result<Patches> {
    let mut patches = Patches::default();
    let end = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, 12)?;
    if head.len() == 12 && &head[..4] == b"FORM" && matches!(&head[8..], b"AIFF" | b"AIFC") {
        patches.add(4, &u32::try_from(end - 8).unwrap_or(u32::MAX).to_be_bytes());
    }
    Ok(patches)
}

/// An error for a file of a known kind with no sound in it.
pub(super) fn no_sound(path: &Path, because: &str) -> Error {
    let problem = format!("expected sound, found not one sample; {because}export it again");
    Error::audio(path, problem)
}

fn not_audio(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let cause = cause.to_string();
    if cause.contains("missing moov atom") {
        let problem = "expected an M4A or MP4 file, found one without its index, which is at the \
                       end: the file is truncated; copy or download it again";
        return Error::audio(path, problem);
    }
    let problem = format!(
        "expected an MP3, WAV, FLAC, Ogg Vorbis, AAC/M4A, AIFF, CAF or Matroska file, found something \
         else or a damaged one ({cause})"
    );
    Error::audio(path, problem)
}

fn read_tags(reader: &mut dyn FormatReader) -> (Tags, Option<Gap>) {
    let (mut tags, mut gap) = (Tags::default(), None);
    let mut log = reader.metadata();
    loop {
        if let Some(revision) = log.current() {
            tags.merge(revision);
            gap = gap.or(revision.media.tags.iter().find_map(Gap::of_itunes));
        }
        if log.pop().is_none() {
            return (tags, gap);
        }
    }
}

pub(super) fn parameters<'a>(path: &Path, track: &'a Track) -> Result<&'a AudioCodecParameters> {
    track.codec_params.as_ref().and_then(|p| p.audio()).ok_or_else(|| {
        Error::audio(path, "the sound is coded in a way that is not supported; convert it to FLAC")
    })
}

/// The sample rate and the number of channels that a track's header names.
pub(super) fn rate_and_channels(
    path: &Path,
    parameters: &AudioCodecParameters,
    hidden_channels: Option<usize>,
    known_codec: Option<&str>,
) -> Result<(u32, usize)> {
    let rate_hz = parameters.sample_rate.unwrap_or(0);
    let named_channels = parameters.channels.as_ref().map_or(0, |c| c.count());
    let channels = hidden_channels.unwrap_or(named_channels);
    if let (0, Some(codec)) = (channels, known_codec) {
        // A coder that is not at home in this container.
        return Err(Error::audio(
            path,
            format!("holds {codec} in a container of another kind, {CONVERT}"),
        ));
    }
    if channels == 0 || rate_hz == 0 || rate_hz > HIGHEST_RATE_HZ {
        let problem = format!(
            "expected at least 1 channel and 1 to {HIGHEST_RATE_HZ} samples a second, found {} and \
             {rate_hz}: the header is damaged",
            counted(channels, "channel")
        );
        return Err(Error::audio(path, problem));
    }
    Ok((rate_hz, channels))
}

/// The decoder for a track and the codec's name.
pub(super) fn make_decoder(
    path: &Path,
    parameters: &AudioCodecParameters,
    (gapless, known_codec): (bool, Option<&str>),
) -> Result<(Box<dyn AudioDecoder>, String)> {
    let options = AudioDecoderOptions::default().gapless(gapless).verify(true);
    let decoder = no_panic::catch(|| {
        symphonia::default::get_codecs().make_audio_decoder(parameters, &options)
    })
    .ok_or_else(|| not_audio(path, &"the header is damaged"))?
    .map_err(|fault| {
        let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        Error::audio(
            path,
            match known_codec {
                Some("AAC") if channels > 2 => {
                    format!("holds AAC with {channels} channels, {CONVERT}")
                }
                Some(codec) => format!("holds {codec}, {CONVERT}"),
                None => format!("the sound is coded in a way that is unknown ({fault}), {CONVERT}"),
            },
        )
    })?;
    let name = codec_name(decoder.codec_info().short_name);
    Ok((decoder, name))
}

/// `pcm_s16le` and the like become words.
fn codec_name(short_name: &str) -> String {
    let Some(pcm) = short_name.strip_prefix("pcm_") else {
        return match short_name {
            "vorbis" => "Vorbis".to_owned(),
            other => other.to_uppercase(),
        };
    };
    let bits: String = pcm.chars().filter(char::is_ascii_digit).collect();
    match pcm.as_bytes() {
        [b'f', ..] => format!("PCM, {bits}-bit floating-point"),
        [b's' | b'u', ..] => format!("PCM, {bits}-bit integer"),
        _ => format!("PCM, {pcm}"),
    }
}
