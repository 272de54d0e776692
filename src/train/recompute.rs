//! Gradient checkpointing.

use crate::words::counted;
use serde::{Deserialize, Serialize};

/// What training computes a second time on the way back instead of keeping it: gradient checkpointing
/// (Chen et al. 2016). It saves memory, costs time, and changes no result but by rounding.
///
/// Without it every layer keeps, for every step of the batch, its gates, cell values and outputs. With
/// `layers`, only each layer's input is kept, and one layer at a time goes forwards once more; a
/// training step then takes about a third longer. With `steps`, sequences are cut in runs of so many
/// steps, only the state before each run is kept, and one run at a time goes forwards once more, the
/// wide layers at both ends included. Unlike truncation
/// ([`Training::truncate_steps`](super::Training::truncate_steps)) gradients still reach back to the
/// first step.
///
/// ```
/// use neural_composer::train::{Recompute, Training};
/// let settings = Training::epochs(10).recompute(Recompute { layers: true, steps: Some(50) });
/// assert_eq!(settings.recompute.to_string(), "layers, runs of 50 steps");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recompute {
    /// One layer at a time.
    pub layers: bool,
    /// So many steps at a time.
    pub steps: Option<usize>,
}

impl Recompute {
    /// Everything is kept: the fastest.
    pub const NOTHING: Self = Self { layers: false, steps: None };
    /// One layer at a time.
    pub const LAYERS: Self = Self { layers: true, steps: None };
}

impl std::fmt::Display for Recompute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.layers, self.steps) {
            (false, None) => f.write_str("nothing"),
            (true, None) => f.write_str("layers"),
            (false, Some(steps)) => write!(f, "runs of {}", counted(steps, "step")),
            (true, Some(steps)) => write!(f, "layers, runs of {}", counted(steps, "step")),
        }
    }
}
