//! Music whose bars are plain to hear.

use neural_composer::audio::Audio;

const RATE: u32 = 22_050;

/// A struck note at every beat, deep and loud where a bar begins, over chords that change there.
pub fn counted(seconds: f64, per_minute: f64, beats_in_bar: usize) -> Audio {
    let roots = [110.0, 146.8, 164.8, 98.0];
    let sample = |time: f64| {
        let beat = (time * per_minute / 60.0) as usize;
        let within = time - beat as f64 * 60.0 / per_minute;
        let (bar, first) = (beat / beats_in_bar, beat.is_multiple_of(beats_in_bar));
        let turn = |hz: f64| (std::f64::consts::TAU * hz * time).sin();
        let root = roots[bar % roots.len()];
        let struck = if first { 0.5 * turn(root) } else { 0.2 * turn(4.0 * root) };
        (struck * (-9.0 * within).exp() + 0.1 * (turn(2.0 * root) + turn(3.0 * root))) as f32
    };
    let frames = (seconds * f64::from(RATE)) as usize;
    let samples = (0..frames).map(|frame| sample(frame as f64 / f64::from(RATE))).collect();
    Audio::mono(samples, RATE).unwrap()
}
