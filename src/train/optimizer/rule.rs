//! The update rules and their settings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a gradient becomes a change of a parameter.
///
/// The two definitions of RMSprop in use differ in where epsilon stands and in their usual values,
/// which matters where gradients are small; hence two names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rule {
    /// RMSprop as Keras 3 defines it: `w -= rate · g / sqrt(mean of g² + epsilon)`.
    RmsProp(RmsProp),
    /// RMSprop as PyTorch defines it: `w -= rate · g / (sqrt(mean of g²) + epsilon)`.
    RmsPropTorch(RmsPropTorch),
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch's `AdamW`.
    AdamW(AdamW),
    /// Gradient descent with momentum, as PyTorch's `SGD`.
    Sgd(Sgd),
}

impl Default for Rule {
    fn default() -> Self {
        Self::RmsProp(RmsProp::default())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::RmsProp(_) => "rmsprop",
            Self::RmsPropTorch(_) => "rmsprop-torch",
            Self::AdamW(_) => "adamw",
            Self::Sgd(Sgd { momentum, .. }) if *momentum > 0. => "sgd-momentum",
            Self::Sgd(_) => "sgd",
        })
    }
}

impl FromStr for Rule {
    type Err = Error;

    /// Reads rmsprop, rmsprop-torch, adamw, sgd or sgd-momentum (0.9, Nesterov's), each with its usual
    /// settings.
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "rmsprop" => Ok(Self::RmsProp(RmsProp::default())),
            "rmsprop-torch" => Ok(Self::RmsPropTorch(RmsPropTorch::default())),
            "adamw" => Ok(Self::AdamW(AdamW::default())),
            "sgd" => Ok(Self::Sgd(Sgd::default())),
            "sgd-momentum" => {
                Ok(Self::Sgd(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0. }))
            }
            _ => Err(Error::argument(
                "optimizer",
                "rmsprop, rmsprop-torch, adamw, sgd or sgd-momentum",
                format!("{text:?}"),
            )),
        }
    }
}

impl Rule {
    /// The names of the rule's state tensors for each parameter.
    pub(in crate::train) const fn memories(&self) -> &'static [&'static str] {
        match self {
            Self::RmsProp(RmsProp { momentum, .. })
            | Self::RmsPropTorch(RmsPropTorch { momentum, .. }) => {
                if *momentum > 0. {
                    &["mean_square", "momentum"]
                } else {
                    &["mean_square"]
                }
            }
            Self::AdamW(_) => &["mean", "mean_square"],
            Self::Sgd(Sgd { momentum, .. }) => {
                if *momentum > 0. {
                    &["momentum"]
                } else {
                    &[]
                }
            }
        }
    }

    /// Refuses numbers with which no training goes anywhere.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field's name.
    pub fn check(&self) -> Result<()> {
        // Shares are from 0 to below 1, amounts from 0.
        let (shares, amounts): (Vec<_>, Vec<_>) = match *self {
            Self::RmsProp(RmsProp { rho, epsilon, momentum }) => {
                (vec![("rho", rho), ("momentum", momentum)], vec![("epsilon", epsilon)])
            }
            Self::RmsPropTorch(RmsPropTorch { alpha, epsilon, momentum, weight_decay }) => (
                vec![("alpha", alpha), ("momentum", momentum)],
                vec![("epsilon", epsilon), ("weight_decay", weight_decay)],
            ),
            Self::AdamW(AdamW { beta1, beta2, epsilon, weight_decay }) => (
                vec![("beta1", beta1), ("beta2", beta2)],
                vec![("epsilon", epsilon), ("weight_decay", weight_decay)],
            ),
            Self::Sgd(Sgd { momentum, weight_decay, .. }) => {
                (vec![("momentum", momentum)], vec![("weight_decay", weight_decay)])
            }
        };
        for (name, share) in shares {
            if !(0.0..1.0).contains(&share) {
                return Err(Error::argument(name, "a number from 0 to below 1", share));
            }
        }
        for (name, amount) in amounts {
            if !(amount.is_finite() && amount >= 0.0) {
                return Err(Error::argument(name, "a number from 0", amount));
            }
        }
        Ok(())
    }
}

/// Settings of Keras's RMSprop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RmsProp {
    /// How much of the mean of squares is kept at each step; 0.9.
    pub rho: f64,
    /// Added to the mean of squares, inside the root; 1e-7.
    pub epsilon: f64,
    /// How much of the last change is repeated; 0 for none.
    pub momentum: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { rho: 0.9, epsilon: 1e-7, momentum: 0. }
    }
}

/// Settings of PyTorch's RMSprop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RmsPropTorch {
    /// How much of the mean of squares is kept at each step; 0.99.
    pub alpha: f64,
    /// Added to the root of the mean of squares; 1e-8.
    pub epsilon: f64,
    /// How much of the last change is repeated; 0 for none.
    pub momentum: f64,
    /// Added to the gradient, as a share of the parameter; 0 for none.
    pub weight_decay: f64,
}

impl Default for RmsPropTorch {
    fn default() -> Self {
        Self { alpha: 0.99, epsilon: 1e-8, momentum: 0., weight_decay: 0. }
    }
}

/// Settings of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdamW {
    /// How much of the mean of gradients is kept at each step; 0.9.
    pub beta1: f64,
    /// How much of the mean of squares is kept at each step; 0.999.
    pub beta2: f64,
    /// Added to the root of the mean of squares; 1e-8.
    pub epsilon: f64,
    /// The share of a parameter taken off at each step, times the learning rate; 0.01.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// Settings of gradient descent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sgd {
    /// How much of the last direction is kept; 0 for none.
    pub momentum: f64,
    /// Whether to look ahead along the momentum (Nesterov).
    pub nesterov: bool,
    /// Added to the gradient, as a share of the parameter; 0 for none.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0., nesterov: false, weight_decay: 0. }
    }
}
