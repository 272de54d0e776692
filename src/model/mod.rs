//! The networks: their configuration, parameters, layers and files.

mod config;
pub(crate) mod cpu;
pub mod dense;
mod device;
mod file;
pub mod gradients;
mod network;
mod parameters;
pub mod recurrent;

pub use config::{LayerConfig, NetworkConfig, gru, lstm, simple_rnn};
pub use device::Device;
pub use file::FORMAT_VERSION;
pub use network::{Network, NetworkState};
pub use parameters::Parameters;
