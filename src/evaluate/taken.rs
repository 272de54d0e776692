//! Whether a piece has a passage of its songs in it: it moves as they do, more than they repeat themselves.

use super::changes::Change;
use super::dynamics::{FRAME_SECONDS, GROUP, best_of_dynamics, transposed};
use super::elsewhere::parts_and_rest;
use super::frames::Frames;
use super::lead::{self, Lead};
use super::windows::go_on;
use super::{Heard, heard_of};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::audio::Audio;
use crate::interrupt::{self, Listener};
use rayon::prelude::*;

/// Levels of mel bands further below the loudest point count as silence.
const RANGE_DB: f32 = 80.0;
/// Changes that are looked at with the song from every frame on, not every third.
const CLOSELY: usize = 8;

/// So much more than the song has within itself a lead has to be.
const MORE_THAN_OWN: f64 = 0.06;

/// What was taken from the songs. See [`taken`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// How much more some 2.5 s of the piece move like a place of the songs than other places of the
    /// songs do: a difference of correlations, -1 where nothing can be said.
    pub excess: f64,
    /// How much more some 2.5 s of the piece, transposed, move like one place of the songs than like any
    /// other place at whatever pitch: a difference of correlations, less where the song has such places
    /// within itself, 0 where none moves alike enough.
    pub lead: f64,
    /// How much higher than the song the piece is there, in semitones.
    pub semitones: i32,
    /// How much faster than the song the piece is there: 1 is the same.
    pub speed: f64,
}

impl Taken {
    /// An excess above this means that a passage of 2.5 s or more was taken from a song.
    pub const LIMIT: f64 = 0.016;

    /// A lead above this means the same.
    pub const LEAD_LIMIT: f64 = 0.12;

    /// Whether a passage of 2.5 s or more was taken from a song: [`excess`](Self::excess) is above
    /// [`LIMIT`](Self::LIMIT), or [`lead`](Self::lead) above [`LEAD_LIMIT`](Self::LEAD_LIMIT).
    pub fn is_found(&self) -> bool {
        self.excess > Self::LIMIT || self.lead > Self::LEAD_LIMIT
    }
}

/// Looks for a passage of 2.5 s or more that `piece` has from `songs`: as it is, transposed by up to six
/// semitones, or 0.8 to 1.25 times as fast.
///
/// The mean of each band over the passage is taken away on both sides, so that what is correlated is how
/// the bands rise and fall, whatever filter the sound went through: mel bands at the same pitch, and
/// [pitch bands](crate::features::PitchBands), which shift, where it is transposed. Music repeats itself,
/// and what is a copy in one song is the style in another. So the songs are compared with what is elsewhere
/// in them in the same way; what is more alike than that counts. Passages that a song repeats to the sample
/// cannot be told from its own. A transposed passage that moves little, and less alike than the song itself
/// does in other places, is still told by its lead: no other place comes near.
///
/// docs/QUALITY.md says how often it finds and how often it is wrong.
///
/// ```no_run
/// use neural_composer::{audio::Song, evaluate::taken};
/// let (piece, song) = (Song::open("night.wav")?, Song::open("song.mp3")?);
/// println!("{}", taken(piece.audio(), &[song.audio()])?.is_found());
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// What resampling reports; [`Error::Interrupted`] on a request to stop.
pub fn taken(piece: &Audio, songs: &[&Audio]) -> Result<Taken> {
    let _job = interrupt::begin()?;
    of_heard(&Heard::of(piece)?, &heard_of(songs)?)
}

/// As [`taken`], of what was computed already.
pub(super) fn of_heard(piece: &Heard, songs: &[Heard]) -> Result<Taken> {
    let (mut best, mut first) = ((-1.0, Change::NONE), Lead::NONE);
    for song in songs {
        let found = Pair { piece, song }.excess()?;
        if found.0 > best.0 {
            best = found;
        }
        let mut lead = lead::of_piece(&piece.bands, &song.bands)?;
        if lead.value > Taken::LEAD_LIMIT {
            // No more than the song has within itself is none.
            let own = lead::within(&song.bands, &piece.bands)?.value + MORE_THAN_OWN;
            lead.value = lead.value.min((lead.value - own + Taken::LEAD_LIMIT).max(0.0));
        }
        if lead.value > first.value {
            first = lead;
        }
    }
    let (excess, change) = best;
    let found =
        Taken { excess, lead: first.value, semitones: change.semitones, speed: change.speed };
    // What it was found by says how it differs.
    let is_by_lead = excess <= Taken::LIMIT && found.is_found();
    Ok(if is_by_lead { Taken { semitones: first.semitones, speed: 1.0, ..found } } else { found })
}

/// A piece and a song that it is compared with.
#[derive(Clone, Copy)]
struct Pair<'a> {
    piece: &'a Heard,
    song: &'a Heard,
}

impl Pair<'_> {
    /// `sound` as it is compared under `change`, and the song itself as it is compared with it.
    fn plain(sound: &Heard, change: Change) -> Frames {
        match change.semitones {
            0 => Frames::of_mel(&sound.mel, GROUP, 0, RANGE_DB),
            semitones => transposed(&sound.bands, semitones, 0),
        }
    }

    /// The song, changed, from frame `late` on.
    fn changed(self, change: Change, late: usize) -> Frames {
        let song = match change.semitones {
            0 => Frames::of_mel(&self.song.mel, GROUP, late, RANGE_DB),
            semitones => transposed(&self.song.bands, -semitones, late),
        };
        if change.speed == 1.0 { song } else { song.at_speed(change.speed) }
    }

    /// How much more alike the piece and the song move than the song and itself, under the change that
    /// shows it best.
    fn excess(self) -> Result<(f64, Change)> {
        let changes: Vec<Change> = std::iter::once(Change::NONE).chain(Change::all()).collect();
        let mut fits = self.fits(&changes, &[0])?;
        let excesses = |fits: &[Fit], of: &[Fit]| -> Vec<(f64, Change)> {
            let own = |kind: Kind| {
                let same = fits.iter().filter(|fit| Kind::of(fit.change) == kind);
                kind.bounded(same.map(|fit| fit.own).fold(0.0, f32::max))
            };
            let excess = |fit: &Fit| (f64::from(fit.piece) - own(Kind::of(fit.change)), fit.change);
            let mut found: Vec<(f64, Change)> = of.iter().map(excess).collect();
            found.sort_by(|a, b| b.0.total_cmp(&a.0));
            found
        };
        let promising = excesses(&fits, &fits).into_iter().take(CLOSELY).map(|(_, change)| change);
        let every: Vec<usize> = (0..GROUP).collect();
        let closely = self.fits(&promising.collect::<Vec<_>>(), &every)?;
        fits.extend_from_slice(&closely);
        Ok(excesses(&fits, &closely).first().copied().unwrap_or((-1.0, Change::NONE)))
    }

    /// How alike piece and song move under each of `changes`, and song and song, with the song from each
    /// of so many frames on.
    fn fits(self, changes: &[Change], late: &[usize]) -> Result<Vec<Fit>> {
        let stop = Listener::here();
        let fit = |change: Change| {
            go_on(&stop)?;
            let piece = Self::plain(self.piece, change);
            let plain = Self::plain(self.song, change);
            let mut fit = Fit { change, piece: 0.0, own: 0.0 };
            for late in late {
                let song = self.changed(change, *late);
                fit.piece = fit.piece.max(best_of_dynamics(&piece, &song));
                for part in parts_and_rest(&plain, &song, change.speed, piece.len(), FRAME_SECONDS)
                {
                    let before = best_of_dynamics(&part.own, &part.before);
                    let after = best_of_dynamics(&part.own, &part.after);
                    fit.own = fit.own.max(before).max(after);
                }
            }
            Ok(fit)
        };
        changes.par_iter().map(|change| fit(*change)).collect()
    }
}

/// The most alike movements of piece and song, and of the song and itself, under a change.
#[derive(Clone, Copy)]
struct Fit {
    change: Change,
    piece: f32,
    own: f32,
}

/// What kind of change it is: songs repeat themselves as they are more often than transposed.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// None, or a speed that is hardly another.
    Same,
    Speed,
    /// By a semitone: neighbouring bands share what is low and what is noise.
    Neighbour,
    Transposed,
}

impl Kind {
    fn of(change: Change) -> Self {
        match change {
            Change { semitones: 0, speed } if (speed - 1.0).abs() < 0.06 => Self::Same,
            Change { semitones: 0, .. } => Self::Speed,
            Change { semitones: -1 | 1, .. } => Self::Neighbour,
            _ => Self::Transposed,
        }
    }

    /// How alike a song moves elsewhere, as far as that is believed: little is known of a short song,
    /// and one that repeats itself to the sample would hide every copy. Chosen such that second halves
    /// of real songs stay below, see docs/QUALITY.md.
    fn bounded(self, own: f32) -> f64 {
        let (least, most) = match self {
            Self::Same => (0.943, 0.97),
            Self::Speed => (0.908, 0.96),
            Self::Neighbour => (0.88, 0.97),
            Self::Transposed => (0.86, 0.96),
        };
        f64::from(own).clamp(least, most)
    }
}
