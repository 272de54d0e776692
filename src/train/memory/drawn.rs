//! Memory for training on sequences that are drawn one after the other.

use super::estimate::{BESIDE, NUMBER};
use crate::memory::{available_bytes, gigabytes};
use crate::words::counted;
use crate::{Error, Result};

/// Refuses batches that need more memory than is free: of `copies` of all parameters, and of what one
/// sequence keeps for the backward pass, in numbers.
///
/// # Errors
/// [`Error::Memory`]: how much is missing, and which batch would fit.
pub fn check_drawn(
    (parameters, copies): (u64, u64),
    numbers_per_sequence: u64,
    batch_size: usize,
) -> Result<()> {
    let Some(available) = available_bytes() else { return Ok(()) };
    let whole = NUMBER * parameters * copies + BESIDE;
    let of_one = NUMBER * numbers_per_sequence;
    let needed = whole.saturating_add(of_one.saturating_mul(batch_size as u64));
    if needed <= available {
        return Ok(());
    }
    let advice = match available.saturating_sub(whole) / of_one.max(1) {
        0 => "use shorter sequences, or free memory".into(),
        fitting => format!("batches of {fitting} would fit"),
    };
    Err(Error::Memory(format!(
        "training would need {} for batches of {}; {} are free: {advice}",
        gigabytes(needed),
        counted(batch_size, "sequence"),
        gigabytes(available),
    )))
}
