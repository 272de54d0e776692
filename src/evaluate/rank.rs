//! Which of several pieces is the best.

use super::elsewhere::{APART_SECONDS, parts};
use super::frames::Frames;
use super::judgement::{COPY_SHARE_LIMIT, RUN_LIMIT_SECONDS};
use super::matching::{Runs, best_matches_and_run, best_matches_and_run_elsewhere};
use super::origin::Join;
use super::windows::{self, RUN_WINDOW_SECONDS, go_on};
use super::{copies, joins, style};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::audio::Audio;
use crate::features::PitchBands;
use crate::interrupt::Listener;
use rayon::prelude::*;

/// What is not held against a piece: a third of what excerpts of the songs have, a little change at
/// joins, next to no copies.
const FREE_STYLE: f64 = 0.33;
const FREE_CHANGE: f64 = 1.1;
const FREE_SHARE: f64 = 0.01;
const FREE_RUN_SECONDS: f64 = 2.1;
const FREE_SOUNDING_SECONDS: f64 = 2.0;
/// What copying everything counts, in distances of excerpts.
const COPIED: f64 = 25.0;
/// What each of the judge's limits counts that a piece is beyond: more than anything else can.
pub(crate) const BEYOND_LIMITS: f64 = 100.0;

/// The longest run of a sound that is elsewhere in it, too, of about `frames` frames.
///
/// On semitones: [`repeats`](super::repeats()), which judges, looks at mel bands.
fn own_run_seconds(sound: &PitchBands, frames: usize) -> f64 {
    let sound = Frames::of(sound, 1, 0);
    let window = PitchBands::frames_in(RUN_WINDOW_SECONDS);
    let runs = Runs { window, least: windows::COPIED, dips: 0 };
    let apart = PitchBands::frames_in(APART_SECONDS);
    let longest = parts(sound.len(), frames, PitchBands::HOP_SECONDS)
        .map(|part| best_matches_and_run_elsewhere(&sound, part, window, runs, apart).1);
    longest.max().unwrap_or(0) as f64 * PitchBands::HOP_SECONDS
}

/// How much longer `piece` plays of itself twice than any of the songs does.
fn repeated_seconds(piece: &PitchBands, songs: &[PitchBands]) -> f64 {
    let repeated = own_run_seconds(piece, piece.frames());
    let mut free = FREE_RUN_SECONDS;
    for song in songs {
        if free >= repeated {
            break;
        }
        free = free.max(own_run_seconds(song, piece.frames()));
    }
    (repeated - free).max(0.0)
}

/// How long `piece` sounds like one of the songs in its own order, where it does from a correlation of
/// `alike` on.
///
/// Frame by frame, as it is played: whoever composes counts whole grains, of which half a one more may
/// follow on both sides.
///
/// # Errors
/// [`Error::Interrupted`] on a request to stop.
fn sounding_seconds(piece: &PitchBands, songs: &[PitchBands], alike: f64) -> Result<f64> {
    let piece = Frames::as_heard(piece);
    let window = PitchBands::frames_in(RUN_WINDOW_SECONDS);
    let runs = Runs { window, least: alike as f32, dips: 0 };
    let stop = Listener::here();
    let of_song = |song: &PitchBands| {
        go_on(&stop)?;
        let song = Frames::as_heard(song);
        Ok(best_matches_and_run(&piece, &song, window, runs).1)
    };
    let longest = songs.par_iter().map(of_song).collect::<Result<Vec<usize>>>()?;
    Ok(longest.into_iter().max().unwrap_or(0) as f64 * PitchBands::HOP_SECONDS)
}

/// What the judge finds wrong with `piece`, which jumps at `joins`, as one number: 0 is nothing, from
/// [`BEYOND_LIMITS`] on it copies too much, or sounds like a song for too long, which it does above a
/// correlation of `alike`. What comes to `enough` is not looked at more closely: copies in hours of songs
/// take longer to find than a piece to compose.
///
/// # Errors
/// What [`style_distance`](super::style_distance) and [`copies`](super::copies()) report.
pub(crate) fn flaws(
    piece: &Audio,
    joins: &[Join],
    songs: &[PitchBands],
    alike: f64,
    enough: f64,
) -> Result<f64> {
    let piece = PitchBands::of(piece)?;
    let style = style::frechet_ratio(&piece, songs)?;
    let change = joins::of_bands(&piece, songs, Some(joins)).spectral_change.unwrap_or(1.0);
    let mut flaws = (style - FREE_STYLE).max(0.0) + (change - FREE_CHANGE).max(0.0);
    if flaws < enough {
        flaws += repeated_seconds(&piece, songs);
    }
    if flaws >= enough {
        return Ok(flaws);
    }
    flaws += too_long(sounding_seconds(&piece, songs, alike)?, FREE_SOUNDING_SECONDS);
    if flaws >= enough {
        return Ok(flaws);
    }
    let copies = copies::of_bands(&piece, songs)?;
    flaws += COPIED * (copies.share - FREE_SHARE).max(0.0);
    flaws += too_long(copies.longest_run_seconds, FREE_RUN_SECONDS);
    if copies.share > COPY_SHARE_LIMIT {
        flaws += BEYOND_LIMITS;
    }
    Ok(flaws)
}

/// What a run counts of which `free_seconds` are not held against a piece.
fn too_long(seconds: f64, free_seconds: f64) -> f64 {
    let beyond = if seconds > RUN_LIMIT_SECONDS { BEYOND_LIMITS } else { 0.0 };
    beyond + (seconds - free_seconds).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 22_050;

    /// A tune of tones that follow `seed`, four a second.
    fn tune(seed: u64, seconds: usize) -> Audio {
        let tone = |place: u64| {
            let mut mixed = (seed << 32 | place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            220. * 2f32.powf((mixed >> 59) as f32 / 12.)
        };
        let of_a_tone = RATE_HZ as usize / 4;
        let sample = |at: usize| {
            let seconds = (at % of_a_tone) as f32 / RATE_HZ as f32;
            let wave = (std::f32::consts::TAU * tone((at / of_a_tone) as u64) * seconds).sin();
            0.3 * wave * (-4. * seconds).exp()
        };
        Audio::mono((0..seconds * RATE_HZ as usize).map(sample).collect(), RATE_HZ).unwrap()
    }

    fn songs() -> Vec<PitchBands> {
        (0..16).map(|seed| PitchBands::of(&tune(seed, 60)).unwrap()).collect()
    }

    #[test]
    fn a_copy_is_a_flaw_however_long_the_songs_are() {
        let songs = songs();
        let copy = tune(15, 60).excerpt(20., 32.);
        let found = flaws(&copy, &[], &songs, 0.81, f64::INFINITY).unwrap();
        assert!(found >= BEYOND_LIMITS, "{found}");
        // What has enough flaws without is not looked at.
        let at_once = flaws(&copy, &[], &songs, 0.81, 0.).unwrap();
        assert!(at_once < BEYOND_LIMITS, "{at_once}");
    }

    #[test]
    fn what_sounds_like_a_song_for_long_is_a_flaw_with_other_music_over_it_too() {
        let songs = songs();
        let over = |sound: &Audio, other: &Audio| {
            let mixed = sound.channels()[0].iter().zip(&other.channels()[0]);
            Audio::mono(mixed.map(|(a, b)| a + 0.3 * b).collect(), RATE_HZ).unwrap()
        };
        let unlike = tune(77, 60).excerpt(20., 32.);
        let like = over(&tune(15, 60).excerpt(20., 32.), &unlike);
        let found = |piece: &Audio, alike| flaws(piece, &[], &songs, alike, f64::INFINITY).unwrap();
        // No copy, but it sounds like the song for all of its time.
        let (with, without) = (found(&like, 0.81), found(&like, 1.));
        assert!(without < BEYOND_LIMITS && with > without + BEYOND_LIMITS, "{without} to {with}");
        assert_eq!(found(&unlike, 0.81), found(&unlike, 1.));
    }

    #[test]
    fn what_a_piece_plays_twice_is_a_flaw_however_long_the_songs_are() {
        let once = tune(99, 6).channels()[0].clone();
        let other = tune(98, 6).channels()[0].clone();
        let of = |parts: [&[f32]; 3]| {
            PitchBands::of(&Audio::mono(parts.concat(), RATE_HZ).unwrap()).unwrap()
        };
        let twice = of([&once, &other, &once]);
        let mut songs = songs();
        let repeated = repeated_seconds(&twice, &songs);
        assert!(repeated > 2., "{repeated}");
        assert_eq!(repeated_seconds(&of([&once, &other, &[]]), &songs), 0.);
        // What a song does as much, its pieces may do.
        songs.push(twice.clone());
        assert_eq!(repeated_seconds(&twice, &songs), 0.);
    }
}
