use super::terrain::Terrain;
use super::walk::Walk;

/// How long the ending is, which is the song's own.
pub(super) const ENDING_SECONDS: f64 = 1.5;
/// What going on in the song's order beyond the limit counts, and breaking the beat.
const RUN_ON: f64 = 20.0;
const WRONG_PHASE: f64 = 1.0;
/// What a second too little or too much of the song's end counts.
const MISSING: f64 = 4.0;
const TOO_EARLY: f64 = 2.0;

impl Walk {
    /// Goes to where the rest of a song is as long as what is left, by the smoothest way, and plays
    /// it to its end.
    pub(super) fn end(&mut self, terrain: &Terrain, seconds: f64) {
        let pool = terrain.pool;
        let left = seconds - self.seconds_done;
        let song = &pool.songs()[terrain.form.last_song];
        pool.roughness(self.last(), &mut self.roughness);
        let moment = self.moment(terrain);
        let cost = |grain: usize| {
            let place = &pool.grains()[grain];
            let off = song.duration_seconds - place.start_seconds - left;
            let wrong = match (moment.in_beat, place.phase.in_beat()) {
                (Some(expected), Some(found)) if expected != found => WRONG_PHASE,
                _ => 0.0,
            };
            let runs_on = self.run.goes_on_with(place, self.seconds_done);
            let join = f64::from(self.roughness[pool.candidate(grain, 0)]);
            // Ending in the middle of a sound is worse than ending early.
            let time = if off > 0.0 { MISSING * off } else { -TOO_EARLY * off };
            join + wrong + time + if runs_on { RUN_ON } else { 0.0 }
        };
        let best = song.grains.clone().min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        let mut grain = best.unwrap_or(song.grains.start);
        if pool.next_of(self.last()) != Some(pool.candidate(grain, 0)) {
            self.account.jumps += 1;
            self.account.rough += f64::from(self.roughness[pool.candidate(grain, 0)]);
        }
        self.place(terrain, pool.candidate(grain, 0));
        while self.seconds_done < seconds {
            grain += 1;
            let goes_on = pool.grains().get(grain).is_some_and(|next| next.follows);
            if !goes_on || !song.grains.contains(&grain) {
                break;
            }
            self.place(terrain, pool.candidate(grain, 0));
        }
    }
}
