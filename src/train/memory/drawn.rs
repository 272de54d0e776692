//! Memory for training on sequences that are drawn one after the other.

use super::estimate::{BESIDE, NUMBER};
use super::ran_out;
use crate::memory::gigabytes;
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

    /// Refuses what needs more memory than the `available` bytes that are free; where nobody says how many
    /// there are, nothing.
    ///
    /// # Errors
    /// [`Error::Memory`]: how much is missing, and which batch would fit.
    pub fn check(&self, available: Option<u64>) -> Result<()> {
        let Some(available) = available.filter(|available| self.bytes() > *available) else {
            return Ok(());
        };
        Err(Error::Memory(format!(
            "training would need {} for batches of {}; {} are free: {}",
            gigabytes(self.bytes()),
            counted(self.batch_size, "sequence"),
            gigabytes(available),
            self.advice(available, usize::MAX),
        )))
    }

    /// What a device says that ran out of memory while it trained; any other error as it is.
    pub fn explained(&self, error: Error, available: u64) -> Error {
        if !ran_out(&error) {
            return error;
        }
        Error::Memory(format!(
            "the device ran out of memory while it trained; {} are free now, and {} were estimated for \
             batches of {}: {}",
            gigabytes(available),
            gigabytes(self.bytes()),
            counted(self.batch_size, "sequence"),
            self.advice(available, self.batch_size - 1),
        ))
    }

    /// A batch of at most so many sequences that fits.
    fn advice(&self, available: u64, most: usize) -> String {
        let fitting = available.saturating_sub(self.whole) / self.of_one.max(1);
        match fitting.min(most as u64) {
            0 => "use shorter sequences, or free memory".into(),
            fitting => format!("batches of {fitting} would fit"),
        }
    }
}
