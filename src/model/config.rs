//! The shape of a network of blocks.

use super::Activation;
use super::recurrent::Cell;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One recurrent layer: its kind, how many units it has, and what surrounds it.
///
/// ```
/// use neural_composer::model::{LayerConfig, gru, lstm};
/// assert_eq!("lstm:1024:norm:residual".parse::<LayerConfig>()?, lstm(1024).norm().residual());
/// assert_eq!(gru(256).to_string(), "gru:256");
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerConfig {
    /// LSTM, GRU or SimpleRNN, the last with tanh or a rectifier.
    pub cell: Cell,
    /// Units, which is also the width of the layer's output.
    pub units: usize,
    /// Whether the layer's input is added to its output (He et al. 2016); it has to be as wide.
    #[serde(default)]
    pub residual: bool,
    /// Whether the layer's input is normalised first (layer normalisation, Ba et al. 2016). Together
    /// with [`residual`](Self::residual) this is the arrangement in which tens of layers learn
    /// (Xiong et al. 2020): gradients find a way back past every layer.
    #[serde(default)]
    pub norm: bool,
}

impl LayerConfig {
    /// A layer of any kind with nothing around it.
    pub const fn new(cell: Cell, units: usize) -> Self {
        Self { cell, units, residual: false, norm: false }
    }

    /// Adds the layer's input to its output.
    #[must_use]
    pub const fn residual(self) -> Self {
        Self { residual: true, ..self }
    }

    /// Normalises the layer's input.
    #[must_use]
    pub const fn norm(self) -> Self {
        Self { norm: true, ..self }
    }

    /// How many numbers training adjusts, given the width of the layer's input.
    pub const fn parameter_count(&self, input: usize) -> usize {
        self.cell.parameters(input, self.units) + if self.norm { 2 * input } else { 0 }
    }

    fn describe(&self) -> String {
        let around = match (self.norm, self.residual) {
            (true, true) => " (normalised, residual)",
            (true, false) => " (normalised)",
            (false, true) => " (residual)",
            (false, false) => "",
        };
        format!("{} {}{around}", self.cell, self.units)
    }
}

impl fmt::Display for LayerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cell, self.units)?;
        f.write_str(if self.norm { ":norm" } else { "" })?;
        f.write_str(if self.residual { ":residual" } else { "" })
    }
}

impl FromStr for LayerConfig {
    type Err = Error;

    /// Reads KIND:UNITS, followed by `:norm` and `:residual` where wanted.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let expected = "KIND:UNITS, such as lstm:512 or lstm:512:norm:residual";
            Error::argument("layers", expected, format!("{text:?}"))
        };
        let mut parts = text.split(':');
        let (cell, units) = parts.next().zip(parts.next()).ok_or_else(wrong)?;
        let mut layer = Self::new(cell.parse()?, units.parse().map_err(|_| wrong())?);
        for part in parts {
            match part {
                "norm" => layer = layer.norm(),
                "residual" => layer = layer.residual(),
                _ => return Err(wrong()),
            }
        }
        Ok(layer)
    }
}

/// A layer of long short-term memory (Hochreiter and Schmidhuber 1997).
pub const fn lstm(units: usize) -> LayerConfig {
    LayerConfig::new(Cell::Lstm, units)
}

/// A layer of gated recurrent units (Cho et al. 2014; the reset-after form).
pub const fn gru(units: usize) -> LayerConfig {
    LayerConfig::new(Cell::Gru, units)
}

/// A layer of simple recurrent units with the hyperbolic tangent (Elman 1990): the course's.
pub const fn simple_rnn(units: usize) -> LayerConfig {
    LayerConfig::new(Cell::SimpleRnn, units)
}

/// The shape of a network: a dense layer in, recurrent layers, a dense layer out.
///
/// ```
/// use neural_composer::model::{NetworkConfig, lstm};
/// let config = NetworkConfig::stack(1024, [lstm(512), lstm(512)]);
/// assert_eq!(config.dense_units, 512);
/// assert!(config.parameter_count() > 5_000_000);
///
/// // Deep: every layer normalised and with a way past it.
/// let deep = NetworkConfig::stack(1024, [lstm(512).norm().residual(); 24]);
/// assert_eq!(deep.describe_layers(), "24 × lstm 512 (normalised, residual)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Numbers per block, in and out.
    pub width: usize,
    /// Units of the dense layer between the block and the first recurrent layer.
    pub dense_units: usize,
    /// The recurrent layers, first to last.
    pub layers: Vec<LayerConfig>,
    /// What follows the dense layer in front. The dense layer at the end is linear, because a
    /// spectrum has no bounds.
    #[serde(default)]
    pub dense_activation: Activation,
    /// Whether half of the network's input is its own previous output.
    ///
    /// In training the half holds what that output should have been (teacher forcing), or what it
    /// was, as often as [`Training::scheduled_sampling`](crate::train::Training::scheduled_sampling)
    /// says; in composing it holds what it was.
    #[serde(default)]
    pub recurrent_input: bool,
}

/// Refuses widths of layers that no memory holds.
pub(super) fn check_widths(widths: impl IntoIterator<Item = (&'static str, usize)>) -> Result<()> {
    match widths.into_iter().find(|(_, width)| !(1..=1 << 20).contains(width)) {
        Some((name, width)) => Err(Error::argument(name, "a number from 1 to 1,048,576", width)),
        None => Ok(()),
    }
}

/// Refuses more layers, or stages, than any network has.
pub(super) fn check_depth(name: &'static str, depth: usize) -> Result<()> {
    match (1..=1_000).contains(&depth) {
        true => Ok(()),
        false => Err(Error::argument(name, "a number from 1 to 1,000", depth)),
    }
}

impl NetworkConfig {
    /// Recurrent `layers` over blocks of `width` numbers; the dense layer in front is as wide as the
    /// first of them.
    pub fn stack(width: usize, layers: impl IntoIterator<Item = LayerConfig>) -> Self {
        let layers: Vec<_> = layers.into_iter().collect();
        let dense_units = layers.first().map_or(width, |layer| layer.units);
        Self {
            width,
            dense_units,
            layers,
            dense_activation: Activation::Linear,
            recurrent_input: false,
        }
    }

    /// Sets [`dense_activation`](Self::dense_activation).
    #[must_use]
    pub fn dense_activation(self, activation: Activation) -> Self {
        Self { dense_activation: activation, ..self }
    }

    /// Sets [`recurrent_input`](Self::recurrent_input).
    #[must_use]
    pub fn recurrent_input(self) -> Self {
        Self { recurrent_input: true, ..self }
    }

    /// Numbers that the dense layer in front takes for a step.
    pub fn input_width(&self) -> usize {
        if self.recurrent_input { 2 * self.width } else { self.width }
    }

    /// Whether a normalisation stands before the dense layer at the end: where the last layer adds its
    /// input, what arrives there is a sum over many layers, of any size.
    pub(crate) fn has_norm_out(&self) -> bool {
        self.layers.last().is_some_and(|layer| layer.norm && layer.residual)
    }

    /// How many numbers training adjusts.
    pub fn parameter_count(&self) -> usize {
        let dense = |from: usize, to: usize| from * to + to;
        let mut width = self.dense_units;
        let mut count = dense(self.input_width(), width);
        for layer in &self.layers {
            count += layer.parameter_count(width);
            width = layer.units;
        }
        count + dense(width, self.width) + if self.has_norm_out() { 2 * width } else { 0 }
    }

    /// Refuses what cannot be built.
    ///
    /// # Errors
    /// [`Error::Argument`] without layers, where a width is 0, or where a layer shall add an input of
    /// another width.
    pub fn check(&self) -> Result<()> {
        if self.layers.is_empty() {
            return Err(Error::argument("layers", "at least one recurrent layer", "none"));
        }
        let widths = [("width", self.width), ("dense_units", self.dense_units)];
        let units = self.layers.iter().map(|layer| ("units", layer.units));
        check_widths(widths.into_iter().chain(units))?;
        let mut width = self.dense_units;
        for layer in &self.layers {
            if layer.residual && layer.units != width {
                return Err(Error::argument(
                    "residual",
                    format!("a layer of {width} units, as wide as its input"),
                    layer,
                ));
            }
            width = layer.units;
        }
        Ok(())
    }

    /// The recurrent layers in words: "3 × LSTM 1024".
    pub fn describe_layers(&self) -> String {
        let mut groups: Vec<(LayerConfig, usize)> = Vec::new();
        for layer in &self.layers {
            match groups.last_mut() {
                Some((last, count)) if last == layer => *count += 1,
                _ => groups.push((*layer, 1)),
            }
        }
        let words = groups.iter().map(|(layer, count)| match count {
            1 => layer.describe(),
            _ => format!("{count} × {}", layer.describe()),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
