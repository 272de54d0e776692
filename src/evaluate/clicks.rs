//! Steps from one sample to the next that stand out of what is around them.

use crate::features::PitchBands;

/// How far around a step is looked, 5 ms to each side …
const AROUND: usize = PitchBands::RATE_HZ as usize / 200;
/// … but for the samples next to it: whatever makes the step may ring on.
const NEXT: usize = 4;
const SPAN: usize = 2 * AROUND + 1;
const COUNTED: f64 = (2 * (AROUND - NEXT)) as f64;
/// Steps of this size, full scale being 1, are not heard: nothing stands out of silence by itself.
const UNHEARD: f64 = 1e-3;
/// What steps of music seldom reach: a drum is a burst of steps, a click a single one.
const CLICK: f32 = 10.0;
/// What a piece's may be sharper by than those of its songs.
const SHARPER: f32 = 1.2;

/// Whether a piece with such a sharpest step clicks, after songs with such a one.
pub(super) fn clicks(piece: f32, songs: f32) -> bool {
    piece > CLICK.max(SHARPER * songs)
}

/// The sharpest step of samples that come bit by bit. See
/// [`Texture::sharpest_step`](super::Texture::sharpest_step).
pub(super) struct SharpestStep {
    last: Option<f64>,
    /// The squares of the last steps, the oldest at `steps % SPAN`.
    squares: [f64; SPAN],
    steps: usize,
    /// Of all of them, and of those next to the middle one.
    sum: f64,
    next: f64,
    sharpest: f64,
}

impl SharpestStep {
    pub fn new() -> Self {
        Self { last: None, squares: [0.0; SPAN], steps: 0, sum: 0.0, next: 0.0, sharpest: 0.0 }
    }

    pub fn push(&mut self, sample: f32) {
        let sample = f64::from(sample);
        let Some(last) = self.last.replace(sample) else { return };
        let square = (sample - last).powi(2);
        let oldest = self.steps % SPAN;
        let ago = |steps: usize| (oldest + SPAN - steps) % SPAN;
        self.sum += square - self.squares[oldest];
        self.squares[oldest] = square;
        self.next += self.squares[ago(AROUND - NEXT)] - self.squares[ago(AROUND + NEXT + 1)];
        self.steps += 1;
        if self.steps >= SPAN {
            let around = ((self.sum - self.next).max(0.0) / COUNTED).sqrt();
            let step = self.squares[ago(AROUND)].sqrt();
            self.sharpest = self.sharpest.max(step / (around + UNHEARD));
        }
    }

    pub fn of_all(&self) -> f32 {
        self.sharpest as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const RATE_HZ: f64 = PitchBands::RATE_HZ as f64;

    fn sharpest(samples: impl IntoIterator<Item = f32>) -> f32 {
        let mut steps = SharpestStep::new();
        samples.into_iter().for_each(|sample| steps.push(sample));
        steps.of_all()
    }

    fn tone(hz: f64, seconds: f64) -> Vec<f32> {
        let turn = std::f64::consts::TAU * hz / RATE_HZ;
        (0..(seconds * RATE_HZ) as usize).map(|at| 0.5 * (turn * at as f64).sin() as f32).collect()
    }

    /// Noise that dies away in `seconds`, as a drum's does.
    fn hit(level: f32, seconds: f64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut noise = |at: usize| {
            let fades = (-3.0 * at as f64 / (seconds * RATE_HZ)).exp() as f32;
            level * fades * random.random_range(-1.0..1.0)
        };
        (0..(seconds * RATE_HZ) as usize).map(&mut noise).collect()
    }

    #[test]
    fn the_sums_are_those_of_the_steps_around() {
        let samples = hit(0.5, 0.4);
        let steps: Vec<f64> =
            samples.windows(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0])).collect();
        let of = |middle: usize| {
            let far = |at: &usize| at.abs_diff(middle) > NEXT;
            let around = (middle - AROUND..=middle + AROUND).filter(far);
            let sum: f64 = around.map(|at| steps[at].powi(2)).sum();
            steps[middle].abs() / ((sum / COUNTED).sqrt() + UNHEARD)
        };
        let all = (AROUND..steps.len() - AROUND).map(of).fold(0.0, f64::max);
        assert!((sharpest(samples) - all as f32).abs() < 1e-4);
    }

    #[test]
    fn music_has_no_click() {
        for loud in [0.01, 0.3, 1.0] {
            let mut samples = vec![0.0; 4_000];
            for seconds in [0.005, 0.05, 0.3] {
                samples.extend(hit(loud, seconds));
                samples.extend(vec![0.0; 4_000]);
            }
            let found = sharpest(samples);
            assert!(!clicks(found, 0.0), "hits of {loud}: {found}");
        }
        for hz in [40.0, 440.0, 5_000.0] {
            let found = sharpest(tone(hz, 0.5));
            assert!(found < 1.6, "{hz} Hz: {found}");
        }
        // The last bit of a fade.
        let found = sharpest((0..9_000).map(|at| if at == 4_000 { 1.0 / 32_768.0 } else { 0.0 }));
        assert!(found < 0.1, "{found}");
    }

    #[test]
    fn a_jump_within_a_wave_a_lost_sample_and_an_impulse_are_clicks() {
        let wave = tone(220.0, 1.0);
        let mut lost = wave.clone();
        let loudest = (9_000..9_200).max_by(|a, b| wave[*a].total_cmp(&wave[*b])).unwrap();
        lost[loudest] = 0.0;
        let jump: Vec<f32> = [&wave[..loudest], &wave[loudest + 50..]].concat();
        let mut impulse = vec![0.0; 9_000];
        impulse[4_000] = 0.05;
        for (clicking, name) in [(lost, "lost"), (jump, "jump"), (impulse, "impulse")] {
            let found = sharpest(clicking);
            assert!(clicks(found, 2.0), "{name}: {found}");
            assert!(!clicks(found, found), "{name}: its song does so, too");
        }
    }
}
