//! A parameter with its memory.

use candle_core::{Tensor, Var};

/// A parameter and the optimizer's state for it.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: Var,
    /// One tensor of the parameter's shape for each of [`Rule::memories`](super::Rule::memories).
    pub(super) memory: Vec<Tensor>,
}

impl Parameter {
    /// The name under which a checkpoint keeps one of its memories.
    pub(super) fn memory_name(&self, memory: &str) -> String {
        format!("optimizer.{memory}.{}", self.name)
    }
}
