//! Kernels of our own on a card: compiled when they are wanted, used once they were right.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::cudarc::nvrtc;
use candle_core::{Result as CandleResult, Tensor};

use crate::Result;
use crate::compute::lock::lock;

/// Kernels in one text of CUDA C++, which NVRTC compiles when they are first wanted.
pub struct Kernels {
    module: &'static str,
    source: &'static str,
    compiled: Mutex<Option<String>>,
    /// What was tried on which card, and whether it is used.
    tried: Mutex<BTreeMap<String, bool>>,
}

impl Kernels {
    /// Those of `source`, under a name that no others have.
    pub const fn new(module: &'static str, source: &'static str) -> Self {
        Self { module, source, compiled: Mutex::new(None), tried: Mutex::new(BTreeMap::new()) }
    }

    /// The kernel `name` on a card.
    ///
    /// # Errors
    /// Candle's, where the card or its driver does not take it.
    pub fn function(&self, device: &CudaDevice, name: &str) -> CandleResult<CudaFunction> {
        let mut compiled = lock(&self.compiled);
        let text = match &*compiled {
            Some(text) => text,
            None => {
                let text = nvrtc::compile_ptx(self.source).map_err(candle_core::Error::wrap)?;
                &*compiled.insert(text.to_src())
            }
        };
        Ok(device.get_or_load_custom_func(name, self.module, text)?.into_cuda_function())
    }

    /// Whether `what` may be used on this card: whether it was no further than `within` from what
    /// Candle's own operations give when it was tried, which is done once. If not, that is said once.
    pub fn are_right(
        &self,
        device: &CudaDevice,
        what: &str,
        within: f32,
        difference: impl FnOnce() -> Result<f32>,
    ) -> bool {
        let name = format!("{:?} {what}", device.location());
        *lock(&self.tried).entry(name).or_insert_with(|| {
            let problem = match difference() {
                // Written so that NaN does not pass.
                Ok(apart) if apart <= within => return true,
                Ok(apart) => format!("it differs by {apart}"),
                Err(error) => error.to_string(),
            };
            eprintln!("note: our kernel for {what} is not used on this card: {problem}");
            false
        })
    }
}

/// The largest difference of two tensors of a pair; NaN where there is one.
///
/// # Errors
/// Candle's, for pairs of different shapes.
pub fn farthest<'a>(pairs: impl IntoIterator<Item = (&'a Tensor, &'a Tensor)>) -> Result<f32> {
    let mut most = 0f32;
    for (a, b) in pairs {
        let apart = (a - b)?.abs()?.max_all()?.to_scalar::<f32>()?;
        most = if apart > most || apart.is_nan() { apart } else { most };
    }
    Ok(most)
}
