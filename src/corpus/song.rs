//! One song: decoded once, as a stream, while it is encoded, measured and hashed.

use super::entry::SongFacts;
use super::fingerprint::Fingerprinter;
use super::shares::{Clock, Share};
use crate::audio::flac::{FlacWriter, HIGHEST_RATE_HZ, MOST_CHANNELS, Shape};
use crate::audio::{Coding, Decoder, LoudnessMeter};
use crate::interrupt::Listener;
use crate::sha256::{self, hex};
use crate::words::{counted, one_line, shown};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// A song whose FLAC file is written.
pub(super) struct Heard {
    pub(super) facts: SongFacts,
    pub(super) fingerprint: Vec<u32>,
    /// Of the FLAC file.
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// What a song is read with.
pub(super) struct Hearing<'a> {
    /// The song.
    pub(super) source: &'a Path,
    pub(super) content_sha256: &'a str,
    /// The FLAC file, for errors.
    pub(super) target: &'a Path,
    pub(super) stop: &'a Listener,
    pub(super) clock: &'a Clock,
}

impl Hearing<'_> {
    /// Writes the song into `file`.
    ///
    /// # Errors
    /// Those of [`Decoder`]; [`Error::Audio`] for what FLAC does not take; [`Error::Io`] when the disk is
    /// full; [`Error::Interrupted`].
    pub(super) fn write(&self, file: &mut BufWriter<File>) -> Result<Heard> {
        let mut scale = 1.0;
        loop {
            match self.attempt(file, scale)? {
                Attempt::Done(heard) => return Ok(*heard),
                Attempt::Louder(louder) => scale = louder,
            }
            let again = file.seek(SeekFrom::Start(0)).and_then(|_| file.get_ref().set_len(0));
            again.map_err(Error::io(self.target, "write the song"))?;
        }
    }

    fn attempt(&self, file: &mut BufWriter<File>, scale: f64) -> Result<Attempt> {
        let write = |error| Error::io(self.target, "write the song")(error);
        let mut decoder = self.clock.time(Share::Decode, || Decoder::open(self.source))?;
        let shape = self.shape(&decoder)?;
        let mut flac =
            FlacWriter::new(&mut *file, shape, decoder.expected_frames()).map_err(write)?;
        let mut stored = StoredSamples::new(shape, scale);
        // Channels and rates for which loudness is not defined have none.
        let mut loudness = LoudnessMeter::new(shape.channels, shape.sample_rate_hz).ok();
        let mut fingerprinter = Fingerprinter::new(shape.sample_rate_hz);
        let mut fits = true;
        while let Some(chunk) = self.clock.time(Share::Decode, || decoder.next_chunk())? {
            if self.stop.requested() {
                let words = format!("while reading {}", shown(self.source));
                return Err(Error::Interrupted(words));
            }
            fits = fits && self.clock.time(Share::Encode, || stored.convert(chunk));
            if !fits {
                // What is still to come decides how much louder it gets.
                continue;
            }
            self.clock.time(Share::Hash, || stored.hash());
            self.clock.time(Share::Encode, || flac.write(&stored.samples)).map_err(write)?;
            self.clock.time(Share::Loudness, || {
                if loudness.as_mut().is_some_and(|meter| meter.push(chunk).is_err()) {
                    loudness = None;
                }
            });
            self.clock.time(Share::Fingerprint, || {
                if let Some(fingerprinter) = &mut fingerprinter {
                    fingerprinter.push(chunk);
                }
            });
        }
        if !fits {
            return Ok(Attempt::Louder(stored.scale_for(decoder.peak())));
        }
        let frames = self.clock.time(Share::Encode, || flac.finish()).map_err(write)?;
        let (size, sha256) = self.clock.time(Share::Hash, || sha256_of(file)).map_err(write)?;
        let peak = decoder.peak();
        let mut warnings = decoder.warnings();
        if scale > 1.0 {
            warnings.push(format!(
                "samples go beyond full scale, up to {peak:.3}: they are stored divided by {scale}"
            ));
        }
        let tags = decoder.tags();
        let tag = |name: &str| tags.get(name).map(str::to_owned);
        let facts = SongFacts {
            content_sha256: self.content_sha256.to_owned(),
            samples_sha256: stored.sha256(),
            title: tag("title"),
            artist: tag("artist"),
            album: tag("album"),
            tags: tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            codec: decoder.codec().to_owned(),
            lossless: decoder.coding() != Coding::Lossy,
            seconds: frames as f64 / f64::from(shape.sample_rate_hz),
            frames,
            sample_rate_hz: shape.sample_rate_hz,
            channels: shape.channels as u32,
            bits: shape.bits,
            scale,
            loudness_lufs: loudness.and_then(|meter| meter.loudness_lufs().ok().flatten()),
            peak: f64::from(peak),
            warnings: warnings.iter().map(|warning| one_line(warning)).collect(),
        };
        let fingerprint = fingerprinter.map_or_else(Vec::new, Fingerprinter::finish);
        Ok(Attempt::Done(Box::new(Heard { facts, fingerprint, size, sha256 })))
    }

    fn shape(&self, decoder: &Decoder) -> Result<Shape> {
        let (channels, rate) = (decoder.channel_count(), decoder.sample_rate_hz());
        if channels > MOST_CHANNELS {
            let problem = format!(
                "holds {}, and FLAC takes up to {MOST_CHANNELS}; mix it down, for example with \
                 `ffmpeg -i IN -ac 2 OUT.flac`",
                counted(channels, "channel")
            );
            return Err(Error::audio(self.source, problem));
        }
        if rate > HIGHEST_RATE_HZ {
            let problem = format!(
                "has {rate} samples a second, and FLAC takes up to {HIGHEST_RATE_HZ}; resample it, \
                 for example with `ffmpeg -i IN -ar 96000 OUT.flac`"
            );
            return Err(Error::audio(self.source, problem));
        }
        let bits = match decoder.coding() {
            Coding::Lossy => 16,
            Coding::Integer { bits } if bits <= 16 => 16,
            Coding::Integer { .. } | Coding::Float => 24,
        };
        Ok(Shape { channels, bits, sample_rate_hz: rate })
    }
}

enum Attempt {
    Done(Box<Heard>),
    /// It needs this scale.
    Louder(f64),
}

/// Samples as the whole numbers that are stored, and their hash.
pub(super) struct StoredSamples {
    /// Of a stored 1.
    full: f64,
    /// What a sample is multiplied by.
    factor: f64,
    bits: u32,
    samples: Vec<Vec<i32>>,
    interleaved: Vec<u8>,
    hash: Sha256,
}

impl StoredSamples {
    pub(super) fn new(shape: Shape, scale: f64) -> Self {
        let full = f64::from(1_u32 << (shape.bits - 1));
        let samples = vec![Vec::new(); shape.channels];
        let (interleaved, hash) = (Vec::new(), Sha256::new());
        Self { full, factor: full / scale, bits: shape.bits, samples, interleaved, hash }
    }

    /// Rounds the samples as a WAV file has them; false when one lies beyond full scale.
    pub(super) fn convert(&mut self, chunk: &[Vec<f32>]) -> bool {
        let (factor, least, most) = (self.factor, -self.full as i32, (self.full - 1.0) as i32);
        let mut fits = true;
        for (samples, channel) in self.samples.iter_mut().zip(chunk) {
            samples.clear();
            samples.extend(channel.iter().map(|sample| rounded(*sample, factor)));
            fits &= samples.iter().fold(true, |fits, s| fits & (*s >= least) & (*s <= most));
        }
        fits
    }

    /// The least power of two with which a sample of this magnitude fits.
    fn scale_for(&self, peak: f32) -> f64 {
        let scales = std::iter::successors(Some(2.0), |scale| Some(scale * 2.0));
        let mut fitting = scales
            .skip_while(|scale| f64::from(rounded(peak, self.full / scale)) > self.full - 1.0);
        // Samples are finite.
        fitting.next().unwrap_or(1.0)
    }

    /// Adds the samples to the hash, as 32-bit numbers whatever their width.
    pub(super) fn hash(&mut self) {
        let (step, left) = (4 * self.samples.len(), 32 - self.bits);
        self.interleaved.resize(step * self.samples[0].len(), 0);
        for (place, channel) in self.samples.iter().enumerate() {
            for (frame, sample) in self.interleaved.chunks_exact_mut(step).zip(channel) {
                frame[4 * place..4 * place + 4].copy_from_slice(&(sample << left).to_le_bytes());
            }
        }
        self.hash.update(&self.interleaved);
    }

    /// The hash of all samples that were added to it.
    pub(super) fn sha256(self) -> String {
        hex(self.hash.finalize())
    }
}

fn rounded(sample: f32, factor: f64) -> i32 {
    let scaled = f64::from(sample) * factor;
    // A cast cuts off.
    (scaled + 0.5_f64.copysign(scaled)) as i32
}

/// Length and hash of what was written.
fn sha256_of(file: &mut BufWriter<File>) -> std::io::Result<(u64, String)> {
    file.flush()?;
    let file = file.get_mut();
    file.seek(SeekFrom::Start(0))?;
    sha256::of_all(file)
}
