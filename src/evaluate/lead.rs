//! How far one place of a song, transposed, is ahead of all others in moving as a piece does.

use super::dynamics::{FRAME_SECONDS, GROUP, best_of_windows, transposed, window};
use super::elsewhere::{Part, part_and_rest, parts};
use super::frames::Frames;
use super::windows::go_on;
use crate::Result;
use crate::features::PitchBands;
use crate::interrupt::Listener;
use rayon::prelude::*;

/// As far as pieces are looked for higher or lower, in semitones.
const FARTHEST: i32 = 6;
/// What moves less alike has no lead.
const LEAST_LIKENESS: f32 = 0.7;
/// Places nearer than this to the first are the same one, at its pitch and a semitone beside it.
const SAME_SECONDS: f64 = 0.5;
/// Windows of the piece that are looked at closely.
const CLOSELY: usize = 32;

/// The first place's lead over the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    /// The difference of their correlations.
    pub value: f64,
    /// How much higher than the song the piece is there.
    pub semitones: i32,
}

impl Lead {
    pub const NONE: Self = Self { value: 0.0, semitones: 0 };

    fn larger(self, other: Self) -> Self {
        if other.value > self.value { other } else { self }
    }
}

/// A piece, and where it is looked for, at one transposition.
struct Pitch {
    semitones: i32,
    piece: Frames,
    sources: Vec<Frames>,
    /// The likeness of each window of the piece to the likest place.
    best: Vec<f32>,
}

impl Pitch {
    fn new(semitones: i32, piece: Frames, sources: Vec<Frames>) -> Self {
        let mut best = vec![0.0; (piece.len() + 1).saturating_sub(window())];
        for source in &sources {
            let of_source = best_of_windows(&piece, source);
            best.iter_mut().zip(of_source).for_each(|(best, found)| *best = found.max(*best));
        }
        Self { semitones, piece, sources, best }
    }

    /// How alike the window of the piece from `start` on and each place are, source by source.
    fn along(&self, start: usize) -> Vec<Vec<f32>> {
        let part = self.piece.part(start..start + window());
        // Both sides take each other's part: a window of the piece at every place.
        self.sources.iter().map(|source| best_of_windows(source, &part)).collect()
    }
}

/// A window of the piece whose likest place is at a transposition.
#[derive(Clone, Copy)]
struct Candidate {
    start: usize,
    pitch: usize,
    /// The likeness of the likest place that is not within a semitone of it.
    second: f32,
}

/// The largest lead of a window of the piece at a transposition that is not none.
///
/// Where a song moves much alike in many places, so does a piece of its kind, and likeness alone says
/// little; but a copy is like one place only. It is Lowe's test of the ratio between the nearest and the
/// second nearest neighbour ("Distinctive image features from scale-invariant keypoints", 2004), as a
/// difference.
pub(super) fn of_piece(piece: &PitchBands, song: &PitchBands) -> Result<Lead> {
    largest(|semitones| {
        let song = transposed(song, -semitones, 0);
        Pitch::new(semitones, transposed(piece, semitones, 0), vec![song])
    })
}

/// The largest lead within a song about as long as the piece, of its parts over all that is elsewhere in
/// it: one that plays a figure again on another step has some.
pub(super) fn within(song: &PitchBands, piece: &PitchBands) -> Result<Lead> {
    // The song from both sides, transposed once for all its parts.
    let frames: Vec<(Frames, Frames)> = (-FARTHEST..=FARTHEST)
        .into_par_iter()
        .map(|semitones| (transposed(song, semitones, 0), transposed(song, -semitones, 0)))
        .collect();
    let mut best = Lead::NONE;
    for own in parts(song.frames() / GROUP, piece.frames() / GROUP, FRAME_SECONDS) {
        let lead = largest(|semitones| {
            let (plain, changed) = &frames[(semitones + FARTHEST) as usize];
            let Part { own, before, after } =
                part_and_rest(plain, changed, 1.0, own.clone(), FRAME_SECONDS);
            Pitch::new(semitones, own, vec![before, after])
        })?;
        best = best.larger(lead);
    }
    Ok(best)
}

/// The largest lead among what `pitch` gives of each transposition.
fn largest(pitch: impl Fn(i32) -> Pitch + Sync) -> Result<Lead> {
    let stop = Listener::here();
    let pitches: Vec<Pitch> = (-FARTHEST..=FARTHEST)
        .into_par_iter()
        .map(|semitones| {
            go_on(&stop)?;
            Ok(pitch(semitones))
        })
        .collect::<Result<_>>()?;
    let windows = pitches.iter().map(|pitch| pitch.best.len()).min().unwrap_or(0);
    let candidate = |start: usize| {
        let others = pitches.iter().enumerate().filter(|(_, pitch)| pitch.semitones != 0);
        let (pitch, found) =
            others.max_by(|(_, a), (_, b)| a.best[start].total_cmp(&b.best[start]))?;
        let far = pitches.iter().filter(|other| !is_beside(other, found));
        let second = far.map(|other| other.best[start]).fold(0.0, f32::max);
        let likeness = found.best[start];
        let is_ahead = likeness > LEAST_LIKENESS && likeness > second;
        is_ahead.then_some(Candidate { start, pitch, second })
    };
    let mut candidates: Vec<Candidate> = (0..windows).filter_map(candidate).collect();
    let ahead =
        |candidate: &Candidate| pitches[candidate.pitch].best[candidate.start] - candidate.second;
    candidates.sort_by(|a, b| ahead(b).total_cmp(&ahead(a)));
    let lead = |candidate: &Candidate| {
        go_on(&stop)?;
        Ok(closely(&pitches, *candidate))
    };
    let leads: Vec<Lead> = candidates.par_iter().take(CLOSELY).map(lead).collect::<Result<_>>()?;
    Ok(leads.into_iter().fold(Lead::NONE, Lead::larger))
}

/// Whether two transpositions are the same or neighbours, which share much of what moves.
fn is_beside(a: &Pitch, b: &Pitch) -> bool {
    a.semitones.abs_diff(b.semitones) <= 1
}

/// The lead of a window over all other places, those at its own pitch included.
fn closely(pitches: &[Pitch], candidate: Candidate) -> Lead {
    let found = &pitches[candidate.pitch];
    let along = found.along(candidate.start);
    let places = along.iter().enumerate().flat_map(|(source, likeness)| {
        likeness.iter().enumerate().map(move |(place, likeness)| ((source, place), *likeness))
    });
    let Some((first, likeness)) = places.max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Lead::NONE;
    };
    let same = (SAME_SECONDS / FRAME_SECONDS).round() as usize;
    let mut second = candidate.second;
    for pitch in pitches.iter().filter(|pitch| is_beside(pitch, found)) {
        for (source, likeness) in pitch.along(candidate.start).iter().enumerate() {
            for (place, likeness) in likeness.iter().enumerate() {
                if source != first.0 || place.abs_diff(first.1) > same {
                    second = second.max(*likeness);
                }
            }
        }
    }
    Lead { value: f64::from(likeness - second), semitones: found.semitones }
}
