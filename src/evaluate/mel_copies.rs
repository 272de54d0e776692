//! The second detector of copies: mel bands, by which no composer chooses.

use super::elsewhere::{APART_SECONDS, parts};
use super::frames::Frames;
use super::matching::{Match, Runs, best_matches_and_run, best_matches_and_run_elsewhere};
use super::windows::{COPIED, RUN_WINDOW_SECONDS, WINDOW_SECONDS, go_on, too_short};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::audio::Audio;
use crate::features::{LogMel, MelSettings};
use crate::interrupt::{self, Listener};
use rayon::prelude::*;
use std::ops::Range;

/// What the detector looks at: 64 bands up to 11 kHz, every 16 ms.
pub(super) const SETTINGS: MelSettings = MelSettings {
    sample_rate_hz: 22_050,
    window_samples: 1_024,
    hop_samples: 352,
    bands: 64,
    low_hz: 30.0,
    high_hz: 11_025.0,
};
/// Levels further below the loudest point count as silence.
pub(super) const RANGE_DB: f32 = 60.0;
/// How well windows have to correlate along a run, and for how many frames they need not: 0.1 s.
const IN_ORDER: f32 = 0.9;
const DIP_FRAMES: u8 = 6;

/// What the detector on mel bands found, beside the same of the songs among themselves. See
/// [`mel_copies`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MelCopies {
    /// Share of the piece's two-second windows that correlate above 0.95 with some window of a song,
    /// from 0 to 1.
    pub share: f64,
    /// The longest stretch in the order of the original, in seconds: windows of a second that
    /// correlate above 0.9, but for dips of 0.1 s. Runs under a second are not seen.
    pub longest_run_seconds: f64,
    /// The share of windows of the songs that are somewhere else in the same song, too.
    pub own_share: f64,
    /// The longest run in parts of the songs, ten seconds each, that is elsewhere in the same song, too.
    pub own_run_seconds: f64,
}

/// Looks for copies as [`copies`](super::copies()) does, on another representation: the levels of
/// mel bands ([`LogMel`]), correlated (Pearson) in windows of two seconds with every place of the
/// songs on a grid of 16 ms, neither transposed nor at another speed.
///
/// The composer of grains shuns copies on semitones and is measured by them; nothing is chosen by
/// what is found here. Music repeats itself: real second halves of songs have runs of many seconds
/// against the first ones, so what the songs have among themselves stands beside.
///
/// ```no_run
/// use neural_composer::{audio::Song, evaluate::mel_copies};
/// let (piece, song) = (Song::open("night.wav")?, Song::open("song.mp3")?);
/// let found = mel_copies(piece.audio(), &[song.audio()])?;
/// println!("{:.1} s in a row; the song {:.1} s", found.longest_run_seconds, found.own_run_seconds);
/// # Ok::<(), neural_composer::Error>(())
/// ```
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
    if piece.frames() < frames_in(WINDOW_SECONDS) {
        return Err(too_short(piece.frames() as f64 * SETTINGS.hop_seconds()));
    }
    let piece = Frames::of_mel(piece, 1, 0, RANGE_DB);
    let stop = Listener::here();
    let compared = songs.par_iter().map(|song| {
        go_on(&stop)?;
        let song = Frames::of_mel(song, 1, 0, RANGE_DB);
        Ok((Matched::of(&piece, &song), own(&song, piece.len())))
    });
    let (mut found, mut of_songs) = (Matched::default(), Matched::default());
    for (of_piece, of_song) in compared.collect::<Result<Vec<_>>>()? {
        found.join(of_piece);
        of_songs.append(of_song);
    }
    Ok(MelCopies {
        share: found.share(),
        longest_run_seconds: found.run_seconds(),
        own_share: of_songs.share(),
        own_run_seconds: of_songs.run_seconds(),
    })
}

/// What about `length` frames of a sound have in common with what is elsewhere in it.
pub(super) fn own(sound: &Frames, length: usize) -> Matched {
    let mut own = Matched::default();
    for part in parts(sound.len(), length, SETTINGS.hop_seconds()) {
        own.append(Matched::elsewhere(sound, part));
    }
    own
}

fn runs() -> Runs {
    Runs { window: frames_in(RUN_WINDOW_SECONDS), least: IN_ORDER, dips: DIP_FRAMES }
}

/// The best correlation of each window of two seconds, and the longest run in frames.
#[derive(Default)]
pub(super) struct Matched {
    best: Vec<f32>,
    run: usize,
}

impl From<(Vec<Match>, usize)> for Matched {
    fn from((best, run): (Vec<Match>, usize)) -> Self {
        Self { best: best.into_iter().map(|found| found.correlation).collect(), run }
    }
}

impl Matched {
    fn of(piece: &Frames, song: &Frames) -> Self {
        best_matches_and_run(piece, song, frames_in(WINDOW_SECONDS), runs()).into()
    }

    /// A part of a sound, and what is elsewhere in it.
    fn elsewhere(sound: &Frames, part: Range<usize>) -> Self {
        let (window, apart) = (frames_in(WINDOW_SECONDS), frames_in(APART_SECONDS));
        best_matches_and_run_elsewhere(sound, part, window, runs(), apart).into()
    }

    /// The same windows, compared with other places too.
    fn join(&mut self, other: Self) {
        self.best.resize(self.best.len().max(other.best.len()), 0.0);
        self.best.iter_mut().zip(other.best).for_each(|(best, found)| *best = best.max(found));
        self.run = self.run.max(other.run);
    }

    /// Further windows.
    fn append(&mut self, mut other: Self) {
        self.best.append(&mut other.best);
        self.run = self.run.max(other.run);
    }

    pub(super) fn run_seconds(&self) -> f64 {
        self.run as f64 * SETTINGS.hop_seconds()
    }

    pub(super) fn share(&self) -> f64 {
        let copied = self.best.iter().filter(|best| **best > COPIED).count();
        copied as f64 / self.best.len().max(1) as f64
    }
}

fn frames_in(seconds: f64) -> usize {
    (seconds / SETTINGS.hop_seconds()).round() as usize
}
