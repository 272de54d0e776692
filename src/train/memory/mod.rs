//! How much memory a training takes, known before it starts.

mod advice;
mod drawn;
mod estimate;

use super::Training;
use crate::dataset::Dataset;
use crate::memory::gigabytes;
use crate::model::NetworkConfig;
use crate::{Error, Result};

pub use crate::memory::available_bytes;
pub use advice::{Alternative, alternatives};
pub(super) use drawn::DrawnNeed;
pub use estimate::MemoryEstimate;

impl Training {
    /// What training a network of `config` on `data` takes.
    pub fn memory(&self, config: &NetworkConfig, data: &Dataset) -> MemoryEstimate {
        MemoryEstimate::new(config, data.settings().sequence_blocks, self)
    }
}

/// What a device says that ran out of memory while it trained, and which settings would fit; any other
/// error as it is. `available` bytes are free now, and `present` are the network's.
pub fn explained(
    error: Error,
    (config, steps, settings): (&NetworkConfig, usize, &Training),
    present: u64,
    available: u64,
) -> Error {
    if !ran_out(&error) {
        return error;
    }
    let estimate = MemoryEstimate::new(config, steps, settings);
    // What was estimated was too little, or others have taken some.
    let limit = available.saturating_add(present).min(estimate.total().saturating_sub(1));
    Error::Memory(format!(
        "the device ran out of memory while it trained; {} are free now, and {estimate} were \
         estimated{}",
        gigabytes(available),
        advice(config, steps, settings, limit),
    ))
}

/// Whether a card had no more memory: it has no other name than the driver's.
fn ran_out(error: &Error) -> bool {
    matches!(error, Error::Tensor(problem) if problem.to_string().contains("CUDA_ERROR_OUT_OF_MEMORY"))
}

/// Refuses a training that needs more than `available` bytes, of which `present` are taken by it
/// already.
///
/// # Errors
/// [`Error::Memory`]: how much is missing, and which settings would fit.
pub fn check(
    config: &NetworkConfig,
    steps: usize,
    settings: &Training,
    present: u64,
    available: u64,
) -> Result<()> {
    let estimate = MemoryEstimate::new(config, steps, settings);
    let limit = available.saturating_add(present);
    if estimate.total() <= limit {
        return Ok(());
    }
    Err(Error::Memory(format!(
        "training would need {estimate}; {} are free, {} too little{}",
        gigabytes(limit),
        gigabytes(estimate.total() - limit),
        advice(config, steps, settings, limit),
    )))
}

/// Settings that take no more than `limit` bytes, in lines that follow a sentence.
fn advice(config: &NetworkConfig, steps: usize, settings: &Training, limit: u64) -> String {
    let fitting = alternatives(config, steps, settings, limit);
    let lines: Vec<_> = fitting.iter().map(|alternative| format!("\n  {alternative}")).collect();
    if lines.is_empty() {
        "\nNothing smaller that was tried fits: use fewer or narrower layers, or free memory".into()
    } else {
        format!("\nWhat would fit:{}", lines.join(""))
    }
}
