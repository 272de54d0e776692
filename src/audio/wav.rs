//! Writing WAV files.

use super::Audio;
use crate::words::counted;
use crate::{Error, Result, atomic_file};
use std::fs::File;
use std::io::{BufWriter, Cursor, Seek, Write};
use std::path::Path;

/// How a WAV file holds a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleFormat {
    /// 16-bit integers: as on a CD.
    #[default]
    Int16,
    /// 24-bit integers: as in a studio.
    Int24,
    /// 32-bit floating-point numbers: exact, not limited to −1 to 1.
    Float32,
}

impl SampleFormat {
    fn bytes(self) -> u64 {
        match self {
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Float32 => 4,
        }
    }
}

/// A WAV file holds its length in 32 bits.
const MOST_DATA_BYTES: u64 = u32::MAX as u64 - 4096;

/// Writes a WAV file chunk by chunk, in bounded memory.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("tone.wav");
/// use neural_composer::audio::{Audio, SampleFormat, WavWriter};
/// WavWriter::write_file(&path, 1, 8000, SampleFormat::Int16, |wav| {
///     for _ in 0..10 {
///         wav.write(&[vec![0.5; 800]])?;
///     }
///     Ok(())
/// })?;
/// assert_eq!(neural_composer::audio::Song::open(&path)?.audio().frames(), 8000);
/// # Ok::<(), neural_composer::Error>(())
/// ```
pub struct WavWriter<'a> {
    wav: hound::WavWriter<&'a mut (dyn WriteSeek + 'a)>,
    path: &'a Path,
    format: SampleFormat,
    channel_count: usize,
    bytes: u64,
    /// Samples of 16 bits on their way.
    block: Vec<i16>,
}

trait WriteSeek: Write + Seek {}
impl WriteSeek for BufWriter<File> {}
impl WriteSeek for Cursor<Vec<u8>> {}

impl WavWriter<'_> {
    /// Makes `path` with what `write` writes; when that fails, `path` is as it was.
    ///
    /// # Errors
    /// [`Error::Argument`] for no or too many channels or a rate of 0, [`Error::Io`] when the file
    /// cannot be written, and those of `write`.
    pub fn write_file(
        path: impl AsRef<Path>,
        channel_count: usize,
        sample_rate_hz: u32,
        format: SampleFormat,
        write: impl FnOnce(&mut WavWriter) -> Result<()>,
    ) -> Result<()> {
        let path = path.as_ref();
        atomic_file::write(path, |file| {
            write_to(file, path, channel_count, sample_rate_hz, format, write)
        })
    }

    /// Appends samples, one vector per channel.
    ///
    /// Integers are rounded to the nearest and clipped at full scale, never wrapped; what is not a
    /// number becomes silence. Floating-point samples are written as they are, except that what is
    /// not a number becomes 0 and what is infinite becomes 1 or −1.
    ///
    /// # Errors
    /// [`Error::Argument`] for another number of channels or channels of different lengths,
    /// [`Error::Audio`] when the file would grow over 4 GB, [`Error::Io`] when the disk is full.
    pub fn write(&mut self, chunk: &[Vec<f32>]) -> Result<()> {
        let frames = chunk.first().map_or(0, Vec::len);
        if chunk.len() != self.channel_count || chunk.iter().any(|c| c.len() != frames) {
            let expected = format!("{} of one length", counted(self.channel_count, "channel"));
            let lengths: Vec<_> = chunk.iter().map(Vec::len).collect();
            return Err(Error::argument("chunk", expected, format!("lengths {lengths:?}")));
        }
        self.bytes += (frames * self.channel_count) as u64 * self.format.bytes();
        if self.bytes > MOST_DATA_BYTES {
            let problem = "a WAV file holds at most 4 GB; write a shorter piece, fewer channels or \
                           a lower rate";
            return Err(Error::audio(self.path, problem));
        }
        let writer = &mut self.wav;
        match self.format {
            SampleFormat::Int16 => write_16_bits(writer, chunk, &mut self.block),
            SampleFormat::Int24 => {
                interleaved(chunk).try_for_each(|s| writer.write_sample(to_integer(s, 24)))
            }
            SampleFormat::Float32 => {
                interleaved(chunk).try_for_each(|s| writer.write_sample(to_finite(s)))
            }
        }
        .map_err(|e| failed(self.path, e))
    }
}

/// All samples of the first frame, then of the second, and so on.
fn interleaved(chunk: &[Vec<f32>]) -> impl Iterator<Item = f32> {
    let frames = chunk.first().map_or(0, Vec::len);
    (0..frames).flat_map(move |frame| chunk.iter().map(move |channel| channel[frame]))
}

/// Writes in blocks, which is several times faster than sample by sample.
fn write_16_bits<W: Write + Seek>(
    wav: &mut hound::WavWriter<W>,
    chunk: &[Vec<f32>],
    block: &mut Vec<i16>,
) -> hound::Result<()> {
    const BLOCK_FRAMES: usize = 4096;
    let (frames, channels) = (chunk.first().map_or(0, Vec::len), chunk.len());
    for start in (0..frames).step_by(BLOCK_FRAMES) {
        let end = frames.min(start + BLOCK_FRAMES);
        block.resize((end - start) * channels, 0);
        for (place, channel) in chunk.iter().enumerate() {
            let samples = block[place..].iter_mut().step_by(channels);
            for (sample, value) in samples.zip(&channel[start..end]) {
                *sample = to_integer(*value, 16) as i16;
            }
        }
        let mut writer = wav.get_i16_writer(block.len() as u32);
        block.iter().for_each(|sample| writer.write_sample(*sample));
        writer.flush()?;
    }
    Ok(())
}

/// Writes all of `audio` as 16-bit samples.
pub(super) fn write_all(file: &mut BufWriter<File>, path: &Path, audio: &Audio) -> Result<()> {
    let (channels, rate) = (audio.channel_count(), audio.sample_rate_hz());
    write_to(file, path, channels, rate, SampleFormat::Int16, |wav| wav.write(audio.channels()))
}

fn write_to<'a>(
    file: &'a mut (dyn WriteSeek + 'a),
    path: &'a Path,
    channel_count: usize,
    sample_rate_hz: u32,
    format: SampleFormat,
    write: impl FnOnce(&mut WavWriter) -> Result<()>,
) -> Result<()> {
    // The header holds the bytes of a frame in 16 bits and those of a second in 32.
    let most_channels = u64::from(u16::MAX) / format.bytes();
    let channels = u16::try_from(channel_count)
        .ok()
        .filter(|&n| n > 0 && u64::from(n) <= most_channels)
        .ok_or_else(|| {
            Error::argument("channel_count", format!("1 to {most_channels}"), channel_count)
        })?;
    let highest_rate = u64::from(u32::MAX) / (format.bytes() * u64::from(channels));
    if sample_rate_hz == 0 || u64::from(sample_rate_hz) > highest_rate {
        let expected = format!("a rate of 1 to {highest_rate} Hz");
        return Err(Error::argument("sample_rate_hz", expected, format!("{sample_rate_hz} Hz")));
    }
    let spec = hound::WavSpec {
        channels,
        sample_rate: sample_rate_hz,
        bits_per_sample: 8 * format.bytes() as u16,
        sample_format: match format {
            SampleFormat::Float32 => hound::SampleFormat::Float,
            _ => hound::SampleFormat::Int,
        },
    };
    let wav = hound::WavWriter::new(file, spec).map_err(|e| failed(path, e))?;
    let mut writer = WavWriter { wav, path, format, channel_count, bytes: 0, block: Vec::new() };
    write(&mut writer)?;
    writer.wav.finalize().map_err(|e| failed(path, e))
}

/// Scaled by 2^(bits−1), the inverse of how decoders scale, so that 16 and 24-bit files survive a
/// round trip unchanged.
fn to_integer(sample: f32, bits: u32) -> i32 {
    let full = f64::from(1_u32 << (bits - 1));
    let scaled = f64::from(sample) * full;
    // A cast cuts off, and turns what is not a number into 0.
    (scaled + 0.5_f64.copysign(scaled)).clamp(-full, full - 1.0) as i32
}

fn to_finite(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else if sample.is_infinite() {
        sample.signum()
    } else {
        sample
    }
}

fn failed(path: &Path, cause: hound::Error) -> Error {
    match cause {
        hound::Error::IoError(source) => Error::io(path, "write the file")(source),
        other => Error::audio(path, format!("could not be written as WAV: {other}")),
    }
}

impl Audio {
    /// Writes a 16-bit WAV file. See [`Audio::save_as`].
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; an existing file then stays as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as(path, SampleFormat::Int16)
    }

    /// Writes a WAV file of the given format, rounded and clipped as [`WavWriter::write`] says.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written, [`Error::Audio`] when it would be larger
    /// than 4 GB; an existing file then stays as it was.
    pub fn save_as(&self, path: impl AsRef<Path>, format: SampleFormat) -> Result<()> {
        self.save_to(path.as_ref(), format)
    }

    fn save_to(&self, path: &Path, format: SampleFormat) -> Result<()> {
        let (channels, rate) = (self.channel_count(), self.sample_rate_hz());
        WavWriter::write_file(path, channels, rate, format, |wav| wav.write(self.channels()))
    }

    /// A 16-bit WAV file in memory, as an audio element of a page plays it.
    ///
    /// ```
    /// use neural_composer::audio::Audio;
    /// let bytes = Audio::mono(vec![0.0; 100], 8000)?.to_wav_bytes()?;
    /// assert_eq!(bytes.len(), 44 + 200);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Audio`] for more than 4 GB.
    pub fn to_wav_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        let (channels, rate) = (self.channel_count(), self.sample_rate_hz());
        let path = Path::new("WAV in memory");
        write_to(&mut bytes, path, channels, rate, SampleFormat::Int16, |wav| {
            wav.write(self.channels())
        })?;
        Ok(bytes.into_inner())
    }
}
