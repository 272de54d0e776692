//! What follows a dense layer.

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A function applied to each value by itself.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::model::Activation;
/// let values = Tensor::new(&[-1f32, 0., 2.], &Device::Cpu)?;
/// assert_eq!(Activation::Relu.apply(&values)?.to_vec1::<f32>()?, [0., 0., 2.]);
/// assert_eq!("tanh".parse::<Activation>()?, Activation::Tanh);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The value as it is.
    #[default]
    Linear,
    /// The hyperbolic tangent.
    Tanh,
    /// The rectifier: what is negative becomes 0.
    Relu,
    /// The Gaussian error linear unit in its tanh form (Hendrycks and Gimpel 2016).
    Gelu,
}

impl Activation {
    /// Every function.
    pub const ALL: [Self; 4] = [Self::Linear, Self::Tanh, Self::Relu, Self::Gelu];

    /// The name under which files and the command line know it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Gelu => "gelu",
        }
    }

    /// Applies it to every value of `values`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if memory runs out.
    pub fn apply(self, values: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Linear => values.clone(),
            Self::Tanh => values.tanh()?,
            Self::Relu => values.relu()?,
            Self::Gelu => values.gelu()?,
        })
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;

    /// Reads a name as [`Activation::name`] writes it.
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|activation| activation.name() == text);
        found.ok_or_else(|| {
            Error::argument("activation", "linear, tanh, relu or gelu", format!("{text:?}"))
        })
    }
}
