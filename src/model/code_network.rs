//! A network that predicts the next block's codes, from coarse to fine.

use super::config::{check_depth, check_widths};
use super::dense::Dense;
use super::layers::{Trunk, dense};
use super::recurrent::State;
use super::{Activation, Device, Dropout, Parameters, gru};
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shape of a [`CodeNetwork`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeNetworkConfig {
    /// Width of an input row.
    pub width: usize,
    /// Codes that it predicts at each step, from coarse to fine.
    pub stages: usize,
    /// How many codes there are in each stage.
    pub codes: usize,
    /// Units of the dense layer in front and of each recurrent layer. Usual: 256.
    pub units: usize,
    /// Gated recurrent layers. Usual: 2.
    pub layers: usize,
}

impl CodeNetworkConfig {
    /// The usual shape.
    pub fn usual(width: usize, stages: usize, codes: usize) -> Self {
        Self { width, stages, codes, units: 256, layers: 2 }
    }

    fn check(&self) -> Result<()> {
        let Self { width, stages, codes, units, layers } = *self;
        check_widths([("width", width), ("codes", codes), ("units", units)])?;
        check_depth("stages", stages)?;
        check_depth("layers", layers)
    }
}

/// A recurrent network with a distribution at its output: its input is a block, its output the probabilities
/// of the next block's codes, each stage's given those before it.
///
/// Copies share their parameters, which are named as in PyTorch: `dense_in.weight`, `recurrent.0.weight_ih_l0`, …,
/// `mix.1.weight` and `code.0.weight` (an embedding's) for what a stage knows of the earlier ones,
/// `stage.0.weight`, ….
#[derive(Clone)]
pub struct CodeNetwork {
    config: CodeNetworkConfig,
    device: Device,
    trunk: Trunk,
    /// From the layers' output to what each stage starts from.
    mix: Vec<Dense>,
    /// For each stage but the last, what its codes mean to those after it: (codes, units).
    embeddings: Vec<Tensor>,
    heads: Vec<Dense>,
    variables: BTreeMap<String, Var>,
}

impl CodeNetwork {
    /// A network with parameters drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible configuration.
    pub fn new(config: CodeNetworkConfig, seed: u64, device: &Device) -> Result<Self> {
        let parameters = Parameters::drawn(ChaCha8Rng::seed_from_u64(seed), device.candle());
        Self::build(config, parameters, device)
    }

    /// A network with the parameters in `tensors`.
    ///
    /// # Errors
    /// [`Error::Data`] when one is missing or of another shape.
    pub fn from_tensors(
        config: CodeNetworkConfig,
        tensors: BTreeMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self> {
        Self::build(config, Parameters::loaded(tensors, device.candle()), device)
    }

    /// The same network on `device`: its copy, if it is elsewhere; where it is, they share parameters.
    pub(crate) fn on(&self, device: &Device) -> Result<Self> {
        if self.device == *device {
            return Ok(self.clone());
        }
        let tensors = self.variables.iter();
        let tensors = tensors.map(|(name, value)| (name.clone(), value.as_detached_tensor()));
        Self::from_tensors(self.config.clone(), tensors.collect(), device)
    }

    fn build(
        config: CodeNetworkConfig,
        mut parameters: Parameters,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let CodeNetworkConfig { width, stages, codes, units, layers } = config;
        let stack = vec![gru(units); layers];
        let trunk = Trunk::build(&mut parameters, (width, units), Activation::Tanh, &stack)?;
        let mix = (0..stages)
            .map(|stage| dense(&mut parameters, &format!("mix.{stage}"), units, units))
            .collect::<Result<_>>()?;
        let embeddings = (1..stages)
            .map(|stage| {
                parameters.uniform(&format!("code.{}.weight", stage - 1), (codes, units), 0.1)
            })
            .collect::<Result<_>>()?;
        let heads = (0..stages)
            .map(|stage| dense(&mut parameters, &format!("stage.{stage}"), units, codes))
            .collect::<Result<_>>()?;
        Ok(Self {
            config,
            device: device.clone(),
            trunk,
            mix,
            embeddings,
            heads,
            variables: parameters.into_variables(),
        })
    }

    /// Reads `input`, of shape (batch, steps, width); gives (batch, steps, units), from which
    /// [`logits`](Self::logits) tells the codes of what comes after each step, and the layers'
    /// states.
    ///
    /// # Errors
    /// [`Error::Argument`] when the shape does not fit; [`Error::Tensor`] if memory runs out.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&[State]>,
        dropout: &Dropout,
    ) -> Result<(Tensor, Vec<State>)> {
        self.trunk.forward(input, state, dropout)
    }

    /// The logits of a stage's codes, (rows, codes), given `hidden`, (rows, units), and the codes of
    /// all stages before it, each of (rows).
    ///
    /// # Errors
    /// [`Error::Argument`] for a stage that does not exist, or too few earlier codes.
    pub fn logits(&self, stage: usize, hidden: &Tensor, earlier: &[Tensor]) -> Result<Tensor> {
        if stage >= self.config.stages || earlier.len() < stage {
            let expected = format!("below {}, after {stage} others", self.config.stages);
            return Err(Error::argument("stage", expected, stage));
        }
        let mut mixed = self.mix[stage].forward(hidden)?;
        for (codes, embedding) in earlier[..stage].iter().zip(&self.embeddings) {
            mixed = (mixed + embedding.index_select(codes, 0)?)?;
        }
        self.heads[stage].forward(&mixed.relu()?)
    }

    /// The network's shape.
    pub fn config(&self) -> &CodeNetworkConfig {
        &self.config
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The trainable tensors by name.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// Numbers of a row that the layers before its outputs keep for the backward pass.
    pub(crate) fn numbers_per_row(&self) -> usize {
        // In front: input, sum, activation. In a layer: gates and their gradients, output, input,
        // dropout.
        self.config.width + self.config.units * (3 + 11 * self.config.layers)
    }

    /// How many numbers training adjusts.
    pub fn parameter_count(&self) -> usize {
        self.variables.values().map(|variable| variable.elem_count()).sum()
    }
}

impl std::fmt::Display for CodeNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} → dense {} → {} × GRU {} → {} × {} codes: {:.1} million parameters on the {}",
            self.config.width,
            self.config.units,
            self.config.layers,
            self.config.units,
            self.config.stages,
            self.config.codes,
            self.parameter_count() as f64 / 1e6,
            self.device
        )
    }
}

impl std::fmt::Debug for CodeNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CodeNetwork({self})")
    }
}
