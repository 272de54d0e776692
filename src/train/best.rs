//! Early stopping.

use super::EpochRecord;
use crate::Result;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

/// The best parameters so far, kept only where patience asks for them.
pub(super) struct Best {
    patience: Option<usize>,
    loss: f64,
    epochs_without: usize,
    parameters: Vec<(Var, Tensor)>,
}

impl Best {
    pub fn new(patience: Option<usize>) -> Self {
        Self { patience, loss: f64::INFINITY, epochs_without: 0, parameters: Vec::new() }
    }

    pub fn is_out_of_patience(
        &mut self,
        record: &EpochRecord,
        variables: &BTreeMap<String, Var>,
    ) -> Result<bool> {
        let Some(patience) = self.patience else {
            return Ok(false);
        };
        if record.deciding_loss() < self.loss {
            self.loss = record.deciding_loss();
            self.epochs_without = 0;
            let copy = |variable: &Var| Ok((variable.clone(), variable.as_tensor().copy()?));
            self.parameters = variables.values().map(copy).collect::<Result<_>>()?;
        } else {
            self.epochs_without += 1;
        }
        Ok(self.epochs_without >= patience)
    }

    pub fn restore(&self) -> Result<()> {
        for (variable, tensor) in &self.parameters {
            variable.set(tensor)?;
        }
        Ok(())
    }
}
