//! The networks: their configuration, parameters, layers and files.

mod activation;
mod coder;
mod config;
pub(crate) mod cpu;
pub mod dense;
mod device;
mod dropout;
mod file;
pub mod gradients;
mod hidden;
mod layers;
mod network;
mod norm;
mod parameters;
mod pointer;
mod provenance;
pub mod recurrent;
mod updates;

pub use activation::Activation;
pub use coder::{Coder, CoderConfig};
pub use config::{LayerConfig, NetworkConfig, gru, lstm, simple_rnn};
pub use device::Device;
pub use dropout::Dropout;
pub(crate) use file::{CODES, GRAINS, ModelFile};
pub use file::{FORMAT_VERSION, ModelKind};
pub use hidden::{HiddenLayer, HiddenStates};
pub(crate) use layers::Layers;
pub use network::{Network, NetworkState, Rounded};
pub use norm::LayerNorm;
pub use parameters::Parameters;
pub use pointer::{Pointer, PointerConfig};
pub use provenance::{Provenance, TrainingRecord};
pub(crate) use updates::Updates;
