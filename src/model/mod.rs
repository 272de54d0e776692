//! The networks: their configuration, parameters, layers and files.

mod activation;
mod code_network;
mod config;
mod continuation;
pub mod dense;
mod dropout;
mod file;
pub mod gradients;
mod grain_network;
mod hidden;
mod layers;
mod network;
mod norm;
mod parameters;
mod provenance;
pub mod recurrent;
mod tensor_file;
mod updates;

pub use crate::compute::{Device, DeviceFacts, Devices, Precision};
pub use activation::Activation;
pub use code_network::{CodeNetwork, CodeNetworkConfig};
pub use config::{LayerConfig, NetworkConfig, gru, lstm, simple_rnn};
pub(crate) use continuation::Continuation;
pub use dropout::Dropout;
pub(crate) use file::{CHECKPOINT, CODES, GRAINS, ModelFile};
pub use file::{FORMAT_VERSION, ModelKind};
pub use grain_network::{GrainNetwork, GrainNetworkConfig};
pub use hidden::{HiddenLayer, HiddenStates};
pub(crate) use layers::Layers;
pub use layers::NetworkState;
pub use network::{Network, Rounded};
pub use norm::LayerNorm;
pub use parameters::Parameters;
pub use provenance::{Provenance, TrainingRecord};
pub(crate) use updates::Updates;
