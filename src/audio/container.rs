//! What a file is before anything is decoded: the container, its track, tags and gaps.
//!
//! Symphonia finds the container; what it leaves out is read here from the file directly.

use super::facts::{self, CONVERT, Facts};
use super::gap::Gap;
use super::ogg_positions::{self, Links};
use super::{Tags, no_panic, opus, vorbis};
use crate::words::counted;
use crate::{Error, Result};
use std::fs::File;
use std::path::Path;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::formats::well_known as format_id;
use symphonia::core::formats::{FormatId, FormatReader, Track, TrackType};
use symphonia::core::units::Timestamp;

const MPEG_FORMATS: [FormatId; 4] = [
    format_id::FORMAT_ID_MP1,
    format_id::FORMAT_ID_MP2,
    format_id::FORMAT_ID_MP3,
    format_id::FORMAT_ID_ADTS,
];

/// A higher rate than any converter has; a header that says more is damaged.
const HIGHEST_RATE_HZ: u32 = 6_144_000;

/// A decoder makes room for a packet before it has come; real ones are a hundred times shorter.
const MOST_PACKET_SAMPLES: u64 = 1 << 23;

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
    /// Of an Ogg file.
    pub(super) links: Option<Links>,
    /// For a WAV or MOV file with more channels than Symphonia takes.
    pub(super) hidden_channels: Option<usize>,
    /// What the track holds, by the name that people know, where that is found.
    pub(super) codec: Option<String>,
    /// A stream without a known end ends where the file does.
    pub(super) ends_openly: bool,
    /// So many frames fewer than the file says are no loss: a packet of a CAF file.
    pub(super) slack_frames: u64,
    pub(super) warnings: Vec<String>,
}

pub(super) fn open(path: &Path) -> Result<Container> {
    facts::require_file(path)?;
    let mut file = File::open(path).map_err(Error::io(path, "open the file"))?;
    let facts = Facts::read(&mut file).map_err(Error::io(path, "read the file"))?;
    facts.refuse(path)?;
    let mut reader = facts.reader(path, file)?;
    let format = reader.format_info().format;
    let is_mpeg = MPEG_FORMATS.contains(&format);
    if is_mpeg && facts.mpeg.is_none() {
        return Err(facts.not_audio(path, &"no two frames of MPEG audio follow each other"));
    }
    let mut warnings = Vec::new();
    let (mut tags, itunes_gap) = read_tags(&mut *reader);
    facts.wav.lists.iter().for_each(|list| tags.merge_riff_list(list));
    facts.wav.id3.iter().for_each(|tag| tags.merge_id3(tag));
    let described = reader.default_track(TrackType::Audio).cloned();
    let mut track = match described.or_else(|| facts.companded_track(reader.tracks())) {
        Some(track) => track,
        None => return Err(facts.no_track(path)),
    };
    let links = match format == format_id::FORMAT_ID_OGG {
        true => Some(Links::open(path)?),
        false => None,
    };
    if links.as_ref().is_some_and(Links::are_cut_off) {
        warnings.push("the end of the stream is missing: the file is truncated".to_owned());
    }
    // Without a count of frames in an MPEG file, Symphonia estimates one from the first frames and
    // would cut a file of varying bit rate short.
    let gapless = !is_mpeg || facts.mpeg.is_some_and(|f| f.counted);
    let mut gap = Gap::default();
    if let Some(CodecParameters::Audio(parameters)) = &mut track.codec_params
        && opus::is_opus(parameters)
    {
        // Containers tell the rate of what was coded.
        parameters.with_sample_rate(opus::RATE_HZ);
    }
    if format == format_id::FORMAT_ID_ISOMP4 {
        let movie_track = facts.tracks.iter().find(|found| found.id == track.id);
        let edit = movie_track.and_then(|found| found.gap(track.num_frames));
        gap = edit.or(itunes_gap).unwrap_or_default();
        if let Some(found) = movie_track {
            found.correct(&mut track, &mut gap);
            facts.correct_mp3(path, &mut track)?;
        }
    }
    if let Some(CodecParameters::Audio(parameters)) = &mut track.codec_params {
        facts.caf.correct(parameters);
    }
    if let Some(parameters) = track.codec_params.as_ref().and_then(|p| p.audio()) {
        facts.surround(parameters, track.id, &mut gap);
    }
    facts.refuse_high_efficiency(path, &track)?;
    let codec = facts.codec(path, &track);
    let channels = facts.wav.hidden_channels.unwrap_or(1) as u64;
    let movie_track = facts.tracks.iter().find(|found| found.id == track.id);
    let hidden_channels = facts.wav.hidden_channels.or_else(|| movie_track?.hidden_channels());
    let mut before = gap.run_in_frames;
    if let Some(links) = &links {
        before = before.max(ogg_positions::first_frame(&track));
        track.num_frames = links.end(track.id).and_then(|end| u64::try_from(end).ok());
    }
    let counted = track.num_frames.filter(|&n| gapless && n > 0);
    let expected_frames = facts
        .promised_frames
        .or(gap.music_frames)
        .or(counted.map(|n| (n / channels).saturating_sub(before)));
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
        links,
        hidden_channels,
        codec,
        ends_openly: facts.matroska.is_whole,
        slack_frames: facts.caf.slack_frames(),
        warnings,
    })
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
    (parameters, decoder): (&AudioCodecParameters, &dyn AudioDecoder),
    hidden_channels: Option<usize>,
    known_codec: Option<&str>,
) -> Result<(u32, usize)> {
    // What describes the stream itself knows better than its container: AAC and ALAC have that.
    let described = decoder.codec_params();
    let rate_hz = described.sample_rate.or(parameters.sample_rate).unwrap_or(0);
    let named = described.channels.as_ref().or(parameters.channels.as_ref());
    let named_channels = named.map_or(0, |channels| channels.count());
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
    let frames = parameters.max_frames_per_packet.unwrap_or(0);
    let channels = parameters.channels.as_ref().map_or(1, |channels| channels.count());
    if frames.saturating_mul(channels as u64) > MOST_PACKET_SAMPLES {
        let problem = format!(
            "expected packets of up to {MOST_PACKET_SAMPLES} samples, found {frames} frames of {}: \
             the header is damaged; copy or download it again",
            counted(channels, "channel")
        );
        return Err(Error::audio(path, problem));
    }
    // Every FLAC frame has a checksum of its own; the one over all samples would cost a third more.
    let options = AudioDecoderOptions::default().gapless(gapless);
    let decoder = no_panic::catch(|| {
        if opus::is_opus(parameters) {
            return opus::decoder(parameters);
        }
        if vorbis::has_many_channels(parameters) {
            return vorbis::decoder(parameters, gapless);
        }
        symphonia::default::get_codecs().make_audio_decoder(parameters, &options)
    })
    .ok_or_else(|| facts::not_audio(path, &"the header is damaged"))?
    .map_err(|fault| {
        let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        Error::audio(
            path,
            match known_codec {
                Some("AAC") if channels > 2 => {
                    format!("holds AAC with {channels} channels, {CONVERT}")
                }
                _ if opus::is_opus(parameters) => damaged("Opus", &fault),
                Some(codec) if DECODED.contains(&codec) => damaged(codec, &fault),
                Some(codec) => format!("holds {codec}, {CONVERT}"),
                None => format!("the sound is coded in a way that is unknown ({fault}), {CONVERT}"),
            },
        )
    })?;
    let name = codec_name(decoder.codec_info().short_name);
    Ok((decoder, name))
}

/// Codecs that are decoded, unless what describes them is damaged.
const DECODED: [&str; 5] = ["AAC", "ALAC", "FLAC", "MP3", "Vorbis"];

fn damaged(codec: &str, fault: &dyn std::fmt::Display) -> String {
    format!(
        "expected {codec} that can be decoded, found it described wrongly or in a rare kind \
         ({fault}); copy or download it again, or convert it"
    )
}

/// `pcm_s16le` and the like become words.
fn codec_name(short_name: &str) -> String {
    let Some(pcm) = short_name.strip_prefix("pcm_") else {
        return match short_name {
            "vorbis" => "Vorbis".to_owned(),
            "opus" => "Opus".to_owned(),
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
