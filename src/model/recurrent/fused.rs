//! The recurrence on the CPU as operations that Candle's autograd sees as ordinary ones.
//!
//! A custom operation of Candle takes three tensors and gives one. A layer takes six (input, two
//! weights, two biases, state) and gives two (outputs, cell values). So it is three operations that
//! share a [`Run`]:
//!
//! - [`WeightsKnot`] ties the weights and biases into a tensor of one number. It computes nothing; on
//!   the way back it hands over the gradients that `Sequence` has put by.
//! - [`Sequence`] takes the input, the knot and the initial state, and gives the outputs.
//! - [`FinalCell`] takes the outputs and gives the last cell values of an LSTM; on the way back it puts
//!   their gradient by for `Sequence`, which Candle visits later because it is further from the loss.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp3, Layout, Result as CandleResult, Shape, Tensor, bail,
};

use super::State;
use super::gates::Gates;
use super::sequence::{self, Extent, Initial, Upstream};
use super::weights::Weights;
use crate::Result;
use crate::compute::few_rows::{Stored, transposed};
use crate::compute::lanes::Lanes;
use crate::compute::lock::lock;
use crate::compute::matrix::{Into, Matrix};
use crate::compute::product::{add_column_sums, product};
use crate::compute::scratch::Scratch;
use crate::compute::storage::{values, with_stored, with_values};
use crate::compute::{Precision, Real};
use crate::model::gradients;

/// Runs a layer over `input`, of shape (batch, steps, input size), from `state`.
pub fn forward<T: Lanes>(
    weights: &Weights,
    input: &Tensor,
    state: &State,
) -> Result<(Tensor, State)> {
    let (batch, steps, _) = input.dims3()?;
    let gates = Gates { cell: weights.cell, hidden: weights.units() };
    let input = input.contiguous()?;
    let weight_ih = weights.weight_ih.contiguous()?;
    let weight_hh = weights.weight_hh.contiguous()?;
    let biases = Tensor::cat(&[&weights.bias_ih, &weights.bias_hh], 0)?;
    let initial = match &state.cell {
        Some(cell) => Tensor::stack(&[&state.hidden, cell], 0)?,
        None => state.hidden.unsqueeze(0)?.contiguous()?,
    };
    let tracked = [&input, &weight_ih, &weight_hh, &biases, &initial].iter().any(|t| t.track_op());
    let run = Arc::new(Run::<T> {
        precision: Precision::current(),
        extent: Extent { gates, batch, steps },
        weight_ih: weight_ih.clone(),
        weight_hh: weight_hh.clone(),
        biases: biases.clone(),
        tracked,
        saved: Mutex::new(None),
        final_cell: Mutex::new(None),
        final_cell_gradient: Mutex::new(None),
        weight_gradients: Mutex::new(None),
    });
    let knot = weight_ih.apply_op3(&weight_hh, &biases, WeightsKnot(run.clone()))?;
    let outputs = input.apply_op3(&knot, &initial, Sequence(run.clone()))?;
    let hidden = outputs.narrow(1, steps - 1, 1)?.squeeze(1)?.contiguous()?;
    let cell =
        if gates.cell.has_cell_state() { Some(outputs.apply_op1(FinalCell(run))?) } else { None };
    Ok((outputs, State { hidden, cell }))
}

/// What the operations of one run over one input share.
#[derive(Debug)]
struct Run<T: Real> {
    precision: Precision,
    extent: Extent,
    weight_ih: Tensor,
    weight_hh: Tensor,
    /// `bias_ih`, then `bias_hh`.
    biases: Tensor,
    /// Whether anybody may ask for gradients.
    tracked: bool,
    saved: Mutex<Option<Arc<Saved<T>>>>,
    final_cell: Mutex<Option<Vec<T>>>,
    final_cell_gradient: Mutex<Option<Tensor>>,
    weight_gradients: Mutex<Option<WeightGradients>>,
}

/// What the way back needs of the forward pass, besides its arguments and its result.
#[derive(Debug)]
struct Saved<T: Real> {
    gates: Scratch<T>,
    cells: Scratch<T>,
}

/// Gradients on their way to the knot; `None` where nobody asks, or a sink took them.
type WeightGradients = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

#[derive(Debug)]
struct WeightsKnot<T: Real>(Arc<Run<T>>);

impl<T: Lanes> CustomOp3 for WeightsKnot<T> {
    fn name(&self) -> &'static str {
        "recurrent-weights"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        Ok((T::to_cpu_storage_owned(vec![T::ZERO]), Shape::from(1)))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> CandleResult<WeightGradients> {
        match lock(&self.0.weight_gradients).take() {
            Some(gradients) => Ok(gradients),
            None => bail!("the gradients of a recurrent layer's weights were not computed"),
        }
    }
}

#[derive(Debug)]
struct FinalCell<T: Real>(Arc<Run<T>>);

impl<T: Lanes> CustomOp1 for FinalCell<T> {
    fn name(&self) -> &'static str {
        "recurrent-final-cell"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let Extent { gates, batch, .. } = self.0.extent;
        match lock(&self.0.final_cell).take() {
            Some(cell) => Ok((T::to_cpu_storage_owned(cell), Shape::from((batch, gates.hidden)))),
            None => bail!("the cell values of a recurrent layer were not computed"),
        }
    }

    fn bwd(&self, outputs: &Tensor, _: &Tensor, gradient: &Tensor) -> CandleResult<Option<Tensor>> {
        *lock(&self.0.final_cell_gradient) = Some(gradient.contiguous()?);
        // The outputs get no gradient from here, but must get one for the walk to go on.
        Ok(Some(outputs.zeros_like()?))
    }
}

#[derive(Debug)]
struct Sequence<T: Real>(Arc<Run<T>>);

impl<T: Lanes> CustomOp3 for Sequence<T> {
    fn name(&self) -> &'static str {
        "recurrent-sequence"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        _: &CpuStorage,
        _: &Layout,
        initial: &CpuStorage,
        initial_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let run = &*self.0;
        let input: &[T] = values(input, input_layout)?;
        let initial = split_state(run.extent, values(initial, initial_layout)?);
        let Extent { gates: layout, batch, steps } = run.extent;
        let mut gates = with_stored(&run.weight_ih, |weight_ih| Ok(run.project(input, weight_ih)))?;
        let bias = with_values(&run.biases, |biases| Ok(run.bias(biases)))?;
        let mut outputs = vec![T::ZERO; batch * steps * layout.hidden];
        let with_cells = layout.cell.has_cell_state();
        let mut cells = Scratch::new(if with_cells { outputs.len() } else { 0 });
        with_stored(&run.weight_hh, |weight_hh| {
            let (gates, outputs, cells) = (&mut gates, &mut outputs, &mut cells);
            sequence::forward(run.extent, weight_hh, &bias, initial, gates, outputs, cells);
            Ok(())
        })?;
        if with_cells {
            let last = |sequence| &cells[(sequence * steps + steps - 1) * layout.hidden..];
            let cell = (0..batch).flat_map(|b| &last(b)[..layout.hidden]).copied().collect();
            *lock(&run.final_cell) = Some(cell);
        }
        if run.tracked {
            *lock(&run.saved) = Some(Arc::new(Saved { gates, cells }));
        }
        Ok((T::to_cpu_storage_owned(outputs), Shape::from((batch, steps, layout.hidden))))
    }

    fn bwd(
        &self,
        input: &Tensor,
        knot: &Tensor,
        initial: &Tensor,
        outputs: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let run = &*self.0;
        let Some(saved) = lock(&run.saved).clone() else {
            bail!("a recurrent layer was run without keeping what its gradients need");
        };
        let final_cell_gradient = lock(&run.final_cell_gradient).take();
        let gradient = gradient.contiguous()?;
        let Extent { gates: layout, batch, .. } = run.extent;
        let of_state = batch * layout.hidden;
        let mut d_gates = Scratch::new(saved.gates.len());
        // Gradient of the state: hidden, then cell values.
        let mut d_state = vec![T::ZERO; initial.elem_count()];
        if let Some(gradient) = &final_cell_gradient {
            with_values(gradient, |gradient| {
                d_state[of_state..].copy_from_slice(gradient);
                Ok(())
            })?;
        }
        let (d_hidden, d_cell) = d_state.split_at_mut(of_state);
        with_values(&run.weight_hh, |weight_hh| {
            with_values(outputs, |outputs| {
                with_values(initial, |initial| {
                    with_values(&gradient, |gradient| {
                        let Saved { gates, cells } = &*saved;
                        sequence::backward(
                            run.extent,
                            weight_hh,
                            split_state(run.extent, initial),
                            Upstream { gates, outputs, cells, gradient },
                            &mut d_gates,
                            d_hidden,
                            d_cell,
                        );
                        Ok(())
                    })
                })
            })
        })?;
        // Of three products; the biases' sums are of all bits.
        let fed = run.precision.read(&d_gates);
        let d_weights = (
            with_values(input, |input| run.weight_ih_gradient(input, &fed))?,
            with_values(outputs, |outputs| {
                with_values(initial, |initial| {
                    let previous = previous_outputs(run.extent, initial, outputs);
                    run.weight_hh_gradient(&previous, &fed)
                })
            })?,
            run.bias_gradient(&d_gates)?,
        );
        *lock(&run.weight_gradients) = Some(d_weights);
        let d_input = if input.track_op() {
            let size = input.elem_count();
            let d_input = with_values(&run.weight_ih, |weight_ih| {
                Ok(run.input_gradient(weight_ih, &fed, size))
            })?;
            Some(Tensor::from_vec(d_input, input.shape(), input.device())?)
        } else {
            None
        };
        let d_initial = if initial.track_op() {
            Some(Tensor::from_vec(d_state, initial.shape(), initial.device())?)
        } else {
            None
        };
        Ok((d_input, Some(knot.zeros_like()?), d_initial))
    }
}

/// The parts of a packed state: hidden, then cell values.
fn split_state<T>(extent: Extent, state: &[T]) -> Initial<'_, T> {
    let (hidden, cell) = state.split_at(extent.batch * extent.gates.hidden);
    Initial { hidden, cell }
}

/// For every row of the outputs, the output one step before.
fn previous_outputs<T: Lanes>(extent: Extent, initial: &[T], outputs: &[T]) -> Scratch<T> {
    let hidden = extent.gates.hidden;
    let width = extent.steps * hidden;
    let mut previous = Scratch::new(outputs.len());
    let one = |(sequence, previous): (usize, &mut [T])| {
        let (first, rest) = previous.split_at_mut(hidden);
        first.copy_from_slice(&initial[sequence * hidden..][..hidden]);
        rest.copy_from_slice(&outputs[sequence * width..][..width - hidden]);
    };
    if outputs.len() > 1 << 18 {
        previous.par_chunks_exact_mut(width).enumerate().for_each(one);
    } else {
        previous.chunks_exact_mut(width).enumerate().for_each(one);
    }
    previous
}

impl<T: Lanes> Run<T> {
    fn rows(&self) -> usize {
        self.extent.batch * self.extent.steps
    }

    /// The sum of both biases where both are added, in the layout of [`Gates`].
    fn bias(&self, biases: &[T]) -> Vec<T> {
        let layout = self.extent.gates;
        let mut bias = vec![T::ZERO; layout.row()];
        let (bias_ih, bias_hh) = biases.split_at(layout.weight_rows());
        for (start, first, count) in layout.input_parts() {
            bias[start..][..count].copy_from_slice(&bias_ih[first..][..count]);
        }
        for (sum, value) in bias[layout.hidden_start()..].iter_mut().zip(bias_hh) {
            *sum += *value;
        }
        bias
    }

    /// The input's products, in the layout of [`Gates`]; unused where there is no input.
    fn project(&self, input: &[T], weight_ih: Stored<'_, T>) -> Scratch<T> {
        let layout = self.extent.gates;
        let (row, rows) = (layout.row(), self.rows());
        let mut gates = Scratch::new(row * rows);
        let width = input.len() / rows;
        let input = self.precision.read(input);
        let mut room = Vec::new();
        let weight_ih = weight_ih.read(self.precision, &mut room);
        for (start, first, count) in layout.input_parts() {
            let weight = weight_ih.part(first * width, count * width);
            transposed(&mut gates[start..], row, &input, rows, weight, Into::Overwrite);
        }
        gates
    }

    fn input_gradient(&self, weight_ih: &[T], d_gates: &[T], size: usize) -> Vec<T> {
        let (layout, rows) = (self.extent.gates, self.rows());
        let (row, width) = (layout.row(), size / rows);
        let mut gradient = vec![T::ZERO; size];
        let weight_ih = self.precision.read(weight_ih);
        let mut into = Into::Overwrite;
        for (start, first, count) in layout.input_parts() {
            let weight = Matrix::new(&weight_ih[first * width..][..count * width], count, width);
            let d_part = Matrix::strided(&d_gates[start..], rows, count, row);
            product(&mut gradient, width, d_part, weight, into);
            into = Into::Add;
        }
        gradient
    }

    fn weight_ih_gradient(&self, input: &[T], d_gates: &[T]) -> CandleResult<Option<Tensor>> {
        let (layout, rows) = (self.extent.gates, self.rows());
        let width = input.len() / rows;
        let input = self.precision.read(input);
        gradients::compute(&self.weight_ih, |gradient, into| {
            for (start, first, count) in layout.input_parts() {
                let d_part = Matrix::strided(&d_gates[start..], rows, count, layout.row());
                let input = Matrix::new(&input, rows, width);
                product(&mut gradient[first * width..], width, d_part.t(), input, into);
            }
        })
    }

    fn weight_hh_gradient(&self, previous: &[T], d_gates: &[T]) -> CandleResult<Option<Tensor>> {
        let (layout, rows) = (self.extent.gates, self.rows());
        let previous = self.precision.read(previous);
        gradients::compute(&self.weight_hh, |gradient, into| {
            let d_part = &d_gates[layout.hidden_start()..];
            let d_part = Matrix::strided(d_part, rows, layout.weight_rows(), layout.row());
            let previous = Matrix::new(&previous, rows, layout.hidden);
            product(gradient, layout.hidden, d_part.t(), previous, into);
        })
    }

    /// Of `bias_ih`, then of `bias_hh`.
    fn bias_gradient(&self, d_gates: &[T]) -> CandleResult<Option<Tensor>> {
        let layout = self.extent.gates;
        gradients::compute(&self.biases, |gradient, _| {
            // Biases are joined from two tensors, so never a parameter themselves: always overwritten.
            let mut sums = vec![T::ZERO; layout.row()];
            add_column_sums(d_gates, &mut sums);
            let (bias_ih, bias_hh) = gradient.split_at_mut(layout.weight_rows());
            for (start, first, count) in layout.input_parts() {
                bias_ih[first..][..count].copy_from_slice(&sums[start..][..count]);
            }
            bias_hh.copy_from_slice(&sums[layout.hidden_start()..][..layout.weight_rows()]);
        })
    }
}
