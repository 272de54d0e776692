//! The matrix product of a step, as cuBLAS is asked for it.

use candle_core::Result as CandleResult;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::cublas::CudaBlas;
use candle_core::cuda_backend::cudarc::cublas::result::sgemm;
use candle_core::cuda_backend::cudarc::cublas::sys::cublasOperation_t as Side;

use super::super::gates::Gates;

/// A product of values of all sequences with the recurrent weight.
///
/// cuBLAS counts columns first. So it is told the transposed of everything, which needs no copies: the
/// weight is on the left, sequences are columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// Whether the weight, to cuBLAS (units, rows), is to be transposed.
    is_weight_turned: bool,
    /// Values that come out for a sequence, sequences, and values that are summed over.
    sizes: [usize; 3],
    /// Values from one sequence to the next, of what goes in.
    apart: usize,
    /// Whether it is added to what is there.
    is_added: bool,
    units: usize,
}

impl Product {
    /// The state's share of all gates, (batch, rows of the weight): of outputs that are `apart`.
    pub const fn forward(gates: Gates, batch: usize, apart: usize) -> Self {
        let sizes = [gates.weight_rows(), batch, gates.hidden];
        Self { is_weight_turned: true, sizes, apart, is_added: false, units: gates.hidden }
    }

    /// What is added to the state's gradient, (batch, units): of gates' gradients that are `apart`.
    pub const fn backward(gates: Gates, batch: usize, apart: usize) -> Self {
        let sizes = [gates.hidden, batch, gates.weight_rows()];
        Self { is_weight_turned: false, sizes, apart, is_added: true, units: gates.hidden }
    }

    /// Puts the product into the stream.
    ///
    /// # Safety
    /// The addresses are of values on the card, as many as the sizes ask for, until what is in the stream
    /// now is done; the card's context is this thread's.
    pub unsafe fn launch(
        self,
        blas: &CudaBlas,
        weight: u64,
        given: u64,
        to: u64,
    ) -> CandleResult<()> {
        let side = if self.is_weight_turned { Side::CUBLAS_OP_T } else { Side::CUBLAS_OP_N };
        let added = if self.is_added { 1. } else { 0. };
        let [m, n, k] = self.sizes.map(|size| size as i32);
        // SAFETY: the caller's; `added` and the factor live until the call returns.
        unsafe {
            sgemm(
                *blas.handle(),
                side,
                Side::CUBLAS_OP_N,
                m,
                n,
                k,
                &1.,
                weight as *const f32,
                self.units as i32,
                given as *const f32,
                self.apart as i32,
                &added,
                to as *mut f32,
                m,
            )
        }
        .w()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Cell;
    use super::*;

    impl Product {
        /// What cuBLAS is documented to compute.
        fn on_the_host(self, weight: &[f32], given: &[f32], to: &mut [f32]) {
            let [m, n, k] = self.sizes;
            for column in 0..n {
                for row in 0..m {
                    let of_weight = |at: usize| match self.is_weight_turned {
                        true => weight[at + row * self.units],
                        false => weight[row + at * self.units],
                    };
                    let sum: f32 =
                        (0..k).map(|at| of_weight(at) * given[at + column * self.apart]).sum();
                    let to = &mut to[row + column * m];
                    *to = if self.is_added { *to + sum } else { sum };
                }
            }
        }
    }

    /// Numbers of which no two are alike.
    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.7).sin()).collect()
    }

    #[test]
    fn the_products_of_a_step_are_those_of_the_formulas() {
        for cell in Cell::ALL {
            let (batch, steps, units) = (3, 4, 5);
            let gates = Gates { cell, hidden: units };
            let (rows, row) = (gates.weight_rows(), gates.row());
            let weight = numbers(rows * units);
            let outputs = numbers(batch * steps * units);
            let step = 2;
            let mut share = vec![f32::NAN; batch * rows];
            let before = &outputs[(step - 1) * units..];
            Product::forward(gates, batch, steps * units).on_the_host(&weight, before, &mut share);
            let gradients = numbers(batch * steps * row);
            let mut state = vec![1.; batch * units];
            let of_step = &gradients[step * row + gates.hidden_start()..];
            Product::backward(gates, batch, steps * row).on_the_host(&weight, of_step, &mut state);
            for sequence in 0..batch {
                for gate in 0..rows {
                    let output =
                        |unit: usize| outputs[(sequence * steps + step - 1) * units + unit];
                    let sum: f32 =
                        (0..units).map(|unit| weight[gate * units + unit] * output(unit)).sum();
                    assert!((share[sequence * rows + gate] - sum).abs() < 1e-5, "{cell}");
                }
                for unit in 0..units {
                    let start = (sequence * steps + step) * row + gates.hidden_start();
                    let sum: f32 = (0..rows)
                        .map(|gate| gradients[start + gate] * weight[gate * units + unit])
                        .sum();
                    assert!((state[sequence * units + unit] - 1. - sum).abs() < 1e-5, "{cell}");
                }
            }
        }
    }
}
