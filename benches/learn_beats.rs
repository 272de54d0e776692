//! The recipe of the beat network's weights: trains it on rendered music whose beats are known.
//!
//! `cargo run --release --example learn_beats -- FOLDER EPOCHS OUTPUT.safetensors` reads pieces that
//! `python -m make_beats training` wrote (each NAME.wav with its NAME.beats), keeps one in ten to see how
//! well it does on pieces it does not learn from, and writes the weights after each epoch. The same
//! folder gives the same weights. Those of the library were learned in 26 epochs, half an hour on two
//! cores with other work beside, from the folder that
//!
//! ```text
//! python -m make_beats training FOLDER --scores random --count 1500 --seed 2
//! python -m make_beats training FOLDER --scores patterned --count 1300 --seed 3
//! python -m make_beats training FOLDER --scores wider --count 921 --seed 4
//! ```
//!
//! make, without the pieces 916 to 919 of the last, which had not been finished. The constants of
//! `src/features/beats` were chosen on 340 others (patterned, 170 of seed 103; wider, 170 of seed 105).

mod learning;

use candle_core::{Device, Tensor, Var};
use learning::{BothWays, Excerpt, Pace, Weights, forward};
use neural_composer::Result;
use neural_composer::audio::Song;
use neural_composer::features::{BeatNetwork, LogMel, MelSettings};
use neural_composer::model::dense::Dense;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::path::Path;

const BATCH: usize = 8;
/// Frames of an excerpt: 12 s.
const STEPS: usize = 752;
const PEAK_RATE: f64 = 3e-3;
/// Hops in samples that a piece is heard at: at another than 352 it is slower or faster.
const HOPS: [usize; 3] = [318, 352, 390];
/// How much more frames with a beat and with a downbeat count than others.
const POSITIVE_WEIGHTS: [f32; 2] = [2.0, 4.0];
const BANDS: usize = 64;

/// A piece at one tempo: decibels of its bands, and the two targets of each frame.
struct Piece {
    db: Vec<f32>,
    targets: Vec<f32>,
}

impl Piece {
    fn read(wav: &Path, hop_samples: usize) -> Result<Self> {
        let settings = MelSettings { hop_samples, ..MelSettings::default() };
        let mel = LogMel::of(Song::open(wav)?.audio(), settings)?;
        let mut targets = vec![0.0f32; 2 * mel.frames()];
        for (seconds, place) in learning::beats(wav)? {
            let centre = (seconds / mel.hop_seconds()).round() as isize;
            for output in 0..if place == 1 { 2 } else { 1 } {
                for (away, value) in [(-2, 0.25f32), (-1, 0.5), (0, 1.0), (1, 0.5), (2, 0.25)] {
                    let frame = usize::try_from(centre + away).unwrap_or(usize::MAX);
                    if let Some(target) =
                        targets.get_mut(frame.saturating_mul(2).saturating_add(output))
                    {
                        *target = target.max(value);
                    }
                }
            }
        }
        Ok(Self { db: mel.db().to_vec(), targets })
    }
}

impl learning::Piece for Piece {
    const STEPS: usize = STEPS;

    fn steps(&self) -> usize {
        self.targets.len() / 2
    }

    fn excerpt(&self, first: usize, random: Option<&mut ChaCha8Rng>) -> Excerpt {
        let end = (first + STEPS).min(self.steps());
        let mut db = self.db[first * BANDS..end * BANDS].to_vec();
        if let Some(random) = random {
            coloured(&mut db, random);
        }
        let mut input = BeatNetwork::input(&db, BANDS);
        let mut targets = self.targets[2 * first..2 * end].to_vec();
        input.resize(STEPS * BeatNetwork::INPUTS, -2.0);
        targets.resize(STEPS * 2, 0.0);
        (input, targets)
    }

    fn kept(tempi: &[Self]) -> Excerpt {
        tempi[0].excerpt(400, None)
    }
}

/// The sound through a random filter, a little higher or lower, over a random noise floor.
#[expect(clippy::approx_constant, reason = "the weights were learned with 6.28")]
fn coloured(db: &mut [f32], random: &mut ChaCha8Rng) {
    let (tilt, wave) = (random.random_range(-8.0..8.0f32), random.random_range(0.0..6.0f32));
    let (phase, length) = (random.random_range(0.0..6.28f32), random.random_range(8.0..40.0f32));
    let move_by = random.random_range(-3i32..=3);
    let loudest = db.iter().copied().fold(LogMel::FLOOR_DB, f32::max);
    let floor = loudest - random.random_range(25.0..110.0f32);
    let mut row_before = [0.0f32; BANDS];
    for row in db.chunks_exact_mut(BANDS) {
        row_before.copy_from_slice(row);
        for (band, value) in row.iter_mut().enumerate() {
            let from = (band as i32 + move_by).clamp(0, BANDS as i32 - 1) as usize;
            let place = band as f32 / BANDS as f32 - 0.5;
            let filter = tilt * place + wave * (phase + band as f32 * 6.28 / length).sin();
            let powers = 10f32.powf((row_before[from] + filter) / 10.0) + 10f32.powf(floor / 10.0);
            *value = 10.0 * powers.log10();
        }
    }
}

/// The network on Candle's tensors, to be trained.
struct Trained {
    variables: Vec<(String, Var)>,
    dense: Dense,
    fast: BothWays,
    slow: [BothWays; 2],
    mix: Dense,
    head: Dense,
}

impl Trained {
    fn new(random: &mut ChaCha8Rng) -> Result<Self> {
        let mut weights = Weights::new(random);
        let (units, slow_units) = (BeatNetwork::UNITS, BeatNetwork::SLOW_UNITS);
        let dense = weights.dense("dense", BeatNetwork::INPUTS, units)?;
        let mix = weights.dense("mix", 2 * units + 2 * slow_units, units)?;
        let head = weights.dense("head", units, 2)?;
        let fast = weights.both_ways("fast.*_l0", units, units)?;
        let slow = [
            weights.both_ways("slow.*_l0", 2 * units, slow_units)?,
            weights.both_ways("slow.*_l1", 2 * slow_units, slow_units)?,
        ];
        Ok(Self { variables: weights.variables, dense, fast, slow, mix, head })
    }

    /// (batch, steps, inputs) to (batch, steps, 2), before the sigmoid.
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let fast = forward(&self.fast, &self.dense.forward(input)?.tanh()?)?;
        let (batch, steps, width) = fast.dims3()?;
        let slower = BeatNetwork::SLOWER;
        let mut slow = fast.reshape((batch, steps / slower, slower, width))?.mean(2)?;
        for layer in &self.slow {
            slow = forward(layer, &slow)?;
        }
        let (_, cells, slow_width) = slow.dims3()?;
        let slow = slow.unsqueeze(2)?.broadcast_as((batch, cells, slower, slow_width))?;
        let slow = slow.reshape((batch, steps, slow_width))?;
        let both = Tensor::cat(&[fast, slow], 2)?;
        self.head.forward(&self.mix.forward(&both)?.tanh()?)
    }
}

impl learning::Network for Trained {
    fn variables(&self) -> &[(String, Var)] {
        &self.variables
    }

    /// Binary cross-entropy with weights, from values before the sigmoid: max(x, 0) − x·t + ln(1 + e^−|x|).
    fn loss(&self, excerpts: Vec<Excerpt>) -> Result<Tensor> {
        let (input, targets) = learning::batch(excerpts, STEPS, BeatNetwork::INPUTS, 2)?;
        let values = self.forward(&input)?;
        let entropy = ((values.relu()? - (&values * &targets)?)?
            + (values.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        let extra: Vec<f32> = POSITIVE_WEIGHTS.iter().map(|weight| weight - 1.0).collect();
        let extra = Tensor::from_vec(extra, 2, &Device::Cpu)?;
        let weights = (targets.broadcast_mul(&extra)? + 1.0)?;
        Ok((entropy * weights)?.mean_all()?)
    }
}

fn main() -> Result<()> {
    let (folder, epochs, output) = learning::arguments()?;
    let wavs = learning::wavs(&folder)?;
    // A piece at all its tempi, so that none of them is learned from and judged by.
    let pieces: Vec<Vec<Piece>> = wavs
        .par_iter()
        .enumerate()
        .map(|(number, wav)| match learning::is_kept(number) {
            true => Ok(vec![Piece::read(wav, MelSettings::default().hop_samples)?]),
            false => HOPS.iter().map(|hop| Piece::read(wav, *hop)).collect(),
        })
        .collect::<Result<_>>()?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let network = Trained::new(&mut random)?;
    let pace = Pace { epochs, batch: BATCH, peak_rate: PEAK_RATE };
    learning::learn(&network, &pieces, pace, &output, &mut random)
}
