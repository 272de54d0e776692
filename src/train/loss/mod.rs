//! Losses: how far a prediction is from what it should have been.

mod pointwise;
mod spectral;

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

pub use super::soft_targets::{SoftTargets, soft_cross_entropy};
pub use pointwise::{huber, mean_absolute_error, mean_squared_error};
pub use spectral::SpectralLoss;

use crate::features::{Blocks, Normaliser};
use crate::{Error, Result};

/// What training minimises.
///
/// ```
/// use neural_composer::train::loss::Loss;
/// assert_eq!("huber:0.5".parse::<Loss>()?, Loss::Huber { delta: 0.5 });
/// assert_eq!(Loss::default().to_string(), "mse");
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Loss {
    /// The mean of squared differences: the course's. Where the future is uncertain it asks for the
    /// mean of what may come, which for sounds of unknown phase is silence.
    #[default]
    MeanSquared,
    /// The mean of absolute differences, which asks for the median.
    MeanAbsolute,
    /// Squared below `delta`, straight above it (Huber 1964): outliers count for less.
    Huber {
        /// Where the square ends; normalised numbers have a deviation of 1.
        delta: f64,
    },
    /// Squared differences, plus `weight` times how far the magnitudes of the spectrum are off, in
    /// shape and in logarithm: see [`SpectralLoss`]. It keeps pieces from fading away.
    Spectral {
        /// What magnitudes count for beside squared differences; 1 is usual.
        weight: f64,
    },
}

impl Loss {
    /// Every kind with its usual numbers.
    pub const ALL: [Self; 4] = [
        Self::MeanSquared,
        Self::MeanAbsolute,
        Self::Huber { delta: 1. },
        Self::Spectral { weight: 1. },
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::MeanSquared => "mse",
            Self::MeanAbsolute => "mae",
            Self::Huber { .. } => "huber",
            Self::Spectral { .. } => "spectral",
        }
    }

    /// The number that belongs to the kind: an error's bound, or a weight.
    fn number(&mut self) -> Option<&mut f64> {
        match self {
            Self::MeanSquared | Self::MeanAbsolute => None,
            Self::Huber { delta } => Some(delta),
            Self::Spectral { weight } => Some(weight),
        }
    }

    pub(crate) fn check(mut self) -> Result<()> {
        let name = self.name();
        match self.number() {
            Some(number) if !(number.is_finite() && *number > 0.) => {
                Err(Error::argument("loss", format!("{name}: with a number above 0"), *number))
            }
            _ => Ok(()),
        }
    }

    /// The loss for rows of `blocks` normalised by `normaliser`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a number that is not above 0, or where the two do not fit.
    pub fn criterion(self, blocks: Blocks, normaliser: &Normaliser) -> Result<Criterion> {
        self.check()?;
        let spectral = match self {
            Self::Spectral { weight } => Some(SpectralLoss::new(blocks, normaliser, weight)?),
            _ => None,
        };
        Ok(Criterion { loss: self, spectral })
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut copy = *self;
        f.write_str(self.name())?;
        match copy.number() {
            Some(number) if *number != 1. => write!(f, ":{number}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for Loss {
    type Err = Error;

    /// Reads mse, mae, huber, spectral; `huber:0.5` and `spectral:2` set the number, which is 1
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let expected = "mse, mae, huber[:DELTA] or spectral[:WEIGHT]";
            Error::argument("loss", expected, format!("{text:?}"))
        };
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, Some(number.parse::<f64>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let mut loss = Self::ALL.into_iter().find(|loss| loss.name() == name).ok_or_else(wrong)?;
        if let Some(number) = number {
            *loss.number().ok_or_else(wrong)? = number;
        }
        loss.check()?;
        Ok(loss)
    }
}

/// A [`Loss`] made ready for rows of one kind.
#[derive(Clone, Debug)]
pub struct Criterion {
    loss: Loss,
    spectral: Option<SpectralLoss>,
}

impl Criterion {
    /// The loss of `predicted` against `target`, both (..., width): a scalar, the mean over all rows.
    ///
    /// # Errors
    /// [`Error::Argument`] if the two differ in shape, number type or device, or hold no value.
    pub fn of(&self, predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
        if let Some(spectral) = &self.spectral {
            return spectral.of(predicted, target);
        }
        match self.loss {
            Loss::MeanAbsolute => mean_absolute_error(predicted, target),
            Loss::Huber { delta } => huber(predicted, target, delta),
            Loss::MeanSquared | Loss::Spectral { .. } => mean_squared_error(predicted, target),
        }
    }
}
