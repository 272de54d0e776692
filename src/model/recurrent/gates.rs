//! What a step does between the matrix products: gates, and the gradients through them.
//!
//! Every function works on one sequence's row at one step. Gates are kept in rows of
//! [`Gates::row`] values; what they hold:
//!
//! | cell | in the order | before | after | gradient |
//! |---|---|---|---|---|
//! | simple | h | sum of both products | left as it is | of the sum |
//! | LSTM | i f g o | sum of both products | activations | of the sums |
//! | GRU | n r z m | n: input's part, m: hidden's part, r z: sums | n r z activations, m with its bias | n: of the input's part, m: of the hidden's part, r z: of the sums |
//!
//! With the GRU's blocks in this order, the hidden products' gates (r z m) lie side by side.

use super::Cell;
use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};

/// How gates are laid out for a cell of `hidden` units.
#[derive(Clone, Copy, Debug)]
pub struct Gates {
    /// The kind.
    pub cell: Cell,
    /// Units.
    pub hidden: usize,
}

impl Gates {
    /// Values in one row.
    pub const fn row(self) -> usize {
        self.cell.kept_gates() * self.hidden
    }

    /// Where in a row the gates fed by the hidden state begin.
    pub const fn hidden_start(self) -> usize {
        match self.cell {
            Cell::Gru => self.hidden,
            Cell::SimpleRnn | Cell::SimpleRnnRelu | Cell::Lstm => 0,
        }
    }

    /// How many rows of a weight there are.
    pub const fn weight_rows(self) -> usize {
        self.cell.gates() * self.hidden
    }

    /// The parts of a row that the input feeds: (first value in the row, first row of the weight, how
    /// many).
    pub fn input_parts(self) -> Vec<(usize, usize, usize)> {
        let hidden = self.hidden;
        match self.cell {
            Cell::Gru => vec![(hidden, 0, 2 * hidden), (0, 2 * hidden, hidden)],
            Cell::SimpleRnn | Cell::SimpleRnnRelu | Cell::Lstm => vec![(0, 0, self.weight_rows())],
        }
    }
}

/// One row of a step forwards.
#[derive(Debug)]
pub struct Forward<'a, T> {
    /// Before, then after; see the module.
    pub gates: &'a mut [T],
    /// To be added to the gates before anything else.
    pub bias: &'a [T],
    /// Output of the step before.
    pub previous: &'a [T],
    /// Cell values of the step before, then of this one (LSTM; else empty).
    pub cell_before: &'a [T],
    /// See `cell_before`.
    pub cell: &'a mut [T],
    /// The output.
    pub output: &'a mut [T],
}

/// One row of a step backwards.
#[derive(Debug)]
pub struct Backward<'a, T> {
    /// As [`Forward`] left them.
    pub gates: &'a [T],
    /// Output of the step before.
    pub previous: &'a [T],
    /// Output of this step.
    pub output: &'a [T],
    /// Cell values of the step before and of this one (LSTM; else empty).
    pub cell_before: &'a [T],
    /// See `cell_before`.
    pub cell: &'a [T],
    /// Gradient of the output; becomes what flows to the output before past the matrix product.
    pub output_gradient: &'a mut [T],
    /// Gradient of the cell values (LSTM; else empty); becomes that of the step before.
    pub cell_gradient: &'a mut [T],
    /// Gradient of the gates, to be written.
    pub gradient: &'a mut [T],
}

struct ForwardLoop<'a, T>(Cell, Forward<'a, T>);
struct BackwardLoop<'a, T>(Cell, Backward<'a, T>);

/// Computes a step's row.
pub fn forward<T: Real>(cell: Cell, row: Forward<'_, T>) {
    vectorised(ForwardLoop(cell, row));
}

/// Computes the gradients of a step's row.
pub fn backward<T: Real>(cell: Cell, row: Backward<'_, T>) {
    vectorised(BackwardLoop(cell, row));
}

impl<T: Real> Loop for ForwardLoop<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self(cell, row) = self;
        match cell {
            Cell::SimpleRnn => {
                let sums = row.gates.iter().zip(row.bias).map(|(sum, bias)| *sum + *bias);
                for (output, sum) in row.output.iter_mut().zip(sums) {
                    *output = sum.tanh();
                }
            }
            Cell::SimpleRnnRelu => {
                let sums = row.gates.iter().zip(row.bias).map(|(sum, bias)| *sum + *bias);
                for (output, sum) in row.output.iter_mut().zip(sums) {
                    // Written so that NaN stays NaN.
                    *output = if sum < T::ZERO { T::ZERO } else { sum };
                }
            }
            Cell::Gru => gru_forward(row),
            Cell::Lstm => lstm_forward(row),
        }
    }
}

impl<T: Real> Loop for BackwardLoop<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Self(cell, row) = self;
        match cell {
            Cell::SimpleRnn => {
                let values = row.output.iter().zip(row.output_gradient);
                for (gradient, (output, upstream)) in row.gradient.iter_mut().zip(values) {
                    *gradient = *upstream * (T::ONE - *output * *output);
                    *upstream = T::ZERO;
                }
            }
            Cell::SimpleRnnRelu => {
                let values = row.output.iter().zip(row.output_gradient);
                for (gradient, (output, upstream)) in row.gradient.iter_mut().zip(values) {
                    *gradient = if *output > T::ZERO { *upstream } else { T::ZERO };
                    *upstream = T::ZERO;
                }
            }
            Cell::Gru => gru_backward(row),
            Cell::Lstm => lstm_backward(row),
        }
    }
}

/// A row's four blocks of equal length.
#[inline(always)]
fn four<T>(row: &[T], hidden: usize) -> [&[T]; 4] {
    let (a, rest) = row.split_at(hidden);
    let (b, rest) = rest.split_at(hidden);
    let (c, d) = rest.split_at(hidden);
    [a, b, c, &d[..hidden]]
}

#[inline(always)]
fn four_mut<T>(row: &mut [T], hidden: usize) -> [&mut [T]; 4] {
    let (a, rest) = row.split_at_mut(hidden);
    let (b, rest) = rest.split_at_mut(hidden);
    let (c, d) = rest.split_at_mut(hidden);
    [a, b, c, &mut d[..hidden]]
}

#[inline(always)]
fn lstm_forward<T: Real>(row: Forward<'_, T>) {
    let hidden = row.output.len();
    let [input, forget, candidate, out] = four_mut(row.gates, hidden);
    let [b_input, b_forget, b_candidate, b_out] = four(row.bias, hidden);
    let (before, cell) = (&row.cell_before[..hidden], &mut row.cell[..hidden]);
    let output = &mut row.output[..hidden];
    for j in 0..hidden {
        let (i, f) = ((input[j] + b_input[j]).sigmoid(), (forget[j] + b_forget[j]).sigmoid());
        let (g, o) = ((candidate[j] + b_candidate[j]).tanh(), (out[j] + b_out[j]).sigmoid());
        let c = f * before[j] + i * g;
        (input[j], forget[j], candidate[j], out[j]) = (i, f, g, o);
        cell[j] = c;
        output[j] = o * c.tanh();
    }
}

#[inline(always)]
fn lstm_backward<T: Real>(row: Backward<'_, T>) {
    let hidden = row.output.len();
    let [input, forget, candidate, out] = four(row.gates, hidden);
    let [d_input, d_forget, d_candidate, d_out] = four_mut(row.gradient, hidden);
    let (before, cell) = (&row.cell_before[..hidden], &row.cell[..hidden]);
    let upstream = &mut row.output_gradient[..hidden];
    let upstream_cell = &mut row.cell_gradient[..hidden];
    for j in 0..hidden {
        let (i, f, g, o) = (input[j], forget[j], candidate[j], out[j]);
        let squashed = cell[j].tanh();
        let d_hidden = upstream[j];
        let d_cell = upstream_cell[j] + d_hidden * o * (T::ONE - squashed * squashed);
        d_input[j] = d_cell * g * i * (T::ONE - i);
        d_forget[j] = d_cell * before[j] * f * (T::ONE - f);
        d_candidate[j] = d_cell * i * (T::ONE - g * g);
        d_out[j] = d_hidden * squashed * o * (T::ONE - o);
        upstream_cell[j] = d_cell * f;
        upstream[j] = T::ZERO;
    }
}

#[inline(always)]
fn gru_forward<T: Real>(row: Forward<'_, T>) {
    let hidden = row.output.len();
    let [new, reset, update, product] = four_mut(row.gates, hidden);
    let [b_new, b_reset, b_update, b_product] = four(row.bias, hidden);
    let (previous, output) = (&row.previous[..hidden], &mut row.output[..hidden]);
    for j in 0..hidden {
        let (r, z) = ((reset[j] + b_reset[j]).sigmoid(), (update[j] + b_update[j]).sigmoid());
        let m = product[j] + b_product[j];
        let n = (new[j] + b_new[j] + r * m).tanh();
        (new[j], reset[j], update[j], product[j]) = (n, r, z, m);
        output[j] = n + z * (previous[j] - n);
    }
}

#[inline(always)]
fn gru_backward<T: Real>(row: Backward<'_, T>) {
    let hidden = row.output.len();
    let [new, reset, update, product] = four(row.gates, hidden);
    let [d_new, d_reset, d_update, d_product] = four_mut(row.gradient, hidden);
    let (previous, upstream) = (&row.previous[..hidden], &mut row.output_gradient[..hidden]);
    for j in 0..hidden {
        let (n, r, z) = (new[j], reset[j], update[j]);
        let d_hidden = upstream[j];
        let d_n = d_hidden * (T::ONE - z) * (T::ONE - n * n);
        d_new[j] = d_n;
        d_reset[j] = d_n * product[j] * r * (T::ONE - r);
        d_update[j] = d_hidden * (previous[j] - n) * z * (T::ONE - z);
        d_product[j] = d_n * r;
        upstream[j] = d_hidden * z;
    }
}
