//! The kinds of recurrent layer.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The kind of a recurrent layer: what one step computes from its input and the state before it.
///
/// Gates are stacked along the first axis of every weight and bias, in PyTorch's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Elman's network with tanh: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`.
    SimpleRnn,
    /// Elman's network with a rectifier: `h' = max(0, W_ih x + b_ih + W_hh h + b_hh)`.
    SimpleRnnRelu,
    /// Gated recurrent unit in the form that resets after the product, as PyTorch and Keras compute
    /// it; gates r, z, n.
    Gru,
    /// Long short-term memory; gates i, f, g, o.
    Lstm,
}

impl Cell {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::SimpleRnn, Self::SimpleRnnRelu, Self::Gru, Self::Lstm];

    /// The name under which files and the command line know this kind.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SimpleRnn => "simple-rnn",
            Self::SimpleRnnRelu => "simple-rnn-relu",
            Self::Gru => "gru",
            Self::Lstm => "lstm",
        }
    }

    /// How many gates are stacked in a weight: its rows are `gates() * hidden`.
    pub const fn gates(self) -> usize {
        match self {
            Self::SimpleRnn | Self::SimpleRnnRelu => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Whether the state holds cell values beside the output (only [`Cell::Lstm`]).
    pub const fn has_cell_state(self) -> bool {
        matches!(self, Self::Lstm)
    }

    /// The number of parameters of one layer, biases included.
    pub const fn parameters(self, input: usize, hidden: usize) -> usize {
        self.gates() * hidden * (input + hidden + 2)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Cell {
    type Err = Error;

    /// Reads a name as [`Cell::name`] writes it; upper case, `_` for `-`, and the short forms `rnn`,
    /// `rnn-tanh`, `rnn-relu` and `simplernn` are understood.
    ///
    /// # Errors
    /// [`Error::Argument`] for any other name.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().replace('_', "-").as_str() {
            "simple-rnn" | "simplernn" | "rnn" | "rnn-tanh" => Ok(Self::SimpleRnn),
            "simple-rnn-relu" | "rnn-relu" => Ok(Self::SimpleRnnRelu),
            "gru" => Ok(Self::Gru),
            "lstm" => Ok(Self::Lstm),
            _ => Err(Error::argument(
                "cell",
                "one of simple-rnn, simple-rnn-relu, gru, lstm",
                format!("{text:?}"),
            )),
        }
    }
}
