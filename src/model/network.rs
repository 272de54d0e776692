//! The network of the course: it predicts the next block of a song.

use super::config::NetworkConfig;
use super::layers::{Layers, NetworkState};
use super::provenance::Provenance;
use super::recurrent::Recurrent;
use super::updates::Updates;
use super::{Device, Dropout, Parameters};
use crate::dataset::{Dataset, DatasetSettings};
use crate::features::Normaliser;
use crate::words::counted;
use crate::{Error, Result, interrupt};
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
/// `dense_out.bias`; each `recurrent.N` is one `torch.nn.LSTM`, `GRU` or `RNN`, and each `norms.N`
/// (where a layer's input is normalised) and `norm_out` one `torch.nn.LayerNorm`. So a PyTorch module
/// with `nn.Linear`s and an `nn.ModuleList` of these names loads a network's file with
/// `load_state_dict(..., strict=False)`; what it leaves over are the statistics of the normalisation.
pub struct Network {
    config: NetworkConfig,
    dataset: DatasetSettings,
    normaliser: Normaliser,
    device: Device,
    layers: Layers,
    variables: BTreeMap<String, Var>,
    /// Optimizer steps this network has been through.
    pub(crate) updates: Updates,
    pub(crate) provenance: Provenance,
}

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
        let (settings, normaliser) = (data.settings(), data.normaliser().clone());
        let mut network = Self::build(config, settings, normaliser, parameters, device)?;
        network.provenance.weights_seed = Some(seed);
        Ok(network)
    }

    pub(super) fn build(
        config: NetworkConfig,
        dataset: DatasetSettings,
        normaliser: Normaliser,
        mut parameters: Parameters,
        device: &Device,
    ) -> Result<Self> {
        config.check()?;
        let layers = Layers::build(&config, &mut parameters)?;
        Ok(Self {
            config,
            dataset,
            normaliser,
            device: device.clone(),
            layers,
            variables: parameters.into_variables(),
            updates: Updates::default(),
            provenance: Provenance::default(),
        })
    }

    /// Predicts, for every block of `input`, the block after it; returns (batch, steps, width) and
    /// the layers' states at the end.
    ///
    /// `input` is (batch, steps, width), or, for a network with
    /// [`recurrent_input`](NetworkConfig::recurrent_input), what [`join`](Self::join) makes of blocks
    /// and previous outputs. Gradients flow to the variables; [`predict`](Self::predict) does without.
    ///
    /// # Errors
    /// [`Error::Argument`] when the shape does not fit.
    pub fn forward(
        &self,
        input: &Tensor,
        state: Option<&NetworkState>,
    ) -> Result<(Tensor, NetworkState)> {
        forward(&self.layers, input, state)
    }

    /// As [`forward`](Self::forward), but keeps nothing for a way back: it takes less memory and
    /// time where nothing is trained.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn predict(
        &self,
        input: &Tensor,
        state: Option<&NetworkState>,
    ) -> Result<(Tensor, NetworkState)> {
        forward(&self.layers.untracked(), input, state)
    }

    /// The network for reading alone, block after block: on the CPU its large weights (over a million
    /// values) are rounded to sixteen bits (bfloat16: 8 significant ones). One step needs each weight
    /// once, so it takes as long as reading them from memory, and rounded ones are half as long. The
    /// predictions differ by some thousandths of their size.
    ///
    /// # Errors
    /// [`Error::Tensor`] if memory runs out.
    pub fn rounded(&self) -> Result<Rounded> {
        Ok(Rounded { layers: self.layers.rounded()? })
    }

    /// The input for `blocks`, (batch, steps, width), each heard together with the network's own
    /// `previous` output (or what it should have been), of the same shape: both side by side for a
    /// network with [`recurrent_input`](NetworkConfig::recurrent_input), else the blocks alone.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the shapes do not fit.
    pub fn join(&self, blocks: &Tensor, previous: &Tensor) -> Result<Tensor> {
        match self.config.recurrent_input {
            true => Ok(Tensor::cat(&[blocks, previous], 2)?),
            false => Ok(blocks.clone()),
        }
    }

    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The recurrent layers, first to last, without what surrounds them; they see every step of an
    /// optimizer. [`recurrent::save_pytorch`](super::recurrent::save_pytorch) writes layers that are
    /// alike as one PyTorch module.
    pub fn recurrent_layers(&self) -> Vec<Recurrent> {
        self.layers.trunk().stack().iter().map(|layer| layer.recurrent().clone()).collect()
    }

    /// Takes over the weights of `layers`, for instance those that
    /// [`recurrent::load_pytorch`](super::recurrent::load_pytorch) read. If they do not fit, the
    /// network stays as it was.
    ///
    /// # Errors
    /// [`Error::Argument`] when their number, kinds or sizes are not those of the network's layers.
    pub fn set_recurrent_layers(&mut self, layers: &[Recurrent]) -> Result<()> {
        let describe = |layers: &[Recurrent]| {
            let each = layers.iter().map(|layer| {
                format!("{}:{} of {}", layer.cell(), layer.hidden_size(), layer.input_size())
            });
            if layers.is_empty() { "none".into() } else { each.collect::<Vec<_>>().join(", ") }
        };
        let (expected, found) = (describe(&self.recurrent_layers()), describe(layers));
        if expected != found {
            return Err(Error::argument("layers", expected, found));
        }
        let mut pairs = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            for (part, tensor) in layer.parts() {
                let variable = &self.variables[&format!("recurrent.{index}.{part}_l0")];
                let tensor = tensor.to_dtype(variable.dtype())?.to_device(variable.device())?;
                // A copy, because the layers may be the network's own.
                pairs.push((variable, tensor.detach().copy()?));
            }
        }
        for (variable, tensor) in pairs {
            variable.set(&tensor)?;
        }
        self.provenance.weights_seed = None;
        Ok(())
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
        self.updates.count()
    }

    /// Where its weights come from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{} → dense {} → {} → {}: {:.1} million parameters on the {}, {}",
            self.config.width,
            if self.config.recurrent_input { " and its own output" } else { "" },
            self.config.dense_units,
            self.config.describe_layers(),
            self.config.width,
            self.config.parameter_count() as f64 / 1e6,
            self.device,
            counted(self.updates(), "update")
        )
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({self})")
    }
}

/// A network that can only predict; see [`Network::rounded`].
#[derive(Debug)]
pub struct Rounded {
    layers: Layers,
}

impl Rounded {
    /// As [`Network::predict`].
    ///
    /// # Errors
    /// As there.
    pub fn predict(
        &self,
        input: &Tensor,
        state: Option<&NetworkState>,
    ) -> Result<(Tensor, NetworkState)> {
        forward(&self.layers, input, state)
    }
}

/// What comes out at every step, and the states at the end.
pub(super) fn forward(
    layers: &Layers,
    input: &Tensor,
    state: Option<&NetworkState>,
) -> Result<(Tensor, NetworkState)> {
    interrupt::check()?;
    let (hidden, states) =
        layers.trunk().forward(input, state.map(Vec::as_slice), &Dropout::NONE)?;
    Ok((layers.leave(&hidden)?, states))
}
