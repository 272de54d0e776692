//! Vorbis streams of more than two channels, by lewton.
//!
//! Symphonia 0.6.1 undoes the coupling of channels in the wrong order where there is more than one pair:
//! its samples are then far from those of libvorbis. One and two channels stay with it.

use super::adapter::{Adapter, PacketDecoder};
use super::channel_order::of_vorbis;
use lewton::audio::{PreviousWindowRight, read_audio_packet_generic};
use lewton::header::{IdentHeader, SetupHeader, read_header_ident, read_header_setup};
use symphonia::core::audio::{AudioBuffer, AudioMut};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, well_known::CODEC_ID_VORBIS,
};
use symphonia::core::errors::Error as Fault;
use symphonia::core::packet::PacketRef;

/// Half of the longest block and half of the one before, more than any packet holds.
const MOST_FRAMES: usize = 8192;

/// The identification header is always so long.
const IDENTIFICATION_BYTES: usize = 30;

const INFO: CodecInfo = CodecInfo { short_name: "vorbis", long_name: "Vorbis", profiles: &[] };

const DAMAGED: Fault = Fault::Unsupported("vorbis: the header is damaged");

pub(super) fn has_many_channels(parameters: &AudioCodecParameters) -> bool {
    let headers = || headers(parameters.extra_data.as_deref()?);
    let channels = || read_header_ident(headers()?.0).ok().map(|header| header.audio_channels);
    parameters.codec == CODEC_ID_VORBIS && channels().is_some_and(|channels| channels > 2)
}

/// A decoder of the headers in `parameters`; a `gapless` one leaves out what packets say is no music.
pub(super) fn decoder(
    parameters: &AudioCodecParameters,
    gapless: bool,
) -> Result<Box<dyn AudioDecoder>, Fault> {
    let (identification, setup) =
        parameters.extra_data.as_deref().and_then(headers).ok_or(DAMAGED)?;
    let identification = read_header_ident(identification).map_err(|_| DAMAGED)?;
    let channels = identification.audio_channels;
    let blocks = (identification.blocksize_0, identification.blocksize_1);
    let setup = read_header_setup(setup, channels, blocks).map_err(|_| DAMAGED)?;
    let shape = (identification.audio_sample_rate, usize::from(channels));
    let decoder = VorbisDecoder {
        identification,
        setup,
        window: PreviousWindowRight::new(),
        order: of_vorbis(channels.into()),
        gapless,
    };
    Ok(Box::new(Adapter::new(decoder, INFO, parameters, shape, MOST_FRAMES)))
}

/// Vorbis packets to samples.
struct VorbisDecoder {
    identification: IdentHeader,
    setup: SetupHeader,
    window: PreviousWindowRight,
    order: Vec<usize>,
    gapless: bool,
}

impl PacketDecoder for VorbisDecoder {
    fn fill(&mut self, packet: &PacketRef<'_>, buffer: &mut AudioBuffer<f32>) -> Result<(), Fault> {
        let decoded: Vec<Vec<f32>> = read_audio_packet_generic(
            &self.identification,
            &self.setup,
            packet.data,
            &mut self.window,
        )
        .map_err(|_| Fault::DecodeError("vorbis: a damaged packet"))?;
        let frames = decoded.first().map_or(0, Vec::len);
        buffer.render_uninit(Some(frames));
        for (place, &channel) in self.order.iter().enumerate() {
            if let (Some(plane), Some(samples)) = (buffer.plane_mut(place), decoded.get(channel)) {
                plane.copy_from_slice(samples);
            }
        }
        if self.gapless {
            let most = |count: u64| usize::try_from(count).unwrap_or(frames).min(frames);
            let start = most(packet.trim_start.get());
            buffer.trim(start, most(packet.trim_end.get()).min(frames - start));
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.window = PreviousWindowRight::new();
    }
}

/// The first and the third header: behind each other, or all three with their lengths in front.
fn headers(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(mut rest) = data.strip_prefix(&[2]) else {
        return data.split_at_checked(IDENTIFICATION_BYTES);
    };
    let mut length = || {
        let more = rest.iter().take_while(|byte| **byte == 255).count();
        let last = *rest.get(more)?;
        rest = &rest[more + 1..];
        Some(255 * more + usize::from(last))
    };
    let (first, second) = (length()?, length()?);
    let (identification, rest) = rest.split_at_checked(first)?;
    Some((identification, rest.get(second..)?))
}
