//! CUDA's libraries, opened when they are wanted: a program built for CUDA starts without them.
//!
//! cudarc and Candle's kernels call these libraries' functions by name. Those of
//! [`cuda_functions`](super::cuda_functions) look for them when first called; what is missing there the
//! linker takes from the library itself, and then the program wants it at its start: `benches/gpu` looks.

use std::sync::OnceLock;

use super::lazy_library::LazyLibrary;

/// Where CUDA's installer puts libraries, whether or not the system's loader was told.
const FOLDERS: &[&str] = &["/usr/local/cuda/lib64", "/opt/cuda/lib64"];

macro_rules! library {
    ($name:ident, $code:literal, $names:expr) => {
        pub(super) static $name: LazyLibrary = LazyLibrary {
            names: $names,
            folders: FOLDERS,
            refusal: {
                extern "C" fn refusal() -> usize {
                    $code
                }
                refusal
            },
            opened: OnceLock::new(),
        };
    };
}

// The driver is "a stub", a library "not initialized", in its own codes.
library!(DRIVER, 34, &["libcuda.so.1"]);
library!(RUNTIME, 34, &["libcudart.so.13", "libcudart.so.12"]);
library!(BLAS, 1, &["libcublas.so.13", "libcublas.so.12"]);
library!(BLAS_LT, 1, &["libcublasLt.so.13", "libcublasLt.so.12"]);
library!(RANDOM, 203, &["libcurand.so.10"]);
library!(COMPILER, 11, &["libnvrtc.so.13", "libnvrtc.so.12"]);

/// Why a card cannot be used, if one of the libraries is missing.
pub fn missing() -> Option<String> {
    if let Err(problem) = DRIVER.open() {
        return Some(format!("no NVIDIA driver ({problem})"));
    }
    let toolkit = [&RUNTIME, &BLAS, &BLAS_LT, &RANDOM, &COMPILER];
    let problem = toolkit.iter().find_map(|library| library.open().err())?;
    Some(format!("a library of CUDA's toolkit is missing ({problem}); install the toolkit"))
}
