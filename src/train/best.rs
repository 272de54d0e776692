//! Early stopping.

use super::EpochRecord;
use crate::Result;
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

/// The best parameters so far, kept only where patience asks for them.
pub(super) struct Best {
    patience: Option<usize>,
    loss: Option<f64>,
    epochs_without: usize,
    parameters: BTreeMap<String, Tensor>,
}

impl Best {
    pub fn new(patience: Option<usize>) -> Self {
        Self { patience, loss: None, epochs_without: 0, parameters: BTreeMap::new() }
    }

    /// Takes an epoch's loss into account.
    pub fn observe(
        &mut self,
        record: &EpochRecord,
        variables: &BTreeMap<String, Var>,
    ) -> Result<()> {
        if self.patience.is_none() {
            return Ok(());
        }
        let loss = record.deciding_loss();
        if loss < self.loss.unwrap_or(f64::INFINITY) {
            self.loss = Some(loss);
            self.epochs_without = 0;
            let copy = |(name, variable): (&String, &Var)| {
                Ok((name.clone(), variable.as_tensor().copy()?))
            };
            self.parameters = variables.iter().map(copy).collect::<Result<_>>()?;
        } else {
            self.epochs_without += 1;
        }
        Ok(())
    }

    pub fn is_out_of_patience(&self) -> bool {
        self.patience.is_some_and(|patience| self.epochs_without >= patience)
    }

    /// Makes the best parameters those of the network.
    pub fn put_back(&self, variables: &BTreeMap<String, Var>) -> Result<()> {
        for (name, variable) in variables {
            if let Some(best) = self.parameters.get(name) {
                variable.set(&best.to_device(variable.device())?)?;
            }
        }
        Ok(())
    }

    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    pub fn epochs_without(&self) -> usize {
        self.epochs_without
    }

    pub fn parameters(&self) -> &BTreeMap<String, Tensor> {
        &self.parameters
    }

    /// Goes on from what these told.
    pub fn restore(
        &mut self,
        loss: Option<f64>,
        epochs_without: usize,
        parameters: BTreeMap<String, Tensor>,
    ) {
        (self.loss, self.epochs_without, self.parameters) = (loss, epochs_without, parameters);
    }
}
