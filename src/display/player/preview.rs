//! The sound inside a player: as good as a size limit allows.

use super::flac::{self, BLOCK};
use super::playable;
use super::prediction;
use crate::Result;
use crate::audio::Audio;
use crate::display::plain::{clock, count};

/// A FLAC file for a page, and what was given up to make it small.
#[derive(Clone, Debug)]
pub(super) struct Preview {
    pub flac: Vec<u8>,
    pub sample_rate_hz: u32,
    /// What had to go for the size, in words for the reader; empty when nothing had.
    pub given_up: String,
    /// From which rate to which it was brought for browsers, in words; empty when it was not.
    pub resampled: String,
}

/// The lowest rate a preview is resampled to.
const LOW_RATE_HZ: u32 = 22_050;

/// Bits a second that a preview of reduced precision has at least; longer audio is cut.
const LEAST_BITS_PER_SECOND: f64 = 56_000.0;

impl Preview {
    /// The sound at a rate that browsers play, and small enough.
    ///
    /// `mono` is `audio` mixed to one channel.
    pub fn of(audio: &Audio, mono: &Audio, limit_bytes: usize) -> Result<Self> {
        let from_hz = audio.sample_rate_hz();
        let Some(to_hz) = playable::rate_instead_of(from_hz) else {
            return Self::within(audio, mono, limit_bytes, Vec::new());
        };
        // What does not fit anyway need not be resampled.
        let (audio, cut) = beginning(audio, limit_bytes);
        let audio = playable::resampled(&audio, to_hz)?;
        let preview = Self::within(&audio, &audio.to_mono(), limit_bytes, Vec::from_iter(cut))?;
        let resampled = format!("from {} to {} Hz", count(from_hz.into()), count(to_hz.into()));
        Ok(Self { resampled, ..preview })
    }

    /// Tries, in this order: everything at 16 bits; one channel; one channel at 22,050 Hz; the same
    /// with reduced precision; and, for very long audio, only its beginning.
    fn within(
        audio: &Audio,
        mono: &Audio,
        limit_bytes: usize,
        mut given_up: Vec<String>,
    ) -> Result<Self> {
        if audio.channel_count() <= 2
            && let Some(flac) = fitting(audio, limit_bytes)
        {
            return Ok(Self::new(flac, audio, &given_up));
        }
        let (mut mono, cut) = beginning(mono, limit_bytes);
        given_up.extend(cut);
        if audio.channel_count() > 1 {
            given_up.push("one channel".into());
            if let Some(flac) = fitting(&mono, limit_bytes) {
                return Ok(Self::new(flac, &mono, &given_up));
            }
        }
        if mono.sample_rate_hz() > LOW_RATE_HZ {
            mono = mono.resample(LOW_RATE_HZ)?;
            given_up.push(format!("{} Hz", count(LOW_RATE_HZ.into())));
        }
        if let Some(flac) = fitting(&mono, limit_bytes) {
            return Ok(Self::new(flac, &mono, &given_up));
        }
        given_up.push("reduced precision".into());
        let (original, rate) = (to_16_bits(&mono.channels()[0]), mono.sample_rate_hz());
        let mut bits = bits_that_fit(&original, rate, limit_bytes);
        loop {
            let flac = flac::encode(&[coarser(&original, bits)], rate);
            if flac.len() <= limit_bytes || bits < 1.0 {
                return Ok(Self::new(flac, &mono, &given_up));
            }
            bits -= 0.05 + 8.0 * (flac.len() - limit_bytes) as f64 / original.len() as f64;
        }
    }

    fn new(flac: Vec<u8>, encoded: &Audio, given_up: &[String]) -> Self {
        let sample_rate_hz = encoded.sample_rate_hz();
        Self { flac, sample_rate_hz, given_up: given_up.join(", "), resampled: String::new() }
    }
}

/// So much of `audio` as can be made to fit, and what is said of that.
fn beginning(audio: &Audio, limit_bytes: usize) -> (Audio, Option<String>) {
    let longest = limit_bytes as f64 * 8.0 / LEAST_BITS_PER_SECOND;
    if audio.duration_seconds() <= longest {
        return (audio.clone(), None);
    }
    let (kept, all) = (clock(longest), clock(audio.duration_seconds()));
    (audio.excerpt(0.0, longest), Some(format!("only the first {kept} of {all}")))
}

/// How many bits a sample [`coarser`] may leave, tried on a few blocks.
fn bits_that_fit(samples: &[i32], sample_rate_hz: u32, limit_bytes: usize) -> f64 {
    let wanted = 0.98 * limit_bytes as f64 * 8.0 / samples.len().max(1) as f64;
    let probe: Vec<i32> = probes(samples).map_or_else(|| samples.to_vec(), |p| p.concat());
    let mut bits = wanted;
    for _ in 0..2 {
        let size = flac::encode(&[coarser(&probe, bits)], sample_rate_hz).len();
        bits += wanted - size as f64 * 8.0 / probe.len().max(1) as f64;
    }
    bits
}

/// Blocks from all over a long channel; nothing for a short one.
fn probes<T>(channel: &[T]) -> Option<Vec<&[T]>> {
    const PROBES: usize = 24;
    let blocks = channel.len() / BLOCK;
    if blocks < 3 * PROBES {
        return None;
    }
    let starts = (0..PROBES).map(|i| (2 * i + 1) * blocks / (2 * PROBES) * BLOCK);
    Some(starts.map(|start| &channel[start..start + BLOCK]).collect())
}

fn to_16_bits(samples: &[f32]) -> Vec<i32> {
    // The conversion cuts off decimals and takes NaN for 0.
    let sample = |s: &f32| {
        let scaled = s * 32_768.0;
        ((scaled + 0.5f32.copysign(scaled)) as i32).clamp(-32_768, 32_767)
    };
    samples.iter().map(sample).collect()
}

/// The encoded file if it is small enough. Long audio that clearly does not fit is refused after a
/// look at a few blocks.
fn fitting(audio: &Audio, limit_bytes: usize) -> Option<Vec<u8>> {
    let rate = audio.sample_rate_hz();
    let probe = |channel: &Vec<f32>| Some(to_16_bits(&probes(channel)?.concat()));
    if let Some(probes) = audio.channels().iter().map(probe).collect::<Option<Vec<_>>>() {
        let share = audio.frames() as f64 / probes[0].len() as f64;
        if flac::encode(&probes, rate).len() as f64 * share > 1.2 * limit_bytes as f64 {
            return None;
        }
    }
    let channels: Vec<_> = audio.channels().iter().map(|c| to_16_bits(c)).collect();
    let file = flac::encode(&channels, rate);
    (file.len() <= limit_bytes).then_some(file)
}

/// Rounds samples to multiples of a power of two, chosen block by block, such that FLAC needs about
/// `bits` bits a sample. The rounding noise is given the shape of the music's own spectrum, under
/// which it hides (B. Atal and M. Schroeder, "Predictive coding of speech signals and subjective
/// error criteria", 1979).
fn coarser(samples: &[i32], bits: f64) -> Vec<i32> {
    /// Leans the noise from the shape of the spectrum (1) towards white (0).
    const SHAPE: f64 = 0.9;
    /// What Rice codes take on top of the logarithm of the residual's mean size.
    const CODE_BITS: f64 = 2.0;
    // `round` is a function call on processors of the oldest kind, which builds are made for.
    let rounded_to_whole = |v: f64| f64::from((v + 0.5f64.copysign(v)) as i32);
    let mut rounded = Vec::with_capacity(samples.len());
    let mut errors = [0f64; prediction::ORDER];
    for block in samples.chunks(BLOCK) {
        let Some(a) = prediction::coefficients(block) else {
            rounded.extend_from_slice(block);
            errors = [0.0; prediction::ORDER];
            continue;
        };
        let step = f64::from(1 << step_bits(block, &a, bits - CODE_BITS));
        let mut shape = a;
        shape.iter_mut().enumerate().for_each(|(i, a)| *a *= SHAPE.powi(i as i32 + 1));
        let (lowest, highest) = ((-32_768.0 / step).ceil(), (32_767.0 / step).floor());
        for sample in block {
            let wanted =
                f64::from(*sample) + errors.iter().zip(&shape).map(|(e, s)| e * s).sum::<f64>();
            let value = rounded_to_whole(wanted / step).clamp(lowest, highest) * step;
            errors.copy_within(0..prediction::ORDER - 1, 1);
            // At full scale the error cannot be fed on without end.
            errors[0] = (value - f64::from(*sample)).clamp(-16.0 * step, 16.0 * step);
            rounded.push(value as i32);
        }
    }
    rounded
}

/// How many low bits a block can lose.
fn step_bits(block: &[i32], a: &[f64], bits: f64) -> u32 {
    let residual: f64 = block
        .windows(a.len() + 1)
        .map(|w| {
            let past = w[..a.len()].iter().rev().zip(a).map(|(p, a)| f64::from(*p) * a);
            (f64::from(w[a.len()]) - past.sum::<f64>()).abs()
        })
        .sum();
    let mean = residual / block.len() as f64;
    (mean.max(1e-9).log2() - bits).ceil().clamp(0.0, 14.0) as u32
}
