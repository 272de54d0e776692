//! Memory for training on sequences that are drawn one after the other.

use super::estimate::{BESIDE, NUMBER};
use crate::memory::{available_bytes, gigabytes};
use crate::words::counted;
use crate::{Error, Result};

/// What such a training takes: `copies` of all parameters, and what each sequence of a batch keeps for
/// the backward pass.
pub struct DrawnNeed {
    whole: u64,
    of_one: u64,
    batch_size: usize,
}

impl DrawnNeed {
    /// Of numbers of parameters and of a sequence.
    pub fn new(
        (parameters, copies): (u64, u64),
        numbers_per_sequence: u64,
        batch_size: usize,
    ) -> Self {
        let whole = NUMBER * parameters * copies + BESIDE;
        Self { whole, of_one: NUMBER * numbers_per_sequence, batch_size }
    }

    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.whole.saturating_add(self.of_one.saturating_mul(self.batch_size as u64))
    }

    /// Refuses what needs more memory than is free.
    ///
    /// # Errors
    /// [`Error::Memory`]: how much is missing, and which batch would fit.
    pub fn check(&self) -> Result<()> {
        let Some(available) = available_bytes() else { return Ok(()) };
        if self.bytes() <= available {
            return Ok(());
        }
        let advice = match available.saturating_sub(self.whole) / self.of_one.max(1) {
            0 => "use shorter sequences, or free memory".into(),
            fitting => format!("batches of {fitting} would fit"),
        };
        Err(Error::Memory(format!(
            "training would need {} for batches of {}; {} are free: {advice}",
            gigabytes(self.bytes()),
            counted(self.batch_size, "sequence"),
            gigabytes(available),
        )))
    }
}
