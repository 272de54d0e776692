//! The guard against copies: how much too alike the end of a piece is to a place of the songs.

use super::likeness::{Ends, Likeness, Run};
use super::options::GrainOptions;
use super::song_bands::Aspect;
use crate::dataset::grains::GrainPool;
use crate::features::PitchBands;

/// How much of a piece is looked at, in seconds.
const WINDOW_SECONDS: f64 = 2.0;
/// How much of it is looked at to see whether it follows a song …
const FOLLOWING_SECONDS: f64 = 1.0;
/// … which it does where it moves so much like it …
const MOVES_ALIKE: f64 = 0.65;
/// … or sounds so much like it or has so much its pitches, and more than so large a share of its places
/// are like each other: where all of a song sounds alike, that a place does tells nothing …
const SOUNDS_ALIKE: f64 = 0.81;
const ALL_SOUND_ALIKE: f64 = 0.8;
/// … which it may for so much longer: what a song sounds like changes slowly, as its pitches do.
const SOUND_LONGER_SECONDS: f64 = 0.4;
/// What a second too much in the songs' own order counts, in units of correlation.
const TOO_LONG: f64 = 0.1;

/// Tells whether the end of a piece is too much like some place of the songs, or has been for too long.
///
/// A place that only sounds like the one that goes on is followed, too: where a song repeats itself, a
/// piece that jumps from one time to the other plays on in the song's order all the same.
pub(super) struct CopyGuard {
    movement: Followable,
    /// What listeners hear is not all that is alike: neither of these two finds what the other does.
    sound: Followable,
    pitches: Followable,
    /// What the correlation of the last two seconds' movement with that of any place may be.
    correlation_limit: f64,
}

/// An aspect of the songs in which a piece may follow them.
struct Followable {
    likeness: Likeness,
    run: Run,
}

/// How long a piece has been like the songs in their own order, in every aspect.
#[derive(Clone, Default)]
pub(super) struct Followed {
    movement: Ends,
    sound: Ends,
    pitches: Ends,
}

impl CopyGuard {
    /// Keeps to what `options` allow.
    pub(super) fn new(pool: &GrainPool, options: &GrainOptions) -> Self {
        let followable = |likeness, follows, longest_seconds: f64| Followable {
            likeness,
            run: Run { follows, longest_frames: longest_seconds / PitchBands::HOP_SECONDS },
        };
        let longest = options.longest_run_seconds;
        let slow = |aspect| {
            let mut likeness = Likeness::of(pool, aspect);
            let alike = likeness.among_places(FOLLOWING_SECONDS, ALL_SOUND_ALIKE);
            followable(likeness, alike.max(SOUNDS_ALIKE), longest + SOUND_LONGER_SECONDS)
        };
        Self {
            movement: followable(Likeness::of(pool, Aspect::Movement), MOVES_ALIKE, longest),
            sound: slow(Aspect::Sound),
            pitches: slow(Aspect::Pitches),
            correlation_limit: options.copy_limit,
        }
    }

    /// From which correlation on a second sounds like a place of the songs.
    pub(super) fn sounds_alike(&self) -> f64 {
        self.sound.run.follows
    }

    /// How much too alike the end of `piece`, grains of the pool one after the other, is to the songs,
    /// in units of correlation, when up to its last grain it has `followed` them; 0 where it is not. A
    /// guest that it goes on from is not looked at.
    pub(super) fn surplus(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        followed: &Followed,
    ) -> f64 {
        let mut surplus = 0.0;
        let movement = &mut self.movement.likeness;
        if let Some(window) = movement.last(pool, piece, WINDOW_SECONDS) {
            let limit = self.correlation_limit;
            let alike = movement.alike(pool, piece, &window, limit);
            let closest =
                alike.into_iter().map(|(_, correlation)| correlation).fold(limit, f64::max);
            surplus = closest - limit;
        }
        let in_movement = self.movement.too_long(pool, piece, &followed.movement);
        let in_sound = self.sound.too_long(pool, piece, &followed.sound);
        let in_pitches = self.pitches.too_long(pool, piece, &followed.pitches);
        in_movement.max(in_sound).max(in_pitches).max(surplus)
    }

    /// What a piece has followed with its last grain, when before it was `followed`.
    pub(super) fn follow(
        &mut self,
        pool: &GrainPool,
        piece: &[usize],
        followed: &Followed,
    ) -> Followed {
        Followed {
            movement: self.movement.follow(pool, piece, &followed.movement),
            sound: self.sound.follow(pool, piece, &followed.sound),
            pitches: self.pitches.follow(pool, piece, &followed.pitches),
        }
    }
}

impl Followable {
    /// How much longer than allowed the end of `piece` follows a song, in units of correlation.
    ///
    /// Following it more closely counts as more: where every grain would go on to follow, the least alike
    /// leads away.
    fn too_long(&mut self, pool: &GrainPool, piece: &[usize], followed: &Ends) -> f64 {
        let Some(window) = self.likeness.last(pool, piece, FOLLOWING_SECONDS) else { return 0.0 };
        let runs = self.likeness.long_runs(pool, piece, &window, (self.run, followed));
        let surplus = |(frames, correlation): (usize, f64)| {
            let seconds = (frames as f64 - self.run.longest_frames) * PitchBands::HOP_SECONDS;
            TOO_LONG * seconds + correlation - self.run.follows
        };
        runs.into_iter().map(surplus).fold(0.0, f64::max)
    }

    /// Where a piece is with its last grain, when before it was where `followed` ends.
    fn follow(&mut self, pool: &GrainPool, piece: &[usize], followed: &Ends) -> Ends {
        match self.likeness.last(pool, piece, FOLLOWING_SECONDS) {
            Some(window) => self.likeness.follow(pool, piece, &window, (self.run, followed)),
            None => Ends::default(),
        }
    }
}
