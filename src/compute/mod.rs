//! The ground floor: where tensors are, and arithmetic on slices for layers with code of their own on
//! the CPU.

mod blocked;
#[cfg(feature = "cuda")]
pub mod card;
#[cfg(all(feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
mod cuda_functions;
#[cfg(all(feature = "cuda", target_os = "linux", target_arch = "x86_64"))]
mod cuda_libraries;
mod device;
mod devices;
pub mod dot;
pub mod elementwise;
pub mod few_rows;
pub mod lanes;
#[cfg(all(any(feature = "cuda", test), target_os = "linux", target_arch = "x86_64"))]
mod lazy_library;
pub mod lock;
pub mod matrix;
mod ordering;
pub mod panels;
mod pool;
mod precision;
pub mod product;
mod real;
pub mod scratch;
pub mod storage;
pub mod upload;

pub use device::Device;
pub use devices::{DeviceFacts, Devices};
pub use precision::Precision;
pub use real::Real;

/// Why no card can be used, if it is for one of CUDA's libraries; elsewhere a program that is built for
/// CUDA does not start without them.
#[cfg(feature = "cuda")]
fn missing_for_cuda() -> Option<String> {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    return cuda_libraries::missing();
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    None
}
