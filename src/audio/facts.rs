//! What a file says of itself before Symphonia reads it, and what Symphonia is shown.

use super::au_header::{self, Au};
use super::caf_description::{self, CafDescription};
use super::gap::Gap;
use super::matroska::{self, Matroska};
use super::repaired_file::{Patches, RepairedFile, View};
use super::riff_chunks::read_at;
use super::{aac, aiff_lengths, mp4_boxes, mpeg_frames, no_panic, opus, signatures, wav_header};
use crate::{Error, Result};
use std::fs::File;
use std::io;
use std::path::Path;
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

/// An error for what is no file, or an empty one.
///
/// Looked at before it is opened: who opens a pipe waits for somebody who writes.
pub(super) fn require_file(path: &Path) -> Result<()> {
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
pub(super) struct Facts {
    pub(super) mpeg: Option<mpeg_frames::Frames>,
    pub(super) tracks: Vec<mp4_boxes::MovieTrack>,
    pub(super) matroska: Matroska,
    pub(super) au: Au,
    pub(super) caf: CafDescription,
    /// Frames that a header promises and the file does not hold.
    pub(super) promised_frames: Option<u64>,
    pub(super) wav: wav_header::Wav,
    patches: Patches,
    /// The first bytes.
    head: Vec<u8>,
    is_free_format: bool,
}

impl Facts {
    pub(super) fn read(file: &mut File) -> io::Result<Self> {
        let wav = wav_header::read(file)?;
        let mut patches = mp4_boxes::cut_short(file)?;
        let aiff = aiff_lengths::read(file)?;
        patches.append(aiff.patches);
        let tracks = mp4_boxes::read_tracks(file)?;
        tracks.iter().for_each(|track| patches.append(track.patches()));
        let matroska = matroska::read(file)?;
        patches.append(matroska.patches.clone());
        let au = au_header::read(file)?;
        let caf = caf_description::read(file)?;
        patches.append(caf.patches.clone());
        let promised =
            [wav.promised_frames, au.promised_frames, caf.promised_frames, aiff.promised_frames];
        let promised_frames = promised.into_iter().flatten().next();
        let mpeg = mpeg_frames::find_frames(file)?;
        if let Some((at, bytes)) = mpeg.and_then(|frames| frames.uncounted) {
            patches.add(at, &bytes);
        }
        let is_free_format = mpeg_frames::is_free_format(file)?;
        let head = read_at(file, 0, HEAD_BYTES)?;
        Ok(Self {
            mpeg,
            tracks,
            matroska,
            au,
            caf,
            promised_frames,
            wav,
            patches,
            head,
            is_free_format,
        })
    }

    /// Symphonia's reader of the file as it should be.
    pub(super) fn reader(&self, path: &Path, file: File) -> Result<Box<dyn FormatReader>> {
        let source = RepairedFile::new(file, self.patches.clone(), self.view())
            .map(Box::new)
            .map_err(Error::io(path, "read the file"))?;
        no_panic::catch(|| {
            let stream = MediaSourceStream::new(source, Default::default());
            let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
            symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata)
        })
        .ok_or_else(|| self.not_audio(path, &"the header is damaged"))?
        .map_err(|fault| self.not_audio(path, &fault))
    }

    /// A reader to look into packets with, beside the one that decodes them.
    fn another_reader(&self, path: &Path) -> Result<Box<dyn FormatReader>> {
        self.reader(path, File::open(path).map_err(Error::io(path, "open the file"))?)
    }

    /// The first track of A-law or µ-law, which Symphonia gives out without a description.
    pub(super) fn companded_track(&self, tracks: &[Track]) -> Option<Track> {
        tracks.iter().find_map(|track| {
            let found = self.tracks.iter().find(|found| found.id == track.id)?;
            Some(Track { codec_params: Some(found.companded()?), ..track.clone() })
        })
    }

    /// An error for a file in which Symphonia finds no sound.
    pub(super) fn no_track(&self, path: &Path) -> Error {
        let codec = self.tracks.iter().find_map(|found| found.unread());
        Error::audio(
            path,
            match codec {
                Some(codec) => format!("holds {codec}, {CONVERT}"),
                None => "expected sound, found a file without a sound track".to_owned(),
            },
        )
    }

    /// Takes the channels of MP3 in MP4 from its first frame: the container often says two for one.
    pub(super) fn correct_mp3(&self, path: &Path, track: &mut Track) -> Result<()> {
        let Some(CodecParameters::Audio(parameters)) = &mut track.codec_params else {
            return Ok(());
        };
        if parameters.codec != CODEC_ID_MP3 {
            return Ok(());
        }
        let mut reader = self.another_reader(path)?;
        let first = no_panic::catch(|| {
            let packets = std::iter::from_fn(|| reader.next_packet().ok().flatten());
            packets.take(LOOKED_AT_PACKETS).find(|packet| packet.track_id == track.id)
        });
        // 3 in the upper two bits of the fourth byte stands for a single channel.
        let mode = first.flatten().and_then(|packet| packet.data.get(3).map(|byte| byte >> 6));
        if let Some(mode) = mode {
            parameters.with_channels(Channels::Discrete(if mode == 3 { 1 } else { 2 }));
        }
        Ok(())
    }

    /// Refuses AAC of which only the core would be decoded.
    pub(super) fn refuse_high_efficiency(&self, path: &Path, track: &Track) -> Result<()> {
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else { return Ok(()) };
        if parameters.codec != CODEC_ID_AAC {
            return Ok(());
        }
        let mut reader = self.another_reader(path)?;
        let name = no_panic::catch(|| aac::high_efficiency(parameters, &mut *reader, track.id));
        match name.flatten() {
            Some(name) => Err(Error::audio(path, format!("holds {name}, {CONVERT}"))),
            None => Ok(()),
        }
    }

    /// What Symphonia is shown instead of the whole file.
    fn view(&self) -> Option<View> {
        self.wav.view.clone().or_else(|| self.au.view.clone())
    }

    /// Refuses what is known not to be decoded.
    pub(super) fn refuse(&self, path: &Path) -> Result<()> {
        if let Some(codec) = &self.wav.unknown_codec {
            let problem = format!("holds {codec} inside a WAV file, {CONVERT}");
            return Err(Error::audio(path, problem));
        }
        if let Some(codec) = &self.au.unknown_codec {
            let problem = format!("holds {codec} inside an AU file, {CONVERT}");
            return Err(Error::audio(path, problem));
        }
        if self.wav.is_empty || self.au.is_empty {
            return Err(no_sound(path, ""));
        }
        Ok(())
    }

    /// An error for what Symphonia does not take, by its own name where that is known.
    pub(super) fn not_audio(&self, path: &Path, cause: &dyn std::fmt::Display) -> Error {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match signatures::name(&self.head, &ending) {
            Some(name) => Error::audio(path, format!("is {name}, {CONVERT}")),
            None if self.is_free_format => {
                Error::audio(path, format!("is MP3 of free format, {CONVERT}"))
            }
            None if self.tracks.iter().any(|found| found.unread().is_some()) => self.no_track(path),
            None => self.damaged(path, cause),
        }
    }

    /// An error for a file whose kind is decoded, if that is known.
    fn damaged(&self, path: &Path, cause: &dyn std::fmt::Display) -> Error {
        let cause = cause.to_string();
        match signatures::decoded(&self.head) {
            Some(kind) if !cause.contains(NO_INDEX) => {
                // Symphonia's word for: nothing known follows.
                let known = Some(format!(" ({cause})")).filter(|_| !cause.contains("(probe)"));
                let problem = format!(
                    "expected a whole {kind} file, found a damaged or truncated one{}; copy or \
                     download it again",
                    known.unwrap_or_default()
                );
                Error::audio(path, problem)
            }
            _ => not_audio(path, &cause),
        }
    }

    /// Adds what Matroska and Opus put around the music.
    pub(super) fn surround(&self, parameters: &AudioCodecParameters, track: u32, gap: &mut Gap) {
        let frames = |nanoseconds: u64| {
            let rate_hz = f64::from(parameters.sample_rate.unwrap_or(0));
            (nanoseconds as f64 * rate_hz / 1e9).round() as u64
        };
        if let Some(padding) = self.matroska.track(track) {
            gap.run_in_frames = frames(padding.delay_nanoseconds);
            gap.padding_frames = frames(padding.padding_nanoseconds);
        }
        // An edit list may say how much of it is heard; Matroska's delay is for another rate at times.
        let is_told = gap.run_in_frames > 0 && self.matroska.track(track).is_none();
        if opus::is_opus(parameters) && !is_told {
            gap.run_in_frames = opus::pre_skip_frames(parameters);
        }
    }

    /// The name of what a track without a decoder holds.
    pub(super) fn codec(&self, path: &Path, track: &Track) -> Option<String> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let movie_track = self.tracks.iter().find(|found| found.id == track.id);
        movie_track
            .and_then(|found| found.codec_name())
            .or_else(|| self.matroska.track(track.id)?.codec_name())
            .or_else(|| signatures::name(&self.head, &ending).map(str::to_owned))
    }
}

/// So many packets of other tracks may come first.
const LOOKED_AT_PACKETS: usize = 64;

/// Symphonia's words for an MP4 file without `moov`.
const NO_INDEX: &str = "missing moov atom";

/// How far into a file its kind is looked for.
const HEAD_BYTES: u64 = 4096;

/// What to do with a file that is not decoded.
pub(super) const CONVERT: &str =
    "which is not supported; convert it, for example with `ffmpeg -i IN out.flac`";

/// An error for a file of a known kind with no sound in it.
pub(super) fn no_sound(path: &Path, because: &str) -> Error {
    let problem = format!("expected sound, found not one sample; {because}export it again");
    Error::audio(path, problem)
}

/// An error for what Symphonia does not take.
pub(super) fn not_audio(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    let cause = cause.to_string();
    if cause.contains(NO_INDEX) {
        let problem = "expected an M4A or MP4 file, found one without its index, which is at the \
                       end: the file is truncated; copy or download it again";
        return Error::audio(path, problem);
    }
    let problem = format!(
        "expected an MP3, WAV, FLAC, Ogg Vorbis, Opus, AAC/M4A, AIFF, AU, CAF or Matroska/WebM file, \
         found something else or a damaged one ({cause})"
    );
    Error::audio(path, problem)
}
