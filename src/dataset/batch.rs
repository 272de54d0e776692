//! Batches of sequences.

use super::{Dataset, Sequence};
use crate::{Result, interrupt};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Inputs and targets of some sequences, both of shape (batch, steps, width).
#[derive(Clone, Debug)]
pub struct Batch {
    /// The sequences.
    pub inputs: Tensor,
    /// The same sequences one block later.
    pub targets: Tensor,
}

/// The sequences of one epoch in groups.
pub struct Batches<'a> {
    dataset: &'a Dataset,
    order: Vec<usize>,
    batch_size: usize,
}

/// Where tensors can be: the library's device, or Candle's.
pub trait TensorDevice {
    /// Candle's handle.
    fn candle(&self) -> &Device;
}

impl TensorDevice for Device {
    fn candle(&self) -> &Device {
        self
    }
}

impl TensorDevice for crate::compute::Device {
    fn candle(&self) -> &Device {
        self.candle()
    }
}

impl Dataset {
    /// All sequences in groups of `batch_size` (the last may be smaller), in their order.
    ///
    /// ```
    /// # use neural_composer::{audio::Audio, dataset::{Dataset, DatasetSettings}, model::Device};
    /// # let hum = Audio::mono((0..64_000).map(|i| (i as f32 * 0.1).sin()).collect(), 16_000)?;
    /// # let data = Dataset::from_audio(&[("hum".into(), hum)], DatasetSettings::fast())?;
    /// for batch in data.in_batches(8).shuffled(1).on(&Device::best()) {
    ///     let batch = batch?;
    ///     assert_eq!(batch.inputs.dims(), batch.targets.dims());
    /// }
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    pub fn in_batches(&self, batch_size: usize) -> Batches<'_> {
        let all: Vec<usize> = (0..self.len()).collect();
        self.batches(&all, batch_size, None)
    }

    /// The sequences `indices` in groups of `batch_size` (the last may be smaller), in an order
    /// drawn from `shuffle`, or as given without one.
    pub fn batches(
        &self,
        indices: &[usize],
        batch_size: usize,
        shuffle: Option<&mut ChaCha8Rng>,
    ) -> Batches<'_> {
        let mut order = indices.to_vec();
        if let Some(random) = shuffle {
            order.shuffle(random);
        }
        Batches { dataset: self, order, batch_size: batch_size.max(1) }
    }

    pub(crate) fn batch(&self, indices: &[usize], device: &Device) -> Result<Batch> {
        interrupt::check()?;
        self.read_batch(indices, device)
    }

    /// As [`batch`](Self::batch), on a thread that nobody stops.
    pub(crate) fn read_batch(&self, indices: &[usize], device: &Device) -> Result<Batch> {
        let (steps, width) = (self.settings.sequence_blocks, self.blocks().width());
        let shape = (indices.len(), steps, width);
        let silent = self.silent_block()?;
        let mut inputs = Vec::with_capacity(indices.len() * steps * width);
        let mut targets = Vec::with_capacity(inputs.capacity());
        for index in indices {
            let Sequence { song, first_block } = self.sequence_at(*index)?;
            // With the block after it, or zeros past the end.
            let blocks = first_block..first_block + steps + 1;
            let rows = self.songs[song].rows.get(blocks, &self.normaliser)?;
            inputs.extend_from_slice(&rows[..steps * width]);
            targets.extend_from_slice(&rows[width..]);
            if rows.len() == steps * width {
                targets.extend_from_slice(&silent);
            }
        }
        Ok(Batch {
            inputs: Tensor::from_vec(inputs, shape, device)?,
            targets: Tensor::from_vec(targets, shape, device)?,
        })
    }
}

impl Batches<'_> {
    /// The same sequences in an order drawn from `seed`: every epoch gets one of its own.
    pub fn shuffled(mut self, seed: u64) -> Self {
        self.order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        self
    }

    /// How many batches.
    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The batches as tensors on `device`, each made when it is asked for.
    ///
    /// A batch is an error while a stop of the user's holds, which ends a loop over batches.
    pub fn on<'b>(
        &'b self,
        device: &'b impl TensorDevice,
    ) -> impl ExactSizeIterator<Item = Result<Batch>> + 'b {
        let device = device.candle();
        self.order.chunks(self.batch_size).map(|indices| self.dataset.batch(indices, device))
    }
}
