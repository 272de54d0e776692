//! Several pieces, of which the judge's favourite is kept.

use super::composer::GrainComposer;
use super::copy_guard::CopyGuard;
use super::form::SHORT_SECONDS;
use super::options::GrainOptions;
use super::sounds::Sounds;
use crate::features::PitchBands;
use crate::generate::Piece;
use crate::{Error, Result, evaluate, interrupt};

impl GrainComposer {
    /// The best of [`GrainOptions::pieces`] pieces of `seconds`, as the judge sees them; the same `seed`
    /// gives the same piece. `progress` is told (seconds done, seconds in all).
    ///
    /// As many again are made while all copy too much or sound like a song for too long; one without
    /// fault ends the search, and what cannot be judged is taken as it is. What is composed comes after
    /// the guest where it goes on from one. A request to stop ([`interrupt`]) ends it after the running
    /// grain: the piece is as long as what was done, and unjudged.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible length or impossible options; [`Error::Audio`] or
    /// [`Error::Io`] when a song's file is gone.
    pub fn compose(
        &self,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let _job = interrupt::begin()?;
        self.check(seconds, options)?;
        let mut guard = CopyGuard::new(self.pool(), options);
        let piece = self.favourite(&mut guard, seconds, seed, options, progress)?;
        self.told_of_choice(&mut guard, piece, (seconds, seed), options)
    }

    fn favourite(
        &self,
        guard: &mut CopyGuard,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let bands = self.pool().own_songs().iter().map(|song| song.bands.clone());
        let bands: Vec<PitchBands> = bands.collect();
        let pieces = options.pieces.max(1);
        let mut sounds = match pieces {
            1 => Sounds::for_one(self.pool()),
            _ => Sounds::for_several(self.pool()),
        };
        let mut best: Option<(f64, Piece)> = None;
        for number in 0..2 * pieces {
            let least = best.as_ref().map(|(flaws, _)| *flaws);
            let enough = if number < pieces { 0.0 } else { evaluate::BEYOND_LIMITS };
            if least.is_some_and(|least| least <= enough) {
                break;
            }
            // Seeds of people are small; these are far from them.
            let seed = seed.wrapping_add((number as u64) << 40);
            let mut tell = |done: f64, all: f64| {
                progress(((number as f64 * all + done) / pieces as f64).min(all), all);
            };
            let by = (&mut sounds, &mut *guard);
            let piece = self.compose_one(by, seconds, seed, options, &mut tell)?;
            if pieces == 1 || piece.was_interrupted() {
                return Ok(best.map_or(piece, |(_, best)| best));
            }
            let enough = least.unwrap_or(f64::INFINITY);
            let (joins, alike) = (piece.joins(), guard.sounds_alike());
            let flaws = match evaluate::flaws(piece.audio(), &joins, &bands, alike, enough) {
                Ok(flaws) => flaws,
                Err(Error::Interrupted(_)) => return Ok(best.map_or(piece, |(_, best)| best)),
                // Too short or too quiet to be judged: one is as good as another.
                Err(_) => return Ok(piece),
            };
            if best.as_ref().is_none_or(|(least, _)| flaws < *least) {
                best = Some((flaws, piece));
            }
        }
        best.map(|(_, piece)| piece)
            .ok_or_else(|| Error::argument("pieces", "at least 1", options.pieces))
    }

    /// Says of a short piece that other seeds give it, too, where that is so.
    fn told_of_choice(
        &self,
        guard: &mut CopyGuard,
        piece: Piece,
        (seconds, seed): (f64, u64),
        options: &GrainOptions,
    ) -> Result<Piece> {
        if seconds >= SHORT_SECONDS || piece.was_interrupted() || interrupt::requested() {
            return Ok(piece);
        }
        let mut placed =
            |seed: u64| self.walk_guarded(guard, seconds, seed, options, &mut |_, _| ());
        let alike = match (placed(seed), placed(seed.wrapping_add(1))) {
            // A stop does not take the piece that is there.
            (Err(Error::Interrupted(_)), _) | (_, Err(Error::Interrupted(_))) => false,
            (own, other) => own? == other? && !interrupt::requested(),
        };
        let note = alike.then(|| {
            format!(
                "of {seconds:.1} s there is hardly more than one piece in these songs: other seeds give \
                 it, too"
            )
        });
        Ok(piece.noted(note))
    }
}
