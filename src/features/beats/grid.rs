//! Points in time among which beats are sought, and what is heard at each.

use super::network::{BeatNetwork, BeatProbabilities};
use super::tracking::{self, Counted, TempoRange};
use crate::Result;
use crate::features::LogMel;

/// Points in time among which the beats of a song are, with what is heard around each.
///
/// A beat is easily counted twice as fast as it was meant, or half as fast. So the points are the beats
/// that were found frame by frame, and where they are slower than [`Self::DIVIDED_UNDER`] a minute, the
/// middles between them: the beats that were meant are all of them, or every second to sixth.
/// [`MetreNetwork`](super::MetreNetwork) hears which. A beat is also tapped at 2/3 or 4/3 of its tempo;
/// so there are several grids to choose from ([`Self::candidates`]).
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{BeatGrid, LogMel, MelSettings};
/// let click = |i: usize| if i % 11_025 < 400 { (i as f32 * 0.3).sin() } else { 0.0 };
/// let audio = Audio::mono((0..220_500).map(click).collect(), 22_050)?;
/// let grid = BeatGrid::of(&LogMel::of(&audio, MelSettings::default())?)?;
/// assert!(grid.times_seconds().len() >= 15);
/// assert_eq!(grid.input().len(), grid.times_seconds().len() * BeatGrid::INPUTS);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BeatGrid {
    pub(super) frames: Vec<usize>,
    input: Vec<f32>,
    hop_seconds: f64,
}

/// Bands that describe a point: those of the song, two by two.
const BANDS: usize = 32;
/// Parts of the way to the next point at which a beat's probability is told.
const PARTS: [f64; 5] = [0.25, 1.0 / 3.0, 0.5, 2.0 / 3.0, 0.75];
/// Points before and later that each is compared with.
const COMPARED: [usize; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16];
/// A band's rise counts as no more than this, 20 dB: what is quite silent before rises by anything.
const LARGEST_RISE: f32 = 2.0;
/// The logarithm of a grid's step is told against this one's.
const USUAL_STEP_SECONDS: f64 = 0.4;

impl BeatGrid {
    /// Beats per minute; slower ones are divided.
    pub const DIVIDED_UNDER: f64 = 170.0;
    /// Numbers that describe a point: probabilities of beats and downbeats there and on the way to the next,
    /// and what was found frame by frame (10); levels of 32 bands until the next point, their rises here
    /// and half way on (96); likeness to 12 points before and 12 later, of sound and of rises (48).
    pub const INPUTS: usize = 5 + PARTS.len() + 3 * BANDS + 4 * COMPARED.len();

    /// The points of a song, around the beats that are likeliest frame by frame.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for bands of other settings than
    /// [`MelSettings::default`](crate::features::MelSettings), which the beat network learned from.
    pub fn of(mel: &LogMel) -> Result<Self> {
        let heard = BeatNetwork::shipped()?.hear(mel)?;
        Ok(Self::tapped(&Bands::of(mel), &heard, mel.hop_seconds(), TempoRange::ALL).1)
    }

    /// All the grids among which that of a song is chosen: first [`of`](Self::of), then those around the
    /// likeliest beats of three ranges of tempi (from 78, 98 and 122 a minute on), which are together an
    /// octave.
    ///
    /// # Errors
    /// As of [`of`](Self::of).
    pub fn candidates(mel: &LogMel) -> Result<Vec<Self>> {
        let heard = BeatNetwork::shipped()?.hear(mel)?;
        let all = Self::all_tapped(mel, &heard);
        Ok(all.into_iter().map(|(_, grid)| grid).collect())
    }

    /// The candidates, with the beats around which they are.
    pub(super) fn all_tapped(mel: &LogMel, heard: &BeatProbabilities) -> Vec<(Counted, Self)> {
        let bands = Bands::of(mel);
        let ranges = std::iter::once(TempoRange::ALL).chain(TempoRange::PARTS);
        ranges.map(|range| Self::tapped(&bands, heard, mel.hop_seconds(), range)).collect()
    }

    /// The likeliest beats of a range of tempi, and the points around them.
    fn tapped(
        bands: &Bands,
        heard: &BeatProbabilities,
        hop_seconds: f64,
        range: TempoRange,
    ) -> (Counted, Self) {
        let counted = tracking::count(heard, hop_seconds, range);
        let grid = Self::around(&counted, bands, heard, hop_seconds);
        (counted, grid)
    }

    /// The points around beats that were found frame by frame.
    fn around(
        counted: &Counted,
        bands: &Bands,
        heard: &BeatProbabilities,
        hop_seconds: f64,
    ) -> Self {
        let mut periods: Vec<usize> =
            counted.beats.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        periods.sort_unstable();
        let period = periods.get(periods.len() / 2).map(|frames| *frames as f64 * hop_seconds);
        let is_divided = period.is_some_and(|period| 60.0 / period < Self::DIVIDED_UNDER);
        let mut points: Vec<Point> = Vec::new();
        for (number, (frame, place)) in counted.beats.iter().enumerate() {
            points.push(Point { frame: *frame, place: Some(*place) });
            if let Some((next, _)) = counted.beats.get(number + 1).filter(|_| is_divided) {
                let middle =
                    BeatProbabilities::likeliest(&heard.beats, usize::midpoint(*frame, *next));
                points.push(Point { frame: middle, place: None });
            }
        }
        let step_seconds =
            period.unwrap_or(USUAL_STEP_SECONDS) / if is_divided { 2.0 } else { 1.0 };
        let input = described(bands, heard, &points, (step_seconds, hop_seconds));
        Self { frames: points.iter().map(|point| point.frame).collect(), input, hop_seconds }
    }

    /// When the points are, first to last.
    pub fn times_seconds(&self) -> Vec<f64> {
        self.frames.iter().map(|frame| *frame as f64 * self.hop_seconds).collect()
    }

    /// What is heard at each point: points × [`Self::INPUTS`].
    pub fn input(&self) -> &[f32] {
        &self.input
    }
}

/// A point, and which beat of its bar it is where it was found frame by frame.
struct Point {
    frame: usize,
    place: Option<usize>,
}

fn described(
    bands: &Bands,
    heard: &BeatProbabilities,
    points: &[Point],
    (step_seconds, hop_seconds): (f64, f64),
) -> Vec<f32> {
    let frames = heard.beats.len();
    let usual = (step_seconds / hop_seconds).round().max(1.0) as usize;
    // Where each point's way to the next ends.
    let ends: Vec<usize> = (1..=points.len())
        .map(|next| points.get(next).map_or(points[next - 1].frame + usual, |point| point.frame))
        .map(|end| end.min(frames))
        .collect();
    let part = |number: usize, part: f64| {
        let from = points[number].frame;
        from + (part * ends[number].saturating_sub(from) as f64).round() as usize
    };
    let levels: Vec<Vec<f32>> =
        (0..points.len()).map(|p| bands.level(points[p].frame..ends[p]).to_vec()).collect();
    let rises: Vec<Vec<f32>> = (0..points.len())
        .map(|p| [bands.rise(points[p].frame), bands.rise(part(p, 0.5))].concat())
        .collect();
    let (of_sound, of_rises) = (likeness(&levels), likeness(&rises));
    let mut input = Vec::with_capacity(points.len() * BeatGrid::INPUTS);
    for (number, point) in points.iter().enumerate() {
        input.extend([
            BeatProbabilities::largest(&heard.beats, point.frame),
            BeatProbabilities::largest(&heard.downbeats, point.frame),
            f32::from(u8::from(point.place.is_some())),
            f32::from(u8::from(point.place == Some(0))),
            (step_seconds / USUAL_STEP_SECONDS).ln() as f32,
        ]);
        input.extend(
            PARTS.map(|share| BeatProbabilities::largest(&heard.beats, part(number, share))),
        );
        input.extend(&levels[number]);
        input.extend(rises[number].iter().map(|rise| rise.min(LARGEST_RISE)));
        input.extend(&of_sound[number]);
        input.extend(&of_rises[number]);
    }
    input
}

/// Levels and rises of bands, as [`BeatNetwork::input`] gives them.
struct Bands {
    levels: Vec<[f32; BANDS]>,
    rises: Vec<[f32; BANDS]>,
}

impl Bands {
    fn of(mel: &LogMel) -> Self {
        let input = BeatNetwork::input(mel.db(), mel.bands());
        let joined = |row: &[f32]| {
            let mut bands = [0.0; BANDS];
            let (pairs, _) = row.as_chunks::<2>();
            bands.iter_mut().zip(pairs).for_each(|(band, [a, b])| *band = 0.5 * (a + b));
            bands
        };
        let rows = || input.chunks_exact(2 * mel.bands());
        Self {
            levels: rows().map(|row| joined(&row[..mel.bands()])).collect(),
            rises: rows().map(|row| joined(&row[mel.bands()..])).collect(),
        }
    }

    /// The mean level of frames.
    fn level(&self, frames: std::ops::Range<usize>) -> [f32; BANDS] {
        let last = self.levels.len().saturating_sub(1);
        let rows =
            &self.levels[frames.start.min(last)..frames.end.max(frames.start + 1).min(last + 1)];
        let mut mean = [0.0; BANDS];
        for row in rows {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        mean.map(|sum| sum / rows.len().max(1) as f32)
    }

    /// The largest rise around a frame.
    fn rise(&self, frame: usize) -> [f32; BANDS] {
        let mut largest = [0.0f32; BANDS];
        for row in &self.rises[BeatProbabilities::around(frame, self.rises.len())] {
            largest.iter_mut().zip(row).for_each(|(most, value)| *most = most.max(*value));
        }
        largest
    }
}

/// The mean of each column.
fn means(rows: &[Vec<f32>]) -> Vec<f32> {
    let mut sums = vec![0.0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sum| *sum /= rows.len() as f32);
    sums
}

/// How like each row is to those before and later: cosines of what they have beside the mean of all.
fn likeness(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mean = means(rows);
    let centred: Vec<Vec<f32>> = rows
        .iter()
        .map(|row| {
            let mut centred: Vec<f32> = row.iter().zip(&mean).map(|(v, m)| v - m).collect();
            let length = centred.iter().map(|v| v * v).sum::<f32>().sqrt();
            centred.iter_mut().for_each(|v| *v /= length.max(1e-6));
            centred
        })
        .collect();
    let cosine = |a: &[f32], b: Option<&Vec<f32>>| {
        b.map_or(0.0, |b| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>())
    };
    let of = |(number, row): (usize, &Vec<f32>)| {
        let before = COMPARED.map(|d| cosine(row, number.checked_sub(d).map(|n| &centred[n])));
        let later = COMPARED.map(|d| cosine(row, centred.get(number + d)));
        [before, later].concat()
    };
    centred.iter().enumerate().map(of).collect()
}
