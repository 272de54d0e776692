//! Frames that follow a song's beats, and where in beat and bar they lie.

use super::settings::CodeSettings;
use crate::Result;
use crate::audio::Audio;
use crate::features::{Beats, LogMel, MelSettings};

/// Numbers that tell where in beat and bar a block lies.
pub(super) const PLACE_WIDTH: usize = 6;
/// A song with fewer beats is not laid along them.
const FEWEST_BEATS: usize = 8;
/// The metre of a song without a clear beat, and of those stored before metres were.
pub(super) const UNKNOWN_BAR: usize = 4;

/// A place in beat and bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarPlace {
    /// Beats since the first bar began; bars begin at multiples of [`beats_in_bar`](Self::beats_in_bar).
    pub beat: f32,
    /// The metre.
    pub beats_in_bar: usize,
}

impl BarPlace {
    /// The place `beats` later.
    #[must_use]
    pub fn later(self, beats: f32) -> Self {
        Self { beat: self.beat + beats, ..self }
    }

    /// Circles of a beat, half a bar and a bar.
    pub(super) fn circles(self) -> [f32; PLACE_WIDTH] {
        let bar = self.beats_in_bar as f32;
        let circle = |beats: f32| (self.beat / beats * std::f32::consts::TAU).sin_cos();
        let (beat, half, bar) = (circle(1.0), circle(bar / 2.0), circle(bar));
        [beat.0, beat.1, half.0, half.1, bar.0, bar.1]
    }
}

/// Frames along the beat, where there is one.
pub(super) struct Frames {
    /// The samples that frames are centred on.
    pub centres: Vec<isize>,
    /// Beats since the first bar's beginning at these, where there is a clear beat.
    pub beats: Option<Vec<f32>>,
    /// The metre.
    pub beats_in_bar: usize,
    /// The hop at which they are played again.
    pub hop_samples: usize,
}

impl Frames {
    pub fn of(audio: &Audio, settings: &CodeSettings) -> Result<Self> {
        let hop = settings.stft.hop_samples.max(1);
        if audio.duration_seconds() >= 3.0 {
            let beats = Beats::of(&LogMel::of(audio, MelSettings::default())?)?;
            if beats.is_clear() && beats.times_seconds().len() >= FEWEST_BEATS {
                return Ok(Self::along(&beats, audio.frames(), settings));
            }
        }
        let centres = (0..audio.frames()).step_by(hop).map(|at| at as isize).collect();
        Ok(Self { centres, beats: None, beats_in_bar: UNKNOWN_BAR, hop_samples: hop })
    }

    /// Whole blocks in each beat of `samples` samples.
    fn along(found: &Beats, samples: usize, settings: &CodeSettings) -> Self {
        let rate = f64::from(settings.sample_rate_hz);
        let (times, period) = (found.times_seconds(), found.period_seconds());
        let block = settings.stft.hop_samples.max(1) * settings.frames_per_block;
        let blocks_per_beat = (period * rate / block as f64).round().max(1.0) as usize;
        let per_beat = blocks_per_beat * settings.frames_per_block;
        // Before the first beat and after the last the tempo is the usual one.
        let before = (times[0] / period).floor() as usize;
        let last = times[times.len() - 1];
        let after = ((samples as f64 / rate - last) / period).floor().max(0.0) as usize;
        let grid: Vec<f64> = (1..=before)
            .rev()
            .map(|count| times[0] - count as f64 * period)
            .chain(times.iter().copied())
            .chain((1..=after).map(|count| last + count as f64 * period))
            .collect();
        let bar = found.beats_in_bar();
        // Beats count from a bar's beginning: of most bars, where one is longer or shorter.
        let first_place = (0..bar).max_by_key(|first| {
            let places = found.places_in_bar().iter().enumerate();
            places.filter(|(beat, place)| (first + before + beat) % bar == **place).count()
        });
        let first_place = first_place.unwrap_or(0);
        let (mut centres, mut counted) = (Vec::new(), Vec::new());
        for (beat, pair) in grid.windows(2).enumerate() {
            for part in 0..per_beat {
                let share = part as f64 / per_beat as f64;
                centres.push(((pair[0] + share * (pair[1] - pair[0])) * rate).round() as isize);
                counted.push(((first_place + beat) as f64 + share) as f32);
            }
        }
        let hop_samples = (period * rate / per_beat as f64).round().max(1.0) as usize;
        Self { centres, beats: Some(counted), beats_in_bar: bar, hop_samples }
    }
}
