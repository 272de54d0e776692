//! The form of a sound: which of its moments are alike.

use crate::Result;
use crate::audio::Audio;
use crate::compute::dot::dot;
use crate::features::PitchBands;
use crate::numbers::Numbers;

/// Moments last at least this long.
const LEAST_STEP_SECONDS: f64 = 0.5;
/// Longer sounds have longer moments, so that there are no more than this.
const MOST_STEPS: usize = 240;
/// What comes back sooner is not called a return.
const RETURN_SECONDS: f64 = 6.0;

/// How alike every two moments of a sound are, from -1 to 1: what J. Foote drew in "Visualizing music
/// and audio using self-similarity" (1999).
///
/// A moment is half a second or more of [`PitchBands`], averaged, less an average spectrum; the
/// similarity of two is the cosine between them. Sections are squares along the diagonal, what comes
/// back is a stripe beside it, and a drone is one square.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfSimilarity {
    /// Row by row.
    values: Numbers,
    steps: usize,
    step_seconds: f64,
}

impl SelfSimilarity {
    /// Of `audio`, less its own average spectrum.
    ///
    /// # Errors
    /// What resampling reports.
    pub fn of(audio: &Audio) -> Result<Self> {
        let bands = PitchBands::of(audio)?;
        Ok(Self::of_bands(&bands, &average([&bands])))
    }

    /// As [`of`](Self::of), with the bands computed already, less the spectrum `middle`: of two sounds
    /// that are seen beside each other it has to be the same one, or a drone would look like music.
    pub(super) fn of_bands(bands: &PitchBands, middle: &[f32]) -> Self {
        let frames = bands.frames();
        let least = PitchBands::frames_in(LEAST_STEP_SECONDS);
        let frames_per_step = least.max(frames.div_ceil(MOST_STEPS)).max(1);
        let moments: Vec<Vec<f32>> = bands
            .levels_db()
            .chunks_exact(frames_per_step * PitchBands::BANDS)
            .map(|rows| direction(rows, middle))
            .collect();
        let values = moments
            .iter()
            .flat_map(|a| moments.iter().map(move |b| dot(a, b).clamp(-1.0, 1.0)))
            .collect();
        let step_seconds = frames_per_step as f64 * PitchBands::HOP_SECONDS;
        Self { values, steps: moments.len(), step_seconds }
    }

    /// How many moments; none in less than half a second.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Length of a moment.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// The similarities of each moment with all, from first to last.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.steps.max(1))
    }

    /// How much of the sound comes back: for every moment the similarity to the most similar one that
    /// is six seconds away or more, on average. Nothing for sounds under twelve seconds.
    pub fn returns(&self) -> Option<f64> {
        let away = (RETURN_SECONDS / self.step_seconds).ceil() as usize;
        if self.steps < 2 * away {
            return None;
        }
        let best = self.rows().enumerate().map(|(step, row)| {
            let far = row.iter().enumerate().filter(|(other, _)| other.abs_diff(step) >= away);
            f64::from(far.map(|(_, value)| *value).fold(-1.0, f32::max))
        });
        Some(best.sum::<f64>() / self.steps as f64)
    }
}

/// The average spectrum of some sounds, in dB.
pub(super) fn average<'a>(sounds: impl IntoIterator<Item = &'a PitchBands>) -> Vec<f32> {
    let mut sums = vec![0.0f64; PitchBands::BANDS];
    let mut count = 0;
    for row in sounds.into_iter().flat_map(PitchBands::rows) {
        sums.iter_mut().zip(row).for_each(|(sum, level)| *sum += f64::from(*level));
        count += 1;
    }
    sums.iter().map(|sum| (sum / f64::from(count.max(1))) as f32).collect()
}

/// The average of `rows` less `middle`, of length 1; zeros where nothing is left.
fn direction(rows: &[f32], middle: &[f32]) -> Vec<f32> {
    let count = (rows.len() / PitchBands::BANDS) as f32;
    let mut mean: Vec<f32> = middle.iter().map(|level| -level).collect();
    for row in rows.chunks_exact(PitchBands::BANDS) {
        mean.iter_mut().zip(row).for_each(|(sum, level)| *sum += level / count);
    }
    let length = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
    mean.iter_mut().for_each(|value| *value /= length.max(1e-3));
    mean
}
