//! Many small launches as one: CUDA graphs, recorded when a run of launches is first asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use candle_core::Result as CandleResult;
use candle_core::cuda_backend::cudarc::cublas::CudaBlas;
use candle_core::cuda_backend::cudarc::driver::result::{graph::launch, memcpy_dtod_async};
use candle_core::cuda_backend::cudarc::driver::sys::CUstreamCaptureStatus as Capture;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaGraph, CudaSlice, CudaStream, DevicePtrMut,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};

use super::address::bytes;
use super::capture::captured;
use crate::compute::lock::lock;

/// Graphs that are kept for a card; the one that was launched least lately goes first.
const MOST_KEPT: usize = 16;
/// With more values than these, launches are so long that the next one is there before they end.
const MOST_VALUES: usize = 4 << 20;
/// Values between the beginnings of tensors in a graph's room: 256 bytes.
const ALIGNED: usize = 64;

/// Runs of launches that are asked for again and again, as graphs.
///
/// A graph holds addresses, so it has a room of its own for the tensors that it reads and writes: they are
/// copied there and back.
pub struct Graphs(Mutex<Vec<OfCard>>);

/// Values of 32 bits on a card that launches read or write.
#[derive(Clone, Copy)]
pub struct Values {
    pub address: u64,
    pub count: usize,
    /// Whether what is there matters to the launches.
    pub is_read: bool,
    /// Whether what the launches leave there matters to others.
    pub is_written: bool,
}

impl Values {
    /// Those that launches only read.
    pub const fn read(address: u64, count: usize) -> Self {
        Self { address, count, is_read: true, is_written: false }
    }

    /// Those that they write without having read them.
    pub const fn written(address: u64, count: usize) -> Self {
        Self { address, count, is_read: false, is_written: true }
    }

    /// Those that they read and write.
    pub const fn changed(address: u64, count: usize) -> Self {
        Self { address, count, is_read: true, is_written: true }
    }

    /// Those that nobody else reads.
    pub const fn between(address: u64, count: usize) -> Self {
        Self { address, count, is_read: false, is_written: false }
    }
}

/// What is recorded on one card.
struct OfCard {
    context: Arc<CudaContext>,
    /// Recorded in a stream of its own, which nobody else puts anything into; nothing runs in it.
    recorder: CandleResult<(Arc<CudaStream>, CudaBlas)>,
    kept: VecDeque<Kept>,
    /// Whether graphs can be recorded.
    is_able: bool,
}

struct Kept {
    key: Vec<u64>,
    counts: Vec<usize>,
    room: CudaSlice<f32>,
    graph: CudaGraph,
}

// SAFETY: the driver wants calls with one graph to come one after the other, from whichever threads:
// the lock around all of them sees to that.
unsafe impl Send for Kept {}

impl Graphs {
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Puts launches into the card's stream, by way of a graph where that is possible and worth it. `put`
    /// is given where `values` are in their order, a stream, and cuBLAS for it.
    ///
    /// # Safety
    /// `key` tells apart all that `put` may put into a stream, but for the places of `values`. These, and
    /// what is at addresses in the key, live until what is in the stream now is done. `put` does not wait
    /// for the card, and makes no memory.
    pub unsafe fn run(
        &self,
        device: &CudaDevice,
        key: &[u64],
        values: &[Values],
        put: impl Fn(&[u64], &Arc<CudaStream>, &CudaBlas) -> CandleResult<()>,
    ) -> CandleResult<()> {
        let stream = device.cuda_stream();
        let outside: Vec<u64> = values.iter().map(|values| values.address).collect();
        let is_small = values.iter().map(|values| values.count).sum::<usize>() <= MOST_VALUES;
        // With events of tensors to be waited for, nothing can be recorded; and where somebody records
        // what comes into the stream, it is the launches themselves.
        let can_record = is_small && !device.is_event_tracking();
        if !can_record || stream.capture_status().w()? != Capture::CU_STREAM_CAPTURE_STATUS_NONE {
            return put(&outside, &stream, &device.cublas_handle());
        }
        let mut cards = lock(&self.0);
        let place = match cards.iter().position(|card| Arc::ptr_eq(&card.context, stream.context()))
        {
            Some(place) => place,
            None => {
                cards.push(OfCard::new(stream.context()));
                cards.len() - 1
            }
        };
        let Some(kept) = cards[place].find_or_record(device, key, values, &put)? else {
            drop(cards);
            return put(&outside, &stream, &device.cublas_handle());
        };
        // SAFETY: the room has as many values for each as are copied; the caller's are there.
        unsafe { kept.launch(&stream, values) }
    }
}

impl OfCard {
    fn new(context: &Arc<CudaContext>) -> Self {
        let recorder = || {
            let stream = context.new_stream().w()?;
            let blas = CudaBlas::new(stream.clone()).w()?;
            Ok((stream, blas))
        };
        let (recorder, kept) = (recorder(), VecDeque::new());
        Self { context: context.clone(), recorder, kept, is_able: true }
    }

    /// The graph of `key`, recorded now if it is not there; nothing where that cannot be done.
    fn find_or_record(
        &mut self,
        device: &CudaDevice,
        key: &[u64],
        values: &[Values],
        put: impl Fn(&[u64], &Arc<CudaStream>, &CudaBlas) -> CandleResult<()>,
    ) -> CandleResult<Option<&mut Kept>> {
        if !self.is_able {
            return Ok(None);
        }
        let is_it = |kept: &Kept| {
            kept.key == key && kept.counts.iter().eq(values.iter().map(|values| &values.count))
        };
        let found = self.kept.iter().position(is_it).and_then(|place| self.kept.remove(place));
        let kept = match found {
            Some(kept) => kept,
            None => match self.record(device, key, values, put) {
                Ok(kept) => kept,
                Err(problem) => {
                    eprintln!("note: launches are not recorded as graphs on this card: {problem}");
                    self.is_able = false;
                    return Ok(None);
                }
            },
        };
        if self.kept.len() == MOST_KEPT {
            // It may still be running.
            device.cuda_stream().synchronize().w()?;
            self.kept.pop_front();
        }
        self.kept.push_back(kept);
        Ok(self.kept.back_mut())
    }

    fn record(
        &self,
        device: &CudaDevice,
        key: &[u64],
        values: &[Values],
        put: impl Fn(&[u64], &Arc<CudaStream>, &CudaBlas) -> CandleResult<()>,
    ) -> CandleResult<Kept> {
        let (stream, blas) = match &self.recorder {
            Ok(recorder) => recorder,
            Err(problem) => candle_core::bail!("{problem}"),
        };
        let counts: Vec<usize> = values.iter().map(|values| values.count).collect();
        let mut room =
            device.alloc_zeros::<f32>(counts.iter().map(|count| padded(*count)).sum())?;
        let own_stream = device.cuda_stream();
        let places = places(&counts, room.device_ptr_mut(&own_stream).0);
        let graph = captured(stream, || put(&places, stream, blas))?;
        Ok(Kept { key: key.to_vec(), counts, room, graph })
    }
}

impl Kept {
    /// Copies the values in, launches, and copies them out.
    ///
    /// # Safety
    /// `values` are there, as many as the room was made for.
    unsafe fn launch(&mut self, stream: &Arc<CudaStream>, values: &[Values]) -> CandleResult<()> {
        stream.context().bind_to_thread().w()?;
        let places = places(&self.counts, self.room.device_ptr_mut(stream).0);
        let raw = stream.cu_stream();
        for (place, outside) in
            places.iter().zip(values).filter(|(_, values)| values.is_read && values.count > 0)
        {
            let bytes = bytes(outside.count) as usize;
            // SAFETY: the caller's; a room's parts do not overlap.
            unsafe { memcpy_dtod_async(*place, outside.address, bytes, raw) }.w()?;
        }
        // SAFETY: the graph and the stream are there; the graph's addresses are of its room, or the
        // caller of `run` sees to what they are of.
        unsafe { launch(self.graph.cu_graph_exec(), raw) }.w()?;
        for (place, outside) in
            places.iter().zip(values).filter(|(_, values)| values.is_written && values.count > 0)
        {
            let bytes = bytes(outside.count) as usize;
            // SAFETY: as above.
            unsafe { memcpy_dtod_async(outside.address, *place, bytes, raw) }.w()?;
        }
        Ok(())
    }
}

/// Where tensors of so many values are in a room.
fn places(counts: &[usize], room: u64) -> Vec<u64> {
    let mut next = room;
    let place = |count: &usize| {
        let place = next;
        next += bytes(padded(*count));
        place
    };
    counts.iter().map(place).collect()
}

fn padded(count: usize) -> usize {
    count.next_multiple_of(ALIGNED)
}
