//! The end of a piece, which is the end of a song.

use super::terrain::Terrain;
use super::trail::Trail;

/// How long the ending is, which is the song's own.
pub(super) const ENDING_SECONDS: f64 = 1.5;
/// What going on in the song's order beyond the limit counts, and breaking the beat.
const RUN_ON: f64 = 20.0;
const WRONG_PHASE: f64 = 1.0;
/// What a second of the song's end counts that is missing, because the piece ends first, and one of
/// nothing, because the song does.
const MISSING: f64 = 4.0;
const NOTHING: f64 = 40.0;

/// Leads `trail` to where the rest of a song is as long as what is left of `seconds`, by the smoothest
/// way, and plays the song to its end.
pub(super) fn end(terrain: &Terrain, trail: &mut Trail, seconds: f64) {
    let pool = terrain.pool;
    let left = seconds - trail.seconds_done;
    let song = &pool.songs()[terrain.form.last_song];
    // Silence behind the last grain is not the song's end.
    let last = song.grains.end.saturating_sub(1);
    let song_end = pool.grains().get(last).map_or(song.duration_seconds, |last| last.end_seconds);
    let mut roughness = Vec::new();
    pool.roughness(trail.last(), &mut roughness);
    let expected = trail.expected_phase(terrain).and_then(|phase| phase.in_beat());
    let cost = |grain: usize| {
        let place = &pool.grains()[grain];
        let off = song_end - place.start_seconds - left;
        let wrong = match (expected, place.phase.in_beat()) {
            (Some(expected), Some(found)) if expected != found => WRONG_PHASE,
            _ => 0.0,
        };
        let join = f64::from(roughness[pool.candidate(grain, 0)]);
        // The end fades where the song goes on; where it does not, there is a hole.
        let time = if off >= 0.0 { MISSING * off } else { -NOTHING * off };
        join + wrong + time + if trail.goes_on_with(place) { RUN_ON } else { 0.0 }
    };
    let best = song.grains.clone().min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    let mut grain = best.unwrap_or(song.grains.start);
    let first = pool.candidate(grain, 0);
    trail.go_to(terrain, first, roughness[first]);
    while trail.seconds_done < seconds {
        grain += 1;
        let goes_on = pool.grains().get(grain).is_some_and(|next| next.follows);
        if !goes_on || !song.grains.contains(&grain) {
            break;
        }
        trail.place(terrain, pool.candidate(grain, 0));
    }
}
