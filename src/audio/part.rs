//! A FLAC file inside another file, and a part of it.

use super::container::Container;
use super::gap::Gap;
use super::repaired_file::{Patches, RepairedFile, View};
use super::{Decoder, Tags, no_panic};
use crate::{Error, Result};
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use symphonia::core::formats::{FormatReader, SeekMode, SeekTo, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::units::Timestamp;
use symphonia::default::formats::FlacReader;

fn damaged(path: &Path, place: &Range<u64>, cause: &dyn std::fmt::Display) -> Error {
    let problem = format!(
        "expected a FLAC file from byte {} to {}, found something else or a damaged one ({cause})",
        place.start, place.end
    );
    Error::audio(path, problem)
}

/// The container of the FLAC file at `place` in the file `path`.
fn open(path: &Path, place: &Range<u64>) -> Result<Container> {
    let file = File::open(path).map_err(Error::io(path, "open the file"))?;
    let body_bytes = place.end.saturating_sub(place.start);
    let view = View { head: Vec::new(), body_at: place.start, body_bytes };
    let source = RepairedFile::new(file, Patches::default(), Some(view))
        .map_err(Error::io(path, "read the file"))?;
    let reader = no_panic::catch(|| {
        let stream = MediaSourceStream::new(Box::new(source), Default::default());
        FlacReader::try_new(stream, Default::default())
    });
    let reader: Box<dyn FormatReader> = match reader {
        Some(Ok(reader)) => Box::new(reader),
        Some(Err(fault)) => return Err(damaged(path, place, &fault)),
        None => return Err(damaged(path, place, &"its header")),
    };
    let track = reader.default_track(TrackType::Audio).cloned();
    let track = track.ok_or_else(|| damaged(path, place, &"it has no track"))?;
    Ok(Container {
        expected_frames: track.num_frames,
        reader,
        track,
        tags: Tags::default(),
        gap: Gap::default(),
        gapless: true,
        counted_end: None,
        links: None,
        hidden_channels: None,
        codec: None,
        ends_openly: false,
        slack_frames: 0,
        warnings: Vec::new(),
    })
}

impl Decoder {
    /// A stream over the FLAC file at `place` in the file `path`, its samples times `scale`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Audio`] when there is no FLAC file there.
    pub(crate) fn open_part(path: &Path, place: Range<u64>, scale: f32) -> Result<Self> {
        let mut decoder = Self::of(path, open(path, &place)?)?;
        decoder.scale = scale;
        Ok(decoder)
    }

    /// Goes to the first of `frames`; the stream ends behind the last of them.
    ///
    /// # Errors
    /// [`Error::Audio`] when the place cannot be found.
    pub(crate) fn limit_to(&mut self, frames: Range<u64>) -> Result<()> {
        let ts = Timestamp::new(i64::try_from(frames.start).unwrap_or(i64::MAX));
        let to = SeekTo::Timestamp { ts, track_id: self.track.id };
        let found = no_panic::catch(|| self.reader.seek(SeekMode::Accurate, to));
        let Some(Ok(found)) = found else {
            let problem = format!("frame {} could not be found: it is damaged", frames.start);
            return Err(Error::audio(&self.path, problem));
        };
        self.decoder.reset();
        let actual = u64::try_from(found.actual_ts.get()).unwrap_or(0);
        let length = frames.end.saturating_sub(frames.start);
        self.gap = Gap::new(frames.start.saturating_sub(actual), Some(length));
        self.expected_frames = Some(length);
        Ok(())
    }
}
