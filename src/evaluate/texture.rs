//! Whether a piece stands still, hisses or clicks where its songs do not.

use super::Heard;
use crate::audio::Audio;
use crate::features::{PitchBands, correlation};
use crate::{Result, interrupt};

/// What a sound is like, apart from its notes. See [`texture`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texture {
    /// Share of the sounding seconds whose spectrum is that of the second before (correlation above
    /// 0.98): a drone has 1.
    pub stillness: f64,
    /// How evenly power is spread over the semitones, in dB, median over time: 0 is perfectly even,
    /// white noise has about -4, a piano below -15.
    pub flatness_db: f64,
    /// Share of time that is silent, 50 dB below the loudest point.
    pub silence: f64,
    /// How far the sharpest step from one sample to the next stands out, in root mean squares of the
    /// steps within 5 ms of it, in mono at [`PitchBands::RATE_HZ`]. A tone has 1.4, music seldom
    /// more than 10; a click, which is a single step, has.
    pub sharpest_step: f32,
}

/// Frames in a second, about.
const SECOND: usize = 62;
const SILENT_DB: f32 = -50.0;
const STILL: f64 = 0.98;

/// Measures `audio`.
///
/// # Errors
/// What resampling reports.
pub fn texture(audio: &Audio) -> Result<Texture> {
    let _job = interrupt::begin()?;
    Ok(Heard::of(audio)?.texture())
}

impl Heard {
    /// As [`texture`], of what was kept of a sound.
    pub(super) fn texture(&self) -> Texture {
        of_bands(self.sharpest_step, &self.bands)
    }
}

fn of_bands(sharpest_step: f32, bands: &PitchBands) -> Texture {
    let sounding = |row: &&[f32]| row.iter().any(|level| *level > SILENT_DB);
    let rows: Vec<&[f32]> = bands.rows().collect();
    let mut flatness: Vec<f64> =
        rows.iter().filter(|row| sounding(row)).map(|r| flatness_db(r)).collect();
    flatness.sort_by(f64::total_cmp);
    let seconds: Vec<Option<Vec<f64>>> = rows
        .chunks_exact(SECOND)
        .map(|second| second.iter().any(sounding).then(|| profile(second)))
        .collect();
    let pairs: Vec<f64> = seconds
        .windows(2)
        .filter_map(|pair| Some(correlation(pair[0].as_ref()?, pair[1].as_ref()?)))
        .collect();
    let still = pairs.iter().filter(|correlation| **correlation > STILL).count();
    Texture {
        stillness: still as f64 / pairs.len().max(1) as f64,
        flatness_db: flatness.get(flatness.len() / 2).copied().unwrap_or(0.0),
        silence: 1.0 - flatness.len() as f64 / rows.len().max(1) as f64,
        sharpest_step,
    }
}

/// The geometric over the arithmetic mean of the bands' power.
fn flatness_db(row: &[f32]) -> f64 {
    let mean_db = row.iter().map(|level| f64::from(*level)).sum::<f64>() / row.len() as f64;
    let power = row.iter().map(|level| f64::from(10f32.powf(level / 10.0))).sum::<f64>();
    mean_db - 10.0 * (power / row.len() as f64).max(1e-12).log10()
}

fn profile(rows: &[&[f32]]) -> Vec<f64> {
    let mean = |band: usize| rows.iter().map(|row| f64::from(row[band])).sum::<f64>();
    (0..PitchBands::BANDS).map(|band| mean(band) / rows.len() as f64).collect()
}
