//! Kernels of our own on a card: compiled when they are wanted, used once they were right.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Mutex;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::CudaFunction;
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Result as CandleResult, Tensor};

use crate::Result;
use crate::compute::lock::lock;

/// Compute capabilities to compile for where NVRTC does not know the card's own: newer cards take what is
/// for older ones. (Told of none, NVRTC 12 compiles for cards that lack instructions of the kernels.)
const KNOWN: [(i32, i32); 3] = [(9, 0), (8, 0), (7, 0)];

/// Kernels in one text of CUDA C++, which NVRTC compiles when they are first wanted.
pub struct Kernels {
    module: &'static str,
    source: &'static str,
    /// By the compute capability of the card.
    compiled: Mutex<BTreeMap<(i32, i32), String>>,
    /// What was tried on which card, and whether it is used.
    tried: Mutex<BTreeMap<String, bool>>,
}

impl Kernels {
    /// Those of `source`, under a name that no others have.
    pub const fn new(module: &'static str, source: &'static str) -> Self {
        Self {
            module,
            source,
            compiled: Mutex::new(BTreeMap::new()),
            tried: Mutex::new(BTreeMap::new()),
        }
    }

    /// The kernel `name` on a card.
    ///
    /// # Errors
    /// Candle's, where the card or its driver does not take it.
    pub fn function(&self, device: &CudaDevice, name: &str) -> CandleResult<CudaFunction> {
        let capability = device.cuda_stream().context().compute_capability().w()?;
        let mut compiled = lock(&self.compiled);
        let text = match compiled.entry(capability) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(self.compile(capability)?),
        };
        Ok(device.get_or_load_custom_func(name, self.module, text)?.into_cuda_function())
    }

    /// The assembly for a card of this capability, or for older ones, which newer ones take as well.
    fn compile(&self, capability: (i32, i32)) -> CandleResult<String> {
        let older = KNOWN.into_iter().filter(|known| *known < capability);
        let mut problem = None;
        for (major, minor) in std::iter::once(capability).chain(older) {
            let options = vec![format!("--gpu-architecture=compute_{major}{minor}")];
            let options = CompileOptions { options, ..CompileOptions::default() };
            match compile_ptx_with_opts(self.source, options) {
                Ok(text) => return Ok(text.to_src()),
                // That of the card itself is the one to tell.
                Err(error) => problem = problem.or_else(|| Some(candle_core::Error::wrap(error))),
            }
        }
        Err(problem.unwrap_or_else(|| candle_core::Error::Msg("nothing to compile for".into())))
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
