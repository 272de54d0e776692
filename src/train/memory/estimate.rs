//! What a training keeps in memory, part by part.

use std::fmt;

use crate::memory::gigabytes;
use crate::model::{Activation, LayerConfig, NetworkConfig};
use crate::train::Training;
use crate::train::loss::Loss;

/// Bytes of a number.
pub(super) const NUMBER: u64 = 4;
/// What threads, products in blocks and the allocator take beside it all.
pub(super) const BESIDE: u64 = 8 << 20;
/// Sequences side by side, above which a recurrent weight is copied in another order for a pass.
const FEW_SEQUENCES: u64 = 8;

/// What a training keeps in memory at the moment it keeps most, in bytes; the songs, which are there
/// already, are not counted.
///
/// ```
/// use neural_composer::model::{NetworkConfig, lstm};
/// use neural_composer::train::{Training, memory::MemoryEstimate};
/// let deep = NetworkConfig::stack(22_050, [lstm(1024).norm().residual(); 24]);
/// let estimate = MemoryEstimate::new(&deep, 40, &Training::epochs(1).batch(5));
/// assert!(estimate.total() < 6_000_000_000);
/// println!("{estimate}"); // 3.5 GB: parameters 1.0, gradients 1.0, …; copies 2.0
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The network itself, and its best state so far where an early stop may bring it back.
    pub parameters: u64,
    /// One number for every parameter.
    pub gradients: u64,
    /// The rule's state for every parameter.
    pub optimizer: u64,
    /// Inputs and targets.
    pub batch: u64,
    /// What the layers keep for the way back, and what the way back needs beside it.
    pub activations: u64,
    /// Where there is room: a copy of all that trains, to go back to from a loss that is no number, and
    /// another one while a checkpoint is written.
    pub copies: u64,
}

impl MemoryEstimate {
    /// For a network of `config` trained as `settings` say on sequences of `steps` blocks.
    pub fn new(config: &NetworkConfig, steps: usize, settings: &Training) -> Self {
        let numbers = Numbers::new(config, steps, settings);
        let parameters = config.parameter_count() as u64;
        let copies = 1 + u64::from(settings.patience.is_some());
        let memories = settings.rule.memories().len() as u64;
        let kept = NUMBER * parameters * (copies + memories);
        Self {
            copies: kept * (1 + u64::from(settings.checkpoints.is_some())),
            parameters: NUMBER * parameters * copies,
            gradients: NUMBER * parameters,
            optimizer: NUMBER * parameters * memories,
            batch: NUMBER * numbers.batch(),
            activations: NUMBER * numbers.activations() + BESIDE,
        }
    }

    /// What it cannot do without: everything but the copies.
    pub fn total(&self) -> u64 {
        self.parameters + self.gradients + self.optimizer + self.batch + self.activations
    }

    /// Everything.
    pub fn with_copies(&self) -> u64 {
        self.total() + self.copies
    }
}

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: parameters {}, gradients {}, optimizer {}, batch {}, activations {}; copies {} where \
             there is room",
            gigabytes(self.total()),
            gigabytes(self.parameters),
            gigabytes(self.gradients),
            gigabytes(self.optimizer),
            gigabytes(self.batch),
            gigabytes(self.activations),
            gigabytes(self.copies)
        )
    }
}

/// Counts of numbers, from which all estimates come.
struct Numbers<'a> {
    config: &'a NetworkConfig,
    settings: &'a Training,
    batch: u64,
    steps: u64,
    /// Steps of all sequences of a batch that are on their way at once.
    rows: u64,
    /// Such pieces in the steps between two optimizer steps.
    pieces: u64,
}

/// A layer's numbers for every row.
struct PerRow {
    /// Kept from the way forwards to the way back.
    kept: u64,
    /// Needed beside it while the layer goes back.
    passing: u64,
}

impl<'a> Numbers<'a> {
    fn new(config: &'a NetworkConfig, steps: usize, settings: &'a Training) -> Self {
        let part = settings.truncate_steps.unwrap_or(steps).min(steps);
        let piece = settings.recompute.steps.unwrap_or(part).clamp(1, part.max(1));
        let batch = settings.batch_size as u64;
        Self {
            config,
            settings,
            batch,
            steps: steps as u64,
            rows: batch * piece as u64,
            pieces: part.div_ceil(piece) as u64,
        }
    }

    /// Inputs and targets of whole sequences.
    fn batch(&self) -> u64 {
        let width = self.config.width as u64;
        let mut copies = 2;
        if self.config.recurrent_input {
            copies += 2;
        }
        if self.hears_itself() {
            // What is heard in place of the truth.
            copies += 1;
        }
        self.batch * self.steps * width * copies
    }

    fn hears_itself(&self) -> bool {
        self.settings.scheduled_sampling > 0.
    }

    /// While a batch is put together: its own predictions, and the same a step later.
    fn predictions(&self) -> u64 {
        let width = self.config.width as u64;
        if self.hears_itself() { 2 * self.batch * self.steps * width } else { 0 }
    }

    fn activations(&self) -> u64 {
        let width = self.config.width as u64;
        let layers: Vec<PerRow> = self.layers();
        // Predictions, their gradient, and while Candle adds it up, two more of the kind.
        let ends = width * if matches!(self.settings.loss, Loss::Spectral { .. }) { 5 } else { 4 };
        let kept: u64 = layers.iter().map(|layer| layer.kept).sum();
        let most = |each: fn(&PerRow) -> u64| layers.iter().map(each).max().unwrap_or(0);
        let of_rows = if self.settings.recompute.layers {
            let inputs: u64 = self.widths().map(|(input, _)| input).sum();
            // One layer at a time, or the last dense layer.
            inputs + most(|layer| layer.kept + layer.passing).max(ends)
        } else {
            let passing = most(|layer| layer.passing).max(ends - width);
            self.entered() + kept + width + passing
        };
        // A run of steps that is not the whole is copied out of inputs and targets.
        let runs = self.pieces > 1 || self.settings.truncate_steps.is_some();
        let copied = if runs { self.config.input_width() as u64 + width } else { 0 };
        let on_the_way = self.rows * (of_rows + copied) + self.states() + self.copied_weights();
        on_the_way.max(self.predictions()) + self.rounded()
    }

    /// (width of the input, units) of every layer.
    fn widths(&self) -> impl Iterator<Item = (u64, u64)> {
        let units = self.config.layers.iter().map(|layer| layer.units as u64);
        let inputs = std::iter::once(self.config.dense_units as u64).chain(units.clone());
        inputs.zip(units)
    }

    /// What the dense layer in front gives, before and after its activation.
    fn entered(&self) -> u64 {
        let linear = self.config.dense_activation == Activation::Linear;
        self.config.dense_units as u64 * if linear { 1 } else { 2 }
    }

    fn layers(&self) -> Vec<PerRow> {
        let layer = |((input, units), layer): ((u64, u64), &LayerConfig)| {
            let gates = units * layer.cell.kept_gates() as u64;
            let cells = if layer.cell.has_cell_state() { units } else { 0 };
            let norm = if layer.norm { input } else { 0 };
            let sum = if layer.residual { units } else { 0 };
            let dropout = if self.settings.dropout > 0. { units } else { 0 };
            PerRow {
                kept: norm + gates + cells + units + dropout + sum,
                // Gradients of gates, output, input and what is added to them; previous outputs.
                passing: gates + 3 * units + 3 * input,
            }
        };
        self.widths().zip(&self.config.layers).map(layer).collect()
    }

    /// States kept between runs of steps.
    fn states(&self) -> u64 {
        let of_layers: u64 = self.config.layers.iter().map(|layer| layer.units as u64).sum();
        2 * of_layers * self.batch * self.pieces
    }

    /// What products of fewer bits read: on a card all of it is kept in half as many bits for the way back,
    /// on the CPU the numbers of one product at a time.
    fn rounded(&self) -> u64 {
        if self.settings.precision.is_full() {
            return 0;
        }
        let (width, input) = (self.config.width as u64, self.config.input_width() as u64);
        let dense = self.config.dense_units as u64;
        let of_layers = self.widths().zip(&self.config.layers).map(|((input, units), layer)| {
            let gates = units * layer.cell.gates() as u64;
            (input, gates)
        });
        let last = self.config.layers.last().map_or(dense, |layer| layer.units as u64);
        let products: Vec<(u64, u64)> =
            [(input, dense), (last, width)].into_iter().chain(of_layers).collect();
        // Its weight, what goes into it and what its gradient is made of.
        let numbers = |(from, to): &(u64, u64)| from * to + self.rows * (from + to);
        let all: u64 = products.iter().map(numbers).sum();
        let largest = products.iter().map(numbers).max().unwrap_or(0);
        largest.max(all / 2)
    }

    /// A recurrent weight in another order, for as long as its layer runs.
    fn copied_weights(&self) -> u64 {
        if self.batch <= FEW_SEQUENCES {
            return 0;
        }
        let weight = |layer: &LayerConfig| layer.cell.gates() * layer.units.pow(2);
        self.config.layers.iter().map(weight).max().unwrap_or(0) as u64
    }
}
