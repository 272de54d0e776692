//! What the judge keeps of a sound, without its samples.

use super::clicks::SharpestStep;
use super::mel_copies::SETTINGS;
use super::origin::Join;
use crate::audio::{Audio, Decoder, MonoMix, Need, Take, as_heard};
use crate::features::{LogMel, PitchBands};
use crate::{Result, interrupt};

/// What the judge keeps of a sound: its bands of both kinds and its sharpest step, not its samples.
#[derive(Clone, Debug)]
pub struct Heard {
    pub(super) bands: PitchBands,
    pub(super) mel: LogMel,
    pub(super) sharpest_step: f32,
    pub(super) duration_seconds: f64,
    /// Where it jumps from one place of its songs to another, as far as that is known.
    pub(super) joins: Option<Vec<Join>>,
}

impl Heard {
    /// What judging takes: bands of both kinds, and copies of them that are transposed or at another speed.
    pub const NEED: Need = Need { work: "to judge by", bytes_per_second: 150_000 };

    /// What is kept of `audio`.
    ///
    /// # Errors
    /// What resampling reports; [`Error::Interrupted`](crate::Error::Interrupted) on a request to stop.
    pub fn of(audio: &Audio) -> Result<Self> {
        interrupt::check()?;
        Self::of_stream(&mut |take| {
            let mut mix = MonoMix::new(audio.sample_rate_hz(), PitchBands::RATE_HZ)?;
            take(mix.push(audio.channels())?);
            take(&mix.finish()?);
            Ok(audio.duration_seconds())
        })
    }

    /// The same of a piece that jumps from place to place of its songs where `joins` say: then nobody
    /// has to look for its joins.
    pub fn with_joins(self, joins: Vec<Join>) -> Self {
        Self { joins: Some(joins), ..self }
    }

    /// What is kept of what `decoder` has left, which is never all in memory.
    ///
    /// # Errors
    /// Those of [`Decoder::read_mono_at`]; [`Error::Memory`](crate::Error::Memory) for more than
    /// [`NEED`](Self::NEED) allows.
    pub fn read(decoder: &mut Decoder) -> Result<Self> {
        Self::of_stream(&mut |take| {
            decoder.each_mono_at(PitchBands::RATE_HZ, Some(Self::NEED), &mut |samples| {
                take(samples);
                Ok(())
            })?;
            Ok(decoder.frames_read() as f64 / f64::from(decoder.sample_rate_hz()))
        })
    }

    /// Of samples of one channel; `source` tells how long they are in seconds.
    fn of_stream(source: &mut dyn FnMut(&mut Take<'_>) -> Result<f64>) -> Result<Self> {
        let mut sharpest_step = SharpestStep::new();
        let mut duration_seconds = 0.0;
        let mut mel = None;
        let bands = PitchBands::of_stream(&mut |take| {
            let both = LogMel::of_stream(SETTINGS, &mut |take_too| {
                duration_seconds = source(&mut |samples| {
                    take(samples);
                    take_too(samples);
                    for sample in samples {
                        sharpest_step.push(as_heard(*sample));
                    }
                })?;
                Ok(())
            })?;
            mel = Some(both);
            Ok(())
        })?;
        let mel = mel.expect("the bands' source is called once");
        let sharpest_step = sharpest_step.of_all();
        Ok(Self { bands, mel, sharpest_step, duration_seconds, joins: None })
    }
}
