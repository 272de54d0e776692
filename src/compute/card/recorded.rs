//! Work on a card that is recorded once and then repeated: a CUDA graph of Candle's operations.

use std::sync::Mutex;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::CudaGraph;
use candle_core::{Device, DeviceLocation, Error, Result as CandleResult};

use super::capture::captured;
use super::handle::with_one_stream;
use crate::compute::lock::lock;

/// Handles that nobody uses now.
static FREE: Mutex<Vec<(usize, Device)>> = Mutex::new(Vec::new());

/// A handle of a card with a stream that nobody else puts anything into: what is recorded is all that
/// comes into a stream meanwhile.
pub struct OwnHandle {
    card: usize,
    device: Device,
}

impl OwnHandle {
    /// Of the card on which `device` is; nothing, where that is none.
    ///
    /// # Errors
    /// Candle's.
    pub fn beside(device: &Device) -> CandleResult<Option<Self>> {
        let DeviceLocation::Cuda { gpu_id: card } = device.location() else { return Ok(None) };
        let mut free = lock(&FREE);
        let found = free.iter().position(|(of_card, _)| *of_card == card);
        let own = match found {
            Some(place) => free.swap_remove(place).1,
            None => with_one_stream(card)?,
        };
        // What is copied from the other handle's tensors is there now.
        device.synchronize()?;
        Ok(Some(Self { card, device: own }))
    }

    /// Candle's.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl Drop for OwnHandle {
    /// Whoever wants one next takes it: Candle keeps some memory of each for good.
    fn drop(&mut self) {
        lock(&FREE).push((self.card, self.device.clone()));
    }
}

/// Work on tensors of a handle, recorded.
pub struct Recorded(CudaGraph);

impl Recorded {
    /// Does `work` once, so that all that it needs is there, and records it. It reads and writes variables
    /// that live as long as this is repeated, and waits for nothing.
    ///
    /// # Errors
    /// Those of `work`, and the driver's where it cannot be recorded.
    pub fn new<E: From<Error>>(
        device: &Device,
        work: impl Fn() -> std::result::Result<(), E>,
    ) -> std::result::Result<Self, E> {
        let card = device.as_cuda_device()?;
        // Shapes and strides that operations send to the card are there from the first time.
        let _kept = card.enable_cuda_graph_htod_cache();
        work()?;
        let stream = card.cuda_stream();
        stream.synchronize().w()?;
        Ok(Self(captured(&stream, work)?))
    }

    /// Does it once more.
    ///
    /// # Errors
    /// The driver's.
    pub fn repeat(&self) -> CandleResult<()> {
        self.0.launch().w()
    }
}
