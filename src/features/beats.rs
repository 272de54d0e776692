//! An estimate of the beat.

use super::LogMel;

/// The beat of a song: where one would tap.
///
/// Onsets are rises of the mel bands; the tempo is the strongest repetition of the onsets, weighted
/// towards 120 beats a minute; the beats are the best compromise between falling on onsets and
/// keeping the tempo (Ellis, "Beat tracking by dynamic programming", 2007).
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{Beats, LogMel, MelSettings};
/// let click = |i: usize| if i % 11_025 < 400 { (i as f32 * 0.3).sin() } else { 0.0 };
/// let audio = Audio::mono((0..220_500).map(click).collect(), 22_050)?;
/// let beats = Beats::of(&LogMel::of(&audio, MelSettings::default())?);
/// assert!((beats.per_minute() - 120.0).abs() < 3.0);
/// assert!(beats.confidence() > 0.35);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Beats {
    times_seconds: Vec<f64>,
    period_seconds: f64,
    confidence: f64,
    onsets: Vec<f32>,
    hop_seconds: f64,
}

/// Periods considered: 240 to 40 beats a minute.
const SHORTEST_SECONDS: f64 = 0.25;
const LONGEST_SECONDS: f64 = 1.5;
/// The period that is preferred, and how many octaves beside it count 0.6 times as much.
const USUAL_SECONDS: f64 = 0.5;
const OCTAVES_WIDE: f64 = 0.9;
/// How much keeping the tempo counts against falling on onsets; Ellis's value.
const TIGHTNESS: f64 = 100.0;

impl Beats {
    /// Finds the beats of a song.
    pub fn of(mel: &LogMel) -> Self {
        let hop_seconds = mel.hop_seconds();
        let onsets = onset_strength(mel);
        let (period, confidence) = tempo(&onsets, hop_seconds);
        let frames = if confidence > 0.0 { track(&onsets, period) } else { Vec::new() };
        Self {
            times_seconds: frames.iter().map(|frame| *frame as f64 * hop_seconds).collect(),
            period_seconds: period * hop_seconds,
            confidence,
            onsets,
            hop_seconds,
        }
    }

    /// When the beats are, first to last.
    pub fn times_seconds(&self) -> &[f64] {
        &self.times_seconds
    }

    /// The usual time from one beat to the next.
    pub fn period_seconds(&self) -> f64 {
        self.period_seconds
    }

    /// The tempo.
    pub fn per_minute(&self) -> f64 {
        60.0 / self.period_seconds
    }

    /// How regular the onsets are: 1 for a metronome, about 0 for noise.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// How strongly something begins around a time, 1 being an ordinary amount.
    pub fn onset_strength_at(&self, seconds: f64) -> f32 {
        let frame = (seconds / self.hop_seconds).round().max(0.0) as usize;
        let from = frame.saturating_sub(1).min(self.onsets.len());
        let to = (frame + 2).min(self.onsets.len());
        self.onsets[from..to].iter().copied().fold(0.0, f32::max)
    }
}

/// Rises of the bands, frame by frame, less their local mean, in standard deviations.
fn onset_strength(mel: &LogMel) -> Vec<f32> {
    let loudest = mel.db().iter().copied().fold(LogMel::FLOOR_DB, f32::max);
    let floor = loudest - 80.0;
    let rise = |before: &[f32], now: &[f32]| {
        let rises = before.iter().zip(now).map(|(b, n)| (n.max(floor) - b.max(floor)).max(0.0));
        rises.sum::<f32>() / now.len() as f32
    };
    let rows: Vec<&[f32]> = mel.rows().collect();
    let mut strength = vec![0.0; rows.len()];
    for frame in 1..rows.len() {
        strength[frame] = rise(rows[frame - 1], rows[frame]);
    }
    let around = (0.5 / mel.hop_seconds()).round() as usize;
    let mut sums = vec![0.0f64];
    sums.extend(strength.iter().scan(0.0, |sum, s| {
        *sum += f64::from(*s);
        Some(*sum)
    }));
    let mut centred: Vec<f32> = (0..strength.len())
        .map(|frame| {
            let (from, to) = (frame.saturating_sub(around), (frame + around + 1).min(rows.len()));
            (f64::from(strength[frame]) - (sums[to] - sums[from]) / (to - from) as f64) as f32
        })
        .map(|strength| strength.max(0.0))
        .collect();
    let squares: f32 = centred.iter().map(|s| s * s).sum::<f32>() / centred.len().max(1) as f32;
    if squares > 1e-9 {
        let scale = squares.sqrt().recip();
        centred.iter_mut().for_each(|s| *s *= scale);
    } else {
        centred.fill(0.0);
    }
    centred
}

/// The period in frames, and how much of the onsets repeats with it.
fn tempo(onsets: &[f32], hop_seconds: f64) -> (f64, f64) {
    let shortest = (SHORTEST_SECONDS / hop_seconds).round() as usize;
    let longest = (LONGEST_SECONDS / hop_seconds).round() as usize;
    let usual = USUAL_SECONDS / hop_seconds;
    let smooth = smoothed(onsets, 1.5);
    let mean = smooth.iter().sum::<f32>() / smooth.len().max(1) as f32;
    let centred: Vec<f32> = smooth.iter().map(|s| s - mean).collect();
    let repeated = |lag: usize| -> f64 {
        let pairs = centred.iter().zip(centred.iter().skip(lag));
        pairs.map(|(a, b)| f64::from(a * b)).sum()
    };
    let whole = repeated(0);
    // A beat is heard at least four times.
    if whole <= 1e-6 || onsets.len() < 4 * shortest {
        return (usual, 0.0);
    }
    let weighted = |lag: usize| {
        let octaves = (lag as f64 / usual).log2() / OCTAVES_WIDE;
        let share = (repeated(lag) + 0.5 * repeated(2 * lag)) / (1.5 * whole);
        (share * (-0.5 * octaves * octaves).exp(), share)
    };
    let longest = longest.min(onsets.len() / 4).max(shortest);
    let lags: Vec<_> = (shortest..=longest).map(|lag| (lag, weighted(lag))).collect();
    let best = lags.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    best.map_or((usual, 0.0), |(lag, (_, share))| (*lag as f64, share.clamp(0.0, 1.0)))
}

/// The curve under a bell of `deviation` frames.
fn smoothed(curve: &[f32], deviation: f64) -> Vec<f32> {
    let reach = (3.0 * deviation).ceil() as isize;
    let bell: Vec<f32> =
        (-reach..=reach).map(|at| (-0.5 * (at as f64 / deviation).powi(2)).exp() as f32).collect();
    (0..curve.len() as isize)
        .map(|centre| {
            let weighted = (-reach..=reach).zip(&bell).filter_map(|(at, weight)| {
                Some(weight * curve.get(usize::try_from(centre + at).ok()?)?)
            });
            weighted.sum()
        })
        .collect()
}

/// The frames of the beats, by dynamic programming.
fn track(onsets: &[f32], period: f64) -> Vec<usize> {
    let local = smoothed(onsets, (period / 32.0).max(0.5));
    let (nearest, farthest) = ((period / 2.0).round() as usize, (period * 2.0).round() as usize);
    let cost: Vec<f64> = (nearest.max(1)..=farthest)
        .map(|gap| -TIGHTNESS * (gap as f64 / period).ln().powi(2))
        .collect();
    let mut score = vec![0.0f64; local.len()];
    let mut from: Vec<Option<usize>> = vec![None; local.len()];
    for frame in 0..local.len() {
        let earlier = cost.iter().enumerate().filter_map(|(index, cost)| {
            let before = frame.checked_sub(nearest.max(1) + index)?;
            Some((score[before] + cost, before))
        });
        // Before the first beat there is nothing to keep a tempo with.
        if let Some((best, before)) = earlier.max_by(|a, b| a.0.total_cmp(&b.0))
            && best > 0.0
        {
            score[frame] = best;
            from[frame] = Some(before);
        }
        score[frame] += f64::from(local[frame]);
    }
    let tail = score.len().saturating_sub(period.round() as usize);
    let last = (tail..score.len()).max_by(|a, b| score[*a].total_cmp(&score[*b]));
    let mut beats: Vec<usize> = std::iter::successors(last, |frame| from[*frame]).collect();
    beats.reverse();
    beats
}
