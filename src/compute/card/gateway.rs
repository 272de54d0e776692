//! Values that are copied to a card while it computes: from pinned memory, in a stream of their own.

use std::sync::{Arc, Mutex};

use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaSlice, CudaStream, DriverError, PinnedHostSlice,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Result as CandleResult, Shape, Storage, Tensor};

use crate::compute::lock::lock;
use crate::compute::storage::with_values;

/// Places that values pass through one after the other.
///
/// A tensor may be sent before those sent earlier have arrived, but no more than `PLACES` are on their way
/// then.
pub struct Gateway<const PLACES: usize> {
    device: CudaDevice,
    /// In which values are copied to the card.
    stream: Arc<CudaStream>,
    places: [Option<Place>; PLACES],
    sent: usize,
}

struct Place {
    here: PinnedHostSlice<f32>,
    /// When what was sent from here last has been copied. (The memory has an event of its own, which
    /// nobody records on a handle whose tensors have none.)
    copied: Option<Arc<CudaEvent>>,
    there: Arc<Mutex<There>>,
}

/// Memory of the card that the copies go to.
struct There {
    values: CudaSlice<f32>,
    stream: Arc<CudaStream>,
    /// When the card's own stream has read it.
    read: Option<CudaEvent>,
}

/// A tensor on its way.
pub struct Passing {
    device: CudaDevice,
    there: Arc<Mutex<There>>,
    copied: Arc<CudaEvent>,
    shape: Shape,
}

impl<const PLACES: usize> Gateway<PLACES> {
    /// To `device`, if that is a card whose tensors are in one stream.
    pub fn to(device: &Device) -> Option<Self> {
        let Device::Cuda(device) = device else { return None };
        if device.is_event_tracking() {
            return None;
        }
        let stream = device.cuda_stream().context().new_stream().ok()?;
        Some(Self { device: device.clone(), stream, places: [const { None }; PLACES], sent: 0 })
    }

    /// Sends a tensor of 32-bit values from the processor.
    pub fn send(&mut self, tensor: &Tensor) -> CandleResult<Passing> {
        let (shape, count) = (tensor.shape().clone(), tensor.elem_count());
        let place = &mut self.places[self.sent % PLACES];
        self.sent += 1;
        let place = match place {
            Some(place) if place.here.len() >= count => place,
            _ => place.insert(Place::new(&self.stream, count)?),
        };
        place.wait().w()?;
        let here = place.here.as_mut_slice().w()?;
        with_values(&tensor.to_dtype(DType::F32)?.contiguous()?, |values: &[f32]| {
            here[..count].copy_from_slice(values);
            Ok(())
        })?;
        let mut there = lock(&place.there);
        if let Some(read) = there.read.take() {
            self.stream.wait(&read).w()?;
        }
        self.stream.memcpy_htod(&place.here, &mut there.values).w()?;
        let copied = Arc::new(self.stream.record_event(None).w()?);
        drop(there);
        place.copied = Some(copied.clone());
        Ok(Passing { device: self.device.clone(), there: place.there.clone(), copied, shape })
    }
}

impl Place {
    fn new(stream: &Arc<CudaStream>, count: usize) -> CandleResult<Self> {
        // SAFETY: it is written before anything reads it.
        let mut here = unsafe { stream.context().alloc_pinned::<f32>(count) }.w()?;
        // All of it is copied, whatever is sent.
        here.as_mut_slice().w()?.fill(0.);
        let values = stream.alloc_zeros::<f32>(count).w()?;
        let there = There { values, stream: stream.clone(), read: None };
        Ok(Self { here, copied: None, there: Arc::new(Mutex::new(there)) })
    }

    /// Until the memory here is free again.
    fn wait(&mut self) -> Result<(), DriverError> {
        self.copied.take().map_or(Ok(()), |copied| copied.synchronize())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Where that fails the context is lost, and nothing is copied any more.
        let _lost = self.wait();
    }
}

impl Passing {
    /// The tensor, for what is put into the card's stream from now on.
    pub fn arrive(self) -> CandleResult<Tensor> {
        let stream = self.device.cuda_stream();
        stream.wait(&self.copied).w()?;
        let count = self.shape.elem_count();
        // SAFETY: the copy fills all of it.
        let mut values = unsafe { self.device.alloc::<f32>(count) }?;
        let mut there = lock(&self.there);
        self.device.memcpy_dtod(&there.values.slice(..count), &mut values)?;
        there.read = Some(stream.record_event(None).w()?);
        drop(there);
        let storage = Storage::Cuda(f32::wrap_cuda_slice(values, self.device.clone()));
        Ok(Tensor::from_storage(storage, self.shape.clone(), BackpropOp::none(), false))
    }
}

impl Drop for There {
    /// The memory goes back when the card has read it.
    fn drop(&mut self) {
        if let Some(read) = &self.read {
            // Where that fails the context is lost, and its memory with it.
            let _lost = self.stream.wait(read);
        }
    }
}
