//! A small FLAC encoder (RFC 9639): enough for previews that browsers play.
//!
//! It does what matters for size and seeking: linear prediction, partitioned Rice codes, wasted
//! bits and a seek table. Channels are coded one by one.

use super::prediction::{self, Predictor};
use rayon::prelude::*;

/// Samples per frame.
pub(super) const BLOCK: usize = 4096;

/// Bits per sample before reduction.
const BITS: u32 = 16;

/// 16-bit samples, one vector per channel, all of one length, as a FLAC file.
pub(super) fn encode(channels: &[Vec<i32>], sample_rate_hz: u32) -> Vec<u8> {
    let length = channels.first().map_or(0, Vec::len);
    let coded = |block: usize| {
        let range = block * BLOCK..((block + 1) * BLOCK).min(length);
        let parts: Vec<&[i32]> = channels.iter().map(|c| &c[range.clone()]).collect();
        frame(&parts, block, sample_rate_hz)
    };
    let frames: Vec<_> = (0..length.div_ceil(BLOCK)).into_par_iter().map(coded).collect();
    let mut next = 0;
    let start = |frame: &Vec<u8>| {
        next += frame.len();
        next - frame.len()
    };
    let starts: Vec<usize> = frames.iter().map(start).collect();
    let mut file = b"fLaC".to_vec();
    file.extend(stream_info(channels.len(), length, sample_rate_hz));
    file.extend(seek_table(&starts, length, sample_rate_hz));
    file.extend(frames.concat());
    file
}

fn stream_info(channels: usize, length: usize, sample_rate_hz: u32) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0, 8); // stream info, not the last block
    bits.put(34, 24);
    bits.put(BLOCK as u64, 16);
    bits.put(BLOCK as u64, 16);
    bits.put(0, 24); // smallest and largest frame: unknown
    bits.put(0, 24);
    bits.put(u64::from(sample_rate_hz), 20);
    bits.put(channels as u64 - 1, 3);
    bits.put(u64::from(BITS - 1), 5);
    bits.put(length as u64, 36);
    bits.put(0, 64); // checksum of the samples: not given
    bits.put(0, 64);
    bits.finish()
}

/// One seek point a second, so that a click lands at once.
fn seek_table(starts: &[usize], length: usize, sample_rate_hz: u32) -> Vec<u8> {
    let step = (sample_rate_hz as usize / BLOCK).max(1);
    let mut bits = BitWriter::default();
    let points: Vec<_> = starts.iter().enumerate().step_by(step).collect();
    bits.put(0x83, 8); // seek table, the last block
    bits.put(points.len() as u64 * 18, 24);
    for (block, start) in points {
        bits.put((block * BLOCK) as u64, 64);
        bits.put(*start as u64, 64);
        bits.put((length - block * BLOCK).min(BLOCK) as u64, 16);
    }
    bits.finish()
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

fn frame(channels: &[&[i32]], number: usize, sample_rate_hz: u32) -> Vec<u8> {
    let length = channels[0].len();
    let mut bits = BitWriter::default();
    bits.put(0b111_1111_1111_1100, 15);
    bits.put(0, 1); // fixed block size
    bits.put(0b0111, 4); // block size in 16 bits at the end of the header
    let (rate_code, rate, rate_bits) = rate_code(sample_rate_hz);
    bits.put(rate_code, 4);
    bits.put(channels.len() as u64 - 1, 4);
    bits.put(0b100, 3); // 16 bits
    bits.put(0, 1);
    for byte in coded_number(number as u64) {
        bits.put(u64::from(byte), 8);
    }
    bits.put(length as u64 - 1, 16);
    bits.put(rate, rate_bits);
    let check = crc8(bits.bytes());
    bits.put(u64::from(check), 8);
    for channel in channels {
        subframe(&mut bits, channel);
    }
    bits.align();
    let check = crc16(bits.bytes());
    bits.put(u64::from(check), 16);
    bits.finish()
}

fn subframe(bits: &mut BitWriter, samples: &[i32]) {
    let all = samples.iter().fold(0, |all, s| all | s);
    if samples.iter().all(|s| *s == samples[0]) {
        bits.put(0, 8); // constant
        bits.put_signed(samples[0], BITS);
        return;
    }
    let wasted = all.trailing_zeros().min(BITS - 1);
    let width = BITS - wasted;
    let samples: Vec<i32> = samples.iter().map(|s| s >> wasted).collect();
    let (predictor, residual) = prediction::best(&samples);
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

/// Partitioned Rice codes: each part of a block with the parameter that suits it.
struct Rice {
    partition_order: u32,
    parameters: Vec<u32>,
    bits: u64,
}

impl Rice {
    const HIGHEST_PARAMETER: u32 = 14;
    const HIGHEST_PARTITION_ORDER: u32 = 5;

    fn best(residual: &[i32], order: usize) -> Self {
        let length = residual.len() + order;
        let finest = (0..=Self::HIGHEST_PARTITION_ORDER)
            .rev()
            .find(|p| length.is_multiple_of(1 << p) && (length >> p) > order)
            .unwrap_or(0);
        let mut sums: Vec<(usize, u64)> = Self::parts(residual, order, finest)
            .map(|part| (part.len(), part.iter().map(|r| u64::from(zigzag(*r))).sum()))
            .collect();
        let mut best = Self::with_sums(&sums, finest);
        for partition_order in (0..finest).rev() {
            sums = sums.chunks(2).map(|two| (two[0].0 + two[1].0, two[0].1 + two[1].1)).collect();
            let coarser = Self::with_sums(&sums, partition_order);
            if coarser.bits < best.bits {
                best = coarser;
            }
        }
        best
    }

    /// From each part's length and the sum of its values.
    fn with_sums(sums: &[(usize, u64)], partition_order: u32) -> Self {
        let mut rice = Self { partition_order, parameters: vec![], bits: 6 };
        for (length, sum) in sums {
            let length = *length as u64;
            let mean = sum / length.max(1);
            let guess = mean.max(1).ilog2().min(Self::HIGHEST_PARAMETER);
            // The sum shifted is the length of the unary parts to within one bit a sample.
            let cost = |parameter: u32| length * u64::from(parameter + 1) + (sum >> parameter);
            let lower = guess.saturating_sub(1);
            let parameter = (lower..=guess).min_by_key(|p| cost(*p)).unwrap_or(guess);
            rice.bits += 4 + cost(parameter);
            rice.parameters.push(parameter);
        }
        rice
    }

    fn parts(residual: &[i32], order: usize, partition_order: u32) -> impl Iterator<Item = &[i32]> {
        let size = (residual.len() + order) >> partition_order;
        (0..1usize << partition_order).map(move |part| {
            let start = (part * size).saturating_sub(order);
            &residual[start..(part + 1) * size - order]
        })
    }

    fn write(&self, bits: &mut BitWriter, residual: &[i32], order: usize) {
        bits.put(0, 2); // parameters of 4 bits
        bits.put(u64::from(self.partition_order), 4);
        let parts = Self::parts(residual, order, self.partition_order);
        for (part, parameter) in parts.zip(&self.parameters) {
            bits.put(u64::from(*parameter), 4);
            for value in part {
                let value = zigzag(*value);
                bits.put_unary(value >> parameter);
                bits.put(u64::from(value) & ((1 << parameter) - 1), *parameter);
            }
        }
    }
}

/// 0, −1, 1, −2, 2 as 0, 1, 2, 3, 4.
fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
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

fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |c, _| if c & 0x80 != 0 { (c << 1) ^ 0x07 } else { c << 1 })
    })
}

const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x8005 } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

/// Bits, the most significant first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    /// The lowest `width` bits of `value`; the others have to be zero.
    fn put(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.put(value >> 32, width - 32);
            return self.put(value & 0xffff_ffff, 32);
        }
        self.pending = (self.pending << width) | value;
        self.pending_bits += width;
        while self.pending_bits >= 8 {
            self.pending_bits -= 8;
            self.bytes.push((self.pending >> self.pending_bits) as u8);
        }
        self.pending &= (1 << self.pending_bits) - 1;
    }

    fn put_signed(&mut self, value: i32, width: u32) {
        self.put(value as u64 & ((1 << width) - 1), width);
    }

    fn put_unary(&mut self, zeros: u32) {
        for _ in 0..zeros / 32 {
            self.put(0, 32);
        }
        self.put(1, zeros % 32 + 1);
    }

    fn align(&mut self) {
        self.put(0, (8 - self.pending_bits) % 8);
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn finish(mut self) -> Vec<u8> {
        self.align();
        self.bytes
    }
}
