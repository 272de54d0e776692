//! What learning is made of: datasets, networks, losses, optimizers, settings.

#[path = "../notes/mod.rs"]
mod notes;

mod dataset;
mod losses;
mod network;
mod optimizer;
mod precision;
mod runs;
mod settings;
mod weight_exchange;
