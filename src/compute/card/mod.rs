//! A CUDA card: its one handle, kernels of our own there, and what goes to it and into its stream.

mod address;
mod capture;
mod gateway;
mod graphs;
mod handle;
mod kernels;
mod recorded;

pub use self::address::{address, bytes, pointer};
pub use self::gateway::{Gateway, Passing};
pub use self::graphs::{Graphs, Values};
pub use self::handle::handle;
pub use self::kernels::{Kernels, farthest};
pub use self::recorded::{OwnHandle, Recorded};
