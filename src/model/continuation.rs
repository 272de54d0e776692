//! A network that goes on from its own predictions, block after block.

use super::layers::{Layers, NetworkState};
use super::network::{Network, forward};
use crate::Result;
use candle_core::{Device, Tensor};
use std::sync::Once;

#[cfg(feature = "cuda")]
use super::recurrent::State;
#[cfg(feature = "cuda")]
use crate::Error;
#[cfg(feature = "cuda")]
use crate::compute::card::{OwnHandle, Recorded, farthest};
#[cfg(feature = "cuda")]
use candle_core::Var;

/// With fewer parameters the processor has computed a step before a card was asked for it: some hundred
/// thousand are in its cache. (No card has measured this yet.)
const FEW_PARAMETERS: usize = 500_000;
/// As far as a recorded step may be from one that was not.
#[cfg(feature = "cuda")]
const NEAR: f32 = 1e-4;

/// A network that goes on from its own last prediction, one voice, a block at a time.
///
/// On the processor its large weights are rounded ([`Network::rounded`]); a small network goes on there
/// wherever it is. On a card a step is recorded once and repeated, all its launches as one.
pub struct Continuation {
    layers: Layers,
    is_heard_twice: bool,
    block: Tensor,
    state: NetworkState,
    #[cfg(feature = "cuda")]
    recorded: Option<RecordedStep>,
}

impl Continuation {
    /// From `block`, (1, 1, width), that `network` has predicted last, and its `state` then.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn new(network: &Network, block: Tensor, state: NetworkState) -> Result<Self> {
        let config = network.config();
        let is_small = config.parameter_count() < FEW_PARAMETERS;
        let is_moved = is_small && !network.device().is_cpu();
        if is_moved {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                let device = network.device();
                eprintln!(
                    "note: composes on the CPU: for so small a network it is quicker than {device}"
                );
            });
        }
        let place = if is_moved { &Device::Cpu } else { block.device() };
        let layers = network.layers().on(place)?.rounded()?;
        let state = state.iter().map(|state| state.on(place)).collect::<Result<_>>()?;
        let mut made = Self {
            layers,
            is_heard_twice: config.recurrent_input,
            block: block.to_device(place)?,
            state,
            #[cfg(feature = "cuda")]
            recorded: None,
        };
        made.record();
        Ok(made)
    }

    /// The block that was predicted last.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where it cannot be read.
    pub fn block(&self) -> Result<Vec<f32>> {
        #[cfg(feature = "cuda")]
        if let Some(recorded) = &self.recorded {
            return Ok(recorded.block.flatten_all()?.to_vec1()?);
        }
        Ok(self.block.flatten_all()?.to_vec1()?)
    }

    /// Predicts the next one.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn step(&mut self) -> Result<()> {
        #[cfg(feature = "cuda")]
        if let Some(recorded) = &self.recorded {
            return Ok(recorded.step.repeat()?);
        }
        let next = next(&self.layers, self.is_heard_twice, &self.block, &self.state)?;
        (self.block, self.state) = next;
        Ok(())
    }

    #[cfg(not(feature = "cuda"))]
    fn record(&mut self) {}

    /// Records a step, where the network is on a card.
    #[cfg(feature = "cuda")]
    fn record(&mut self) {
        match RecordedStep::new(self) {
            Ok(recorded) => self.recorded = recorded,
            Err(problem) => {
                eprintln!("note: steps are not recorded as a graph on this card: {problem}");
            }
        }
    }
}

/// The block is the network's previous output, too.
fn next(
    layers: &Layers,
    is_heard_twice: bool,
    block: &Tensor,
    state: &NetworkState,
) -> Result<(Tensor, NetworkState)> {
    let input = if is_heard_twice { &Tensor::cat(&[block, block], 2)? } else { block };
    forward(layers, input, Some(state))
}

/// A step on a card, which reads and writes the same tensors each time.
#[cfg(feature = "cuda")]
struct RecordedStep {
    step: Recorded,
    block: Var,
    /// Read and written by the graph.
    _states: Vec<Var>,
    _layers: Layers,
    /// Free for others last of all.
    _handle: OwnHandle,
}

#[cfg(feature = "cuda")]
impl RecordedStep {
    /// From where `from` is; nothing on the processor.
    fn new(from: &Continuation) -> Result<Option<Self>> {
        let Some(handle) = OwnHandle::beside(from.block.device())? else { return Ok(None) };
        let device = handle.device();
        let layers = from.layers.on(device)?;
        let block = Var::from_tensor(&from.block.to_device(device)?.contiguous()?)?;
        let mut states = Vec::new();
        for state in &from.state {
            for tensor in std::iter::once(&state.hidden).chain(&state.cell) {
                states.push(Var::from_tensor(&tensor.to_device(device)?.contiguous()?)?);
            }
        }
        let begin = [block.as_tensor()].into_iter().chain(states.iter().map(Var::as_tensor));
        let begin = begin.map(Tensor::copy).collect::<candle_core::Result<Vec<_>>>()?;
        let put_back = || -> Result<()> {
            for (var, value) in [&block].into_iter().chain(&states).zip(&begin) {
                var.set(value)?;
            }
            Ok(())
        };
        // Detached: what is computed is not to be differentiated.
        let has_cells: Vec<bool> = from.state.iter().map(|state| state.cell.is_some()).collect();
        let state = || -> NetworkState {
            let mut next = states.iter().map(|state| state.as_tensor().detach());
            let mut take = || next.next().unwrap_or_else(|| block.as_tensor().detach());
            has_cells
                .iter()
                .map(|has| State { hidden: take(), cell: has.then(&mut take) })
                .collect()
        };
        let step = || -> Result<()> {
            let before = (block.as_tensor().detach(), state());
            let (predicted, after) =
                self::next(&layers, from.is_heard_twice, &before.0, &before.1)?;
            block.set(&predicted.contiguous()?)?;
            let after = after.iter().flat_map(|s| std::iter::once(&s.hidden).chain(&s.cell));
            for (var, value) in states.iter().zip(after) {
                var.set(&value.contiguous()?)?;
            }
            Ok(())
        };
        let recorded = Recorded::new(device, step)?;
        put_back()?;
        recorded.repeat()?;
        let (expected, _) =
            self::next(&from.layers, from.is_heard_twice, &from.block, &from.state)?;
        let expected = expected.to_device(&Device::Cpu)?;
        let apart = farthest([(&block.as_tensor().to_device(&Device::Cpu)?, &expected)])?;
        // Written so that NaN does not pass, unless the network itself predicts it.
        let is_finite = expected.sum_all()?.to_scalar::<f32>()?.is_finite();
        let is_near = apart <= NEAR;
        if is_finite && !is_near {
            return Err(Error::Data(format!("a recorded one differs by {apart}")));
        }
        put_back()?;
        Ok(Some(Self { step: recorded, block, _states: states, _layers: layers, _handle: handle }))
    }
}
