//! A CUDA card: its one handle, and what kernels of our own need there.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaStream, DevicePtr, SyncOnDrop};
use candle_core::cuda_backend::cudarc::nvrtc;
use candle_core::{CudaStorage, Device, Layout, Result as CandleResult, Storage, Tensor, bail};

use super::lock::lock;
use crate::Result;

/// Candle's handle of card `index`: one for the whole program, with one stream for all work of all
/// threads.
///
/// Candle's own way to make one gives each thread a stream of its own, in which it does not wait for
/// those of others: a thread that reads what another one has computed finds whatever is there.
///
/// # Errors
/// Candle's, where there is no such card.
pub fn handle(index: usize) -> CandleResult<Device> {
    static CARDS: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let mut cards = lock(&CARDS);
    if let Some(device) = cards.get(&index) {
        return Ok(device.clone());
    }
    let device = Device::new_cuda_with_stream(index)?;
    // SAFETY: every tensor of this handle is made, used and freed in its one stream, in the order in
    // which threads ask for it, so nothing has to be waited for.
    unsafe { device.as_cuda_device()?.disable_event_tracking() };
    cards.insert(index, device.clone());
    Ok(device)
}

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

/// Where a tensor's values of 32 bits are on the card, while its storage is locked.
///
/// # Errors
/// Candle's, for a tensor that is elsewhere or has other values.
pub fn pointer<'a>(
    storage: &'a Storage,
    layout: &Layout,
    stream: &'a CudaStream,
) -> CandleResult<(u64, SyncOnDrop<'a>)> {
    let Storage::Cuda(storage) = storage else { bail!("a tensor that is not on the card") };
    address(storage, layout, stream)
}

/// The same of a storage that is on the card.
///
/// # Errors
/// Candle's, for other values.
pub fn address<'a>(
    storage: &'a CudaStorage,
    layout: &Layout,
    stream: &'a CudaStream,
) -> CandleResult<(u64, SyncOnDrop<'a>)> {
    let (start, guard) = storage.as_cuda_slice::<f32>()?.device_ptr(stream);
    Ok((start + (layout.start_offset() * size_of::<f32>()) as u64, guard))
}
