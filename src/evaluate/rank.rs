//! Which of several pieces is the best.

use super::elsewhere::{APART_SECONDS, parts};
use super::frames::Frames;
use super::judgement::{COPY_SHARE_LIMIT, RUN_LIMIT_SECONDS};
use super::matching::{Runs, best_matches_and_run_elsewhere};
use super::origin::Join;
use super::windows::{self, RUN_WINDOW_SECONDS};
use super::{copies, joins, style};
use crate::Result;
use crate::audio::Audio;
use crate::features::PitchBands;

/// What is not held against a piece: a third of what excerpts of the songs have, a little change at
/// joins, next to no copies.
const FREE_STYLE: f64 = 0.33;
const FREE_CHANGE: f64 = 1.1;
const FREE_SHARE: f64 = 0.01;
const FREE_RUN_SECONDS: f64 = 2.1;
/// What copying everything counts, in distances of excerpts.
const COPIED: f64 = 25.0;
/// What a copy beyond the judge's limits counts: more than anything else can.
pub(crate) const BEYOND_LIMITS: f64 = 100.0;
/// Repetitions are held against those of so much of songs, at most: it takes long.
const REPEATS_SECONDS: f64 = 900.0;

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

/// What the judge finds wrong with `piece`, which jumps at `joins`, as one number: 0 is nothing, from
/// [`BEYOND_LIMITS`] on it copies too much. What comes to `enough` is not looked at more closely: copies
/// in hours of songs take longer to find than a piece to compose.
///
/// # Errors
/// What [`style_distance`](super::style_distance) and [`copies`](super::copies()) report.
pub(crate) fn flaws(
    piece: &Audio,
    joins: &[Join],
    songs: &[PitchBands],
    enough: f64,
) -> Result<f64> {
    let piece = PitchBands::of(piece)?;
    let style = style::frechet_ratio(&piece, songs)?;
    let change = joins::of_bands(&piece, songs, Some(joins)).spectral_change.unwrap_or(1.0);
    let mut flaws = (style - FREE_STYLE).max(0.0) + (change - FREE_CHANGE).max(0.0);
    if flaws >= enough {
        return Ok(flaws);
    }
    let frames: usize = songs.iter().map(PitchBands::frames).sum();
    if frames as f64 * PitchBands::HOP_SECONDS <= REPEATS_SECONDS {
        let own = |sound: &PitchBands| own_run_seconds(sound, piece.frames());
        let repeated = own(&piece);
        if repeated > FREE_RUN_SECONDS {
            let free = songs.iter().map(own).fold(FREE_RUN_SECONDS, f64::max);
            flaws += (repeated - free).max(0.0);
        }
    }
    let copies = copies::of_bands(&piece, songs)?;
    flaws += COPIED * (copies.share - FREE_SHARE).max(0.0);
    flaws += (copies.longest_run_seconds - FREE_RUN_SECONDS).max(0.0);
    if copies.share > COPY_SHARE_LIMIT || copies.longest_run_seconds > RUN_LIMIT_SECONDS {
        flaws += BEYOND_LIMITS;
    }
    Ok(flaws)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 22_050;

    /// A tune of tones that follow `seed`, four a second.
    fn tune(seed: u64, seconds: usize) -> Audio {
        let tone = |place: u64| {
            let mixed = (place + 1).wrapping_mul(seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
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

    #[test]
    fn a_copy_is_a_flaw_however_long_the_songs_are() {
        let songs: Vec<_> = (0..16).map(|seed| PitchBands::of(&tune(seed, 60)).unwrap()).collect();
        let frames: usize = songs.iter().map(PitchBands::frames).sum();
        assert!(frames as f64 * PitchBands::HOP_SECONDS > REPEATS_SECONDS);
        let copy = tune(15, 60).excerpt(20., 32.);
        let found = flaws(&copy, &[], &songs, f64::INFINITY).unwrap();
        assert!(found >= BEYOND_LIMITS, "{found}");
        // What has enough flaws without is not looked at.
        let at_once = flaws(&copy, &[], &songs, 0.).unwrap();
        assert!(at_once < BEYOND_LIMITS, "{at_once}");
    }
}
