//! Whole sequences on the CPU: forwards, and backwards through time.
//!
//! What can be done for all steps at once (the input's products, the weights' gradients) is left to
//! the caller; here is only what one step after the other must do.

use rayon::prelude::*;

use super::gates::{self, Gates};
use crate::compute::few_rows::{Stored, Weights, Work};
use crate::compute::lanes::Lanes;
use crate::compute::panels::{Rows, each_run, panels_len};
use crate::compute::scratch::Scratch;

/// Above this many bytes a recurrent weight does not stay in one core's cache.
const CACHED_BYTES: usize = 4 << 20;

/// How large everything is.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Kind and units.
    pub gates: Gates,
    /// Sequences side by side.
    pub batch: usize,
    /// Steps of each.
    pub steps: usize,
}

impl Extent {
    /// Values of one sequence's outputs.
    const fn outputs(self) -> usize {
        self.steps * self.gates.hidden
    }

    /// Values of one sequence's cell values: none but for an LSTM.
    const fn cells(self) -> usize {
        if self.gates.cell.has_cell_state() { self.outputs() } else { 0 }
    }

    /// How many sequences one thread takes through all steps on its own; `None` if all threads share
    /// the work of each step.
    ///
    /// Threads on their own need not wait for each other, but each of them reads all weights: that pays
    /// as long as the weights stay in the cache.
    fn sequences_per_thread<T>(self) -> Option<usize> {
        let threads = rayon::current_num_threads();
        let bytes = self.gates.weight_rows() * self.gates.hidden * size_of::<T>();
        (self.is_large() && self.batch >= 4 * threads && bytes <= CACHED_BYTES)
            .then(|| self.batch.div_ceil(threads))
    }

    /// Multiplications of all steps, above which other threads are woken at all.
    const fn is_large(self) -> bool {
        self.steps * self.batch * self.gates.weight_rows() * self.gates.hidden > 1 << 19
    }

    /// Does `work` on a thread of the pool if it is large: from there, the pool's other threads are
    /// called without waking this one in between.
    fn in_pool(self, work: impl FnOnce() + Send) {
        if self.is_large() { rayon::scope(|_| work()) } else { work() }
    }

    /// How a step's product is done, where each thread has sequences of its own or all share them.
    const fn work_of_step(self, alone: bool) -> Work {
        // Multiplications above which waking other threads pays.
        let is_large = self.batch * self.gates.weight_rows() * self.gates.hidden > 1 << 17;
        match (is_large, alone) {
            (false, _) => Work::Small,
            (true, false) => Work::Shared,
            (true, true) => Work::Alone,
        }
    }
}

/// The state before the first step; each (batch, hidden), the cell values empty but for an LSTM.
#[derive(Clone, Copy, Debug)]
pub struct Initial<'a, T> {
    /// The output before.
    pub hidden: &'a [T],
    /// The cell values before.
    pub cell: &'a [T],
}

/// Runs all steps. `bias` is a [`Gates::row`]; `gates`, of shape (batch, steps, row), holds the input's
/// products (unused where there are none), and is left as [`gates`] says; `outputs` is (batch, steps, hidden); `cells` likewise for
/// an LSTM, else empty.
pub fn forward<T: Lanes>(
    extent: Extent,
    weight_hh: Stored<'_, T>,
    bias: &[T],
    initial: Initial<'_, T>,
    gates: &mut [T],
    outputs: &mut [T],
    cells: &mut [T],
) {
    let Extent { gates: Gates { hidden, .. }, batch, steps } = extent;
    let rows = extent.gates.weight_rows();
    let alone = extent.sequences_per_thread::<T>();
    // Of the whole batch, however many rows a thread has: results do not depend on the threads.
    let weights = Weights::transposed(weight_hh, rows, batch, batch * steps);
    let work = extent.work_of_step(alone.is_some());
    let run = |part: ForwardPart<'_, T>| part.run(&weights, work);
    match alone {
        None => {
            extent.in_pool(|| run(ForwardPart { extent, bias, initial, gates, outputs, cells }))
        }
        Some(count) => {
            let of_gates = count * steps * extent.gates.row();
            // Where there are no cell values every thread takes an empty part of them.
            let mut cells: Vec<_> = if cells.is_empty() {
                (0..batch.div_ceil(count)).map(|_| Default::default()).collect()
            } else {
                cells.chunks_mut(count * extent.cells()).collect()
            };
            gates
                .par_chunks_mut(of_gates)
                .zip(outputs.par_chunks_mut(count * extent.outputs()))
                .zip(cells.par_iter_mut())
                .zip(initial.hidden.par_chunks(count * hidden))
                .enumerate()
                .for_each(|(index, (((gates, outputs), cells), hidden_before))| {
                    let batch = hidden_before.len() / hidden;
                    let cell = part_of(initial.cell, index * count * hidden, batch * hidden);
                    run(ForwardPart {
                        extent: Extent { batch, ..extent },
                        bias,
                        initial: Initial { hidden: hidden_before, cell },
                        gates,
                        outputs,
                        cells,
                    });
                });
        }
    }
}

/// `values[start..start + len]`, or nothing of nothing.
fn part_of<T>(values: &[T], start: usize, len: usize) -> &[T] {
    if values.is_empty() { values } else { &values[start..][..len] }
}

struct ForwardPart<'a, T> {
    extent: Extent,
    bias: &'a [T],
    initial: Initial<'a, T>,
    gates: &'a mut [T],
    outputs: &'a mut [T],
    cells: &'a mut [T],
}

impl<T: Lanes> ForwardPart<'_, T> {
    fn run(self, weights: &Weights<'_, T>, work: Work) {
        let Self { extent, bias, initial, gates, outputs, cells } = self;
        let Extent { gates: layout @ Gates { cell, hidden }, batch, steps } = extent;
        let (row, rows) = (layout.row(), layout.weight_rows());
        let mut panels = Scratch::new(panels_len(batch, rows));
        for step in 0..steps {
            let before = match step {
                0 => Rows { data: initial.hidden, count: batch, stride: hidden, width: hidden },
                _ => Rows {
                    data: &outputs[(step - 1) * hidden..],
                    count: batch,
                    stride: steps * hidden,
                    width: hidden,
                },
            };
            weights.multiply(before, &mut panels, work);
            for sequence in 0..batch {
                // What the hidden state alone feeds.
                gates[(sequence * steps + step) * row..][rows..row].fill(T::ZERO);
            }
            each_run(&panels, batch, rows, |sequence, first, run| {
                let start = (sequence * steps + step) * row + layout.hidden_start() + first;
                for (gate, value) in gates[start..].iter_mut().zip(run) {
                    *gate += *value;
                }
            });
            for sequence in 0..batch {
                let at = sequence * steps + step;
                let of_batch = sequence * hidden;
                let (past, now) = outputs.split_at_mut(at * hidden);
                let (cells_past, cells_now) =
                    cells.split_at_mut(if cells.is_empty() { 0 } else { at * hidden });
                let (previous, cell_before) = match step {
                    0 => (
                        &initial.hidden[of_batch..][..hidden],
                        part_of(initial.cell, of_batch, hidden),
                    ),
                    _ => (
                        &past[(at - 1) * hidden..],
                        part_of(cells_past, at.wrapping_sub(1).wrapping_mul(hidden), hidden),
                    ),
                };
                let cell_width = hidden.min(cells_now.len());
                gates::forward(
                    cell,
                    gates::Forward {
                        gates: &mut gates[at * row..][..row],
                        bias,
                        previous,
                        cell_before,
                        cell: &mut cells_now[..cell_width],
                        output: &mut now[..hidden],
                    },
                );
            }
        }
    }
}

/// What the forward pass left, and what comes back from above.
#[derive(Clone, Copy, Debug)]
pub struct Upstream<'a, T> {
    /// As the forward pass left them.
    pub gates: &'a [T],
    /// The outputs.
    pub outputs: &'a [T],
    /// The cell values of all steps (LSTM; else empty).
    pub cells: &'a [T],
    /// The gradient of the outputs, (batch, steps, hidden).
    pub gradient: &'a [T],
}

/// Goes back through all steps. `gradient` is left holding the gradient of the gates, in their layout;
/// `hidden` and `cell` hold the gradient of the state after the last step that does not come through
/// the outputs, and are left holding that of the state before the first step.
pub fn backward<T: Lanes>(
    extent: Extent,
    weight_hh: &[T],
    initial: Initial<'_, T>,
    upstream: Upstream<'_, T>,
    gradient: &mut [T],
    hidden: &mut [T],
    cell: &mut [T],
) {
    let Extent { gates: layout, batch, steps } = extent;
    let alone = extent.sequences_per_thread::<T>();
    let weights = Weights::plain(weight_hh, layout.hidden, batch, batch * steps);
    let work = extent.work_of_step(alone.is_some());
    let run = |part: BackwardPart<'_, T>| part.run(&weights, work);
    match alone {
        None => extent
            .in_pool(|| run(BackwardPart { extent, initial, upstream, gradient, hidden, cell })),
        Some(count) => {
            let of_state = count * layout.hidden;
            let mut cells: Vec<_> = if cell.is_empty() {
                (0..batch.div_ceil(count)).map(|_| Default::default()).collect()
            } else {
                cell.chunks_mut(of_state).collect()
            };
            gradient
                .par_chunks_mut(count * steps * layout.row())
                .zip(hidden.par_chunks_mut(of_state))
                .zip(cells.par_iter_mut())
                .enumerate()
                .for_each(|(index, ((gradient, hidden), cell))| {
                    let batch = hidden.len() / layout.hidden;
                    let (first, extent) = (index * count, Extent { batch, ..extent });
                    let part = |values, width: usize| part_of(values, first * width, batch * width);
                    run(BackwardPart {
                        extent,
                        initial: Initial {
                            hidden: part(initial.hidden, layout.hidden),
                            cell: part(initial.cell, layout.hidden),
                        },
                        upstream: Upstream {
                            gates: part(upstream.gates, steps * layout.row()),
                            outputs: part(upstream.outputs, extent.outputs()),
                            cells: part(upstream.cells, extent.outputs()),
                            gradient: part(upstream.gradient, extent.outputs()),
                        },
                        gradient,
                        hidden,
                        cell,
                    });
                });
        }
    }
}

struct BackwardPart<'a, T> {
    extent: Extent,
    initial: Initial<'a, T>,
    upstream: Upstream<'a, T>,
    gradient: &'a mut [T],
    hidden: &'a mut [T],
    cell: &'a mut [T],
}

impl<T: Lanes> BackwardPart<'_, T> {
    fn run(self, weights: &Weights<'_, T>, work: Work) {
        let Self { extent, initial, upstream, gradient, hidden: d_hidden, cell: d_cell } = self;
        let Extent { gates: layout @ Gates { cell, hidden }, batch, steps } = extent;
        let row = layout.row();
        let mut panels = Scratch::new(panels_len(batch, hidden));
        for step in (0..steps).rev() {
            for sequence in 0..batch {
                let at = sequence * steps + step;
                let of_batch = sequence * hidden;
                let d_output = &mut d_hidden[of_batch..][..hidden];
                let from_above = &upstream.gradient[at * hidden..][..hidden];
                for (sum, value) in d_output.iter_mut().zip(from_above) {
                    *sum += *value;
                }
                let (previous, cell_before) = match step {
                    0 => (
                        &initial.hidden[of_batch..][..hidden],
                        part_of(initial.cell, of_batch, hidden),
                    ),
                    _ => (
                        &upstream.outputs[(at - 1) * hidden..][..hidden],
                        part_of(upstream.cells, (at - 1) * hidden, hidden),
                    ),
                };
                let d_cell: &mut [T] = if d_cell.is_empty() {
                    Default::default()
                } else {
                    &mut d_cell[of_batch..][..hidden]
                };
                gates::backward(
                    cell,
                    gates::Backward {
                        gates: &upstream.gates[at * row..][..row],
                        previous,
                        output: &upstream.outputs[at * hidden..][..hidden],
                        cell_before,
                        cell: part_of(upstream.cells, at * hidden, hidden),
                        output_gradient: d_output,
                        cell_gradient: d_cell,
                        gradient: &mut gradient[at * row..][..row],
                    },
                );
            }
            let d_gates = Rows {
                data: &gradient[step * row + layout.hidden_start()..],
                count: batch,
                stride: steps * row,
                width: layout.weight_rows(),
            };
            weights.multiply(d_gates, &mut panels, work);
            each_run(&panels, batch, hidden, |sequence, first, run| {
                for (sum, value) in d_hidden[sequence * hidden + first..].iter_mut().zip(run) {
                    *sum += *value;
                }
            });
        }
    }
}
