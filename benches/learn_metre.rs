//! The recipe of the metre network's weights: trains it on rendered music whose beats are known.
//!
//! `cargo run --release --example learn_metre -- FOLDER EPOCHS OUTPUT.safetensors` reads pieces with a beat
//! that `python -m make_beats training` wrote into FOLDER or folders in it, lets the beat network hear them
//! at three tempi each, and at their own with the points of all candidates, keeps one in ten to see how
//! well it does on pieces it does not learn from, and writes the weights after each epoch. The same folder
//! gives the same weights. Those of the library were learned in 44 epochs, five minutes on two cores after
//! a quarter of an hour in which the pieces were heard, from
//!
//! ```text
//! python -m make_beats training FOLDER/a --scores random --count 1500 --seed 42
//! python -m make_beats training FOLDER/b --scores patterned --count 1300 --seed 23
//! python -m make_beats training FOLDER/c --scores wider --count 900 --seed 24
//! python -m make_beats training FOLDER/d --scores patterned --count 1300 --seed 33
//! python -m make_beats training FOLDER/e --scores wider --count 900 --seed 34
//! python -m make_beats training FOLDER/f --scores patterned --count 900 --seed 13
//! python -m make_beats training FOLDER/g --scores wider --count 700 --seed 14
//! python -m make_beats training FOLDER/h --scores plain --count 700 --seed 52
//! ```
//!
//! none of which the beat network had heard. How inputs are bounded, this seed among three, the epochs (24
//! or 44) and how much the tapped beats count beside the points were chosen on 803 others (patterned, 170 of
//! seed 103 and 300 of 203; wider, 170 of 105 and 300 of 205).

mod learning;

use candle_core::{D, Tensor, Var};
use learning::{BothWays, Excerpt, Pace, Weights, forward};
use neural_composer::Result;
use neural_composer::audio::{Audio, Song};
use neural_composer::features::{BeatGrid, LogMel, MelSettings, MetreNetwork};
use neural_composer::model::dense::Dense;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::path::Path;

const BATCH: usize = 32;
/// Points of an excerpt.
const POINTS: usize = 72;
const PEAK_RATE: f64 = 4e-3;
/// How fast a piece is heard.
const SPEEDS: [f64; 3] = [0.9, 1.0, 1.1];
/// A beat is at the point next to it, if that is no further away.
const TOLERANCE_SECONDS: f64 = 0.07;
/// One number in so many is not told, so that no few of them decide.
const DROPPED: f64 = 0.1;

/// A piece at one tempo and on one grid: what is heard at its points, and what each is.
struct Piece {
    input: Vec<f32>,
    kinds: Vec<usize>,
}

impl Piece {
    /// The piece as it is heard at each speed, around the likeliest beats, and then at its own among the
    /// points of the other candidates.
    fn all(wav: &Path) -> Result<Vec<Self>> {
        let song = Song::open(wav)?;
        let beats = learning::beats(wav)?;
        let mut pieces = Vec::new();
        for speed in SPEEDS {
            let rate_hz = (f64::from(song.audio().sample_rate_hz()) * speed).round() as u32;
            let audio = Audio::new(song.audio().channels().to_vec(), rate_hz)?;
            let grid = BeatGrid::of(&LogMel::of(&audio, MelSettings::default())?)?;
            pieces.push(Self::of(&grid, &beats, speed));
        }
        let others = BeatGrid::candidates(&LogMel::of(song.audio(), MelSettings::default())?)?;
        pieces.extend(others[1..].iter().map(|grid| Self::of(grid, &beats, 1.0)));
        Ok(pieces)
    }

    /// What the points of `grid` are, for beats that come so many times as fast.
    fn of(grid: &BeatGrid, beats: &[(f64, usize)], speed: f64) -> Self {
        let times = grid.times_seconds();
        let mut kinds = vec![0; times.len()];
        for (seconds, place) in beats {
            let seconds = seconds / speed;
            let away = |point: usize| (times[point] - seconds).abs();
            let nearest = (0..times.len()).min_by(|a, b| away(*a).total_cmp(&away(*b)));
            if let Some(point) = nearest.filter(|point| away(*point) <= TOLERANCE_SECONDS) {
                kinds[point] = if *place == 1 { 2 } else { 1 };
            }
        }
        Self { input: grid.input().to_vec(), kinds }
    }
}

impl learning::Piece for Piece {
    const STEPS: usize = POINTS;

    fn steps(&self) -> usize {
        self.kinds.len()
    }

    /// Targets are points × kinds; of points beyond the end none.
    fn excerpt(&self, first: usize, random: Option<&mut ChaCha8Rng>) -> Excerpt {
        let end = (first + POINTS).min(self.kinds.len());
        let mut input = self.input[first * BeatGrid::INPUTS..end * BeatGrid::INPUTS].to_vec();
        if let Some(random) = random {
            input.iter_mut().filter(|_| random.random_bool(DROPPED)).for_each(|v| *v = 0.0);
        }
        input.resize(POINTS * BeatGrid::INPUTS, 0.0);
        let mut targets = vec![0.0; POINTS * MetreNetwork::KINDS];
        for (point, kind) in self.kinds[first..end].iter().enumerate() {
            targets[point * MetreNetwork::KINDS + kind] = 1.0;
        }
        (input, targets)
    }

    fn kept(tempi: &[Self]) -> Excerpt {
        tempi[1].excerpt(0, None)
    }
}

/// The network on Candle's tensors, to be trained.
struct Trained {
    variables: Vec<(String, Var)>,
    dense: Dense,
    points: [BothWays; 2],
    head: Dense,
}

impl Trained {
    fn new(random: &mut ChaCha8Rng) -> Result<Self> {
        let mut weights = Weights::new(random);
        let units = MetreNetwork::UNITS;
        let dense = weights.dense("dense", BeatGrid::INPUTS, units)?;
        let points = [
            weights.both_ways("points.*_l0", units, units)?,
            weights.both_ways("points.*_l1", 2 * units, units)?,
        ];
        let head = weights.dense("head", 2 * units, MetreNetwork::KINDS)?;
        Ok(Self { variables: weights.variables, dense, points, head })
    }
}

impl learning::Network for Trained {
    fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    /// The mean cross-entropy over the points that have a target.
    fn loss(&self, excerpts: Vec<Excerpt>) -> Result<Tensor> {
        let (input, targets) =
            learning::batch(excerpts, POINTS, BeatGrid::INPUTS, MetreNetwork::KINDS)?;
        let mut values = self.dense.forward(&input)?.tanh()?;
        for layer in &self.points {
            values = forward(layer, &values)?;
        }
        let values = self.head.forward(&values)?;
        let most = values.max_keepdim(D::Minus1)?.detach();
        let values = values.broadcast_sub(&most)?;
        let told = values.broadcast_sub(&values.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
        Ok((told * &targets)?.sum_all()?.neg()?.div(&targets.sum_all()?)?)
    }
}

fn main() -> Result<()> {
    let (folder, epochs, output) = learning::arguments()?;
    let mut wavs = Vec::new();
    for wav in learning::wavs(&folder)? {
        if !learning::beats(&wav)?.is_empty() {
            wavs.push(wav);
        }
    }
    // A piece with all its forms, so that none of them is learned from and judged by.
    let pieces: Vec<Vec<Piece>> =
        wavs.par_iter().map(|wav| Piece::all(wav)).collect::<Result<_>>()?;
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let network = Trained::new(&mut random)?;
    let pace = Pace { epochs, batch: BATCH, peak_rate: PEAK_RATE };
    learning::learn(&network, &pieces, pace, &output, &mut random)
}
