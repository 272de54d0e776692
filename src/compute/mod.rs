//! The ground floor: where tensors are, and arithmetic on slices for layers with code of their own on
//! the CPU.

mod blocked;
#[cfg(feature = "cuda")]
pub mod card;
mod device;
mod devices;
pub mod elementwise;
pub mod few_rows;
pub mod lanes;
pub mod matrix;
mod ordering;
pub mod panels;
mod pool;
pub mod product;
mod real;
pub mod scratch;
pub mod storage;

pub use device::Device;
pub use devices::{DeviceFacts, Devices};
pub use real::Real;
