//! Conversion between sample rates.

use super::{Audio, as_heard};
use crate::words::counted;
use crate::{Error, Result, interrupt};
use rayon::prelude::*;
use rubato::audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{Fft, FixedSync, Resampler as _};

/// Rates between which [`Resampler`] converts, in Hz.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// The shorter side's block, in frames. The filter is as long, which leaves everything up to
/// 99.3 % of the lower Nyquist frequency untouched and takes away what lies above it.
const BLOCK_FRAMES: usize = 2048;

/// Of a whole piece, what is pushed at once: it stays in the processor's caches.
const AT_ONCE_FRAMES: usize = 1 << 16;

/// Band-limited conversion of a stream to another sample rate, chunk by chunk.
///
/// The output starts with the input's first sample, without the filter's delay, and is in all
/// `round(frames × to_hz / from_hz)` frames long. Frequencies above the new Nyquist frequency are
/// removed (FFT method of the `rubato` crate, Blackman-Harris squared window). Samples that are not
/// numbers, or have no end, count as silence.
///
/// ```
/// use neural_composer::audio::Resampler;
/// let mut resampler = Resampler::new(44_100, 22_050, 1)?;
/// let mut frames = 0;
/// for _ in 0..10 {
///     frames += resampler.push(&[vec![0.0; 4410]])?[0].len();
/// }
/// frames += resampler.finish()?[0].len();
/// assert_eq!(frames, 22_050);
/// # Ok::<(), neural_composer::Error>(())
/// ```
pub struct Resampler {
    from_hz: u32,
    to_hz: u32,
    /// `None` when the rates are the same.
    filter: Option<Fft<f32>>,
    /// Input that does not fill a block yet, by channel.
    pending: Vec<Vec<f32>>,
    ready: Vec<Vec<f32>>,
    block: Vec<Vec<f32>>,
    /// Output frames of filter delay still to be dropped.
    delay_left: usize,
    frames_in: u64,
    frames_out: u64,
}

impl Resampler {
    /// A converter for `channel_count` channels.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rate outside 1,000 to 768,000 Hz (equal rates may be any) or for
    /// no channel.
    pub fn new(from_hz: u32, to_hz: u32, channel_count: usize) -> Result<Self> {
        if channel_count == 0 {
            return Err(Error::argument("channel_count", "at least one channel", 0));
        }
        let filter = if from_hz == to_hz { None } else { Some(new_filter(from_hz, to_hz)?) };
        let filter = match filter {
            Some(block) => Some(
                Fft::new_custom(
                    from_hz as usize,
                    to_hz as usize,
                    block,
                    1,
                    channel_count,
                    rubato::WindowFunction::BlackmanHarris2,
                    FixedSync::Both,
                )
                .map_err(|e| failed(from_hz, to_hz, &e))?,
            ),
            None => None,
        };
        let block_out = filter.as_ref().map_or(0, Fft::fft_size_out);
        Ok(Self {
            from_hz,
            to_hz,
            delay_left: filter.as_ref().map_or(0, |f| f.output_delay()),
            filter,
            pending: vec![Vec::new(); channel_count],
            ready: vec![Vec::new(); channel_count],
            block: vec![vec![0.0; block_out]; channel_count],
            frames_in: 0,
            frames_out: 0,
        })
    }

    /// Takes the next samples, one vector per channel, and gives the output that is ready: often
    /// none, sometimes several blocks.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of channels or channels of different lengths.
    pub fn push(&mut self, chunk: &[Vec<f32>]) -> Result<&[Vec<f32>]> {
        self.push_slices(&chunk.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn push_slices(&mut self, chunk: &[&[f32]]) -> Result<&[Vec<f32>]> {
        let frames = chunk.first().map_or(0, |channel| channel.len());
        if chunk.len() != self.pending.len() || chunk.iter().any(|c| c.len() != frames) {
            let expected = format!("{} of one length", counted(self.pending.len(), "channel"));
            let lengths: Vec<_> = chunk.iter().map(|channel| channel.len()).collect();
            return Err(Error::argument("chunk", expected, format!("lengths {lengths:?}")));
        }
        self.ready.iter_mut().for_each(Vec::clear);
        self.frames_in += frames as u64;
        if self.filter.is_none() {
            self.frames_out += frames as u64;
            for (ready, new) in self.ready.iter_mut().zip(chunk) {
                ready.extend_from_slice(new);
            }
        } else {
            for (pending, new) in self.pending.iter_mut().zip(chunk) {
                pending.extend(new.iter().copied().map(as_heard));
            }
            self.filter_pending()?;
        }
        Ok(&self.ready)
    }

    /// The rest of the output, after the last [`Resampler::push`].
    ///
    /// # Errors
    /// [`Error::Data`] if the filter fails.
    pub fn finish(mut self) -> Result<Vec<Vec<f32>>> {
        let total = resampled_frames(self.frames_in, self.from_hz, self.to_hz);
        self.ready.iter_mut().for_each(Vec::clear);
        while self.frames_out < total {
            let Some(filter) = &self.filter else { break };
            let block_in = filter.fft_size_in();
            for pending in &mut self.pending {
                pending.resize(block_in, 0.0);
            }
            self.filter_pending()?;
        }
        let too_many = (self.frames_out - total) as usize;
        for channel in &mut self.ready {
            channel.truncate(channel.len() - too_many);
        }
        Ok(self.ready)
    }

    fn filter_pending(&mut self) -> Result<()> {
        let (from_hz, to_hz) = (self.from_hz, self.to_hz);
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let (block_in, block_out) = (filter.fft_size_in(), filter.fft_size_out());
        let channels = self.pending.len();
        let mut start = 0;
        while self.pending[0].len() - start >= block_in {
            let at = rubato::Indexing::new().input_offset(start);
            let input = SequentialSliceOfVecs::new(&self.pending, channels, start + block_in)
                .map_err(|e| failed(from_hz, to_hz, &e))?;
            let mut output = SequentialSliceOfVecs::new_mut(&mut self.block, channels, block_out)
                .map_err(|e| failed(from_hz, to_hz, &e))?;
            filter
                .process_into_buffer(&input, &mut output, Some(&at))
                .map_err(|e| failed(from_hz, to_hz, &e))?;
            let skip = self.delay_left.min(block_out);
            self.delay_left -= skip;
            self.frames_out += (block_out - skip) as u64;
            for (ready, block) in self.ready.iter_mut().zip(&self.block) {
                ready.extend_from_slice(&block[skip..]);
            }
            start += block_in;
        }
        for pending in &mut self.pending {
            pending.drain(..start);
        }
        Ok(())
    }
}

/// The input block in frames: even on both sides, or the filter's delay would not be a whole
/// number of samples, and long enough on the shorter side.
fn new_filter(from_hz: u32, to_hz: u32) -> Result<usize> {
    for (name, rate) in [("from_hz", from_hz), ("to_hz", to_hz)] {
        if !RATES_HZ.contains(&rate) {
            let expected = format!("a rate of {} to {} Hz", RATES_HZ.start(), RATES_HZ.end());
            return Err(Error::argument(name, expected, format!("{rate} Hz")));
        }
    }
    let common = greatest_common_divisor(from_hz, to_hz);
    let (from, to) = ((from_hz / common) as usize, (to_hz / common) as usize);
    Ok(BLOCK_FRAMES.div_ceil(from.min(to)).next_multiple_of(2) * from)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// `round(frames × to / from)`, in whole numbers.
fn resampled_frames(frames: u64, from_hz: u32, to_hz: u32) -> u64 {
    let (frames, from, to) = (u128::from(frames), u128::from(from_hz), u128::from(to_hz));
    ((2 * frames * to + from) / (2 * from)) as u64
}

/// A whole channel at another rate.
pub(crate) fn resampled(channel: &[f32], from_hz: u32, to_hz: u32) -> Result<Vec<f32>> {
    let frames = resampled_frames(channel.len() as u64, from_hz, to_hz);
    let mut samples = Vec::with_capacity(frames as usize);
    let mut resampler = Resampler::new(from_hz, to_hz, 1)?;
    for part in channel.chunks(AT_ONCE_FRAMES) {
        samples.extend_from_slice(&resampler.push_slices(&[part])?[0]);
    }
    samples.extend_from_slice(&resampler.finish()?[0]);
    Ok(samples)
}

fn failed(from_hz: u32, to_hz: u32, cause: &dyn std::fmt::Display) -> Error {
    Error::Data(format!("resampling from {from_hz} to {to_hz} Hz failed: {cause}"))
}

impl Audio {
    /// The same sound at another rate: band-limited, aligned to the first sample,
    /// `round(frames × to_hz / sample_rate_hz)` frames long. See [`Resampler`].
    ///
    /// ```
    /// use neural_composer::audio::Audio;
    /// let audio = Audio::mono(vec![0.0; 1000], 44_100)?;
    /// assert_eq!(audio.resample(22_050)?.frames(), 500);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] if either rate is outside 1,000 to 768,000 Hz.
    pub fn resample(&self, to_hz: u32) -> Result<Self> {
        if to_hz == self.sample_rate_hz() {
            return Ok(self.clone());
        }
        interrupt::check()?;
        let from_hz = self.sample_rate_hz();
        let channels: Result<Vec<_>> =
            self.channels().par_iter().map(|channel| resampled(channel, from_hz, to_hz)).collect();
        Self::new(channels?, to_hz)
    }
}
