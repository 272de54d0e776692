//! The update rules and their settings.

use serde::{Deserialize, Serialize};

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

impl Rule {
    /// The names of what the rule remembers about each parameter.
    pub(super) const fn memories(&self) -> &'static [&'static str] {
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
