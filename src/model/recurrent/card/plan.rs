//! How the steps of a layer are taken on a card.

use std::mem::size_of;

use candle_core::Result as CandleResult;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute as DeviceLimit;
use candle_core::cuda_backend::{CudaDevice, WrapErr};

use super::super::gates::Gates;

/// `PARTS` of the kernels.
const PARTS: usize = 8;
/// Sequences that a block takes at a time, at most.
const MOST_AT_A_TIME: usize = 32;

/// How the steps of a layer are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// All in one launch: the units are dealt out over blocks that are on the card at the same time, each
    /// with its share of the weight.
    Persistent {
        units_per_block: usize,
        blocks: u32,
        /// Sequences at a time and bytes of shared memory, forwards and backwards.
        forward: (usize, usize),
        backward: (usize, usize),
    },
    /// One after the other: a product of all sequences, then a launch for their gates.
    Stepwise,
}

impl Plan {
    /// Dealt out over a card of so many multiprocessors with so much shared memory for a block; nothing
    /// where the weight does not fit.
    pub fn persistent(
        gates: Gates,
        batch: usize,
        processors: usize,
        shared_bytes: usize,
    ) -> Option<Self> {
        let units_per_block = gates.hidden.div_ceil(processors.max(1));
        let weight_blocks = gates.cell.gates();
        let tile = |rows: usize, width: usize| {
            let weight = size_of::<f32>() * rows * (width | 1);
            let of_sequence = size_of::<f32>() * (width + rows * PARTS);
            let fits = shared_bytes.checked_sub(weight)? / of_sequence;
            let tile = fits.min(batch).min(MOST_AT_A_TIME);
            (tile > 0).then_some((tile, weight + tile * of_sequence))
        };
        Some(Self::Persistent {
            blocks: u32::try_from(gates.hidden.div_ceil(units_per_block)).ok()?,
            units_per_block,
            forward: tile(weight_blocks * units_per_block, gates.hidden)?,
            backward: tile(units_per_block, weight_blocks * gates.hidden)?,
        })
    }

    /// The plans that a card can carry out, the best one first.
    pub fn on(device: &CudaDevice, gates: Gates, batch: usize) -> CandleResult<Vec<Self>> {
        let stream = device.cuda_stream();
        let limit = |limit| -> CandleResult<usize> {
            Ok(stream.context().attribute(limit).w()?.max(0) as usize)
        };
        let processors = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let together = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)?;
        let persistent = Self::persistent(gates, batch, processors, shared);
        Ok(persistent.filter(|_| together != 0).into_iter().chain([Self::Stepwise]).collect())
    }

    /// The blocks that stay on the card.
    pub const fn blocks(self) -> u32 {
        match self {
            Self::Persistent { blocks, .. } => blocks,
            Self::Stepwise => 0,
        }
    }

    /// How the steps are taken, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Persistent { .. } => "all steps in one launch",
            Self::Stepwise => "one step after the other",
        }
    }

    /// Whether both take steps in the same manner.
    pub const fn is_like(self, other: Self) -> bool {
        matches!(self, Self::Stepwise) == matches!(other, Self::Stepwise)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Cell;
    use super::*;

    /// An H100 has 132 multiprocessors, and 227 KB of shared memory for a block.
    #[test]
    fn a_layer_is_dealt_out_where_its_weight_fits() {
        let plan =
            |cell, hidden, batch| Plan::persistent(Gates { cell, hidden }, batch, 132, 227 << 10);
        let shared = 227 << 10;
        let course = plan(Cell::Lstm, 1024, 5).unwrap();
        let Plan::Persistent { units_per_block, blocks, forward, backward } = course else {
            panic!("{course:?}")
        };
        assert_eq!((blocks, units_per_block), (128, 8));
        assert_eq!((forward.0, backward.0), (5, 5));
        assert!(forward.1 <= shared && backward.1 <= shared);
        assert_eq!(plan(Cell::Gru, 1, 1).unwrap().blocks(), 1);
        assert_eq!(plan(Cell::Lstm, 4096, 5), None);
        for hidden in 1..1400 {
            for cell in Cell::ALL {
                let Some(plan) = plan(cell, hidden, 65) else { continue };
                let Plan::Persistent { units_per_block, blocks, .. } = plan else {
                    panic!("{plan:?}")
                };
                assert!(blocks <= 132);
                assert!(blocks as usize * units_per_block >= hidden);
            }
        }
    }
}
