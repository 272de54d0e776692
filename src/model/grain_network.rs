//! A pointer network: at each step it predicts which of any number of candidates comes next.

use super::config::{check_depth, check_widths};
use super::dense::Dense;
use super::layers::{Trunk, dense};
use super::recurrent::State;
use super::{Activation, Device, Dropout, Parameters, gru};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shape of a [`GrainNetwork`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrainNetworkConfig {
    /// Numbers that describe a candidate.
    pub width: usize,
    /// How many phases there are; one number of the input for each.
    pub phases: usize,
    /// Units of the dense layer in front and of each recurrent layer. Usual: 256.
    pub units: usize,
    /// Gated recurrent layers. Usual: 2.
    pub layers: usize,
    /// Numbers of a query and of a key. Usual: 128.
    pub query: usize,
}

impl GrainNetworkConfig {
    /// The usual shape for candidates of `width` numbers in `phases` phases.
    pub fn usual(width: usize, phases: usize) -> Self {
        Self { width, phases, units: 256, layers: 2, query: 128 }
    }

    fn check(&self) -> Result<()> {
        let Self { width, phases, units, layers, query } = *self;
        let widths = [("width", width), ("phases", phases), ("units", units), ("query", query)];
        check_widths(widths)?;
        check_depth("layers", layers)
    }
}

/// A recurrent network whose output is a query; a small network makes a key of every candidate, and
/// the more a key points along the query, the likelier its candidate comes next
/// (Vinyals et al., "Pointer networks", 2015; scores scaled as in Vaswani et al. 2017).
///
/// Copies share their parameters, which are named as in PyTorch: `dense_in.weight`,
/// `recurrent.0.weight_ih_l0`, …, `query.bias`, `key_hidden.weight`, …, `key.bias`.
#[derive(Clone)]
pub struct GrainNetwork {
    config: GrainNetworkConfig,
    device: Device,
    trunk: Trunk,
    query: Dense,
    key_hidden: Dense,
    key: Dense,
    variables: BTreeMap<String, Var>,
}

impl GrainNetwork {
    /// A network with parameters drawn from `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible configuration.
    pub fn new(config: GrainNetworkConfig, seed: u64, device: &Device) -> Result<Self> {
        let parameters = Parameters::drawn(ChaCha8Rng::seed_from_u64(seed), device.candle());
        Self::build(config, parameters, device)
    }

    /// A network with the parameters in `tensors`.
    ///
    /// # Errors
    /// [`Error::Data`] when one is missing or of another shape.
    pub fn from_tensors(
        config: GrainNetworkConfig,
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
        config: GrainNetworkConfig,
        mut parameters: Parameters,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let GrainNetworkConfig { width, phases, units, layers, query } = config;
        let stack = vec![gru(units); layers];
        let input = width + phases;
        let trunk = Trunk::build(&mut parameters, (input, units), Activation::Tanh, &stack)?;
        let query_layer = dense(&mut parameters, "query", units, query)?;
        let key_hidden = dense(&mut parameters, "key_hidden", width, query)?;
        let key = dense(&mut parameters, "key", query, query)?;
        Ok(Self {
            config,
            device: device.clone(),
            trunk,
            query: query_layer,
            key_hidden,
            key,
            variables: parameters.into_variables(),
        })
    }

    /// Reads `input`, of shape (batch, steps, width + phases): each row describes a candidate and
    /// marks its phase with a 1. Gives the queries for what comes after each step, of shape (batch,
    /// steps, query), and the layers' states.
    ///
    /// # Errors
    /// [`Error::Argument`] when the shape does not fit; [`Error::Tensor`] if memory runs out.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&[State]>,
        dropout: &Dropout,
    ) -> Result<(Tensor, Vec<State>)> {
        let (hidden, states) = self.trunk.forward(input, state, dropout)?;
        Ok((self.query.forward(&hidden)?, states))
    }

    /// The keys of candidates, of shape (candidates, width): (candidates, query), scaled so that a
    /// query's product with a key is the candidate's logit.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn keys(&self, candidates: &Tensor) -> Result<Tensor> {
        let hidden = self.key_hidden.forward(candidates)?.relu()?;
        let scale = 1.0 / (self.config.query as f64).sqrt();
        Ok((self.key.forward(&hidden)? * scale)?)
    }

    /// The network's shape.
    pub fn config(&self) -> &GrainNetworkConfig {
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

impl std::fmt::Display for GrainNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} + {} → dense {} → {} × GRU {} → pointer of {}: {:.1} million parameters on the {}",
            self.config.width,
            self.config.phases,
            self.config.units,
            self.config.layers,
            self.config.units,
            self.config.query,
            self.parameter_count() as f64 / 1e6,
            self.device
        )
    }
}

impl std::fmt::Debug for GrainNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GrainNetwork({self})")
    }
}
