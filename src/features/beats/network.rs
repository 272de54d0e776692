//! The recurrent network that hears beats and downbeats.

use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use crate::features::{LogMel, MelSettings};
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};
use std::sync::OnceLock;

/// A recurrent network that hears beats: for each frame of a [`LogMel`], two probabilities.
///
/// Gated recurrent units run both ways through the song, first frame by frame, then over means of
/// [`Self::SLOWER`] frames, to whom a bar is a short time; a dense layer puts what both heard together
/// (after Böck and Schedl, "Enhanced beat tracking with context-aware neural networks", 2011).
/// `benches/learn_beats.rs` is how its weights were learned.
///
/// The weights are those of PyTorch's layers, by its names; u = [`Self::UNITS`],
/// s = [`Self::SLOW_UNITS`]:
///
/// | tensors | | shape |
/// |---|---|---|
/// | `dense.weight`, `.bias` | of a frame, with tanh | (u, [`Self::INPUTS`]), (u) |
/// | `fast.weight_ih_l0`, …`_l0_reverse`, … | `nn.GRU(u, u, bidirectional=True)` | (3u, u), … |
/// | `slow.weight_ih_l0`, … `slow.weight_ih_l1`, … | `nn.GRU(2u, s, 2, bidirectional=True)` | (3s, 2u), … |
/// | `mix.weight`, `.bias` | of fast, then slow, with tanh | (u, 2u + 2s), (u) |
/// | `head.weight`, `.bias` | a beat, a downbeat, before the sigmoid | (2, u), (2) |
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{BeatNetwork, LogMel, MelSettings};
/// let silence = Audio::mono(vec![0.0; 44_100], 22_050)?;
/// let mel = LogMel::of(&silence, MelSettings::default())?;
/// let heard = BeatNetwork::shipped()?.hear(&mel)?;
/// assert_eq!(heard.beats.len(), mel.frames());
/// assert!(heard.downbeats.iter().all(|p| (0.0..=1.0).contains(p)));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BeatNetwork {
    dense: Dense,
    fast: BothWays,
    slow: Vec<BothWays>,
    mix: Dense,
    head: Dense,
}

/// What a [`BeatNetwork`] heard: probabilities, one of each a frame.
#[derive(Clone, Debug)]
pub struct BeatProbabilities {
    /// Of a beat.
    pub beats: Vec<f32>,
    /// Of a downbeat.
    pub downbeats: Vec<f32>,
}

/// Frames back with which a frame is compared: two, for windows reach over their neighbours.
const COMPARED_FRAMES: usize = 2;
/// Bands are not told apart below this much under the song's loudest.
const RANGE_DB: f32 = 80.0;

impl BeatNetwork {
    /// Numbers that describe a frame: the level of each of 64 bands, then its rise.
    pub const INPUTS: usize = 128;
    /// Units of the dense layers, and of the recurrent layer of frames each way.
    pub const UNITS: usize = 80;
    /// Units of the slow recurrent layers each way.
    pub const SLOW_UNITS: usize = 96;
    /// Frames that are one step to the slow layers.
    pub const SLOWER: usize = 4;

    /// The network whose weights come with the library.
    ///
    /// # Errors
    /// None: the weights are part of the library, and a test reads them.
    pub fn shipped() -> Result<&'static Self> {
        static NETWORK: OnceLock<BeatNetwork> = OnceLock::new();
        if let Some(network) = NETWORK.get() {
            return Ok(network);
        }
        let network = Self::from_safetensors(include_bytes!("weights.safetensors"))?;
        Ok(NETWORK.get_or_init(|| network))
    }

    /// A network of the weights in a `.safetensors` file's bytes.
    ///
    /// # Errors
    /// [`Error::Data`] for bytes that are no such file, or tensors that are missing, of another shape,
    /// or not of 32-bit numbers.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::Data(format!("the weights of the beat network: {error}")))?;
        let (units, slow) = (Self::UNITS, Self::SLOW_UNITS);
        let layer = |name: &str, inputs: usize, units: usize| -> Result<BothWays> {
            let one_way =
                |suffix: &str| Gru::read(&tensors, &format!("{name}{suffix}"), inputs, units);
            Ok(BothWays { forwards: one_way("")?, backwards: one_way("_reverse")? })
        };
        Ok(Self {
            dense: Dense::read(&tensors, "dense", Self::INPUTS, units)?,
            fast: layer("fast.*_l0", units, units)?,
            slow: vec![layer("slow.*_l0", 2 * units, slow)?, layer("slow.*_l1", 2 * slow, slow)?],
            mix: Dense::read(&tensors, "mix", 2 * units + 2 * slow, units)?,
            head: Dense::read(&tensors, "head", units, 2)?,
        })
    }

    /// What the network is given of `frames × 64` decibels: frames × [`Self::INPUTS`] numbers.
    ///
    /// The level of a band is in units of 20 dB against the loudest of all; its rise over two frames, in
    /// units of 10 dB, is 0 where it falls.
    pub fn input(db: &[f32], bands: usize) -> Vec<f32> {
        let loudest = db.iter().copied().fold(LogMel::FLOOR_DB, f32::max);
        let level = |db: f32| (db - loudest).max(-RANGE_DB);
        let mut input = Vec::with_capacity(2 * db.len());
        for (frame, row) in db.chunks_exact(bands).enumerate() {
            input.extend(row.iter().map(|db| level(*db) / 20.0 + 2.0));
            let before = &db[frame.saturating_sub(COMPARED_FRAMES) * bands..][..bands];
            input.extend(
                row.iter().zip(before).map(|(now, b)| (level(*now) - level(*b)).max(0.0) / 10.0),
            );
        }
        input
    }

    /// The probabilities of beats and downbeats in a song.
    ///
    /// # Errors
    /// [`Error::Argument`] for bands of other settings than [`MelSettings::default`], which it learned
    /// from.
    pub fn hear(&self, mel: &LogMel) -> Result<BeatProbabilities> {
        if mel.settings() != MelSettings::default() {
            return Err(Error::argument(
                "mel",
                "bands with MelSettings::default()",
                format!("{:?}", mel.settings()),
            ));
        }
        let frames = self.dense.bounded(&Self::input(mel.db(), mel.bands()));
        let fast = self.fast.forward(&frames);
        let width = 2 * Self::UNITS;
        let mut slow = means(&fast, width, Self::SLOWER);
        for layer in &self.slow {
            slow = layer.forward(&slow);
        }
        let slow: Vec<&[f32]> = slow.chunks_exact(2 * Self::SLOW_UNITS).collect();
        let both = fast
            .chunks_exact(width)
            .enumerate()
            .flat_map(|(frame, fast)| fast.iter().chain(slow[frame / Self::SLOWER]).copied());
        let heard = self.head.forward(&self.mix.bounded(&both.collect::<Vec<f32>>()));
        let of =
            |output: usize| heard.iter().skip(output).step_by(2).map(|v| v.sigmoid()).collect();
        Ok(BeatProbabilities { beats: of(0), downbeats: of(1) })
    }
}

/// A matrix (outputs × inputs), kept column by column.
#[derive(Clone, Debug)]
struct Weight {
    columns: Vec<f32>,
    outputs: usize,
}

impl Weight {
    /// Adds the product with `input` to `sums`, in the order of the inputs: the same sum everywhere.
    #[inline(always)]
    fn add_product(&self, input: &[f32], sums: &mut [f32]) {
        const AT_ONCE: usize = 4;
        let count = self.outputs;
        let sums = &mut sums[..count];
        let (groups, rest) = input.as_chunks::<AT_ONCE>();
        let columns = self.columns.chunks_exact(AT_ONCE * count);
        for (values, columns) in groups.iter().zip(columns.clone()) {
            let part = |number: usize| &columns[number * count..][..count];
            let [a, b, c, d] = [part(0), part(1), part(2), part(3)];
            for (output, sum) in sums.iter_mut().enumerate() {
                let mut value = *sum + values[0] * a[output];
                value += values[1] * b[output];
                value += values[2] * c[output];
                *sum = value + values[3] * d[output];
            }
        }
        for (value, column) in rest.iter().zip(columns.remainder().chunks_exact(count)) {
            sums.iter_mut().zip(column).for_each(|(sum, weight)| *sum += value * weight);
        }
    }

    fn inputs(&self) -> usize {
        self.columns.len() / self.outputs
    }
}

fn tensor(tensors: &SafeTensors, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let found = tensors
        .tensor(name)
        .map_err(|error| Error::Data(format!("the weights of the beat network: {error}")))?;
    if found.dtype() != Dtype::F32 || found.shape() != shape {
        return Err(Error::Data(format!(
            "the weights of the beat network: \"{name}\" should be F32 of shape {shape:?}, found {:?} \
             of shape {:?}",
            found.dtype(),
            found.shape()
        )));
    }
    let numbers = found.data().chunks_exact(4);
    Ok(numbers.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect())
}

fn weight(tensors: &SafeTensors, name: &str, outputs: usize, inputs: usize) -> Result<Weight> {
    let rows = tensor(tensors, name, &[outputs, inputs])?;
    let columns = (0..inputs).flat_map(|i| rows.iter().skip(i).step_by(inputs).copied()).collect();
    Ok(Weight { columns, outputs })
}

#[derive(Clone, Debug)]
struct Dense {
    weight: Weight,
    bias: Vec<f32>,
}

impl Dense {
    fn read(tensors: &SafeTensors, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        Ok(Self {
            weight: weight(tensors, &format!("{name}.weight"), outputs, inputs)?,
            bias: tensor(tensors, &format!("{name}.bias"), &[outputs])?,
        })
    }

    /// [`forward`](Self::forward), then tanh.
    fn bounded(&self, input: &[f32]) -> Vec<f32> {
        let mut output = self.forward(input);
        vectorised(Tanh(&mut output));
        output
    }

    /// Rows of inputs to rows of outputs.
    fn forward(&self, input: &[f32]) -> Vec<f32> {
        let (inputs, outputs) = (self.weight.inputs(), self.weight.outputs);
        let rows = input.len() / inputs;
        let mut output = self.bias.repeat(rows);
        if rows > 0 {
            let left = Matrix::new(input, rows, inputs);
            let right = Matrix::new(&self.weight.columns, inputs, outputs);
            product(&mut output, outputs, left, right, Into::Add);
        }
        output
    }
}

/// Two layers side by side, of which one runs from the end to the beginning.
#[derive(Clone, Debug)]
struct BothWays {
    forwards: Gru,
    backwards: Gru,
}

impl BothWays {
    /// Steps × inputs to steps × 2·units: what runs forwards, then what runs backwards.
    fn forward(&self, input: &[f32]) -> Vec<f32> {
        let steps = input.len() / self.forwards.input.weight.inputs();
        let (there, back) = rayon::join(
            || self.forwards.forward(input, 0..steps),
            || self.backwards.forward(input, (0..steps).rev()),
        );
        let units = self.forwards.units();
        let pairs = there.chunks_exact(units).zip(back.chunks_exact(units).rev());
        pairs.flat_map(|(there, back)| there.iter().chain(back).copied()).collect()
    }
}

/// Gated recurrent units (Cho et al. 2014) in PyTorch's form: gates reset, update, new.
#[derive(Clone, Debug)]
struct Gru {
    input: Dense,
    hidden: Dense,
}

impl Gru {
    /// `name` has a star in place of `weight_ih` and the others.
    fn read(tensors: &SafeTensors, name: &str, inputs: usize, units: usize) -> Result<Self> {
        let dense = |kind: &str, inputs: usize| -> Result<Dense> {
            let part = |what: &str| name.replace('*', &format!("{what}_{kind}"));
            Ok(Dense {
                weight: weight(tensors, &part("weight"), 3 * units, inputs)?,
                bias: tensor(tensors, &part("bias"), &[3 * units])?,
            })
        };
        Ok(Self { input: dense("ih", inputs)?, hidden: dense("hh", units)? })
    }

    fn units(&self) -> usize {
        self.hidden.weight.inputs()
    }

    /// The outputs of the steps in the order in which they are walked through.
    fn forward(&self, input: &[f32], steps: impl Iterator<Item = usize>) -> Vec<f32> {
        let units = self.units();
        let from_input = self.input.forward(input);
        let mut state = vec![0.0f32; units];
        let mut outputs = Vec::with_capacity(from_input.len() / 3);
        let mut from_state = vec![0.0f32; 3 * units];
        for step in steps {
            let given = &from_input[step * 3 * units..][..3 * units];
            from_state.copy_from_slice(&self.hidden.bias);
            vectorised(Step {
                weight: &self.hidden.weight,
                given,
                from_state: &mut from_state,
                state: &mut state,
            });
            outputs.extend_from_slice(&state);
        }
        outputs
    }
}

/// What one step does to the state.
struct Step<'a> {
    weight: &'a Weight,
    /// What the input gives to the gates.
    given: &'a [f32],
    /// The bias of what the state gives to them, then all of that.
    from_state: &'a mut [f32],
    state: &'a mut [f32],
}

impl Loop for Step<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { weight, given, from_state, state } = self;
        weight.add_product(state, from_state);
        let units = state.len();
        let [reset, update, new] = [0, units, 2 * units].map(|first| &given[first..][..units]);
        let [reset_s, update_s, new_s] =
            [0, units, 2 * units].map(|first| &from_state[first..][..units]);
        for (unit, value) in state.iter_mut().enumerate() {
            let r = Real::sigmoid(reset[unit] + reset_s[unit]);
            let z = Real::sigmoid(update[unit] + update_s[unit]);
            let n = Real::tanh(new[unit] + r * new_s[unit]);
            *value = (1.0 - z) * n + z * *value;
        }
    }
}

struct Tanh<'a>(&'a mut [f32]);

impl Loop for Tanh<'_> {
    #[inline(always)]
    fn run(self) {
        self.0.iter_mut().for_each(|value| *value = Real::tanh(*value));
    }
}

/// The means of each `count` rows, at the end of those that are left.
fn means(rows: &[f32], width: usize, count: usize) -> Vec<f32> {
    let mean = |rows: &[f32]| {
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let rows = (rows.len() / width) as f32;
        mean.iter_mut().for_each(|sum| *sum /= rows);
        mean
    };
    rows.chunks(count * width).flat_map(mean).collect()
}
