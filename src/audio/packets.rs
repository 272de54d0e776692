//! The packets of a file, one by one: decoded, or noted as damaged or missing.

use super::decode::Decoder;
use super::{container, no_panic, opus, peak_of};
use crate::{Error, Result};
use std::io;
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::TrackType;
use symphonia::core::packet::Packet;

/// After so many unreadable packets in a row the rest is given up.
const MOST_FAULTS_IN_A_ROW: u32 = 1000;

impl Decoder {
    /// Fills the chunk with what the next packet holds; false when that is nothing.
    pub(super) fn decode_packet(&mut self) -> Result<bool> {
        let Some(mut packet) = self.next_packet()? else {
            self.finished = true;
            self.note_missing_end();
            return Ok(false);
        };
        if !self.may_be_padded(&packet) {
            packet.trim_end = Default::default();
        }
        self.chunk.iter_mut().for_each(Vec::clear);
        match self.decode(&packet)? {
            Some(Ok(())) => {
                let decoded = self.decoder.last_decoded();
                let rate = decoded.spec().rate();
                if rate != self.sample_rate_hz {
                    self.end_early(format!("the sample rate changes to {rate} Hz"));
                    return Ok(false);
                }
                let planes = decoded.num_planes();
                let mut chunk = std::mem::take(&mut self.chunk);
                decoded.copy_to_vecs_planar(&mut chunk);
                self.chunk = self.fit_channels(chunk, planes);
            }
            Some(Err(Fault::ResetRequired)) => self.decoder.reset(),
            Some(Err(Fault::DecodeError(_) | Fault::IoError(_))) => self.note_damage(),
            Some(Err(fault)) => self.end_early(fault.to_string()),
            None => {
                self.note_damage();
                self.decoder.reset();
            }
        }
        self.gap.trim(&mut self.chunk);
        self.faults.silence_not_finite(&mut self.chunk);
        if self.scale != 1.0 {
            self.chunk.iter_mut().flatten().for_each(|sample| *sample *= self.scale);
        }
        self.peak = self.peak.max(peak_of(&self.chunk));
        let frames = self.chunk[0].len();
        self.frames_read += frames as u64;
        Ok(frames > 0)
    }

    /// Whether the end of the packet may be padding.
    fn may_be_padded(&self, packet: &Packet) -> bool {
        // Someone joined two MPEG files: what follows is music again.
        let is_joined = self.counted_end.is_some_and(|end| packet.pts >= end);
        let is_last = self.links.as_ref().is_none_or(|links| links.reaches_end(self.link, packet));
        is_last && !is_joined
    }

    /// Decodes into the decoder's own buffer; `None` when the decoder panicked.
    fn decode(&mut self, packet: &Packet) -> Result<Option<Result<(), Fault>>> {
        let outcome = no_panic::catch(|| self.decoder.decode(packet).map(|_| ()));
        match outcome {
            // An MP3 file may change between mono and stereo; one decoder can not.
            Some(Err(Fault::DecodeError(problem))) if problem.contains("signal spec") => {
                let parameters = container::parameters(&self.path, &self.track)?;
                (self.decoder, _) =
                    container::make_decoder(&self.path, parameters, (self.gapless, None))?;
                Ok(no_panic::catch(|| self.decoder.decode(packet).map(|_| ())))
            }
            outcome => Ok(outcome),
        }
    }

    /// The track's next packet; `None` at the end.
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        if self.gap.is_past_music() {
            return Ok(None);
        }
        for _ in 0..MOST_FAULTS_IN_A_ROW {
            let Some(next) = no_panic::catch(|| self.reader.next_packet()) else {
                self.end_early("the file is damaged".to_owned());
                return Ok(None);
            };
            match next {
                Ok(Some(packet)) if packet.track_id == self.track.id => return Ok(Some(packet)),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(Fault::ResetRequired) if self.next_stream()? => {}
                Err(Fault::ResetRequired) => return Ok(None),
                Err(Fault::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    self.cut_off = true;
                    return Ok(None);
                }
                Err(Fault::IoError(e)) => return Err(Error::io(&self.path, "read the file")(e)),
                Err(_) => self.note_damage(),
            }
        }
        Ok(None)
    }

    /// Goes on with the next stream of a chained Ogg file, if it is of the same shape.
    fn next_stream(&mut self) -> Result<bool> {
        let Some(track) = self.reader.default_track(TrackType::Audio).cloned() else {
            return Ok(false);
        };
        let parameters = container::parameters(&self.path, &track)?;
        if parameters.sample_rate != Some(self.sample_rate_hz) {
            self.end_early("another stream with another sample rate follows".to_owned());
            return Ok(false);
        }
        (self.decoder, _) = container::make_decoder(&self.path, parameters, (self.gapless, None))?;
        if opus::is_opus(parameters) {
            self.gap.run_in_frames = opus::pre_skip_frames(parameters);
        }
        self.track = track;
        self.link += 1;
        self.expected_frames = None;
        Ok(true)
    }

    /// Brings decoded channels into the file's shape: mono goes to every channel; otherwise missing
    /// channels are silent and surplus ones left out.
    fn fit_channels(&mut self, mut decoded: Vec<Vec<f32>>, planes: usize) -> Vec<Vec<f32>> {
        decoded.truncate(planes);
        // Symphonia 0.6.1 gives ALAC's rear centre out before left and right, other than its layout says.
        if planes == 7 && self.decoder.codec_info().short_name == "alac" {
            decoded[4..].rotate_left(1);
        }
        let wanted = self.channel_count;
        if let ([mono], Some(hidden)) = (decoded.as_slice(), &mut self.hidden_channels) {
            return hidden.deal(mono);
        }
        let frames = decoded.first().map_or(0, Vec::len);
        if planes == 1 {
            decoded.resize(wanted, decoded[0].clone());
        }
        decoded.resize_with(wanted, || vec![0.0; frames]);
        decoded
    }

    fn note_damage(&mut self) {
        let at = self.seconds(self.frames_read);
        self.faults.note_damage(at);
    }

    pub(super) fn seconds(&self, frames: u64) -> f64 {
        frames as f64 / f64::from(self.sample_rate_hz)
    }

    fn end_early(&mut self, reason: String) {
        self.finished = true;
        let at = self.seconds(self.frames_read);
        self.faults.note(format!("{reason} at {at:.2} s; what follows is left out"));
    }

    fn note_missing_end(&mut self) {
        let seconds = |frames| format!("{:.2} s", self.seconds(frames));
        let found = seconds(self.frames_read);
        match self.expected_frames {
            Some(expected) if self.frames_read + self.slack_frames < expected => {
                let lost = expected - self.frames_read;
                let (expected, found) = match seconds(expected) {
                    same if same == found => {
                        (format!("{expected} frames"), format!("{lost} fewer"))
                    }
                    other => (other, found),
                };
                self.faults.note(format!(
                    "the file is truncated or damaged: expected {expected}, found {found}"
                ));
            }
            None if self.cut_off && !self.ends_openly => {
                self.faults.note(format!("the file is truncated at {found}"));
            }
            _ => {}
        }
    }
}
