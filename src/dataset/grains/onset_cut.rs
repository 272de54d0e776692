//! Cuts for songs without a beat: where something begins.

use crate::features::Beats;

/// Onsets are looked for on a grid of this step.
const STEP_SECONDS: f64 = 0.01;
/// What begins less strongly than this, 1 being an ordinary amount, is no onset.
const LEAST_STRENGTH: f32 = 1.0;
/// Onsets closer than this share of a grain count once, the stronger one.
const CLOSEST: f64 = 0.6;

/// The times in `seconds` of a song at which to cut it: onsets, and between far ones even parts of about
/// `grain_seconds`; from 0 to the song's end.
pub(super) fn cuts(seconds: f64, beats: &Beats, grain_seconds: f64, lead_seconds: f64) -> Vec<f64> {
    let mut cuts: Vec<f64> = onsets(seconds, beats, CLOSEST * grain_seconds)
        .into_iter()
        .map(|onset| onset - lead_seconds)
        .filter(|cut| *cut >= CLOSEST * grain_seconds)
        .collect();
    cuts.insert(0, 0.0);
    if seconds - cuts[cuts.len() - 1] < CLOSEST * grain_seconds && cuts.len() > 1 {
        cuts.pop();
    }
    cuts.push(seconds);
    let mut all = Vec::new();
    for pair in cuts.windows(2) {
        let parts = ((pair[1] - pair[0]) / grain_seconds).round().max(1.0) as usize;
        let part = (pair[1] - pair[0]) / parts as f64;
        all.extend((0..parts).map(|index| pair[0] + index as f64 * part));
    }
    all.push(seconds);
    all
}

/// The onsets of a song, the strongest ones where they are closer than `closest_seconds`.
fn onsets(seconds: f64, beats: &Beats, closest_seconds: f64) -> Vec<f64> {
    let steps = (seconds / STEP_SECONDS) as usize;
    let strength: Vec<f32> =
        (0..steps).map(|step| beats.onset_strength_at(step as f64 * STEP_SECONDS)).collect();
    let mut order: Vec<usize> =
        (0..steps).filter(|step| strength[*step] >= LEAST_STRENGTH).collect();
    order.sort_by(|a, b| strength[*b].total_cmp(&strength[*a]).then(a.cmp(b)));
    let reach = (closest_seconds / STEP_SECONDS).ceil() as usize;
    let mut taken = vec![false; steps];
    let mut found = Vec::new();
    for step in order {
        if !taken[step] {
            found.push(step);
            taken[step.saturating_sub(reach)..(step + reach).min(steps)].fill(true);
        }
    }
    found.sort_unstable();
    found.into_iter().map(|step| step as f64 * STEP_SECONDS).collect()
}
