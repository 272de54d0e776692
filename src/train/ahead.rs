//! Batches that are there when the network wants them: read ahead, or on its device for good.

use super::Training;
use crate::compute;
use crate::compute::upload::{Sent, Upload};
use crate::dataset::{Batch, Dataset, ResidentBlocks};
use crate::processes::Processes;
use crate::{Error, Result};
use candle_core::Device;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

/// Batches that wait at most: one is trained on, one is ready, one is read. All may be on their way.
const WAITING: usize = Upload::MOST_ON_THEIR_WAY - 2;
/// So many times what training needs is left free beside all blocks.
const MARGIN: u64 = 2;

/// The batches of an epoch in their order, of each what this process trains on; those in files, and
/// those for a card that has no room for all, are read and sent ahead.
///
/// What is read depends on the order alone, so that the place is enough to go on from.
pub(super) struct Ahead {
    data: Dataset,
    batch_size: usize,
    processes: Processes,
    /// All blocks, where the device is another one than the processor and has room for them.
    resident: Option<ResidentBlocks>,
    /// What reads, and the number of the batch that comes next.
    reading: Option<(Receiver<Result<SentBatch>>, usize)>,
    waited_seconds: f64,
}

impl Ahead {
    pub fn new(data: &Dataset, settings: &Training) -> Self {
        Self {
            data: data.clone(),
            batch_size: settings.batch_size,
            processes: settings.processes.clone(),
            resident: None,
            reading: None,
            waited_seconds: 0.0,
        }
    }

    /// Puts all blocks on `device` for good, if this is not the processor, which has them already, and as
    /// much as training needs there, `needed_bytes`, is left twice over.
    pub fn keep_on(mut self, device: &compute::Device, needed_bytes: u64) -> Self {
        let wanted = ResidentBlocks::bytes(&self.data) + MARGIN * needed_bytes;
        let has_room = device.free_bytes().is_some_and(|free| free > wanted);
        if !device.is_cpu() && !self.data.is_in_files() && has_room {
            // Where that fails all the same, they are sent as they are wanted.
            self.resident = ResidentBlocks::new(&self.data, device.candle()).ok();
        }
        self
    }

    /// Another order begins.
    pub fn begin_epoch(&mut self) {
        (self.reading, self.waited_seconds) = (None, 0.0);
    }

    /// How long the training has waited for data since the epoch began, in seconds.
    pub fn waited_seconds(&self) -> f64 {
        self.waited_seconds
    }

    /// The sequences of a batch that are this process's.
    fn own<'b>(&self, batch: &'b [usize]) -> &'b [usize] {
        &batch[self.processes.share(batch.len()).rows]
    }

    /// Of batch `number` of the sequences `order` what is this process's, on `device`.
    pub fn batch(&mut self, order: &[usize], number: usize, device: &Device) -> Result<Batch> {
        let begun = Instant::now();
        let from = number * self.batch_size;
        let until = (from + self.batch_size).min(order.len());
        let batch = match &self.resident {
            Some(resident) => resident.batch(self.own(&order[from..until]))?,
            None if self.data.is_in_files() || !device.is_cpu() => {
                self.read_ahead(order, number, device)?.arrive()?
            }
            None => self.data.batch(self.own(&order[from..until]), device)?,
        };
        self.waited_seconds += begun.elapsed().as_secs_f64();
        Ok(batch)
    }

    fn read_ahead(&mut self, order: &[usize], number: usize, device: &Device) -> Result<SentBatch> {
        let receiver = match self.reading.take() {
            Some((receiver, next)) if next == number => receiver,
            _ => self.start(order, number, device)?,
        };
        let batch = receiver.recv().map_err(|_| {
            Error::Data("the thread that reads batches has ended; this should not happen".into())
        })?;
        self.reading = Some((receiver, number + 1));
        batch
    }

    /// Reads from batch `number` on, on a thread that ends with the epoch, or when nobody wants more.
    fn start(
        &self,
        order: &[usize],
        number: usize,
        device: &Device,
    ) -> Result<Receiver<Result<SentBatch>>> {
        let (sender, receiver) = sync_channel(WAITING);
        let data = self.data.clone();
        let (mut inputs, mut targets) = (Upload::to(device), Upload::to(device));
        let left = order[number * self.batch_size..].chunks(self.batch_size);
        let left: Vec<Vec<usize>> = left.map(|batch| self.own(batch).to_vec()).collect();
        let read = move || {
            for sequences in left {
                let batch = data.read_batch(&sequences, &Device::Cpu).and_then(|batch| {
                    let inputs = inputs.send(batch.inputs)?;
                    Ok(SentBatch { inputs, targets: targets.send(batch.targets)? })
                });
                let is_last = batch.is_err();
                if sender.send(batch).is_err() || is_last {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("batches".into()).spawn(read);
        thread.map_err(|error| Error::Data(format!("no thread to read batches: {error}")))?;
        Ok(receiver)
    }
}

/// A batch on its way to the device.
struct SentBatch {
    inputs: Sent,
    targets: Sent,
}

impl SentBatch {
    fn arrive(self) -> Result<Batch> {
        Ok(Batch { inputs: self.inputs.arrive()?, targets: self.targets.arrive()? })
    }
}
