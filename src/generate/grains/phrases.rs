//! A piece phrase by phrase: of several continuations the one with the fewest flaws is kept.

use super::copy_guard::CopyGuard;
use super::ending::ENDING_SECONDS;
use super::placed::Placed;
use super::terrain::Terrain;
use super::walk::Walk;
use crate::{Result, interrupt};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// How long a phrase is.
const PHRASE_SECONDS: f64 = 3.0;
/// What copying all of a phrase would count, in the roughness of a jump a second …
const COPIED: f64 = 20.0;
/// … what each jump a second counts besides its roughness …
const JUMP: f64 = 0.2;
/// … what having nothing of what its part is made of counts …
const ELSEWHERE: f64 = 20.0;
/// … and what being quite unlike the songs counts, and being more so than their halves are unlike each
/// other.
const STRANGE: f64 = 3.0;
const STRANGER: f64 = 15.0;

/// No grain is put where it would last less than this.
const SHORTEST_SECONDS: f64 = 0.05;

/// The random numbers of one draft of one phrase.
pub(super) fn random(seed: u64, phrase: usize, draft: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(((phrase as u64) << 32) + draft as u64 + 1);
    random
}

/// What is wrong with what `walk` has gone since `before`.
fn flaws(terrain: &Terrain, before: &Walk, walk: &Walk) -> f64 {
    let (walk, before) = (walk.trail(), before.trail());
    let seconds = (walk.seconds_done - before.seconds_done).max(0.1);
    let (now, then) = (&walk.account, &before.account);
    let copied = (now.copied_seconds - then.copied_seconds) / seconds;
    let jumps = (now.jumps - then.jumps) as f64;
    let rough = (now.rough - then.rough + JUMP * jumps) / seconds;
    let (strange, stranger) = terrain.strangeness(&now.sound);
    let elsewhere = (now.elsewhere_seconds - then.elsewhere_seconds) / seconds;
    ELSEWHERE * elsewhere + COPIED * copied + rough + STRANGE * strange + STRANGER * stranger
}

/// Goes on with `walk` for what is left of `seconds`, to the end of a song; `progress` is told
/// (seconds done, seconds in all).
///
/// A request to stop ends it after the running grain.
pub(super) fn compose(
    terrain: &Terrain,
    guard: &mut CopyGuard,
    mut walk: Walk,
    (seconds, seed): (f64, u64),
    progress: &mut dyn FnMut(f64, f64),
) -> Result<Vec<Placed>> {
    let last = seconds - ENDING_SECONDS;
    let mut phrase = 0;
    while walk.trail().seconds_done < last && !interrupt::requested() {
        let began = walk.trail().seconds_done;
        // A short rest is not worth a phrase.
        let until = if last - began < 1.5 * PHRASE_SECONDS { last } else { began + PHRASE_SECONDS };
        let mut best: Option<(f64, Walk)> = None;
        for draft in 0..terrain.options.drafts {
            let mut on = walk.draft(random(seed, phrase, draft));
            on.go_on(terrain, guard, until)?;
            if interrupt::requested() {
                // A draft that was cut short is better than nothing only.
                best.get_or_insert((0.0, on));
                break;
            }
            if until >= last {
                on.end(terrain, seconds);
            }
            let flaws = flaws(terrain, &walk, &on);
            if best.as_ref().is_none_or(|(least, _)| flaws < *least) {
                best = Some((flaws, on));
            }
            let done = (draft + 1) as f64 / terrain.options.drafts as f64;
            progress(began + (until - began) * done, seconds);
        }
        if let Some((_, best)) = best {
            walk = best;
        }
        phrase += 1;
    }
    if phrase == 0 && !interrupt::requested() {
        walk.end(terrain, seconds);
    }
    Ok(walk.into_placed())
}

/// Composes the part of `placed` between two times anew, and leaves the rest where it is.
pub(super) fn recompose(
    terrain: &Terrain,
    guard: &mut CopyGuard,
    placed: &[Placed],
    (from_seconds, to_seconds): (f64, f64),
    seed: u64,
    progress: &mut dyn FnMut(f64, f64),
) -> Result<Vec<Placed>> {
    let keep = placed.partition_point(|place| place.at_seconds < from_seconds).max(1);
    let resume = placed.partition_point(|place| place.at_seconds < to_seconds);
    let (head, tail) = (&placed[..keep], &placed[resume.max(keep)..]);
    let walk = Walk::along(terrain, guard, head, random(seed, 0, 0))?;
    let end = tail.first().map_or(to_seconds, |place| place.at_seconds);
    let mut best: Option<(f64, Vec<Placed>)> = None;
    let mut roughness = Vec::new();
    for draft in 0..terrain.options.drafts {
        let mut on = walk.draft(random(seed, usize::from(u16::MAX), draft));
        on.go_on(terrain, guard, end - SHORTEST_SECONDS)?;
        let mut flaws = flaws(terrain, &walk, &on);
        if let Some(next) = tail.first() {
            // The way back counts as a jump.
            terrain.pool.roughness(on.trail().last(), &mut roughness);
            flaws += f64::from(roughness[next.candidate]) / (end - from_seconds).max(0.1);
        }
        let placed: Vec<Placed> = on.trail().placed.iter().chain(tail).copied().collect();
        if best.as_ref().is_none_or(|(least, _)| flaws < *least) {
            best = Some((flaws, placed));
        }
        progress((draft + 1) as f64, terrain.options.drafts as f64);
        if interrupt::requested() {
            break;
        }
    }
    Ok(best.map_or_else(|| placed.to_vec(), |(_, placed)| placed))
}
