//! Ogg Opus files (RFC 6716, RFC 7845): what browsers play where lossless is too large.

use super::sixteen_bits::to_16_bits;
use crate::{Error, Result};
use ogg::PacketWriter;
use ogg::writing::PacketWriteEndInfo::{EndPage, EndStream, NormalPacket};
use rayon::prelude::*;
use ropus::{OPUS_APPLICATION_RESTRICTED_LOWDELAY, OPUS_SIGNAL_MUSIC, OpusEncoder};

/// Opus is coded at this rate.
pub(super) const RATE_HZ: u32 = 48_000;

/// Frames in a packet: 20 milliseconds.
const PACKET_FRAMES: usize = 960;

/// Packets in a page of the file, a second: as far as a player looks for a place.
const PAGE_PACKETS: usize = 50;

/// Packets that are coded one after the other; stretches are coded side by side.
const STRETCH_PACKETS: usize = 400;

/// Packets that an encoder codes before its stretch, and that nobody gets: it then knows the sound.
const PRE_ROLL_PACKETS: usize = 5;

/// No packet is longer (RFC 6716, 3.4).
const MOST_PACKET_BYTES: usize = 1275;

/// Of 0 to 10. From 5 on the encoder looks for pitches to filter, which takes half as long again.
const COMPLEXITY: i32 = 4;

/// What the file holds beside the packets, at most: bytes once, and bytes each second.
const HEADER_BYTES: usize = 2 * 28 + 19 + TAGS.len();
const PAGE_BYTES: usize = 27 + 2 * PAGE_PACKETS;

/// The comment header (RFC 7845, 5.2): who made it, and no comments.
const TAGS: &[u8] = b"OpusTags\x0f\0\0\0neural-composer\0\0\0\0";

/// How many bits the packets take.
#[derive(Clone, Copy, Debug)]
pub(super) enum BitRate {
    /// Where the sound needs more it gets more; about so many a second on average.
    Variable(u32),
    /// Not more than so many in any second.
    Constant(u32),
}

/// Bits a second that leave a file of so many packets' seconds within its limit; none when headers
/// fill it.
pub(super) fn bits_per_second(seconds: f64, limit_bytes: usize) -> u32 {
    let bytes = limit_bytes.saturating_sub(HEADER_BYTES + PAGE_BYTES) as f64;
    (8.0 * (bytes / seconds - PAGE_BYTES as f64)).max(0.0) as u32
}

/// Seconds that fit into a limit at a constant rate.
pub(super) fn seconds(bits_per_second: u32, limit_bytes: usize) -> f64 {
    let bytes = limit_bytes.saturating_sub(HEADER_BYTES + PAGE_BYTES) as f64;
    bytes / (f64::from(bits_per_second) / 8.0 + PAGE_BYTES as f64)
}

/// Samples at [`RATE_HZ`], one or two channels of one length, as an Ogg Opus file.
pub(super) fn encode(channels: &[Vec<f32>], rate: BitRate) -> Result<Vec<u8>> {
    let frames = channels.first().map_or(0, Vec::len);
    let pre_skip = usize::try_from(encoder(channels.len(), rate)?.get_lookahead()).unwrap_or(0);
    let end = pre_skip + frames;
    let count = end.div_ceil(PACKET_FRAMES);
    let stretches: Vec<_> = (0..count)
        .into_par_iter()
        .step_by(STRETCH_PACKETS)
        .map(|first| stretch(channels, first..(first + STRETCH_PACKETS).min(count), rate))
        .collect::<Result<_>>()?;

    let serial = u32::from_le_bytes(*b"song");
    let mut file = PacketWriter::new(Vec::new());
    let mut write = |packet: Vec<u8>, place, position: usize| {
        let written = file.write_packet(packet, serial, place, position as u64);
        written.map_err(|e| Error::Data(format!("the sound could not be put into Ogg pages: {e}")))
    };
    write(head(channels.len(), pre_skip), EndPage, 0)?;
    write(TAGS.to_vec(), EndPage, 0)?;
    for (index, packet) in stretches.into_iter().flatten().enumerate() {
        let position = ((index + 1) * PACKET_FRAMES).min(end);
        let place = match index + 1 {
            last if last == count => EndStream,
            next if next.is_multiple_of(PAGE_PACKETS) => EndPage,
            _ => NormalPacket,
        };
        write(packet, place, position)?;
    }
    Ok(file.into_inner())
}

/// The identification header (RFC 7845, 5.1).
fn head(channels: usize, pre_skip: usize) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels as u8);
    head.extend((pre_skip as u16).to_le_bytes());
    head.extend(RATE_HZ.to_le_bytes());
    head.extend([0; 3]); // no gain; one stream of one or two channels
    head
}

fn encoder(channels: usize, rate: BitRate) -> Result<OpusEncoder> {
    // Music alone: packets of the transform, which the next ones depend on least.
    let application = OPUS_APPLICATION_RESTRICTED_LOWDELAY;
    let mut encoder = OpusEncoder::new(RATE_HZ as i32, channels as i32, application)
        .map_err(|code| failed(channels, code))?;
    let (bits, is_variable) = match rate {
        BitRate::Variable(bits) => (bits, true),
        BitRate::Constant(bits) => (bits, false),
    };
    encoder.set_bitrate(bits as i32);
    encoder.set_vbr(i32::from(is_variable));
    encoder.set_signal(OPUS_SIGNAL_MUSIC);
    encoder.set_complexity(COMPLEXITY);
    Ok(encoder)
}

/// Packets of one stretch. The first that is kept asks nothing of those before, so that a decoder that
/// heard another encoder's goes on as if it had been one.
fn stretch(
    channels: &[Vec<f32>],
    packets: std::ops::Range<usize>,
    rate: BitRate,
) -> Result<Vec<Vec<u8>>> {
    let mut encoder = encoder(channels.len(), rate)?;
    let mut samples = vec![0i16; PACKET_FRAMES * channels.len()];
    let mut packet = [0; MOST_PACKET_BYTES];
    let mut kept = Vec::with_capacity(packets.len());
    for index in packets.start.saturating_sub(PRE_ROLL_PACKETS)..packets.end {
        let start = index * PACKET_FRAMES;
        for (place, channel) in channels.iter().enumerate() {
            let known = channel.get(start..).unwrap_or(&[]);
            let known = &known[..known.len().min(PACKET_FRAMES)];
            let mut numbers = [0; PACKET_FRAMES];
            numbers.iter_mut().zip(known).for_each(|(to, from)| *to = to_16_bits(*from));
            let places = samples[place..].iter_mut().step_by(channels.len());
            places.zip(numbers).for_each(|(sample, value)| *sample = value as i16);
        }
        encoder.set_prediction_disabled(i32::from(index == packets.start));
        let length = encoder
            .encode(&samples, PACKET_FRAMES as i32, &mut packet, MOST_PACKET_BYTES as i32)
            .map_err(|code| failed(channels.len(), code))?;
        if index >= packets.start {
            kept.push(packet[..length as usize].to_vec());
        }
    }
    Ok(kept)
}

fn failed(channels: usize, code: i32) -> Error {
    let channels = crate::words::counted(channels, "channel");
    Error::Data(format!("the sound ({channels}) could not be coded as Opus: error {code}"))
}
