use super::config::NetworkConfig;
use super::dense::Dense;
use super::recurrent::{Cell, Recurrent, State};
use super::{Device, Parameters};
use crate::dataset::{Dataset, DatasetSettings};
use crate::features::Normaliser;
use crate::{Error, Result};
use candle_core::{Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A dense layer, recurrent layers and a dense layer that predict the next block of a song.
///
/// It carries what generating needs: how songs were cut into blocks and how the numbers were
/// normalised. Its file is complete for the same reason.
///
/// Parameters are named as in PyTorch: `dense_in.weight`, `recurrent.0.weight_ih_l0`, …,
/// `dense_out.bias`; each `recurrent.N` is one `torch.nn.LSTM`, `GRU` or `RNN`.
pub struct Network {
    config: NetworkConfig,
    dataset: DatasetSettings,
    normaliser: Normaliser,
    device: Device,
    dense_in: Dense,
    recurrent: Vec<Recurrent>,
    dense_out: Dense,
    variables: BTreeMap<String, Var>,
    /// Optimizer steps this network has been through.
    pub(crate) updates: usize,
}

/// What the recurrent layers remember between two calls.
pub type NetworkState = Vec<State>;

impl Network {
    /// A network with drawn parameters for the blocks of `data`.
    ///
    /// # Errors
    /// [`Error::Argument`] when the configuration is impossible or its width is not the data's.
    pub fn new(config: NetworkConfig, data: &Dataset, seed: u64, device: &Device) -> Result<Self> {
        if config.width != data.blocks().width() {
            return Err(Error::argument(
                "width",
                format!("{}, the numbers in a block of the data", data.blocks().width()),
                config.width,
            ));
        }
        let parameters = Parameters::drawn(ChaCha8Rng::seed_from_u64(seed), device.candle());
        Self::build(config, data.settings(), data.normaliser().clone(), parameters, device)
    }

    pub(super) fn build(
        config: NetworkConfig,
        dataset: DatasetSettings,
        normaliser: Normaliser,
        mut parameters: Parameters,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let dense_in = dense(&mut parameters, "dense_in", config.width, config.dense_units)?;
        let mut recurrent = Vec::new();
        let mut width = config.dense_units;
        for (index, layer) in config.layers.iter().enumerate() {
            let prefix = format!("recurrent.{index}");
            recurrent.push(recurrent_layer(
                &mut parameters,
                &prefix,
                layer.cell,
                width,
                layer.units,
            )?);
            width = layer.units;
        }
        let dense_out = dense(&mut parameters, "dense_out", width, config.width)?;
        Ok(Self {
            config,
            dataset,
            normaliser,
            device: device.clone(),
            dense_in,
            recurrent,
            dense_out,
            variables: parameters.into_variables(),
            updates: 0,
        })
    }

    /// Predicts, for every block of `input` (batch, steps, width), the block after it; returns
    /// (batch, steps, width) and what the layers remember at the end.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the shape does not fit.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&NetworkState>,
    ) -> Result<(Tensor, NetworkState)> {
        let mut hidden = self.dense_in.forward(input)?;
        let mut states = Vec::with_capacity(self.recurrent.len());
        for (index, layer) in self.recurrent.iter().enumerate() {
            let before = state.and_then(|states| states.get(index));
            let (output, after) = layer.forward(&hidden, before)?;
            hidden = output;
            states.push(after);
        }
        Ok((self.dense_out.forward(&hidden)?, states))
    }

    /// The network's shape.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// How the songs it was made for were cut into blocks and sequences.
    pub fn dataset_settings(&self) -> DatasetSettings {
        self.dataset
    }

    /// The statistics its inputs are normalised with.
    pub fn normaliser(&self) -> &Normaliser {
        &self.normaliser
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The trainable tensors by name.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// Optimizer steps it has been trained for.
    pub fn updates(&self) -> usize {
        self.updates
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} → dense {} → {} → {}: {:.1} million parameters on the {}, {} updates",
            self.config.width,
            self.config.dense_units,
            self.config.describe_layers(),
            self.config.width,
            self.config.parameter_count() as f64 / 1e6,
            self.device,
            self.updates
        )
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({self})")
    }
}

/// A dense layer drawn as in PyTorch: uniform within ±1/√inputs.
fn dense(
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

/// A recurrent layer drawn as in PyTorch: uniform within ±1/√units.
fn recurrent_layer(
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
