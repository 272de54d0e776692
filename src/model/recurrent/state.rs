//! The state of a recurrent layer between steps.

use crate::Result;
use candle_core::{Device, Tensor};

/// The memory of a recurrent layer after some step, for every sequence of a batch.
#[derive(Clone, Debug)]
pub struct State {
    /// The last output, of shape (batch, hidden).
    pub hidden: Tensor,
    /// The cell values of an LSTM, of shape (batch, hidden); `None` for the other kinds.
    pub cell: Option<Tensor>,
}

impl State {
    /// A state without cell values, as the simple network and the GRU have it.
    pub const fn new(hidden: Tensor) -> Self {
        Self { hidden, cell: None }
    }

    /// The same values on `device`, without a graph.
    pub(crate) fn on(&self, device: &Device) -> Result<Self> {
        let there = |tensor: &Tensor| tensor.detach().to_device(device);
        Ok(Self { hidden: there(&self.hidden)?, cell: self.cell.as_ref().map(there).transpose()? })
    }

    /// The same values cut off from the graph that made them: gradients stop here, and the memory
    /// that the graph held is set free.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { hidden: self.hidden.detach(), cell: self.cell.as_ref().map(Tensor::detach) }
    }
}
