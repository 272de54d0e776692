//! `decode`: a song as a WAV file.

use super::given::Given;
use super::outputs::{self, Kind, Output};
use super::report::{self, Report};
use super::streams::{Input, Target};
use clap::{Args, ValueEnum};
use neural_composer::audio::{Decoder, Resampler, SampleFormat, WavWriter, mix_to_mono};
use neural_composer::words::shown;
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

/// Decode a song to a WAV file, in bounded memory however long it is
#[derive(Args)]
pub struct Decode {
    /// The song; - is standard input
    song: PathBuf,
    /// The WAV file; - is standard output
    #[arg(short, long, default_value = "decoded.wav")]
    output: PathBuf,
    /// Resample to so many samples per second [default: as the song has them]
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
    /// Mix all channels into one
    #[arg(long)]
    mono: bool,
    /// How samples are stored
    #[arg(long, value_enum, default_value = "int16")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Int16,
    Int24,
    Float32,
}

impl From<Format> for SampleFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Int16 => Self::Int16,
            Format::Int24 => Self::Int24,
            Format::Float32 => Self::Float32,
        }
    }
}

fn louder(peak: f32, channels: &[Vec<f32>]) -> f32 {
    channels.iter().flatten().fold(peak, |peak, sample| peak.max(sample.abs()))
}

impl Decode {
    pub fn run(mut self, given: &Given) -> Result<Report> {
        Input::check([&self.song])?;
        let target = Target::of("--output", &self.output, given)?;
        let output = Output::named("--output", &target.path, Kind::Sound);
        outputs::check(&[output], std::slice::from_ref(&self.song), false)?;
        let _input = Input::read([&mut self.song])?;
        let report = self.decode(&target.path).map_err(|error| self.about_song(error))?;
        target.deliver(report)
    }

    /// Names the song in errors about what it holds.
    fn about_song(&self, error: Error) -> Error {
        let Error::Argument { name, expected, found } = error else { return error };
        let problem = match name {
            "channel_count" => format!(
                "holds {found} channels, and a WAV file of this --format {expected}; add --mono"
            ),
            "from_hz" => format!("expected {expected}, found {found}: it cannot be resampled"),
            "sample_rate_hz" if self.rate.is_none() => {
                format!("expected {expected}, found {found}; give another --rate or add --mono")
            }
            "sample_rate_hz" => return Error::argument("to_hz", expected, found),
            _ => return Error::Argument { name, expected, found },
        };
        Error::audio(&self.song, problem)
    }

    fn decode(&self, output: &Path) -> Result<Report> {
        let mut decoder = Decoder::open(&self.song)?;
        let channels = if self.mono { 1 } else { decoder.channel_count() };
        let rate = self.rate.unwrap_or(decoder.sample_rate_hz());
        let mut resampler = Resampler::new(decoder.sample_rate_hz(), rate, channels)?;
        let (mut frames, mut peak) = (0, 0.0f32);
        let mut mono = [Vec::new()];
        WavWriter::write_file(output, channels, rate, self.format.into(), |wav| {
            while let Some(chunk) = decoder.next_chunk()? {
                let chunk = if self.mono {
                    mix_to_mono(chunk, &mut mono[0]);
                    &mono
                } else {
                    chunk
                };
                let resampled = resampler.push(chunk)?;
                frames += resampled[0].len();
                peak = louder(peak, resampled);
                wav.write(resampled)?;
            }
            let rest = resampler.finish()?;
            frames += rest[0].len();
            peak = louder(peak, &rest);
            wav.write(&rest)
        })?;
        let seconds = frames as f64 / f64::from(rate);
        // Resampling adds a little to a peak at full scale.
        let clipped = !matches!(self.format, Format::Float32) && peak > 1.02;
        let loud = if peak < 1e3 { format!("{peak:.2}") } else { format!("{peak:.1e}") };
        let clipped = clipped.then(|| {
            format!(
                "{}: samples beyond full scale are clipped, the peak is {loud}; `--format float32` \
                 keeps them",
                shown(&self.song)
            )
        });
        Ok(Report::default()
            .line(format!("{}: {seconds:.2} s, {rate} Hz", shown(output)))
            .fact("output", report::path(output))
            .fact("seconds", seconds)
            .fact("frames", frames)
            .fact("sample_rate_hz", rate)
            .fact("channels", channels)
            .warn(decoder.warnings())
            .warn(clipped))
    }
}
