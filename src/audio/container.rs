//! What a file is before anything is decoded: the container, its track, tags and gaps.
//!
//! Symphonia finds the container; what it leaves out is read here from the file directly.

use super::faults::counted;
use super::gap::Gap;
use super::repaired_file::{Patches, RepairedFile};
use super::{Tags, mp4_boxes, mpeg_frames, no_panic, wav_header};
use crate::{Error, Result};
use std::fs::File;
use std::io;
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
    pub(super) warnings: Vec<String>,
}

pub(super) fn open(path: &Path) -> Result<Container> {
    let mut file = File::open(path).map_err(Error::io(path, "open the file"))?;
    require_file(path, &file)?;
    let facts = Facts::read(&mut file).map_err(Error::io(path, "read the file"))?;
    let source = RepairedFile::new(file, facts.patches)
        .map(Box::new)
        .map_err(Error::io(path, "read the file"))?;
    let mut reader = no_panic::catch(|| {
        let stream = MediaSourceStream::new(source, Default::default());
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata)
    })
    .ok_or_else(|| not_audio(path, &"the header is damaged"))?
    .map_err(|fault| not_audio(path, &fault))?;
    let format = reader.format_info().format;
    let is_mpeg = MPEG_FORMATS.contains(&format);
    if is_mpeg && facts.mpeg.is_none() {
        return Err(not_audio(path, &"no two frames of MPEG audio follow each other"));
    }
    let mut warnings = Vec::new();
    let (mut tags, itunes_gap) = read_tags(&mut *reader);
    facts.wav.lists.iter().for_each(|list| tags.merge_riff_list(list));
    let track = reader
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
        let edit = facts.edits.iter().find(|e| e.track_id == track.id);
        let edit = edit.map(|e| e.gap(track.num_frames));
        gap = edit.or(itunes_gap).unwrap_or_default();
    }
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
        warnings,
    })
}

fn require_file(path: &Path, file: &File) -> Result<()> {
    let metadata = file.metadata().map_err(Error::io(path, "read the file"))?;
    if metadata.is_dir() {
        let problem = "expected an audio file, found a folder; name one of the files in it";
        return Err(Error::audio(path, problem));
    }
    if !metadata.is_file() {
        let problem = "expected an audio file, found a device or a pipe; copy it into a file first";
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
    edits: Vec<mp4_boxes::Edit>,
    wav: wav_header::Repair,
    patches: Patches,
}

impl Facts {
    fn read(file: &mut File) -> io::Result<Self> {
        let wav = wav_header::plan(file)?;
        let mut patches = wav.patches.clone();
        patches.append(mp4_boxes::cut_short(file)?);
        let edits = mp4_boxes::read_edits(file)?;
        Ok(Self { mpeg: mpeg_frames::find_frames(file)?, edits, wav, patches })
    }
}

fn not_audio(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let cause = cause.to_string();
    if cause.contains("missing moov atom") {
        let problem = "expected an M4A or MP4 file, found one without its index, which is at the \
                       end: the file is truncated; copy or download it again";
        return Error::audio(path, problem);
    }
    let problem = format!(
        "expected an MP3, WAV, FLAC, Ogg Vorbis, AAC/M4A or AIFF file, found something else or a \
         damaged one ({cause})"
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
) -> Result<(u32, usize)> {
    let rate_hz = parameters.sample_rate.unwrap_or(0);
    let named_channels = parameters.channels.as_ref().map_or(0, |c| c.count());
    let channels = hidden_channels.unwrap_or(named_channels);
    if channels == 0 || rate_hz == 0 || rate_hz > HIGHEST_RATE_HZ {
        let problem = format!(
            "expected at least 1 channel and 1 to {HIGHEST_RATE_HZ} samples a second, found {} and \
             {rate_hz}: the header is damaged",
            counted(channels as u64, "channel")
        );
        return Err(Error::audio(path, problem));
    }
    Ok((rate_hz, channels))
}

/// The decoder for a track and the codec's name.
pub(super) fn make_decoder(
    path: &Path,
    parameters: &AudioCodecParameters,
    gapless: bool,
) -> Result<(Box<dyn AudioDecoder>, String)> {
    let options = AudioDecoderOptions::default().gapless(gapless).verify(true);
    let decoder = no_panic::catch(|| {
        symphonia::default::get_codecs().make_audio_decoder(parameters, &options)
    })
    .ok_or_else(|| not_audio(path, &"the header is damaged"))?
    .map_err(|fault| {
        let problem = format!(
            "the sound is coded in a way that is not supported ({fault}); expected MP3, WAV, FLAC, \
             Ogg Vorbis or AAC-LC; convert it, for example to FLAC"
        );
        Error::audio(path, problem)
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
