//! Recurrent layers: simple, gated (GRU) and long short-term memory (LSTM).
//!
//! The definitions, the gate order and the layout of weights are those of PyTorch's `nn.RNN`,
//! `nn.GRU` and `nn.LSTM` with `batch_first=True`, so weights travel between the two unchanged.
//! A stack of layers is a `Vec<Recurrent>`: each one's output is the next one's input.
//! [`load_pytorch`] and [`save_pytorch`] read and write such a stack as the weights of one PyTorch
//! module; [`Recurrent::from_keras`] and [`Recurrent::to_keras`] go between a layer and Keras's arrays.

#[cfg(feature = "cuda")]
mod card;
mod cell;
mod composed;
mod exchange;
mod fused;
mod gates;
mod sequence;
mod state;
mod weights;

use candle_core::{DType, Device, Tensor};

pub use cell::Cell;
pub use exchange::{KerasWeights, load_pytorch, save_pytorch};
pub use state::State;

use crate::{Error, Result};
use weights::Weights;

/// One recurrent layer, run over whole sequences.
///
/// It owns handles to its weights (Candle tensors share their storage): made from
/// [`Var`](candle_core::Var)s, it sees every step of an optimizer and can be trained; made from plain
/// tensors it can only be run.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::model::recurrent::{Cell, Recurrent};
///
/// let cpu = Device::Cpu;
/// let (input_size, hidden) = (3, 5);
/// let rows = Cell::Gru.gates() * hidden;
/// let layer = Recurrent::new(
///     Cell::Gru,
///     Tensor::randn(0f32, 0.3, (rows, input_size), &cpu)?,
///     Tensor::randn(0f32, 0.3, (rows, hidden), &cpu)?,
///     Tensor::zeros(rows, candle_core::DType::F32, &cpu)?,
///     Tensor::zeros(rows, candle_core::DType::F32, &cpu)?,
/// )?;
/// let input = Tensor::randn(0f32, 1., (2, 7, input_size), &cpu)?;
/// let (whole, _) = layer.forward(&input, None)?;
/// assert_eq!(whole.dims(), [2, 7, hidden]);
///
/// // The state carries the past: the last four steps go on from the first three.
/// let (_, state) = layer.forward(&input.narrow(1, 0, 3)?, None)?;
/// let (rest, _) = layer.forward(&input.narrow(1, 3, 4)?, Some(&state))?;
/// let difference = (rest - whole.narrow(1, 3, 4)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
/// assert!(difference < 1e-6);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recurrent {
    weights: Weights,
}

impl Recurrent {
    /// A layer over given weights, in PyTorch's layout with G = [`Cell::gates`]:
    ///
    /// | tensor | PyTorch's name | shape |
    /// |---|---|---|
    /// | `weight_ih` | `weight_ih_l0` | (G·hidden, input) |
    /// | `weight_hh` | `weight_hh_l0` | (G·hidden, hidden) |
    /// | `bias_ih` | `bias_ih_l0` | (G·hidden) |
    /// | `bias_hh` | `bias_hh_l0` | (G·hidden) |
    ///
    /// # Errors
    /// [`Error::Argument`] if the shapes do not fit each other, or if number types or devices differ.
    pub fn new(
        cell: Cell,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> Result<Self> {
        let rows = match *weight_hh.dims() {
            [rows, hidden] if hidden > 0 && rows == cell.gates() * hidden => rows,
            _ => {
                return Err(Error::argument(
                    "weight_hh",
                    format!("shape ({} x hidden, hidden) for a {cell} layer", cell.gates()),
                    format!("{:?}", weight_hh.dims()),
                ));
            }
        };
        match *weight_ih.dims() {
            [ih_rows, input] if ih_rows == rows && input > 0 => (),
            _ => {
                return Err(Error::argument(
                    "weight_ih",
                    format!("shape ({rows}, input)"),
                    format!("{:?}", weight_ih.dims()),
                ));
            }
        }
        for (name, bias) in [("bias_ih", &bias_ih), ("bias_hh", &bias_hh)] {
            if bias.dims() != [rows] {
                return Err(Error::argument(
                    name,
                    format!("shape ({rows})"),
                    format!("{:?}", bias.dims()),
                ));
            }
        }
        let weights = Weights { cell, weight_ih, weight_hh, bias_ih, bias_hh };
        let layer = Self { weights };
        for (name, tensor) in [
            ("weight_ih", &layer.weights.weight_ih),
            ("weight_hh", &layer.weights.weight_hh),
            ("bias_ih", &layer.weights.bias_ih),
        ] {
            layer.expect_alike(name, tensor)?;
        }
        Ok(layer)
    }

    /// The same layer cut off from its variables: it gathers no graph, and keeps nothing for a way
    /// back.
    pub(super) fn untracked(&self) -> Self {
        Self { weights: self.weights.untracked() }
    }

    /// [`untracked`](Self::untracked), on `device`.
    pub(super) fn on(&self, device: &Device) -> Result<Self> {
        Ok(Self { weights: self.weights.on(device)? })
    }

    /// The same layer for reading alone, large weights rounded to sixteen bits.
    pub(super) fn rounded(&self) -> Result<Self> {
        Ok(Self { weights: self.weights.rounded()? })
    }

    /// The kind of the layer.
    pub const fn cell(&self) -> Cell {
        self.weights.cell
    }

    /// The number of values that one step takes.
    pub fn input_size(&self) -> usize {
        self.weights.weight_ih.dims()[1]
    }

    /// The number of units: the values that one step gives.
    pub fn hidden_size(&self) -> usize {
        self.weights.units()
    }

    /// The state before any music: zeros, for `batch` sequences side by side.
    ///
    /// # Errors
    /// [`Error::Tensor`] if memory runs out on the device.
    pub fn zero_state(&self, batch: usize) -> Result<State> {
        let zeros = || {
            let shape = (batch, self.hidden_size());
            Tensor::zeros(shape, self.weights.bias_hh.dtype(), self.weights.bias_hh.device())
        };
        let cell = if self.weights.cell.has_cell_state() { Some(zeros()?) } else { None };
        Ok(State { hidden: zeros()?, cell })
    }

    /// Runs the layer over `input`, of shape (batch, steps, input), from `state` ([zeros] if `None`).
    ///
    /// Gives the outputs of all steps, of shape (batch, steps, hidden), and the state after the last
    /// one. Gradients flow to the input, the weights and biases, and through both states; detach a
    /// carried state ([`State::detach`]) where they should stop.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shape, number type or device of `input` or `state` does not fit the
    /// layer, or there is no step; [`Error::Tensor`] if memory runs out.
    ///
    /// [zeros]: Self::zero_state
    pub fn forward(&self, input: &Tensor, state: Option<&State>) -> Result<(Tensor, State)> {
        let batch = match *input.dims() {
            [batch, steps, size] if batch > 0 && steps > 0 && size == self.input_size() => batch,
            _ => {
                return Err(Error::argument(
                    "input",
                    format!("shape (batch, steps, {}), none of them 0", self.input_size()),
                    format!("{:?}", input.dims()),
                ));
            }
        };
        self.expect_alike("input", input)?;
        let state = match state {
            Some(state) => {
                self.check_state(state, batch)?;
                state.clone()
            }
            None => self.zero_state(batch)?,
        };
        #[cfg(feature = "cuda")]
        if let Some(done) = card::forward(&self.weights, input, &state)? {
            return Ok(done);
        }
        match (input.device(), input.dtype()) {
            (Device::Cpu, DType::F32) => fused::forward::<f32>(&self.weights, input, &state),
            (Device::Cpu, DType::F64) => fused::forward::<f64>(&self.weights, input, &state),
            _ => composed::forward(&self.weights, input, &state),
        }
    }

    fn check_state(&self, state: &State, batch: usize) -> Result<()> {
        let expected = [batch, self.hidden_size()];
        let parts = [("state.hidden", Some(&state.hidden)), ("state.cell", state.cell.as_ref())];
        for (name, tensor) in parts {
            match tensor {
                Some(tensor) if tensor.dims() == expected => self.expect_alike(name, tensor)?,
                Some(tensor) => {
                    return Err(Error::argument(
                        name,
                        format!("shape {expected:?}"),
                        format!("{:?}", tensor.dims()),
                    ));
                }
                None if self.weights.cell.has_cell_state() => {
                    return Err(Error::argument(name, "cell values, as an LSTM keeps", "none"));
                }
                None => (),
            }
        }
        Ok(())
    }

    fn expect_alike(&self, name: &'static str, tensor: &Tensor) -> Result<()> {
        // The weights themselves may be rounded.
        let (kind, device) = (self.weights.bias_hh.dtype(), self.weights.bias_hh.device());
        if tensor.dtype() != kind || !tensor.device().same_device(device) {
            return Err(Error::argument(
                name,
                format!("{kind:?} on {:?}, as bias_hh", device.location()),
                format!("{:?} on {:?}", tensor.dtype(), tensor.device().location()),
            ));
        }
        Ok(())
    }
}
