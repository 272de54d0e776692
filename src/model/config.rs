use super::recurrent::Cell;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// One recurrent layer: its kind and how many units it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerConfig {
    /// LSTM, GRU or SimpleRNN.
    pub cell: Cell,
    /// Units, which is also the width of the layer's output.
    pub units: usize,
}

/// A layer of long short-term memory (Hochreiter and Schmidhuber 1997).
pub fn lstm(units: usize) -> LayerConfig {
    LayerConfig { cell: Cell::Lstm, units }
}

/// A layer of gated recurrent units (Cho et al. 2014; the reset-after form).
pub fn gru(units: usize) -> LayerConfig {
    LayerConfig { cell: Cell::Gru, units }
}

/// A layer of simple recurrent units with the hyperbolic tangent (Elman 1990): the course's.
pub fn simple_rnn(units: usize) -> LayerConfig {
    LayerConfig { cell: Cell::SimpleRnn, units }
}

/// The shape of a network: a dense layer in, recurrent layers, a dense layer out.
///
/// ```
/// use neural_composer::model::{NetworkConfig, lstm};
/// let config = NetworkConfig::stack(1024, [lstm(512), lstm(512)]);
/// assert_eq!(config.dense_units, 512);
/// assert!(config.parameter_count() > 5_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Numbers per block, in and out.
    pub width: usize,
    /// Units of the dense layer between the block and the first recurrent layer.
    pub dense_units: usize,
    /// The recurrent layers, first to last.
    pub layers: Vec<LayerConfig>,
}

impl NetworkConfig {
    /// Recurrent `layers` over blocks of `width` numbers; the dense layer in front is as wide as the
    /// first of them.
    pub fn stack(width: usize, layers: impl IntoIterator<Item = LayerConfig>) -> Self {
        let layers: Vec<_> = layers.into_iter().collect();
        let dense_units = layers.first().map_or(width, |layer| layer.units);
        Self { width, dense_units, layers }
    }

    /// How many numbers training adjusts.
    pub fn parameter_count(&self) -> usize {
        let dense = |from: usize, to: usize| from * to + to;
        let mut width = self.dense_units;
        let mut count = dense(self.width, width);
        for layer in &self.layers {
            count += layer.cell.gates() * layer.units * (width + layer.units + 2);
            width = layer.units;
        }
        count + dense(width, self.width)
    }

    /// Refuses what cannot be built.
    ///
    /// # Errors
    /// [`Error::Argument`] without layers, or where a width is 0.
    pub fn check(&self) -> Result<()> {
        if self.layers.is_empty() {
            return Err(Error::argument("layers", "at least one recurrent layer", "none"));
        }
        let widths = [("width", self.width), ("dense_units", self.dense_units)];
        let units = self.layers.iter().map(|layer| ("units", layer.units));
        for (name, value) in widths.into_iter().chain(units) {
            if !(1..=1 << 20).contains(&value) {
                return Err(Error::argument(name, "a number from 1 to 1,048,576", value));
            }
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
            1 => format!("{} {}", layer.cell, layer.units),
            _ => format!("{count} × {} {}", layer.cell, layer.units),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
