//! Decoders of other libraries, as Symphonia's.

use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, FinalizeResult};
use symphonia::core::errors::Error as Fault;
use symphonia::core::packet::PacketRef;

/// What another library does with a packet.
pub(super) trait PacketDecoder: Send + Sync {
    /// Fills the empty buffer.
    fn fill(&mut self, packet: &PacketRef<'_>, buffer: &mut AudioBuffer<f32>) -> Result<(), Fault>;

    /// Forgets what came before.
    fn reset(&mut self);
}

/// A decoder of another library with what Symphonia asks of one.
pub(super) struct Adapter<D> {
    decoder: D,
    info: CodecInfo,
    parameters: AudioCodecParameters,
    buffer: AudioBuffer<f32>,
}

impl<D: PacketDecoder> Adapter<D> {
    /// Of a stream of that rate and so many channels, whose packets hold up to `most_frames`.
    pub(super) fn new(
        decoder: D,
        info: CodecInfo,
        parameters: &AudioCodecParameters,
        (rate_hz, channels): (u32, usize),
        most_frames: usize,
    ) -> Self {
        let mut parameters = parameters.clone();
        let named = parameters.channels.take().filter(|named| named.count() == channels);
        let channels = named.unwrap_or(Channels::Discrete(channels as u16));
        parameters.with_channels(channels.clone()).with_sample_rate(rate_hz);
        let buffer = AudioBuffer::new(AudioSpec::new(rate_hz, channels), most_frames);
        Self { decoder, info, parameters, buffer }
    }
}

impl<D: PacketDecoder> AudioDecoder for Adapter<D> {
    fn reset(&mut self) {
        self.decoder.reset();
    }

    fn codec_info(&self) -> &CodecInfo {
        &self.info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.parameters
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>, Fault> {
        self.buffer.clear();
        self.decoder.fill(packet, &mut self.buffer)?;
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}
