//! Layers of the networks that hear beats, as they run: without tensors, the same sums everywhere.

use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::product;
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors};

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

/// The weights of a network, in a `.safetensors` file's bytes.
pub(super) struct Weights<'a> {
    tensors: SafeTensors<'a>,
    /// Whose they are, for messages.
    network: &'static str,
}

impl<'a> Weights<'a> {
    pub(super) fn read(bytes: &'a [u8], network: &'static str) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes);
        let tensors = tensors
            .map_err(|error| Error::Data(format!("the weights of the {network}: {error}")))?;
        Ok(Self { tensors, network })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let network = self.network;
        let found = self
            .tensors
            .tensor(name)
            .map_err(|error| Error::Data(format!("the weights of the {network}: {error}")))?;
        if found.dtype() != Dtype::F32 || found.shape() != shape {
            return Err(Error::Data(format!(
                "the weights of the {network}: \"{name}\" should be F32 of shape {shape:?}, found \
                 {:?} of shape {:?}",
                found.dtype(),
                found.shape()
            )));
        }
        let (numbers, _) = found.data().as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn matrix(&self, name: &str, outputs: usize, inputs: usize) -> Result<Weight> {
        let rows = self.tensor(name, &[outputs, inputs])?;
        let column = |input: usize| rows.iter().skip(input).step_by(inputs).copied();
        Ok(Weight { columns: (0..inputs).flat_map(column).collect(), outputs })
    }

    /// The layer `name`, of `name.weight` and `name.bias`.
    pub(super) fn dense(&self, name: &str, inputs: usize, outputs: usize) -> Result<Dense> {
        Ok(Dense {
            weight: self.matrix(&format!("{name}.weight"), outputs, inputs)?,
            bias: self.tensor(&format!("{name}.bias"), &[outputs])?,
        })
    }

    /// Two layers of PyTorch's names; `name` has a star in place of `weight_ih` and the others.
    pub(super) fn both_ways(&self, name: &str, inputs: usize, units: usize) -> Result<BothWays> {
        let dense = |suffix: &str, kind: &str, inputs: usize| -> Result<Dense> {
            let part =
                |what: &str| format!("{}{suffix}", name.replace('*', &format!("{what}_{kind}")));
            Ok(Dense {
                weight: self.matrix(&part("weight"), 3 * units, inputs)?,
                bias: self.tensor(&part("bias"), &[3 * units])?,
            })
        };
        let one_way = |suffix: &str| -> Result<Gru> {
            Ok(Gru { input: dense(suffix, "ih", inputs)?, hidden: dense(suffix, "hh", units)? })
        };
        Ok(BothWays { forwards: one_way("")?, backwards: one_way("_reverse")? })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Dense {
    weight: Weight,
    bias: Vec<f32>,
}

impl Dense {
    /// [`forward`](Self::forward), then tanh.
    pub(super) fn bounded(&self, input: &[f32]) -> Vec<f32> {
        let mut output = self.forward(input);
        vectorised(Tanh(&mut output));
        output
    }

    /// Rows of inputs to rows of outputs.
    pub(super) fn forward(&self, input: &[f32]) -> Vec<f32> {
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
pub(super) struct BothWays {
    forwards: Gru,
    backwards: Gru,
}

impl BothWays {
    /// Steps × inputs to steps × 2·units: what runs forwards, then what runs backwards.
    pub(super) fn forward(&self, input: &[f32]) -> Vec<f32> {
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
