//! Files as a whole: all samples, one channel, or a channel that is used while it is decoded.

use super::{Audio, Decoder, Need, Resampler, mix_to_mono};
use crate::memory::{available_bytes, gigabytes};
use crate::words::shown;
use crate::{Error, Result, interrupt};
use std::path::Path;

/// What takes samples of one channel as they come.
pub type Take<'a> = dyn FnMut(&[f32]) + 'a;

/// A file says it holds more samples than this for each of its bytes: its header is not believed.
const MOST_SAMPLES_PER_BYTE: u64 = 256;

impl Decoder {
    /// Everything that is left, in memory. A request to stop ([`interrupt`]) ends it.
    ///
    /// # Errors
    /// Those of [`Decoder::next_chunk`], [`Error::Audio`] when there is not one sample,
    /// [`Error::Memory`] when it does not fit into the memory that is free, and
    /// [`Error::Interrupted`] when it was stopped.
    pub fn read_all(&mut self) -> Result<Audio> {
        let path = self.path().to_path_buf();
        let (rate, mut channels) = (self.sample_rate_hz(), vec![Vec::new(); self.channel_count()]);
        if let Some(frames) = self.believable_frames() {
            let bytes = frames * (channels.len() * size_of::<f32>()) as u64;
            if available_bytes().is_some_and(|free| bytes > free) {
                return Err(too_long(&path, bytes));
            }
            for channel in &mut channels {
                reserve(channel, frames as usize, &path)?;
            }
        }
        self.each_chunk(None, &mut |chunk| {
            let pairs = channels.iter_mut().zip(chunk);
            pairs.into_iter().try_for_each(|(channel, new)| extend(channel, new, &path))
        })?;
        Audio::new(channels, rate)
    }

    /// Everything that is left as one channel at the given rate. Only the result is held in
    /// memory, never the whole file at its own rate.
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("stereo.wav");
    /// # neural_composer::audio::Audio::new(vec![vec![0.5; 44_100]; 2], 44_100)?.save(&path)?;
    /// use neural_composer::audio::Decoder;
    /// let mono = Decoder::open(&path)?.read_mono_at(22_050)?;
    /// assert_eq!((mono.channel_count(), mono.frames()), (1, 22_050));
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Decoder::read_all`], and [`Error::Argument`] for a rate outside 1,000 to
    /// 768,000 Hz.
    pub fn read_mono_at(&mut self, sample_rate_hz: u32) -> Result<Audio> {
        let path = self.path().to_path_buf();
        let mut samples = self.room_at(sample_rate_hz);
        self.each_mono_at(sample_rate_hz, None, &mut |new| extend(&mut samples, new, &path))?;
        Audio::mono(samples, sample_rate_hz)
    }

    /// The end of what is left as one channel at the given rate: `count` blocks of `block_samples`
    /// samples at most, cut where blocks that follow each other from the beginning are cut. No more than
    /// twice that is held in memory.
    ///
    /// # Errors
    /// As [`Decoder::read_mono_at`].
    pub fn read_last_blocks_at(
        &mut self,
        sample_rate_hz: u32,
        block_samples: usize,
        count: usize,
    ) -> Result<Audio> {
        let (block, kept) = (block_samples.max(1), count.max(1) * block_samples.max(1));
        let mut samples: Vec<f32> = Vec::new();
        let drop_surplus = |samples: &mut Vec<f32>| {
            let surplus = samples.len().saturating_sub(kept);
            samples.drain(..surplus.next_multiple_of(block));
        };
        self.each_mono_at(sample_rate_hz, None, &mut |new| {
            samples.extend_from_slice(new);
            if samples.len() >= 2 * kept + block {
                drop_surplus(&mut samples);
            }
            Ok(())
        })?;
        drop_surplus(&mut samples);
        Audio::mono(samples, sample_rate_hz)
    }

    /// Gives everything that is left to `take`, as one channel at the given rate, as it is decoded.
    ///
    /// # Errors
    /// As [`Decoder::read_mono_at`]; [`Error::Memory`] when the sound is longer than `need` allows, told
    /// before anything is decoded where the file says how long it is; those of `take`.
    pub fn each_mono_at(
        &mut self,
        sample_rate_hz: u32,
        need: Option<Need>,
        take: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let of_file = |error| match error {
            Error::Argument { name: "from_hz", expected, found } => {
                Error::audio(self.path(), format!("expected {expected}, found {found}"))
            }
            error => error,
        };
        let mut mix = MonoMix::new(self.sample_rate_hz(), sample_rate_hz).map_err(of_file)?;
        self.each_chunk(need, &mut |chunk| take(mix.push(chunk)?))?;
        take(&mix.finish()?)
    }

    /// Gives everything that is left to `take`, chunk by chunk, one vector of samples per channel.
    ///
    /// # Errors
    /// As [`Decoder::each_mono_at`].
    pub fn each_chunk(
        &mut self,
        need: Option<Need>,
        take: &mut dyn FnMut(&[Vec<f32>]) -> Result<()>,
    ) -> Result<()> {
        let _job = interrupt::begin()?;
        let path = self.path().to_path_buf();
        let rate = f64::from(self.sample_rate_hz());
        if let Some(need) = need {
            self.check(need)?;
        }
        let mut frames = 0;
        while let Some(chunk) = self.next_chunk()? {
            frames += chunk[0].len();
            take(chunk)?;
            let seconds = frames as f64 / rate;
            if let Some(need) = need.filter(|_| seconds > Need::LONGEST_SECONDS) {
                return Err(need.goes_on(&path, seconds));
            }
            if interrupt::requested() {
                return Err(Error::Interrupted(format!("while reading {}", shown(&path))));
            }
        }
        Ok(())
    }

    /// Refuses a file that says it is longer than `need` allows.
    ///
    /// # Errors
    /// [`Error::Memory`], as [`Need::check`].
    pub fn check(&self, need: Need) -> Result<()> {
        match self.believable_frames() {
            Some(frames) => {
                need.check(self.path(), frames as f64 / f64::from(self.sample_rate_hz()))
            }
            None => Ok(()),
        }
    }

    /// Room for a channel of what is left at another rate, as far as the file tells: a vector that grows
    /// is in memory twice while it does.
    pub(crate) fn room_at(&self, sample_rate_hz: u32) -> Vec<f32> {
        let times = f64::from(sample_rate_hz) / f64::from(self.sample_rate_hz());
        let frames = self.believable_frames().map_or(0.0, |frames| frames as f64 * times);
        let mut samples = Vec::new();
        // Where there is none, it grows, or is refused when it does.
        let _ = reserve(&mut samples, frames.ceil() as usize + 1, self.path());
        samples
    }

    /// How many frames the file says it holds, where its size does not tell otherwise.
    fn believable_frames(&self) -> Option<u64> {
        let bytes = std::fs::metadata(self.path()).ok()?.len();
        let most = bytes.saturating_mul(MOST_SAMPLES_PER_BYTE) / self.channel_count() as u64;
        self.expected_frames().filter(|frames| *frames <= most)
    }
}

/// Channels mixed into one at another rate, chunk by chunk.
pub(crate) struct MonoMix {
    resampler: Resampler,
    mixed: [Vec<f32>; 1],
}

impl MonoMix {
    /// From one rate to another.
    pub(crate) fn new(from_hz: u32, to_hz: u32) -> Result<Self> {
        Ok(Self { resampler: Resampler::new(from_hz, to_hz, 1)?, mixed: [Vec::new()] })
    }

    /// What is ready after the next chunk.
    pub(crate) fn push(&mut self, chunk: &[Vec<f32>]) -> Result<&[f32]> {
        mix_to_mono(chunk, &mut self.mixed[0]);
        Ok(&self.resampler.push(&self.mixed)?[0])
    }

    /// The rest, after the last chunk.
    pub(crate) fn finish(self) -> Result<Vec<f32>> {
        Ok(self.resampler.finish()?.swap_remove(0))
    }
}

/// Puts `new` behind `samples`, or says that there is no room for it.
pub(crate) fn extend(samples: &mut Vec<f32>, new: &[f32], path: &Path) -> Result<()> {
    if samples.capacity() - samples.len() < new.len() {
        // Twice as much each time, or a little more where there is no room for that.
        let (twice, little) = (samples.len().max(new.len()), samples.len() / 8 + new.len());
        reserve(samples, twice, path).or_else(|_| reserve(samples, little, path))?;
    }
    samples.extend_from_slice(new);
    Ok(())
}

/// Makes room for so many more samples.
fn reserve(samples: &mut Vec<f32>, more: usize, path: &Path) -> Result<()> {
    let bytes = |count: usize| (count as u64).saturating_mul(size_of::<f32>() as u64);
    let fits = available_bytes().is_none_or(|free| bytes(more) <= free);
    if fits && samples.try_reserve_exact(more).is_ok() {
        return Ok(());
    }
    Err(too_long(path, bytes(samples.len().saturating_add(more))))
}

fn too_long(path: &Path, bytes: u64) -> Error {
    let free = available_bytes();
    let free = free.map_or(String::new(), |free| format!(", and {} are free", gigabytes(free)));
    Error::Memory(format!(
        "{}: too long to be held in memory: it needs {}{free}; use a part of it, for example with \
         `ffmpeg -i IN -t 1200 PART.flac`",
        shown(path),
        gigabytes(bytes)
    ))
}
