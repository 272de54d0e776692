//! How much of a piece is copied, and from where.

use super::changes::Change;
use super::frames::Frames;
use super::matching::{Match, Runs, best_matches, best_matches_and_run};
use super::mel_copies::{self, MelCopies};
use super::taken::{self, Taken};
use super::windows::{COPIED, RUN_WINDOW_SECONDS, WINDOW_SECONDS, go_on, too_short};
use super::{Heard, heard_of};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::audio::Audio;
use crate::features::{LogMel, PitchBands};
use crate::interrupt::{self, Listener};
use rayon::prelude::*;
use std::fmt;

/// Frames averaged when transpositions and speeds are searched: 64 ms.
const COARSE_FRAMES: usize = 4;
/// A transposition or speed whose best window correlates less, on coarse frames, is not looked at
/// more closely.
const PROMISING: f32 = 0.88;
/// At most so many transpositions and speeds are looked at closely.
const CLOSELY: usize = 6;

/// A passage of a piece that is a passage of a song, transposed or at another speed perhaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CopiedPassage {
    /// Where it starts in the piece.
    pub piece_seconds: f64,
    /// How long it is in the piece.
    pub duration_seconds: f64,
    /// Which of the songs, counted from 0.
    pub song: usize,
    /// Where it starts in the song.
    pub song_seconds: f64,
    /// How much higher it is in the piece.
    pub semitones: i32,
    /// How much faster it is in the piece: 1 is the same.
    pub speed: f64,
    /// Correlation of its most alike two seconds.
    pub correlation: f32,
}

/// How much of a piece is copied, by independent detectors. See [`copies`].
#[derive(Clone, Debug, PartialEq)]
pub struct Copies {
    /// Share of the piece's two-second windows that are copied, from 0 to 1: a correlation of semitones
    /// above 0.95 with some window of a song, at some transposition or speed.
    pub share: f64,
    /// The longest stretch in the order of the original, in seconds. Runs under a second are not
    /// seen.
    pub longest_run_seconds: f64,
    /// The copied passages, the longest first.
    pub passages: Vec<CopiedPassage>,
    /// What the second detector found, on mel bands.
    pub mel: MelCopies,
    /// Whether a passage was taken from the songs, by how bands move.
    pub taken: Taken,
}

/// What the first detector finds: the part of [`Copies`] that composers may look at.
pub(super) struct BandCopies {
    pub share: f64,
    pub longest_run_seconds: f64,
    passages: Vec<CopiedPassage>,
}

impl BandCopies {
    /// With what the others found.
    pub fn beside(self, mel: MelCopies, taken: Taken) -> Copies {
        let Self { share, longest_run_seconds, passages } = self;
        Copies { share, longest_run_seconds, passages, mel, taken }
    }
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} % copied, longest run in the original order {:.1} s (on mel bands {:.0} %, {:.1} s; \
             the songs themselves {:.0} %, {:.1} s)",
            self.share * 100.0,
            self.longest_run_seconds,
            self.mel.share * 100.0,
            self.mel.longest_run_seconds,
            self.mel.own_share * 100.0,
            self.mel.own_run_seconds
        )
    }
}

/// Piece and song as they are compared.
fn changed(
    change: Change,
    piece: &PitchBands,
    song: &PitchBands,
    group: usize,
) -> (Frames, Frames) {
    let song = Frames::of(song, group, -change.semitones);
    let song = if change.speed == 1.0 { song } else { song.at_speed(change.speed) };
    (Frames::of(piece, group, change.semitones), song)
}

/// Looks for everything in `piece` that is in `songs`: as it is, transposed by up to six semitones,
/// or 0.8 to 1.25 times as fast.
///
/// Windows of two seconds of [`PitchBands`] are correlated (Pearson) with every place of the songs, at
/// a grid of 16 ms: what music has in common by style stays below 0.9, a verbatim copy is near 1. A
/// song that repeats itself makes a piece that follows it look copied in more than one place.
/// [`mel_copies`](super::mel_copies()) does it again on mel bands, and [`taken`](super::taken()) says
/// whether it is more than the songs repeat of themselves.
///
/// # Errors
/// [`Error::Data`] when `piece` is shorter than two seconds or a song cannot be used;
/// [`Error::Interrupted`] on a request to stop.
pub fn copies(piece: &Audio, songs: &[&Audio]) -> Result<Copies> {
    let _job = interrupt::begin()?;
    of_heard(&Heard::of(piece)?, &heard_of(songs)?)
}

/// As [`copies`], of what was kept of the sounds.
pub(super) fn of_heard(piece: &Heard, songs: &[Heard]) -> Result<Copies> {
    let bands: Vec<PitchBands> = songs.iter().map(|song| song.bands.clone()).collect();
    let mels: Vec<LogMel> = songs.iter().map(|song| song.mel.clone()).collect();
    let by_bands = of_bands(&piece.bands, &bands)?;
    Ok(by_bands.beside(mel_copies::of_mel(&piece.mel, &mels)?, taken::of_heard(piece, songs)?))
}

/// What the first detector says, of what was computed already.
pub(super) fn of_bands(piece: &PitchBands, songs: &[PitchBands]) -> Result<BandCopies> {
    let window = PitchBands::frames_in(WINDOW_SECONDS);
    if piece.frames() < window {
        return Err(too_short(piece.frames() as f64 * PitchBands::HOP_SECONDS));
    }
    let runs = Runs { window: PitchBands::frames_in(RUN_WINDOW_SECONDS), least: COPIED, dips: 0 };
    let mut best = vec![Found::default(); piece.frames() + 1 - window];
    let mut longest_run = 0;
    for (index, song) in songs.iter().enumerate() {
        let changes = changes_to_look_at(piece, song)?;
        let stop = Listener::here();
        let searched = changes.par_iter().map(|change| {
            go_on(&stop)?;
            let (piece, source) = changed(*change, piece, song, 1);
            Ok(best_matches_and_run(&piece, &source, window, runs))
        });
        let searched = searched.collect::<Result<Vec<_>>>()?;
        for (change, (matches, run)) in changes.into_iter().zip(searched) {
            for (best, found) in best.iter_mut().zip(matches) {
                if found.correlation > best.at.correlation {
                    *best = Found { at: found, song: index, change };
                }
            }
            longest_run = longest_run.max(run);
        }
    }
    let copied = best.iter().filter(|found| found.at.correlation > COPIED).count();
    Ok(BandCopies {
        share: copied as f64 / best.len() as f64,
        longest_run_seconds: longest_run as f64 * PitchBands::HOP_SECONDS,
        passages: passages(&best),
    })
}

#[derive(Clone, Copy)]
struct Found {
    at: Match,
    song: usize,
    change: Change,
}

impl Default for Found {
    fn default() -> Self {
        Self { at: Match::default(), song: 0, change: Change::NONE }
    }
}

/// The song as it is, and those changes under which some passage is alike on coarse frames.
fn changes_to_look_at(piece: &PitchBands, song: &PitchBands) -> Result<Vec<Change>> {
    let window = PitchBands::frames_in(WINDOW_SECONDS / COARSE_FRAMES as f64);
    let all = Change::all();
    let stop = Listener::here();
    let best = all.par_iter().map(|change| {
        go_on(&stop)?;
        let (piece, source) = changed(*change, piece, song, COARSE_FRAMES);
        let matches = best_matches(&piece, &source, window);
        Ok(matches.iter().fold(0f32, |best, found| best.max(found.correlation)))
    });
    let best = best.collect::<Result<Vec<f32>>>()?;
    let mut promising: Vec<(f32, Change)> =
        best.into_iter().zip(all).filter(|(best, _)| *best > PROMISING).collect();
    promising.sort_by(|a, b| b.0.total_cmp(&a.0));
    let closely = promising.iter().take(CLOSELY).flat_map(|(_, change)| change.closer());
    Ok(std::iter::once(Change::NONE).chain(closely).collect())
}

/// Neighbouring copied windows of one song and change as passages, the longest first.
fn passages(best: &[Found]) -> Vec<CopiedPassage> {
    let seconds = |frames: usize| frames as f64 * PitchBands::HOP_SECONDS;
    let mut passages: Vec<CopiedPassage> = Vec::new();
    for (start, found) in best.iter().enumerate() {
        if found.at.correlation <= COPIED {
            continue;
        }
        let end_seconds = seconds(start) + WINDOW_SECONDS;
        let song_seconds = seconds(found.at.frame) * found.change.speed;
        // The same passage goes on where song and piece advance alike.
        let goes_on = |last: &CopiedPassage| {
            let advanced = seconds(start) - last.piece_seconds;
            last.song == found.song
                && last.semitones == found.change.semitones
                && (last.speed / found.change.speed - 1.0).abs() < 0.03
                && seconds(start) <= last.piece_seconds + last.duration_seconds
                && (song_seconds - last.song_seconds - advanced * last.speed).abs() < 0.3
        };
        match passages.last_mut().filter(|last| goes_on(last)) {
            Some(last) => {
                last.duration_seconds = end_seconds - last.piece_seconds;
                last.correlation = last.correlation.max(found.at.correlation);
            }
            None => passages.push(CopiedPassage {
                piece_seconds: seconds(start),
                duration_seconds: WINDOW_SECONDS,
                song: found.song,
                song_seconds,
                semitones: found.change.semitones,
                speed: found.change.speed,
                correlation: found.at.correlation,
            }),
        }
    }
    passages.sort_by(|a, b| b.duration_seconds.total_cmp(&a.duration_seconds));
    passages
}
