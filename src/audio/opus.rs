//! Opus streams, whatever their container, by a port of the reference decoder (RFC 6716, RFC 7845).

use super::adapter::{Adapter, PacketDecoder};
use super::channel_order::of_vorbis;
use ropus::OpusMSDecoder;
use symphonia::core::audio::{AudioBuffer, AudioMut, Channels};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, well_known::CODEC_ID_OPUS,
};
use symphonia::core::errors::Error as Fault;
use symphonia::core::packet::PacketRef;

/// Whatever was coded, Opus is decoded at this rate.
pub(super) const RATE_HZ: u32 = 48_000;

/// 120 milliseconds, more than any packet holds.
const MOST_FRAMES: usize = 5760;

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

pub(super) fn is_opus(parameters: &AudioCodecParameters) -> bool {
    parameters.codec == CODEC_ID_OPUS
}

/// Frames that the decoder gives before the music.
pub(super) fn pre_skip_frames(parameters: &AudioCodecParameters) -> u64 {
    Head::of(parameters).map_or(0, |head| head.pre_skip_frames.into())
}

/// The identification header (RFC 7845, 5.1), or what MP4 keeps of it, which is big-endian.
struct Head {
    channels: usize,
    pre_skip_frames: u16,
    /// In 256ths of a decibel.
    gain: i16,
    streams: u8,
    coupled: u8,
    /// Which decoded channel each channel is.
    mapping: Vec<u8>,
    /// Channels stand in the order of Vorbis.
    is_vorbis_order: bool,
}

impl Head {
    fn of(parameters: &AudioCodecParameters) -> Option<Self> {
        let Some(data) = parameters.extra_data.as_deref() else {
            let channels = parameters.channels.as_ref().map_or(0, Channels::count);
            return Self::plain(u8::try_from(channels).ok()?, 0, 0);
        };
        let head = data.strip_prefix(b"OpusHead")?;
        let short = |at: usize| {
            let bytes = head.get(at..at + 2)?.try_into().ok()?;
            Some(if head[0] == 0 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let (channels, pre_skip, gain) = (*head.get(1)?, short(2)?, short(8)? as i16);
        let family = *head.get(10)?;
        if family == 0 {
            return Self::plain(channels, pre_skip, gain);
        }
        Some(Self {
            channels: channels.into(),
            pre_skip_frames: pre_skip,
            gain,
            streams: *head.get(11)?,
            coupled: *head.get(12)?,
            mapping: head.get(13..13 + usize::from(channels))?.to_vec(),
            is_vorbis_order: family == 1,
        })
    }

    /// One stream of one or two channels.
    fn plain(channels: u8, pre_skip_frames: u16, gain: i16) -> Option<Self> {
        matches!(channels, 1 | 2).then(|| Self {
            channels: channels.into(),
            pre_skip_frames,
            gain,
            streams: 1,
            coupled: channels - 1,
            mapping: (0..channels).collect(),
            is_vorbis_order: false,
        })
    }

    fn decoder(&self) -> Result<OpusMSDecoder, Fault> {
        let (channels, streams) = (self.channels as i32, i32::from(self.streams));
        let coupled = i32::from(self.coupled);
        OpusMSDecoder::new(RATE_HZ as i32, channels, streams, coupled, &self.mapping)
            .map_err(|_| Fault::Unsupported("opus: the channels of the header do not fit"))
    }

    /// Which of Opus' channels stands at each place in the order of WAV files.
    fn order(&self) -> Vec<usize> {
        if self.is_vorbis_order { of_vorbis(self.channels) } else { (0..self.channels).collect() }
    }
}

/// A decoder of the header in `parameters`.
pub(super) fn decoder(parameters: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, Fault> {
    let head = Head::of(parameters).ok_or(Fault::Unsupported("opus: the header is damaged"))?;
    let channels = head.channels;
    let decoder = OpusDecoder {
        decoder: head.decoder()?,
        order: head.order(),
        // 1 is 2 to the 23rd, and the gain.
        factor: 10_f32.powf(f32::from(head.gain) / (20.0 * 256.0)) / 8_388_608.0,
        samples: vec![0; MOST_FRAMES * channels],
        head,
    };
    Ok(Box::new(Adapter::new(decoder, INFO, parameters, (RATE_HZ, channels), MOST_FRAMES)))
}

/// Opus packets to samples.
struct OpusDecoder {
    head: Head,
    decoder: OpusMSDecoder,
    order: Vec<usize>,
    /// What a sample of 24 bits is multiplied by: beyond full scale the decoder's own gain clips.
    factor: f32,
    /// One packet, interleaved, in 24 bits.
    samples: Vec<i32>,
}

impl PacketDecoder for OpusDecoder {
    /// What stands before the music stays in the buffer: the gap knows how much that is.
    fn fill(&mut self, packet: &PacketRef<'_>, buffer: &mut AudioBuffer<f32>) -> Result<(), Fault> {
        if packet.data.is_empty() {
            return Err(Fault::DecodeError("opus: an empty packet"));
        }
        let length = i32::try_from(packet.data.len())
            .map_err(|_| Fault::DecodeError("opus: a packet of two gigabytes"))?;
        let decoded = self.decoder.decode24(
            Some(packet.data),
            length,
            &mut self.samples,
            MOST_FRAMES as i32,
            false,
        );
        let frames = decoded.ok().and_then(|frames| usize::try_from(frames).ok());
        let frames = frames.ok_or(Fault::DecodeError("opus: a damaged packet"))?;
        let channels = self.order.len();
        buffer.render_uninit(Some(frames));
        for (place, &channel) in self.order.iter().enumerate() {
            let Some(plane) = buffer.plane_mut(place) else { continue };
            let of_channel = self.samples[channel..].iter().step_by(channels);
            for (sample, decoded) in plane.iter_mut().zip(of_channel) {
                *sample = *decoded as f32 * self.factor;
            }
        }
        buffer.trim(0, usize::try_from(packet.trim_end.get()).unwrap_or(0).min(frames));
        Ok(())
    }
    fn reset(&mut self) {
        if let Ok(new) = self.head.decoder() {
            self.decoder = new;
        }
    }
}
