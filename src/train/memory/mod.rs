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
    let fitting = alternatives(config, steps, settings, limit);
    let lines: Vec<_> = fitting.iter().map(|alternative| format!("\n  {alternative}")).collect();
    let advice = if lines.is_empty() {
        "\nNothing smaller that was tried fits: use fewer or narrower layers, or free memory".into()
    } else {
        format!("\nWhat would fit:{}", lines.join(""))
    };
    Err(Error::Memory(format!(
        "training would need {estimate}; {} are free, {} too little{advice}",
        gigabytes(limit),
        gigabytes(estimate.total() - limit),
    )))
}
