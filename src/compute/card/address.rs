//! Where tensors are on a card.

use candle_core::cuda_backend::cudarc::driver::{CudaStream, DevicePtr, SyncOnDrop};
use candle_core::{CudaStorage, Layout, Result as CandleResult, Storage, bail};

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
    Ok((start + bytes(layout.start_offset()), guard))
}

/// Bytes of so many values.
pub const fn bytes(values: usize) -> u64 {
    (values * size_of::<f32>()) as u64
}
