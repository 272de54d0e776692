//! Where a piece jumps from one place of its songs to another, and how much that is heard.

use super::bands_of;
use super::frames::Frames;
use super::matching::{Match, best_matches, correlation_at};
use super::origin::{Join, Origin};
use crate::audio::Audio;
use crate::features::PitchBands;
use crate::{Result, interrupt};

/// Frames of the windows whose origin is looked for: 0.3 s.
const WINDOW: usize = 19;
/// A place that correlates less is not where a window comes from.
const SAME: f32 = 0.9;
/// How much better another place must be to be believed.
const BETTER: f32 = 0.04;
/// Frames to each side of a join, apart from the few whose spectrum has both sides in it.
const SIDE: std::ops::RangeInclusive<usize> = 3..=6;

/// Where the piece comes from, as long as that lasts.
struct Track {
    /// The song, and how many frames later than in the piece it is there.
    origin: (usize, isize),
    last_seen: usize,
}

/// The jumps in a piece that was put together from pieces of songs. See [`joins`].
#[derive(Clone, Debug, PartialEq)]
pub struct Joins {
    /// When they are, in seconds.
    pub seconds: Vec<f64>,
    /// Share of the piece whose origin in the songs was found, from 0 to 1; 1 where whoever made the
    /// piece said it. Without origin there are no joins to be seen.
    pub traced: f64,
    /// Change of the spectrum at the joins in units of that at the same places of the songs, where the
    /// music goes on by itself: medians. 1 cannot be heard. Nothing without joins.
    pub spectral_change: Option<f64>,
    /// Step of loudness at the joins, in dB, median. Nothing without joins.
    pub loudness_step_db: Option<f64>,
    /// The same where the songs go on by themselves at those places: on a drum beat that is a step, too.
    pub natural_loudness_step_db: Option<f64>,
}

/// Traces `piece` back to `songs`, and measures the places where the trace jumps.
///
/// # Errors
/// What resampling reports.
pub fn joins(piece: &Audio, songs: &[&Audio]) -> Result<Joins> {
    let _job = interrupt::begin()?;
    Ok(of_bands(&PitchBands::of(piece)?, &bands_of(songs)?, None))
}

/// As [`joins`], of what was computed already: at the joins that are `known`, or else at those that are
/// found.
pub(super) fn of_bands(piece: &PitchBands, songs: &[PitchBands], known: Option<&[Join]>) -> Joins {
    let piece = Frames::of(piece, 1, 0);
    let songs: Vec<Frames> = songs.iter().map(|song| Frames::of(song, 1, 0)).collect();
    match known {
        Some(known) => at(&piece, &songs, known, 1.0),
        None => {
            let (found, traced) = trace(&piece, &songs);
            at(&piece, &songs, &found, traced)
        }
    }
}

/// The jumps of a piece that nobody told of, and the share of it whose origin was found.
fn trace(piece: &Frames, songs: &[Frames]) -> (Vec<Join>, f64) {
    // For each window of the piece the song, and the place in it, that it resembles most.
    let mut origins = vec![(0, Match::default()); (piece.len() + 1).saturating_sub(WINDOW)];
    for (number, song) in songs.iter().enumerate() {
        for (best, found) in origins.iter_mut().zip(best_matches(piece, song, WINDOW)) {
            if found.correlation > best.1.correlation {
                *best = (number, found);
            }
        }
    }

    let mut track: Option<Track> = None;
    let (mut traced, mut jumps) = (0, Vec::new());
    for (start, (song, found)) in origins.iter().copied().enumerate() {
        let holds = |track: &&mut Track| {
            let (song, diagonal) = track.origin;
            let at = correlation_at(piece, &songs[song], start, diagonal, WINDOW);
            at > SAME && at > found.correlation - BETTER
        };
        if let Some(track) = track.as_mut().filter(holds) {
            track.last_seen = start;
            traced += 1;
        } else if found.correlation > SAME {
            let origin = (song, found.frame as isize - start as isize);
            // While a window has both sides of a jump in it, it comes from nowhere.
            if let Some(before) = track.replace(Track { origin, last_seen: start })
                && start - before.last_seen <= 2 * WINDOW
            {
                let frame = (before.last_seen + start + WINDOW) / 2;
                let there = |(song, diagonal): (usize, isize)| Origin {
                    song,
                    seconds: seconds_of((frame as isize + diagonal).max(0) as usize),
                };
                jumps.push(Join {
                    seconds: seconds_of(frame),
                    before: there(before.origin),
                    after: there(origin),
                });
            }
            traced += 1;
        }
    }
    (jumps, f64::from(traced) / origins.len().max(1) as f64)
}

/// What is heard at `jumps`.
fn at(piece: &Frames, songs: &[Frames], jumps: &[Join], traced: f64) -> Joins {
    let (mut at_joins, mut natural) = (Vec::new(), Vec::new());
    let (mut steps, mut natural_steps) = (Vec::new(), Vec::new());
    for jump in jumps {
        let frame = PitchBands::frames_in(jump.seconds);
        at_joins.extend(piece.change(frame));
        steps.extend(piece.loudness_step_db(frame));
        for origin in [jump.before, jump.after] {
            let Some(song) = songs.get(origin.song) else { continue };
            let frame = PitchBands::frames_in(origin.seconds);
            natural.extend(song.change(frame));
            natural_steps.extend(song.loudness_step_db(frame));
        }
    }
    let ratio = median(&mut at_joins).zip(median(&mut natural)).map(|(a, b)| a / b.max(1e-6));
    Joins {
        seconds: jumps.iter().map(|jump| jump.seconds).collect(),
        traced,
        spectral_change: ratio,
        loudness_step_db: median(&mut steps),
        natural_loudness_step_db: median(&mut natural_steps),
    }
}

fn seconds_of(frame: usize) -> f64 {
    frame as f64 * PitchBands::HOP_SECONDS
}

impl Frames {
    /// Root mean square difference of the bands before and after `frame`, in dB.
    fn change(&self, frame: usize) -> Option<f64> {
        let (before, after) = self.sides(frame)?;
        let squares = before.iter().zip(&after).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        Some((squares / before.len() as f64).sqrt())
    }

    fn loudness_step_db(&self, frame: usize) -> Option<f64> {
        let (before, after) = self.sides(frame)?;
        let power = |side: &[f64]| side.iter().map(|db| 10f64.powf(db / 10.0)).sum::<f64>();
        Some((10.0 * (power(&after) / power(&before)).log10()).abs())
    }

    /// Mean levels before and after `frame`.
    fn sides(&self, frame: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        if frame < *SIDE.end() || frame + SIDE.end() >= self.len() {
            return None;
        }
        let mean = |place: &dyn Fn(usize) -> usize| {
            let mut sum = vec![0.0; self.frame(frame).len()];
            for distance in SIDE {
                let row = self.frame(place(distance));
                sum.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v));
            }
            sum.iter_mut().for_each(|sum| *sum /= SIDE.count() as f64);
            sum
        };
        Some((mean(&|distance| frame - distance), mean(&|distance| frame + distance)))
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
