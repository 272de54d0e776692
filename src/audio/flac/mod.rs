//! A small FLAC encoder (RFC 9639): for previews that browsers play, and for corpora.
//!
//! It does what matters for size and seeking: two channels as mean and difference, linear prediction,
//! partitioned Rice codes, wasted bits, a seek table and the checksum of the samples.

mod bits;
mod frame;
mod prediction;
mod rice;
mod writer;

pub(crate) use frame::{BLOCK, Shape};
pub(crate) use writer::FlacWriter;

use rayon::prelude::*;
use writer::{StreamInfo, seek_table};

/// What a FLAC file holds.
pub(crate) const MOST_CHANNELS: usize = 8;
/// The highest rate that a frame's header can say.
pub(crate) const HIGHEST_RATE_HZ: u32 = 655_350;

/// 16-bit samples, one vector per channel, all of one length, as a FLAC file with a seek point a second.
pub(crate) fn encode(channels: &[Vec<i32>], sample_rate_hz: u32) -> Vec<u8> {
    let shape = Shape { channels: channels.len(), bits: 16, sample_rate_hz };
    let length = channels.first().map_or(0, Vec::len);
    let coded = |block: usize| {
        let range = block * BLOCK..((block + 1) * BLOCK).min(length);
        let parts: Vec<&[i32]> = channels.iter().map(|c| &c[range.clone()]).collect();
        frame::frame(&parts, block as u64, shape)
    };
    let frames: Vec<_> = (0..length.div_ceil(BLOCK)).into_par_iter().map(coded).collect();
    let mut next = 0;
    let start = |frame: &Vec<u8>| {
        next += frame.len() as u64;
        next - frame.len() as u64
    };
    let starts: Vec<u64> = frames.iter().map(start).collect();
    let step = (sample_rate_hz as usize / BLOCK).max(1);
    let points: Vec<_> = starts
        .iter()
        .enumerate()
        .step_by(step)
        .map(|(block, start)| (block as u64, *start))
        .collect();
    let info = StreamInfo { shape, frames: length as u64, sizes: (0, 0), md5: [0; 16] };
    let mut file = b"fLaC".to_vec();
    file.extend(info.block());
    file.extend(seek_table(&points, points.len(), length as u64));
    file.extend(frames.concat());
    file
}
