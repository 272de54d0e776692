//! Whether sound is fit to learn from: one place for all models.

use crate::audio::{mix_to_mono, peak_of};
use crate::{Error, Result};

/// Below this a sound is silence, 80 dB under full scale.
const AUDIBLE: f32 = 1e-4;
/// Channels of which the mix keeps less than this share cancel each other.
const KEPT_BY_MIX: f32 = 1e-3;
/// A sample beyond this, 40 dB above full scale, is damage.
const LOUDEST: f32 = 100.0;
/// A peak beyond this is told: resampling adds a little to one at full scale.
const FULL_SCALE: f32 = 1.02;
/// A mean beyond this is no sound but an offset of the recording, and is taken out.
const OFFSET: f32 = 0.01;

/// What is measured of the channels of a sound before they are mixed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// The largest finite magnitude.
    pub peak: f32,
    /// Samples that are no number or infinite, where nobody has told of them yet.
    pub not_finite: u64,
}

impl Measured {
    /// Of channels in memory.
    pub fn of(channels: &[Vec<f32>]) -> Self {
        let not_finite = channels.iter().flatten().filter(|sample| !sample.is_finite()).count();
        Self { peak: peak_of(channels), not_finite: not_finite as u64 }
    }
}

/// Makes `channels`, those of the song `name` or their mix, fit to learn from; says what was put up with.
///
/// # Errors
/// [`Error::Data`] for silence, for channels that cancel each other when they are mixed, for samples
/// that are all no numbers, and for such far beyond full scale.
pub(crate) fn make_fit(
    name: &str,
    channels: &mut [Vec<f32>],
    measured: Measured,
) -> Result<Vec<String>> {
    let Measured { peak, not_finite } = measured;
    let refused = |problem: String| Error::Data(format!("{name}: {problem}"));
    if peak < AUDIBLE && not_finite > 0 {
        return Err(refused("holds samples that are not numbers; convert it anew".into()));
    }
    if peak < AUDIBLE {
        return Err(refused("is silent, there is nothing to learn from".into()));
    }
    if peak > LOUDEST {
        return Err(refused(format!(
            "goes far beyond full scale, its loudest sample is {peak:.1e} times that: it is damaged, or \
             no sound; convert it anew"
        )));
    }
    let samples = channels.iter_mut().flatten();
    samples.filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
    let peak_of_mix = match channels {
        [mono] => peak_of(std::slice::from_ref(mono)),
        _ => {
            let mut mixed = Vec::new();
            mix_to_mono(channels, &mut mixed);
            peak_of(&[mixed])
        }
    };
    if peak_of_mix < KEPT_BY_MIX * peak {
        return Err(refused(
            "its channels cancel each other in mono, where everything is learned; use one of them, for \
             example with `ffmpeg -i IN -af pan=mono|c0=c0 out.flac`"
                .into(),
        ));
    }
    let mut notes = Vec::new();
    if not_finite > 0 {
        let (samples, count) =
            if not_finite == 1 { ("sample", "counts") } else { ("samples", "count") };
        notes.push(format!("{not_finite} {samples} that are not numbers {count} as silence"));
    }
    if peak > FULL_SCALE {
        notes.push(format!("samples go beyond full scale, the peak is {peak:.2}"));
    }
    if let Some(offset) = without_offset(channels) {
        // Resampling makes sound of the two ends of a constant.
        let audible = channels.iter().flatten().filter(|sample| sample.abs() > AUDIBLE).count();
        if audible < channels.iter().map(Vec::len).sum::<usize>() / 100 {
            return Err(refused(
                "is silent but for a constant, there is nothing to learn from".into(),
            ));
        }
        notes.push(format!("a constant offset of {offset:.2} of full scale is taken out"));
    }
    Ok(notes)
}

/// Takes the mean out of every channel that has one worth the name; tells the largest.
///
/// A cut through an offset is a step, which is heard as a click.
pub(crate) fn without_offset(channels: &mut [Vec<f32>]) -> Option<f32> {
    let mut largest: Option<f32> = None;
    for channel in channels {
        let Some(offset) = offset_of(channel) else { continue };
        channel.iter_mut().for_each(|sample| *sample -= offset);
        if largest.is_none_or(|largest| offset.abs() > largest.abs()) {
            largest = Some(offset);
        }
    }
    largest
}

/// The mean of a channel, where it is worth the name.
pub(crate) fn offset_of(channel: &[f32]) -> Option<f32> {
    let sum: f64 = channel.iter().map(|sample| f64::from(*sample)).sum();
    let mean = (sum / channel.len().max(1) as f64) as f32;
    (mean.abs() > OFFSET).then_some(mean)
}

/// Refuses a sound of so many seconds that is too short; `why` says for what, `warnings` what of it was
/// left out perhaps.
pub(crate) fn too_short(
    name: &str,
    (seconds, needed): (f64, f64),
    why: &str,
    warnings: &[String],
) -> Error {
    Error::Data(format!(
        "{name}: {seconds:.2} s is too short, at least {needed:.2} s are needed ({why}){}",
        warnings.iter().map(|warning| format!("; {warning}")).collect::<String>()
    ))
}
