//! The weights of a recurrent layer.

use super::Cell;
use crate::Result;
use crate::compute::storage::rounded;
use candle_core::{Device, Tensor};

/// The weights of a recurrent layer, in PyTorch's layout, which fit each other.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub(super) cell: Cell,
    pub(super) weight_ih: Tensor,
    pub(super) weight_hh: Tensor,
    pub(super) bias_ih: Tensor,
    pub(super) bias_hh: Tensor,
}

impl Weights {
    /// The number of units: the values that one step gives.
    pub(super) fn units(&self) -> usize {
        self.weight_hh.dims()[1]
    }

    /// The same weights cut off from their variables.
    pub(super) fn untracked(&self) -> Self {
        Self {
            cell: self.cell,
            weight_ih: self.weight_ih.detach(),
            weight_hh: self.weight_hh.detach(),
            bias_ih: self.bias_ih.detach(),
            bias_hh: self.bias_hh.detach(),
        }
    }

    /// [`untracked`](Self::untracked), on `device`.
    pub(super) fn on(&self, device: &Device) -> Result<Self> {
        let there = |tensor: &Tensor| tensor.detach().to_device(device);
        Ok(Self {
            cell: self.cell,
            weight_ih: there(&self.weight_ih)?,
            weight_hh: there(&self.weight_hh)?,
            bias_ih: there(&self.bias_ih)?,
            bias_hh: there(&self.bias_hh)?,
        })
    }

    /// [`untracked`](Self::untracked), large ones rounded to sixteen bits.
    pub(super) fn rounded(&self) -> Result<Self> {
        let mut weights = self.untracked();
        for weight in [&mut weights.weight_ih, &mut weights.weight_hh] {
            *weight = rounded(weight)?;
        }
        Ok(weights)
    }
}
