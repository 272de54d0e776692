//! The second detector of copies: mel bands, which no composer listens to.

use super::changes::Change;
use super::dynamics::best_of_dynamics;
use super::frames::Frames;
use super::matching::{Runs, best_matches_and_run};
use crate::audio::Audio;
use crate::features::{LogMel, MelSettings};
use crate::interrupt::{self, Listener};
use crate::{Error, Result};
use rayon::prelude::*;

/// What the detector looks at: 64 bands up to 11 kHz, every 16 ms.
pub(super) const SETTINGS: MelSettings = MelSettings {
    sample_rate_hz: 22_050,
    window_samples: 1_024,
    hop_samples: 352,
    bands: 64,
    low_hz: 30.0,
    high_hz: 11_025.0,
};
/// Seconds that are compared at a time.
const WINDOW_SECONDS: f64 = 2.0;
/// What correlates at least so well is called a copy.
const COPIED: f32 = 0.95;
/// Seconds that are compared at a time when runs in the original order are measured, …
const RUN_WINDOW_SECONDS: f64 = 1.0;
/// … how well they have to correlate, and for how many frames they need not: 0.1 s.
const IN_ORDER: f32 = 0.9;
const DIP_FRAMES: u8 = 6;
/// Frames averaged, and what so many dB below the loudest point counts as silence, when correlations
/// and when movements are looked at: every 16 ms, and every 48.
const FINE: (usize, f32) = (1, 60.0);
const COARSE: (usize, f32) = (3, 80.0);
/// Changes that are looked at with the song from every frame on, not every third.
const CLOSELY: usize = 8;
/// Seconds of the piece whose movement is held against how alike the song moves elsewhere: longer than
/// what a composer of grains may take at a time.
const FIT_SECONDS: f64 = 2.5;
/// The song is compared with itself in parts of this length, …
const PART_SECONDS: f64 = 10.0;
/// … which are not compared with what is nearer than this.
const APART_SECONDS: f64 = 2.0;
/// What the detector on mel bands found. See [`mel_copies`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelCopies {
    /// Share of the piece's two-second windows that correlate above 0.95 with some window of a song,
    /// from 0 to 1.
    pub share: f64,
    /// The longest stretch in the order of the original, in seconds: windows of a second that
    /// correlate above 0.9, but for dips of 0.1 s. Runs under a second are not seen.
    pub longest_run_seconds: f64,
    /// The same share of the songs among themselves: what they repeat.
    pub own_share: f64,
    /// The longest run of parts of the songs, up to ten seconds long, at other places of them.
    pub own_run_seconds: f64,
    /// How much more some 2.5 s of the piece move like a place of the songs than other places of the
    /// songs do, as they are, transposed or at another speed: a difference of correlations.
    pub excess: f64,
    /// How much higher than the song the piece is there, in semitones.
    pub semitones: i32,
    /// How much faster than the song the piece is there: 1 is the same.
    pub speed: f64,
}

impl MelCopies {
    /// An excess above this means that a passage of 2.5 s or more was taken from a song.
    pub const TAKEN: f64 = 0.012;

    /// Whether a passage of 2.5 s or more was taken from a song: [`excess`](Self::excess) is above
    /// [`TAKEN`](Self::TAKEN).
    pub fn is_taken(&self) -> bool {
        self.excess > Self::TAKEN
    }
}

/// Looks for copies as [`copies`](super::copies()) does, on another representation: the levels of
/// mel bands ([`LogMel`]), correlated (Pearson) in windows of two seconds with every place of the
/// songs on a grid of 16 ms.
///
/// The composer of grains shuns copies on semitones and is measured by them; nothing is chosen by
/// what is found here. Transpositions are read between the bands, as mel bands do not shift.
///
/// Music repeats itself, and what correlates at 0.9 in one song is a copy, in another one the style.
/// So the songs are compared with themselves in the same way, elsewhere and under the same changes.
/// For that, the mean of each band over the window is taken away on both sides: what is left is how the
/// bands rise and fall, whatever filter the sound went through. What is more alike than a song is to
/// itself elsewhere is [`excess`](MelCopies::excess).
///
/// # Errors
/// [`Error::Data`] when `piece` is shorter than two seconds; [`Error::Interrupted`] on a request to
/// stop.
pub fn mel_copies(piece: &Audio, songs: &[&Audio]) -> Result<MelCopies> {
    let _job = interrupt::begin()?;
    let songs = songs.iter().map(|song| LogMel::of(song, SETTINGS)).collect::<Result<Vec<_>>>()?;
    of_mel(&LogMel::of(piece, SETTINGS)?, &songs)
}

/// As [`mel_copies`], of what was computed already.
pub(super) fn of_mel(piece: &LogMel, songs: &[LogMel]) -> Result<MelCopies> {
    let window = frames_in(WINDOW_SECONDS, 1);
    if piece.frames() < window {
        return Err(Error::Data(format!(
            "the piece is {:.1} s long: copies are looked for in windows of {WINDOW_SECONDS} s, so \
             judge a longer piece",
            piece.frames() as f64 * SETTINGS.hop_seconds()
        )));
    }
    let mut found = Tally::new(piece.frames() + 1 - window);
    let mut own = Tally::new(0);
    let mut excess = (f64::NEG_INFINITY, Change::NONE);
    for song in songs {
        let pair = Pair { piece, song };
        found.take(pair, Change::NONE);
        own.take_own(pair);
        let best = pair.excess()?;
        if best.1 != Change::NONE && best.0 > MelCopies::TAKEN {
            let stop = Listener::here();
            for change in best.1.closer() {
                go_on(&stop)?;
                found.take(pair, change);
            }
        }
        if best.0 > excess.0 {
            excess = best;
        }
    }
    Ok(MelCopies {
        share: found.share(),
        longest_run_seconds: found.longest_run as f64 * SETTINGS.hop_seconds(),
        own_share: own.share(),
        own_run_seconds: own.longest_run as f64 * SETTINGS.hop_seconds(),
        excess: excess.0.max(-1.0),
        semitones: excess.1.semitones,
        speed: excess.1.speed,
    })
}

/// A piece and a song that it is compared with.
#[derive(Clone, Copy)]
struct Pair<'a> {
    piece: &'a LogMel,
    song: &'a LogMel,
}

impl Pair<'_> {
    /// `sound` and the song as they are compared, the song from a few frames on.
    fn frames(
        self,
        sound: &LogMel,
        change: Change,
        grain: (usize, f32),
        late: usize,
    ) -> (Frames, Frames) {
        let bands = Frames::mel_bands_left(self.song, change.semitones);
        let song = Frames::of_mel(self.song, grain, late, change.semitones, bands.clone());
        let song = if change.speed == 1.0 { song } else { song.at_speed(change.speed) };
        (Frames::of_mel(sound, grain, 0, 0, bands), song)
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
        let every: Vec<usize> = (0..COARSE.0).collect();
        let closely = self.fits(&promising.collect::<Vec<_>>(), &every)?;
        fits.extend_from_slice(&closely);
        Ok(excesses(&fits, &closely).first().copied().unwrap_or((-1.0, Change::NONE)))
    }

    /// How alike piece and song move under each of `changes`, and song and song, with the song from each
    /// of so many frames on.
    fn fits(self, changes: &[Change], late: &[usize]) -> Result<Vec<Fit>> {
        let (stop, window) = (Listener::here(), frames_in(FIT_SECONDS, COARSE.0));
        let fit = |change: Change| {
            go_on(&stop)?;
            let mut fit = Fit { change, piece: 0.0, own: 0.0 };
            for late in late {
                let (piece, song) = self.frames(self.piece, change, COARSE, *late);
                let (plain, _) = self.frames(self.song, change, COARSE, 0);
                fit.piece = fit.piece.max(best_of_dynamics(&piece, &song, window));
                for (part, rest) in parts(&plain, &song, piece.len(), COARSE.0, change.speed) {
                    fit.own = fit.own.max(best_of_dynamics(&part, &rest, window));
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
    Transposed,
}

impl Kind {
    fn of(change: Change) -> Self {
        match change {
            Change { semitones: 0, speed } if (speed - 1.0).abs() < 0.06 => Self::Same,
            Change { semitones: 0, .. } => Self::Speed,
            _ => Self::Transposed,
        }
    }

    /// How alike a song moves elsewhere, as far as that is believed: little is known of a short song,
    /// and one that repeats itself to the sample would hide every copy.
    fn bounded(self, own: f32) -> f64 {
        match self {
            Self::Same => f64::from(own).clamp(0.943, 0.97),
            Self::Speed | Self::Transposed => f64::from(own).clamp(0.908, 0.96),
        }
    }
}

/// Parts of a song, together about `length` frames long, each with what is before and with what is
/// after it in the same song, which is changed and `speed` times as fast.
fn parts(
    plain: &Frames,
    changed: &Frames,
    length: usize,
    group: usize,
    speed: f64,
) -> Vec<(Frames, Frames)> {
    let part = frames_in(PART_SECONDS, group).min(plain.len());
    let apart = frames_in(APART_SECONDS, group);
    let most = plain.len() / part.max(1);
    let count = length.div_ceil(part.max(1)).clamp(1, most.max(1));
    let there = |frame: usize| ((frame as f64 / speed) as usize).min(changed.len());
    let mut found = Vec::new();
    for number in 0..count {
        let start = (plain.len() - part) * number / count.saturating_sub(1).max(1);
        let own = || plain.part(start..start + part);
        let before = there(start).saturating_sub(apart);
        let after = (there(start + part) + apart).min(changed.len());
        found.push((own(), changed.part(0..before)));
        found.push((own(), changed.part(after..changed.len())));
    }
    found
}

/// What was found of all windows of a sound, over several songs.
struct Tally {
    best: Vec<f32>,
    longest_run: usize,
}

impl Tally {
    fn new(windows: usize) -> Self {
        Self { best: vec![0.0; windows], longest_run: 0 }
    }

    /// Compares the piece with the song, changed.
    fn take(&mut self, pair: Pair<'_>, change: Change) {
        let (piece, song) = pair.frames(pair.piece, change, FINE, 0);
        let (best, run) = matched(&piece, &song);
        self.longest_run = self.longest_run.max(run);
        self.best.iter_mut().zip(best).for_each(|(best, found)| *best = best.max(found));
    }

    /// Compares parts of the song with the rest of it.
    fn take_own(&mut self, pair: Pair<'_>) {
        let (plain, song) = pair.frames(pair.song, Change::NONE, FINE, 0);
        for sides in parts(&plain, &song, pair.piece.frames(), 1, 1.0).chunks_exact(2) {
            let [(before, before_run), (after, after_run)] =
                [0, 1].map(|side| matched(&sides[side].0, &sides[side].1));
            self.longest_run = self.longest_run.max(before_run).max(after_run);
            self.best.extend(before.iter().zip(&after).map(|(a, b)| a.max(*b)));
        }
    }

    fn share(&self) -> f64 {
        let copied = self.best.iter().filter(|best| **best > COPIED).count();
        copied as f64 / self.best.len().max(1) as f64
    }
}

/// The best correlation of each window of two seconds, and the longest run in frames.
fn matched(piece: &Frames, song: &Frames) -> (Vec<f32>, usize) {
    let runs = Runs { window: frames_in(RUN_WINDOW_SECONDS, 1), least: IN_ORDER, dips: DIP_FRAMES };
    let (best, run) = best_matches_and_run(piece, song, frames_in(WINDOW_SECONDS, 1), runs);
    (best.into_iter().map(|found| found.correlation).collect(), run)
}

fn frames_in(seconds: f64, group: usize) -> usize {
    (seconds / (SETTINGS.hop_seconds() * group as f64)).round() as usize
}

/// An error when the user asked to stop.
fn go_on(stop: &Listener) -> Result<()> {
    match stop.requested() {
        true => Err(Error::Interrupted("while copies were looked for".into())),
        false => Ok(()),
    }
}
