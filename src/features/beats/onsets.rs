//! How strongly something begins at each frame.

use crate::features::LogMel;

/// Rises of the bands, frame by frame, less their local mean, in standard deviations.
pub(super) fn onset_strength(mel: &LogMel) -> Vec<f32> {
    let loudest = mel.db().iter().copied().fold(LogMel::FLOOR_DB, f32::max);
    let floor = loudest - 80.0;
    let rise = |before: &[f32], now: &[f32]| {
        let rises = before.iter().zip(now).map(|(b, n)| (n.max(floor) - b.max(floor)).max(0.0));
        rises.sum::<f32>() / now.len() as f32
    };
    let rows: Vec<&[f32]> = mel.rows().collect();
    let mut strength = vec![0.0; rows.len()];
    for frame in 1..rows.len() {
        strength[frame] = rise(rows[frame - 1], rows[frame]);
    }
    let around = (0.5 / mel.hop_seconds()).round() as usize;
    let mut sums = vec![0.0f64];
    sums.extend(strength.iter().scan(0.0, |sum, s| {
        *sum += f64::from(*s);
        Some(*sum)
    }));
    let mut centred: Vec<f32> = (0..strength.len())
        .map(|frame| {
            let (from, to) = (frame.saturating_sub(around), (frame + around + 1).min(rows.len()));
            (f64::from(strength[frame]) - (sums[to] - sums[from]) / (to - from) as f64) as f32
        })
        .map(|strength| strength.max(0.0))
        .collect();
    let squares: f32 = centred.iter().map(|s| s * s).sum::<f32>() / centred.len().max(1) as f32;
    if squares > 1e-9 {
        let scale = squares.sqrt().recip();
        centred.iter_mut().for_each(|s| *s *= scale);
    } else {
        centred.fill(0.0);
    }
    centred
}
