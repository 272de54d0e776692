//! How much louder or softer a stretch of song is made where it is joined to another one.

/// A step in loudness that is left as it is, and the most that is taken away and added, in decibels.
const FREE_STEP_DB: f32 = 1.0;
const MOST_SOFTER_DB: f32 = 9.0;
const MOST_LOUDER_DB: f32 = 3.0;

/// The gain, in decibels, of what is joined to a sound that is louder by `step_db` than what led into it
/// in its song.
pub(crate) fn gain_db(step_db: f32) -> f32 {
    let beyond = step_db.signum() * (step_db.abs() - FREE_STEP_DB).max(0.0);
    beyond.clamp(-MOST_SOFTER_DB, MOST_LOUDER_DB)
}
