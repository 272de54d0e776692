//! The sound inside a player: as good as a size limit allows.

use super::opus::{self, BitRate};
use super::playable;
use super::sixteen_bits::in_16_bits;
use crate::Result;
use crate::audio::Audio;
use crate::audio::flac::{self, BLOCK};
use crate::display::plain::{clock, count};
use rayon::prelude::*;

/// A sound file for a page, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Preview {
    pub file: Vec<u8>,
    pub format: Format,
    pub sample_rate_hz: u32,
    /// What the page holds instead of the sound as it is, in words; empty where it holds that.
    pub instead: String,
    /// From which rate to which it was brought for browsers, in words; empty when it was not.
    pub resampled: String,
}

/// How the sound in a page is coded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    /// 16 bits, lossless.
    Flac,
    /// Everything that is heard, at 48,000 Hz.
    Opus,
}

impl Format {
    pub fn mime(self) -> &'static str {
        match self {
            Self::Flac => "audio/flac",
            Self::Opus => "audio/ogg;codecs=opus",
        }
    }

    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Flac => "flac",
            Self::Opus => "opus",
        }
    }
}

/// Bits a second of one channel and of two that Opus has at least, or the sound is cut; and at most,
/// from where on nobody hears more.
const LEAST_BITS_PER_SECOND: [u32; 2] = [32_000, 48_000];
const MOST_BITS_PER_SECOND: [u32; 2] = [80_000, 128_000];

impl Preview {
    /// The sound as browsers play it, and small enough: lossless where that fits, then as Opus, then
    /// only its beginning.
    ///
    /// More than two channels are mixed into one.
    pub fn of(audio: &Audio, limit_bytes: usize) -> Result<Self> {
        let mut instead = Vec::new();
        let audio = match audio.channel_count() {
            1 | 2 => audio.clone(),
            channels => {
                instead.push(format!("{channels} channels mixed into one"));
                audio.to_mono()
            }
        };
        let from_hz = audio.sample_rate_hz();
        let lossless_hz = playable::rate_instead_of(from_hz);
        let flac = |audio: &Audio, instead: Vec<String>, resampled| {
            let file = fitting(audio, limit_bytes)?;
            let sample_rate_hz = audio.sample_rate_hz();
            let instead = instead.join(", ");
            Some(Self { file, format: Format::Flac, sample_rate_hz, instead, resampled })
        };
        if lossless_hz.is_none()
            && let Some(preview) = flac(&audio, instead.clone(), String::new())
        {
            return Ok(preview);
        }
        // What does not fit anyway need not be resampled.
        let (audio, cut) = beginning(&audio, limit_bytes);
        instead.splice(0..0, cut);
        if let Some(to_hz) = lossless_hz {
            let audio = playable::resampled(&audio, to_hz)?;
            let resampled = format!("from {} to {} Hz", count(from_hz.into()), count(to_hz.into()));
            if let Some(preview) = flac(&audio, instead.clone(), resampled) {
                return Ok(preview);
            }
        }
        let audio = playable::resampled(&audio, opus::RATE_HZ)?;
        let (file, bits_per_second) = as_opus(&audio, limit_bytes)?;
        instead.push(format!("Opus, {} kbit/s", (bits_per_second + 500) / 1000));
        let instead = instead.join(", ");
        let (format, sample_rate_hz) = (Format::Opus, opus::RATE_HZ);
        Ok(Self { file, format, sample_rate_hz, instead, resampled: String::new() })
    }
}

/// So much of `audio` as fits at the least rate, and what is said of that.
fn beginning(audio: &Audio, limit_bytes: usize) -> (Audio, Option<String>) {
    let least = LEAST_BITS_PER_SECOND[audio.channel_count() - 1];
    let longest = opus::seconds(least, limit_bytes);
    if audio.duration_seconds() <= longest {
        return (audio.clone(), None);
    }
    let (kept, all) = (clock(longest), clock(audio.duration_seconds()));
    (audio.excerpt(0.0, longest), Some(format!("only the first {kept} of {all}")))
}

/// The Opus file, and its bits a second. Variable rates may miss their mark, constant ones do not.
fn as_opus(audio: &Audio, limit_bytes: usize) -> Result<(Vec<u8>, u32)> {
    let place = audio.channel_count() - 1;
    let room = opus::bits_per_second(audio.duration_seconds(), limit_bytes);
    let bits = room.clamp(LEAST_BITS_PER_SECOND[place], MOST_BITS_PER_SECOND[place]);
    let file = opus::encode(audio.channels(), BitRate::Variable(bits))?;
    if file.len() <= limit_bytes {
        return Ok((file, bits));
    }
    Ok((opus::encode(audio.channels(), BitRate::Constant(bits))?, bits))
}

/// The FLAC file if it is small enough. Long audio that clearly does not fit is refused after a look
/// at a few blocks.
fn fitting(audio: &Audio, limit_bytes: usize) -> Option<Vec<u8>> {
    let rate = audio.sample_rate_hz();
    let probe = |channel: &Vec<f32>| Some(in_16_bits(&probes(channel)?.concat()));
    if let Some(probes) = audio.channels().iter().map(probe).collect::<Option<Vec<_>>>() {
        let share = audio.frames() as f64 / probes[0].len() as f64;
        if flac::encode(&probes, rate).len() as f64 * share > 1.2 * limit_bytes as f64 {
            return None;
        }
    }
    let channels: Vec<_> = audio.channels().par_iter().map(|channel| in_16_bits(channel)).collect();
    let file = flac::encode(&channels, rate);
    (file.len() <= limit_bytes).then_some(file)
}

/// Blocks from all over a long channel; nothing for a short one.
fn probes(channel: &[f32]) -> Option<Vec<&[f32]>> {
    const PROBES: usize = 24;
    let blocks = channel.len() / BLOCK;
    if blocks < 3 * PROBES {
        return None;
    }
    let starts = (0..PROBES).map(|i| (2 * i + 1) * blocks / (2 * PROBES) * BLOCK);
    Some(starts.map(|start| &channel[start..start + BLOCK]).collect())
}
