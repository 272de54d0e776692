//! The layers of a network in the order in which a block passes through them.

use super::config::{LayerConfig, NetworkConfig};
use super::dense::Dense;
use super::dropout::Dropout;
use super::norm::LayerNorm;
use super::recurrent::{Cell, Recurrent, State};
use super::{Activation, Parameters};
use crate::Result;
use candle_core::{Device, Tensor};

/// The states of the recurrent layers between two calls.
pub type NetworkState = Vec<State>;

/// Dense in, recurrent layers, dense out.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    trunk: Trunk,
    norm_out: Option<LayerNorm>,
    dense_out: Dense,
}

/// What all networks begin with: a dense layer and recurrent layers.
#[derive(Clone, Debug)]
pub(crate) struct Trunk {
    dense_in: Dense,
    activation: Activation,
    stack: Vec<StackLayer>,
}

/// A recurrent layer with what surrounds it: `input + dropout(recurrent(norm(input)))`, where the
/// norm and the sum are there if the configuration asks for them.
#[derive(Clone, Debug)]
pub(crate) struct StackLayer {
    norm: Option<LayerNorm>,
    recurrent: Recurrent,
    residual: bool,
}

impl Layers {
    /// Makes the layers of `config`, whose numbers come from `parameters`.
    pub fn build(config: &NetworkConfig, parameters: &mut Parameters) -> Result<Self> {
        let units = (config.input_width(), config.dense_units);
        let trunk = Trunk::build(parameters, units, config.dense_activation, &config.layers)?;
        let width = config.layers.last().map_or(config.dense_units, |layer| layer.units);
        let norm_out = match config.has_norm_out() {
            true => Some(norm(parameters, "norm_out", width)?),
            false => None,
        };
        let dense_out = dense(parameters, "dense_out", width, config.width)?;
        Ok(Self { trunk, norm_out, dense_out })
    }

    /// All but what makes blocks of the last recurrent layer's output.
    pub fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// The same layers cut off from their variables: they gather no graph, and keep nothing for a way
    /// back.
    pub fn untracked(&self) -> Self {
        let layer = |layer: &StackLayer| StackLayer {
            norm: layer.norm.as_ref().map(LayerNorm::untracked),
            recurrent: layer.recurrent.untracked(),
            residual: layer.residual,
        };
        let trunk = Trunk {
            dense_in: self.trunk.dense_in.untracked(),
            activation: self.trunk.activation,
            stack: self.trunk.stack.iter().map(layer).collect(),
        };
        let norm_out = self.norm_out.as_ref().map(LayerNorm::untracked);
        Self { trunk, norm_out, dense_out: self.dense_out.untracked() }
    }

    /// [`untracked`](Self::untracked), on `device`.
    pub fn on(&self, device: &Device) -> Result<Self> {
        let layer = |layer: &StackLayer| -> Result<StackLayer> {
            Ok(StackLayer {
                norm: layer.norm.as_ref().map(|norm| norm.on(device)).transpose()?,
                recurrent: layer.recurrent.on(device)?,
                residual: layer.residual,
            })
        };
        let trunk = Trunk {
            dense_in: self.trunk.dense_in.on(device)?,
            activation: self.trunk.activation,
            stack: self.trunk.stack.iter().map(layer).collect::<Result<_>>()?,
        };
        let norm_out = self.norm_out.as_ref().map(|norm| norm.on(device)).transpose()?;
        Ok(Self { trunk, norm_out, dense_out: self.dense_out.on(device)? })
    }

    /// [`untracked`](Self::untracked), and large weights on the CPU rounded to sixteen bits.
    pub fn rounded(&self) -> Result<Self> {
        let mut layers = self.untracked();
        for dense in [&mut layers.trunk.dense_in, &mut layers.dense_out] {
            *dense = dense.rounded()?;
        }
        for layer in &mut layers.trunk.stack {
            layer.recurrent = layer.recurrent.rounded()?;
        }
        Ok(layers)
    }

    /// From what the last recurrent layer gives to predicted blocks, (batch, steps, width).
    pub fn leave(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.norm_out {
            Some(norm) => self.dense_out.forward(&norm.forward(hidden)?),
            None => self.dense_out.forward(hidden),
        }
    }
}

impl Trunk {
    /// Makes a dense layer from and to as many `units` as told, and `layers` after it.
    pub fn build(
        parameters: &mut Parameters,
        units: (usize, usize),
        activation: Activation,
        layers: &[LayerConfig],
    ) -> Result<Self> {
        let dense_in = dense(parameters, "dense_in", units.0, units.1)?;
        let (mut stack, mut width) = (Vec::new(), units.1);
        for (index, layer) in layers.iter().enumerate() {
            stack.push(StackLayer::build(parameters, index, layer, width)?);
            width = layer.units;
        }
        Ok(Self { dense_in, activation, stack })
    }

    /// From input, (batch, steps, input width), to what the last recurrent layer gives.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&[State]>,
        dropout: &Dropout,
    ) -> Result<(Tensor, NetworkState)> {
        self.run(self.enter(input)?, state, dropout, 0)
    }

    /// The state before any music, for `batch` sequences side by side.
    pub fn zero_state(&self, batch: usize) -> Result<NetworkState> {
        self.stack.iter().map(|layer| layer.recurrent.zero_state(batch)).collect()
    }

    /// From input, (batch, steps, input width), to what the first recurrent layer takes.
    pub fn enter(&self, input: &Tensor) -> Result<Tensor> {
        self.activation.apply(&self.dense_in.forward(input)?)
    }

    /// The recurrent layers.
    pub fn stack(&self) -> &[StackLayer] {
        &self.stack
    }

    /// Through all recurrent layers; `first_step` is the place of the input's beginning in its
    /// sequence.
    pub fn run(
        &self,
        mut hidden: Tensor,
        state: Option<&[State]>,
        dropout: &Dropout,
        first_step: usize,
    ) -> Result<(Tensor, NetworkState)> {
        let mut states = Vec::with_capacity(self.stack.len());
        for (index, layer) in self.stack.iter().enumerate() {
            let before = state.and_then(|states| states.get(index));
            let (output, after) =
                layer.forward(&hidden, before, |out| dropout.apply(out, index, first_step))?;
            hidden = output;
            states.push(after);
        }
        Ok((hidden, states))
    }

    /// From input, (batch, steps, input width), to what each recurrent layer itself gives at every
    /// step, (batch, steps, units), before anything is added to it.
    pub fn hidden(&self, input: &Tensor) -> Result<Vec<Tensor>> {
        let mut hidden = self.enter(input)?;
        let mut given = Vec::with_capacity(self.stack.len());
        for layer in &self.stack {
            (hidden, _) = layer.forward(&hidden, None, |output| {
                given.push(output.clone());
                Ok(output.clone())
            })?;
        }
        Ok(given)
    }
}

impl StackLayer {
    fn build(
        parameters: &mut Parameters,
        index: usize,
        config: &LayerConfig,
        width: usize,
    ) -> Result<Self> {
        let norm = match config.norm {
            true => Some(norm(parameters, &format!("norms.{index}"), width)?),
            false => None,
        };
        let prefix = format!("recurrent.{index}");
        let recurrent = recurrent(parameters, &prefix, config.cell, width, config.units)?;
        Ok(Self { norm, recurrent, residual: config.residual })
    }

    /// The recurrent layer without what surrounds it.
    pub fn recurrent(&self) -> &Recurrent {
        &self.recurrent
    }

    /// The layer's output, (batch, steps, units), and its state after the last step.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&State>,
        dropout: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<(Tensor, State)> {
        let (output, state) = match &self.norm {
            Some(norm) => self.recurrent.forward(&norm.forward(input)?, state)?,
            None => self.recurrent.forward(input, state)?,
        };
        let output = dropout(&output)?;
        Ok((if self.residual { (input + output)? } else { output }, state))
    }
}

/// A dense layer drawn as in PyTorch: uniform within ±1/√inputs.
pub(super) fn dense(
    parameters: &mut Parameters,
    prefix: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Dense> {
    let bound = 1.0 / (inputs as f64).sqrt();
    let weight = parameters.uniform(&format!("{prefix}.weight"), (outputs, inputs), bound)?;
    let bias = parameters.uniform(&format!("{prefix}.bias"), outputs, bound)?;
    Dense::new(weight, bias)
}

/// A normalisation that begins by changing nothing more.
fn norm(parameters: &mut Parameters, prefix: &str, width: usize) -> Result<LayerNorm> {
    let weight = parameters.constant(&format!("{prefix}.weight"), width, 1.)?;
    let bias = parameters.constant(&format!("{prefix}.bias"), width, 0.)?;
    LayerNorm::new(weight, bias)
}

/// A recurrent layer drawn as in PyTorch: uniform within ±1/√units.
fn recurrent(
    parameters: &mut Parameters,
    prefix: &str,
    cell: Cell,
    inputs: usize,
    units: usize,
) -> Result<Recurrent> {
    let bound = 1.0 / (units as f64).sqrt();
    let rows = cell.gates() * units;
    let mut draw = |name: &str, shape: Vec<usize>| {
        parameters.uniform(&format!("{prefix}.{name}_l0"), shape, bound)
    };
    let weight_ih = draw("weight_ih", vec![rows, inputs])?;
    let weight_hh = draw("weight_hh", vec![rows, units])?;
    let bias_ih = draw("bias_ih", vec![rows])?;
    let bias_hh = draw("bias_hh", vec![rows])?;
    Recurrent::new(cell, weight_ih, weight_hh, bias_ih, bias_hh)
}
