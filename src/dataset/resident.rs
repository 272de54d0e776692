//! A dataset whose blocks are on a device for good.

use super::{Batch, Dataset, Sequence};
use crate::{Result, interrupt};
use candle_core::{Device, Tensor};

/// All normalised blocks of a dataset on a device, where batches are gathered.
///
/// A block is in as many sequences as a sequence has blocks, and in each once more as a target; so what
/// stays there is small beside what would be sent in an epoch.
#[derive(Debug)]
pub(crate) struct ResidentBlocks {
    data: Dataset,
    /// (blocks and a silent one, width)
    blocks: Tensor,
    /// Where each song's blocks begin, and how many it has.
    songs: Vec<(usize, usize)>,
}

impl ResidentBlocks {
    /// Bytes that it takes on the device.
    pub fn bytes(data: &Dataset) -> u64 {
        let width = data.blocks().width();
        let blocks: usize = data.songs.iter().map(|song| song.rows.count(width)).sum();
        ((blocks + 1) * width * size_of::<f32>()) as u64
    }

    /// Puts all blocks of `data` on `device`.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where they do not fit there; what reading the blocks
    /// reports, where they are in files.
    pub fn new(data: &Dataset, device: &Device) -> Result<Self> {
        let width = data.blocks().width();
        let (mut values, mut songs) = (Vec::new(), Vec::new());
        for song in data.songs.iter() {
            let count = song.rows.count(width);
            songs.push((values.len() / width, count));
            values.extend_from_slice(&song.rows.get(0..count, &data.normaliser)?);
        }
        values.extend(data.silent_block()?);
        let shape = (values.len() / width, width);
        Ok(Self { data: data.clone(), blocks: Tensor::from_vec(values, shape, device)?, songs })
    }

    /// The sequences `indices`: what [`Dataset::in_batches`] gives of them on this device.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a sequence that is not there;
    /// [`Error::Tensor`](crate::Error::Tensor) if memory runs out.
    pub fn batch(&self, indices: &[usize]) -> Result<Batch> {
        interrupt::check()?;
        let (all, width) = self.blocks.dims2()?;
        let steps = self.data.settings.sequence_blocks;
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for index in indices {
            let Sequence { song, first_block } = self.data.sequence_at(*index)?;
            let (start, count) = self.songs[song];
            // The block past a song's end is silent.
            let row = |block: usize| if block < count { start + block } else { all - 1 } as u32;
            inputs.extend((first_block..first_block + steps).map(row));
            targets.extend((first_block + 1..=first_block + steps).map(row));
        }
        let gathered = |rows: Vec<u32>| -> Result<Tensor> {
            let count = rows.len();
            let rows = Tensor::from_vec(rows, count, self.blocks.device())?;
            let values = self.blocks.index_select(&rows, 0)?;
            Ok(values.reshape((indices.len(), steps, width))?)
        };
        Ok(Batch { inputs: gathered(inputs)?, targets: gathered(targets)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Audio;
    use crate::dataset::DatasetSettings;

    #[test]
    fn batches_are_those_that_are_sent() -> Result<()> {
        let hum = |count: usize, by: f32| {
            let wave = (0..count).map(|i| (i as f32 * by).sin() * (i as f32 / 9e3).cos());
            Audio::mono(wave.collect(), 16_000)
        };
        // One that ends with a sequence, and one with blocks to spare.
        let songs = [("a".to_owned(), hum(64_000, 0.1)?), ("b".to_owned(), hum(71_111, 0.3)?)];
        let data = Dataset::from_audio(&songs, DatasetSettings::fast())?;
        let resident = ResidentBlocks::new(&data, &Device::Cpu)?;
        assert!(ResidentBlocks::bytes(&data) > 4 * 135_111);
        let mut order: Vec<usize> = (0..data.len()).rev().collect();
        order.push(0);
        for indices in order.chunks(3) {
            let (sent, found) = (data.batch(indices, &Device::Cpu)?, resident.batch(indices)?);
            for (sent, found) in [(sent.inputs, found.inputs), (sent.targets, found.targets)] {
                assert_eq!(sent.to_vec3::<f32>()?, found.to_vec3::<f32>()?);
            }
        }
        assert!(resident.batch(&[data.len()]).is_err());
        Ok(())
    }
}
