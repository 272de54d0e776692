//! A block of samples as a frame: its header, and a subframe for each channel.

use super::bits::{BitWriter, crc8, crc16};
use super::prediction::{self, Predictor};
use super::rice::Rice;

/// Samples per frame.
pub(crate) const BLOCK: usize = 4096;

/// What all frames of a stream share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many channels, 1 to 8.
    pub(crate) channels: usize,
    /// Bits per sample, 16 or 24.
    pub(crate) bits: u32,
    /// Samples per second and channel, up to 655,350.
    pub(crate) sample_rate_hz: u32,
}

/// How a frame's header says its rate: four bits, and (a number, its bits) behind the block size.
///
/// The stream info says it, too, and four zeros may point there; but then FFmpeg's parser, and with it
/// Chromium, gives frames no duration and the last one no time, and refuses to play it.
fn rate_code(sample_rate_hz: u32) -> (u64, u64, u32) {
    const CODES: [u32; 11] =
        [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
    let rate = u64::from(sample_rate_hz);
    match CODES.iter().position(|code| *code == sample_rate_hz) {
        Some(index) => (index as u64 + 1, 0, 0),
        None if rate < 1 << 16 => (0b1101, rate, 16),
        None if rate.is_multiple_of(10) && rate / 10 < 1 << 16 => (0b1110, rate / 10, 16),
        None => (0, 0, 0),
    }
}

/// How two channels are written.
#[derive(Clone, Copy)]
enum Stereo {
    Apart,
    LeftSide,
    SideRight,
    MidSide,
}

/// The block as a frame with its number; one slice per channel, all of one length.
pub(super) fn frame(channels: &[&[i32]], number: u64, shape: Shape) -> Vec<u8> {
    let length = channels[0].len();
    let mut bits = BitWriter::with_capacity(length * channels.len() * shape.bits as usize / 12);
    let (stereo, mid, side) = match channels {
        [left, right] => stereo(left, right),
        _ => (Stereo::Apart, Vec::new(), Vec::new()),
    };
    let assignment = match stereo {
        Stereo::Apart => channels.len() as u64 - 1,
        Stereo::LeftSide => 0b1000,
        Stereo::SideRight => 0b1001,
        Stereo::MidSide => 0b1010,
    };
    bits.put(0b111_1111_1111_1100, 15);
    bits.put(0, 1); // fixed block size
    bits.put(0b0111, 4); // block size in 16 bits at the end of the header
    let (rate_code, rate, rate_bits) = rate_code(shape.sample_rate_hz);
    bits.put(rate_code, 4);
    bits.put(assignment, 4);
    bits.put(if shape.bits == 16 { 0b100 } else { 0b110 }, 3);
    bits.put(0, 1);
    for byte in coded_number(number) {
        bits.put(u64::from(byte), 8);
    }
    bits.put(length as u64 - 1, 16);
    bits.put(rate, rate_bits);
    let check = crc8(bits.bytes());
    bits.put(u64::from(check), 8);
    match (stereo, channels) {
        (Stereo::LeftSide, [left, _]) => {
            subframe(&mut bits, left, shape.bits);
            subframe(&mut bits, &side, shape.bits + 1);
        }
        (Stereo::SideRight, [_, right]) => {
            subframe(&mut bits, &side, shape.bits + 1);
            subframe(&mut bits, right, shape.bits);
        }
        (Stereo::MidSide, _) => {
            subframe(&mut bits, &mid, shape.bits);
            subframe(&mut bits, &side, shape.bits + 1);
        }
        _ => channels.iter().for_each(|channel| subframe(&mut bits, channel, shape.bits)),
    }
    let check = crc16(bits.bytes());
    bits.put(u64::from(check), 16);
    bits.finish()
}

/// The cheapest way to write two channels, with their mean and their difference.
fn stereo(left: &[i32], right: &[i32]) -> (Stereo, Vec<i32>, Vec<i32>) {
    let side: Vec<i32> = left.iter().zip(right).map(|(l, r)| l - r).collect();
    let mid: Vec<i32> = left.iter().zip(right).map(|(l, r)| (l + r) >> 1).collect();
    let [l, r, m, s] = [left, right, &mid, &side].map(roughness);
    let costs = [
        (l + r, Stereo::Apart),
        (l + s, Stereo::LeftSide),
        (s + r, Stereo::SideRight),
        (m + s, Stereo::MidSide),
    ];
    let (_, cheapest) = costs.into_iter().min_by_key(|(cost, _)| *cost).unwrap_or(costs[0]);
    (cheapest, mid, side)
}

/// What a prediction from two samples leaves over: close enough to what a channel costs.
fn roughness(samples: &[i32]) -> u64 {
    let left_over = |w: &[i32]| u64::from((w[2] - 2 * w[1] + w[0]).unsigned_abs());
    samples.windows(3).map(left_over).sum()
}

fn subframe(bits: &mut BitWriter, samples: &[i32], full_width: u32) {
    let all = samples.iter().fold(0, |all, s| all | s);
    if samples.iter().all(|s| *s == samples[0]) {
        bits.put(0, 8); // constant
        bits.put_signed(samples[0], full_width);
        return;
    }
    let wasted = all.trailing_zeros().min(full_width - 1);
    let width = full_width - wasted;
    let shifted: Vec<i32>;
    let samples = match wasted {
        0 => samples,
        _ => {
            shifted = samples.iter().map(|s| s >> wasted).collect();
            &shifted
        }
    };
    let (predictor, residual) = prediction::best(samples, width);
    let order = predictor.order();
    // Too short to predict, or noise: as it is.
    let rice = (samples.len() > 2 * order).then(|| Rice::best(&residual, order));
    let verbatim = u64::from(width) * samples.len() as u64;
    let kind = match (&rice, &predictor) {
        (Some(rice), Predictor::Fixed(order)) if rice.bits < verbatim => 0b00_1000 | *order as u64,
        (Some(rice), Predictor::Linear { coefficients, .. }) if rice.bits < verbatim => {
            0b10_0000 | (coefficients.len() as u64 - 1)
        }
        _ => 0b00_0001,
    };
    bits.put(kind, 7);
    bits.put(u64::from(wasted > 0), 1);
    if wasted > 0 {
        bits.put(1, wasted); // unary: wasted − 1 zeros and a one
    }
    let (Some(rice), true) = (rice, kind != 1) else {
        samples.iter().for_each(|s| bits.put_signed(*s, width));
        return;
    };
    samples[..order].iter().for_each(|s| bits.put_signed(*s, width));
    if let Predictor::Linear { coefficients, shift } = &predictor {
        bits.put(u64::from(prediction::PRECISION - 1), 4);
        bits.put_signed(*shift as i32, 5);
        coefficients.iter().for_each(|c| bits.put_signed(*c, prediction::PRECISION));
    }
    rice.write(bits, &residual, order);
}

/// A frame's number in the extended form of UTF-8.
fn coded_number(number: u64) -> Vec<u8> {
    if number < 0x80 {
        return vec![number as u8];
    }
    let mut tail = Vec::new();
    let mut rest = number;
    let mut lead_room = 0x3f;
    while rest > lead_room {
        tail.push(0x80 | (rest & 0x3f) as u8);
        rest >>= 6;
        lead_room >>= 1;
    }
    // As many leading ones as there are bytes.
    let mut bytes = vec![!((2 * lead_room + 1) as u8) | rest as u8];
    bytes.extend(tail.iter().rev());
    bytes
}
