//! What the recipes of both networks that hear beats have in common.

use candle_core::{DType, Device, Tensor, Var};
use neural_composer::model::dense::Dense;
use neural_composer::model::recurrent::{Cell, Recurrent};
use neural_composer::train::optimizer::{Optimizer, Rule};
use neural_composer::{Error, Result, atomic_file};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Layers of two directions: forwards, backwards.
pub type BothWays = [Recurrent; 2];

/// Draws the weights of layers, and keeps them to be learned.
pub struct Weights<'a> {
    pub variables: Vec<(String, Var)>,
    random: &'a mut ChaCha8Rng,
}

impl<'a> Weights<'a> {
    pub fn new(random: &'a mut ChaCha8Rng) -> Self {
        Self { variables: Vec::new(), random }
    }

    /// Even between ±1/√`inputs`, as PyTorch draws them.
    fn drawn(&mut self, name: String, shape: &[usize], inputs: usize) -> Result<Tensor> {
        let bound = 1.0 / (inputs as f64).sqrt();
        let count = shape.iter().product();
        let numbers: Vec<f32> =
            (0..count).map(|_| self.random.random_range(-1.0f32..=1.0) * bound as f32).collect();
        let variable = Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu)?)?;
        let tensor = variable.as_tensor().clone();
        self.variables.push((name, variable));
        Ok(tensor)
    }

    pub fn dense(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Dense> {
        let weight = self.drawn(format!("{name}.weight"), &[outputs, inputs], inputs)?;
        Dense::new(weight, self.drawn(format!("{name}.bias"), &[outputs], inputs)?)
    }

    fn one_way(&mut self, name: &str, inputs: usize, units: usize) -> Result<Recurrent> {
        let mut part =
            |what: &str, shape: &[usize]| self.drawn(name.replace('*', what), shape, units);
        Recurrent::new(
            Cell::Gru,
            part("weight_ih", &[3 * units, inputs])?,
            part("weight_hh", &[3 * units, units])?,
            part("bias_ih", &[3 * units])?,
            part("bias_hh", &[3 * units])?,
        )
    }

    /// `name` has a star in place of `weight_ih` and the others.
    pub fn both_ways(&mut self, name: &str, inputs: usize, units: usize) -> Result<BothWays> {
        Ok([
            self.one_way(name, inputs, units)?,
            self.one_way(&format!("{name}_reverse"), inputs, units)?,
        ])
    }
}

/// (batch, steps, inputs) to (batch, steps, 2·units).
pub fn forward([there, back]: &BothWays, values: &Tensor) -> Result<Tensor> {
    let forwards = there.forward(values, None)?.0;
    let backwards = back.forward(&values.flip(&[1])?, None)?.0.flip(&[1])?;
    Ok(Tensor::cat(&[forwards, backwards], 2)?)
}

/// Inputs and targets of an excerpt, step by step.
pub type Excerpt = (Vec<f32>, Vec<f32>);

/// A piece at one tempo, to learn from.
pub trait Piece: Sized {
    /// Steps of an excerpt.
    const STEPS: usize;

    fn steps(&self) -> usize;

    /// [`Self::STEPS`] steps from `first` on; `random` changes what is given.
    fn excerpt(&self, first: usize, random: Option<&mut ChaCha8Rng>) -> Excerpt;

    /// What a piece that is kept aside is looked at by, of all its tempi.
    fn kept(tempi: &[Self]) -> Excerpt;
}

/// A network on Candle's tensors, to be trained.
pub trait Network {
    fn variables(&self) -> &[(String, Var)];

    fn loss(&self, excerpts: Vec<Excerpt>) -> Result<Tensor>;
}

/// How long, and how fast at the most.
pub struct Pace {
    pub epochs: usize,
    pub batch: usize,
    pub peak_rate: f64,
}

/// Trains on nine pieces of ten, each an excerpt an epoch at one of its tempi; says how well the network does
/// on the others, and writes its weights, after each epoch.
pub fn learn<P: Piece>(
    network: &impl Network,
    pieces: &[Vec<P>],
    pace: Pace,
    output: &Path,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    let Pace { epochs, batch, peak_rate } = pace;
    let (kept, learned): (Vec<_>, Vec<_>) =
        pieces.iter().enumerate().partition(|(number, _)| is_kept(*number));
    println!("{} pieces to learn from, {} to look at", learned.len(), kept.len());
    let mut optimizer =
        Optimizer::new(Rule::AdamW(Default::default()), network.variables().to_vec())?
            .with_clip_norm(Some(1.0))?;
    let mut order: Vec<usize> = (0..learned.len()).collect();
    let batches = order.len().div_ceil(batch);
    let mut step = 0;
    for epoch in 1..=epochs {
        order.shuffle(random);
        let (mut sum, began) = (0.0, std::time::Instant::now());
        for chosen in order.chunks(batch) {
            let excerpt = |number: &usize| {
                let tempi = learned[*number].1;
                let piece = &tempi[random.random_range(0..tempi.len())];
                let first = random.random_range(0..=piece.steps().saturating_sub(P::STEPS));
                piece.excerpt(first, Some(&mut *random))
            };
            let excerpts = chosen.iter().map(excerpt).collect();
            let rate = rate(peak_rate, step as f64 / (epochs * batches) as f64);
            sum += optimizer.minimize(&network.loss(excerpts)?, rate)?;
            step += 1;
        }
        let mut validation = Vec::new();
        for chosen in kept.chunks(batch) {
            let loss = network.loss(chosen.iter().map(|(_, tempi)| P::kept(tempi)).collect())?;
            validation.push(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?);
        }
        let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
        println!(
            "epoch {epoch}: loss {:.4}, on pieces kept aside {:.4}, {:.0} s",
            mean(sum, batches),
            mean(validation.iter().sum(), validation.len()),
            began.elapsed().as_secs_f64()
        );
        write(network.variables(), output)?;
    }
    Ok(())
}

/// Whether the piece of this number is not learned from.
pub fn is_kept(number: usize) -> bool {
    number.is_multiple_of(10)
}

/// A batch of excerpts: (count, steps, numbers) of the inputs, and of the targets.
pub fn batch(
    excerpts: Vec<Excerpt>,
    steps: usize,
    inputs: usize,
    targets: usize,
) -> Result<(Tensor, Tensor)> {
    let count = excerpts.len();
    let (given, wanted): (Vec<_>, Vec<_>) = excerpts.into_iter().unzip();
    let tensor = |numbers: Vec<Vec<f32>>, width: usize| {
        Tensor::from_vec(numbers.concat(), (count, steps, width), &Device::Cpu)
    };
    Ok((tensor(given, inputs)?, tensor(wanted, targets)?))
}

/// The rate when a share of all steps is done: up over the first twentieth, then down to nothing as a cosine.
fn rate(peak: f64, done: f64) -> f64 {
    peak * (done * 20.0).min(1.0) * (0.5 + 0.5 * (std::f64::consts::PI * done).cos())
}

fn write(variables: &[(String, Var)], path: &Path) -> Result<()> {
    let tensors: Vec<(String, Tensor)> =
        variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let bytes = safetensors::serialize(tensors, None)
        .map_err(|error| Error::Data(format!("the weights could not be put together: {error}")))?;
    atomic_file::write(path, |file| {
        file.write_all(&bytes).map_err(Error::io(path, "write the weights"))
    })
}

/// `FOLDER EPOCHS OUTPUT.safetensors` of the command line.
pub fn arguments() -> Result<(PathBuf, usize, PathBuf)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, epochs, output] = &arguments[..] else {
        return Err(Error::argument(
            "arguments",
            "FOLDER EPOCHS OUTPUT.safetensors",
            arguments.join(" "),
        ));
    };
    let epochs = epochs.parse().map_err(|_| Error::argument("EPOCHS", "a whole number", epochs))?;
    Ok((folder.into(), epochs, output.into()))
}

/// The `.wav` files of a folder and of the folders in it, by their paths.
pub fn wavs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "list"))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let mut wavs = entries(folder)?;
    for inside in wavs.clone().iter().filter(|path| path.is_dir()) {
        wavs.extend(entries(inside)?);
    }
    wavs.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
    wavs.sort();
    Ok(wavs)
}

/// The beats of a piece, from the `.beats` beside its `.wav`: seconds, and which beat of its bar it is, from 1.
pub fn beats(wav: &Path) -> Result<Vec<(f64, usize)>> {
    let truth = wav.with_extension("beats");
    let text = std::fs::read_to_string(&truth).map_err(Error::io(&truth, "read the beats"))?;
    let beat = |line: &str| {
        let (seconds, place) = line.split_once('\t')?;
        Some((seconds.parse().ok()?, place.parse().ok()?))
    };
    let wrong = |line: &str| Error::Data(format!("{}: no beat: {line:?}", truth.display()));
    text.lines().map(|line| beat(line).ok_or_else(|| wrong(line))).collect()
}
