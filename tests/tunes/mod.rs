//! A tune that tests learn from.

use neural_composer::audio::Audio;

/// Notes of a scale at 120 a minute, up and down, struck and dying away, each with a click.
pub fn tune(seconds: f64, rate_hz: u32) -> Audio {
    let scale = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2];
    let note_frames = rate_hz as usize / 2;
    let sample = |i: usize| {
        let (note, within) = (i / note_frames, (i % note_frames) as f32 / rate_hz as f32);
        let semitones = scale[note % scale.len()] + 5 * (note / 28 % 2);
        let hz = 220.0 * 2f32.powf(semitones as f32 / 12.0);
        let turn = std::f32::consts::TAU * hz * within;
        0.4 * (turn.sin() + 0.4 * (2.0 * turn).sin()) * (-5.0 * within).exp()
    };
    let frames = (seconds * f64::from(rate_hz)) as usize;
    Audio::mono((0..frames).map(sample).collect(), rate_hz).unwrap()
}
