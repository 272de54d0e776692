//! The recurrence on a CUDA card: all steps of a layer as one operation, forwards and backwards.
//!
//! Where the recurrent weight fits on the card's chip, it stays there for all steps, in one launch of
//! `compute/cuda/persistent.cu` (after Diamos et al., "Persistent RNNs", 2016), whose blocks hand values
//! over in words that carry the step's number (arXiv 1804.10223). Where it does not fit, or that was seen to
//! differ on this card, a step is a product of cuBLAS and a launch of `compute/cuda/gates.cu`; where this
//! differs, too, Candle's operations take every step. `tests/cuda_kernels.rs` compares both with the CPU's
//! code. The input's products, the biases and the weights' gradients are Candle's own large operations.

mod passes;
mod plan;
mod product;

use std::sync::{Arc, Mutex};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::CudaDType;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut};
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, Device, Layout, Result as CandleResult, Shape,
    Storage, Tensor, Var, bail,
};

use self::passes::{BackwardPass, ForwardPass, KERNELS, Passes, Sizes};
use self::plan::Plan;
use super::gates::Gates;
use super::weights::Weights;
use super::{Cell, State, composed};
use crate::Result;
use crate::compute::Precision;
use crate::compute::card::{address, bytes, farthest, pointer};
use crate::compute::lock::lock;
use crate::model::dense::product_in;

/// As far as values and gradients of the trial may differ.
const NEAR: f32 = 1e-4;

/// Runs a layer over `input` (batch, steps, input size) from `state`; nothing where the card cannot.
pub fn forward(
    weights: &Weights,
    input: &Tensor,
    state: &State,
) -> Result<Option<(Tensor, State)>> {
    let Device::Cuda(card) = input.device() else { return Ok(None) };
    if input.dtype() != DType::F32 || weights.weight_hh.dtype() != DType::F32 {
        return Ok(None);
    }
    let gates = Gates { cell: weights.cell, hidden: weights.units() };
    for plan in Plan::on(card, gates, input.dim(0)?)? {
        let name = format!("{}, {}", weights.cell.name(), plan.name());
        // In all bits, whatever precision holds: only then are they near.
        let trial = || Precision::F32.during(|| difference(weights.cell, plan, input.device()));
        if KERNELS.are_right(card, &name, NEAR, trial) {
            return run(weights, input, state, plan).map(Some);
        }
    }
    Ok(None)
}

fn run(weights: &Weights, input: &Tensor, state: &State, plan: Plan) -> Result<(Tensor, State)> {
    let (batch, steps, _) = input.dims3()?;
    let gates = Gates { cell: weights.cell, hidden: weights.units() };
    let projected =
        crate::model::dense::composed(input, &weights.weight_ih, Some(&weights.bias_ih))?;
    let before = match weights.cell {
        // PyTorch's r z n as n r z m; the last one has the state's bias alone.
        Cell::Gru => {
            let new = projected.narrow(2, 2 * gates.hidden, gates.hidden)?;
            let others = projected.narrow(2, 0, 2 * gates.hidden)?;
            let none = new.zeros_like()?;
            let bias = Tensor::cat(
                &[&weights.bias_hh.narrow(0, 0, gates.hidden)?.zeros_like()?, &weights.bias_hh],
                0,
            )?;
            Tensor::cat(&[&new, &others, &none], 2)?.broadcast_add(&bias)?
        }
        Cell::SimpleRnn | Cell::SimpleRnnRelu | Cell::Lstm => {
            projected.broadcast_add(&weights.bias_hh)?
        }
    };
    let initial = match &state.cell {
        Some(cell) => Tensor::stack(&[&state.hidden, cell], 0)?,
        None => state.hidden.unsqueeze(0)?,
    };
    let (before, weight_hh) = (before.contiguous()?, weights.weight_hh.contiguous()?);
    let initial = initial.contiguous()?;
    let tracked = [&before, &weight_hh, &initial].iter().any(|tensor| tensor.track_op());
    let precision = Precision::current();
    let sequence =
        Sequence { passes: Passes { gates, plan }, precision, tracked, after: Mutex::new(None) };
    // (1, batch, steps, units), of an LSTM (2, …): the cell values come second.
    let both = before.apply_op3(&weight_hh, &initial, sequence)?;
    let part = |at: usize| both.narrow(0, at, 1)?.squeeze(0);
    let last = |values: &Tensor| values.narrow(1, steps - 1, 1)?.squeeze(1)?.contiguous();
    let outputs = part(0)?;
    let cell = if gates.cell.has_cell_state() { Some(last(&part(1)?)?) } else { None };
    debug_assert_eq!(outputs.dims(), [batch, steps, gates.hidden]);
    let hidden = last(&outputs)?;
    Ok((outputs, State { hidden, cell }))
}

/// How far the kernels are from Candle's operations on a small layer whose steps are taken in the manner of
/// `plan`, gradients included.
fn difference(cell: Cell, plan: Plan, device: &Device) -> Result<f32> {
    let (batch, steps, inputs) = (3, 5, 4);
    let Device::Cuda(card) = device else { return Ok(f32::NAN) };
    // A little card may have no room for the larger ones.
    let mut small = None;
    for units in [20, 7, 3, 1] {
        let plans = Plan::on(card, Gates { cell, hidden: units }, batch)?;
        small = plans.into_iter().find(|small| small.is_like(plan)).map(|small| (units, small));
        if small.is_some() {
            break;
        }
    }
    let Some((units, plan)) = small else { return Ok(f32::NAN) };
    let wave = |shape: &[usize], by: f32| -> Result<Var> {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| 0.5 * (i as f32 * by + by).sin()).collect();
        Ok(Var::from_tensor(&Tensor::from_vec(values, shape, device)?)?)
    };
    let rows = cell.gates() * units;
    let variables = [
        wave(&[rows, inputs], 0.7)?,
        wave(&[rows, units], 1.3)?,
        wave(&[rows], 0.4)?,
        wave(&[rows], 0.9)?,
        wave(&[batch, steps, inputs], 0.3)?,
        wave(&[batch, units], 0.6)?,
        wave(&[batch, units], 0.8)?,
    ];
    let of = |at: usize| variables[at].as_tensor().clone();
    let weights =
        Weights { cell, weight_ih: of(0), weight_hh: of(1), bias_ih: of(2), bias_hh: of(3) };
    let state = State { hidden: of(5), cell: cell.has_cell_state().then(|| of(6)) };
    let found = |ran: (Tensor, State)| -> Result<Vec<Tensor>> {
        let (outputs, state) = ran;
        let mut loss = outputs.sqr()?.sum_all()?;
        if let Some(cell) = &state.cell {
            loss = (loss + (cell * 2.)?.sqr()?.sum_all()?)?;
        }
        let gradients = loss.backward()?;
        let of_variables = variables.iter().filter_map(|v| gradients.get(v.as_tensor()).cloned());
        Ok([outputs, state.hidden].into_iter().chain(state.cell).chain(of_variables).collect())
    };
    let own = found(run(&weights, &of(4), &state, plan)?)?;
    let expected = found(composed::forward(&weights, &of(4), &state)?)?;
    if own.len() != expected.len() {
        return Ok(f32::NAN);
    }
    farthest(own.iter().zip(&expected))
}

/// All steps: takes the gates before, the recurrent weight and the initial state, gives the outputs and
/// the cell values.
struct Sequence {
    passes: Passes,
    /// Of the weights' gradients.
    precision: Precision,
    /// Whether anybody may ask for gradients.
    tracked: bool,
    /// The gates after, for the way back.
    after: Mutex<Option<Arc<CudaSlice<f32>>>>,
}

impl CustomOp3 for Sequence {
    fn name(&self) -> &'static str {
        "recurrent-sequence-on-card"
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
        bail!("a recurrent layer's kernel for a CUDA card was asked to run on the CPU")
    }

    fn cuda_fwd(
        &self,
        before: &CudaStorage,
        before_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
        initial: &CudaStorage,
        initial_layout: &Layout,
    ) -> CandleResult<(CudaStorage, Shape)> {
        let device = before.device().clone();
        let stream = device.cuda_stream();
        let (batch, steps, row) = before_layout.shape().dims3()?;
        let units = self.passes.gates.hidden;
        let values = batch * steps * units;
        let parts = if self.passes.gates.cell.has_cell_state() { 2 } else { 1 };
        let from = before.as_cuda_slice::<f32>()?;
        let from = from.slice(before_layout.start_offset()..);
        let from = from.slice(..batch * steps * row);
        // SAFETY: the copy fills all of it.
        let mut gates = unsafe { device.alloc::<f32>(batch * steps * row) }?;
        device.memcpy_dtod(&from, &mut gates)?;
        let bias = device.alloc_zeros::<f32>(row)?;
        let mut outputs = device.alloc_zeros::<f32>(parts * values)?;
        {
            let (gates, _of_gates) = gates.device_ptr_mut(&stream);
            let (bias, _of_bias) = bias.device_ptr(&stream);
            let (outputs, _of_outputs) = outputs.device_ptr_mut(&stream);
            let (hidden, _of_initial) = address(initial, initial_layout, &stream)?;
            let (weight_hh, _of_weight) = address(weight, weight_layout, &stream)?;
            let second = |start: u64, values: usize| match parts {
                2 => start + bytes(values),
                _ => 0,
            };
            let pass = ForwardPass {
                sizes: Sizes::of(batch, steps, units),
                weight_hh,
                bias,
                initial_hidden: hidden,
                initial_cell: second(hidden, batch * units),
                gates,
                outputs,
                cells: second(outputs, values),
                words: 0,
            };
            // SAFETY: all were made above with as many values as the kernel takes, or are the
            // operation's arguments, contiguous and of the shapes that `run` gives them; they are freed
            // in the stream's order, after the kernel.
            unsafe { self.passes.forward(&device, pass) }?;
        }
        if self.tracked {
            *lock(&self.after) = Some(Arc::new(gates));
        }
        let shape = Shape::from((parts, batch, steps, units));
        Ok((f32::wrap_cuda_slice(outputs, device), shape))
    }

    fn bwd(
        &self,
        before: &Tensor,
        weight: &Tensor,
        initial: &Tensor,
        both: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let after = lock(&self.after).clone();
        let (Some(after), Device::Cuda(device)) = (after, before.device()) else {
            bail!("a recurrent layer was run without keeping what its gradients need");
        };
        // What is computed here is not to be differentiated again.
        let [weight, initial, both] = [weight, initial, both].map(Tensor::detach);
        let stream = device.cuda_stream();
        let (batch, steps, row) = before.dims3()?;
        let Gates { cell, hidden: units } = self.passes.gates;
        let (all_gates, of_state) = (batch * steps * row, batch * units);
        let gradient = gradient.detach().contiguous()?;
        let parts = if cell.has_cell_state() { 2 } else { 1 };
        // The gates' gradient, then that of the initial state: hidden, cell values.
        let mut made = device.alloc_zeros::<f32>(all_gates + parts * of_state)?;
        if parts == 2 {
            let of_last = gradient.narrow(0, 1, 1)?.squeeze(0)?.narrow(1, steps - 1, 1)?;
            let of_last = of_last.flatten_all()?.contiguous()?;
            let (storage, layout) = of_last.storage_and_layout();
            let Storage::Cuda(storage) = &*storage else { bail!("a gradient left the card") };
            let from = storage.as_cuda_slice::<f32>()?.slice(layout.start_offset()..);
            let mut to = made.slice_mut(all_gates + of_state..);
            device.memcpy_dtod(&from.slice(..of_state), &mut to)?;
        }
        {
            let tensors = [&weight, &initial, &both, &gradient];
            let locked: Vec<_> = tensors.iter().map(|tensor| tensor.storage_and_layout()).collect();
            let pointers: Vec<_> = locked
                .iter()
                .map(|(storage, layout)| pointer(storage, layout, &stream))
                .collect::<CandleResult<_>>()?;
            let (gates, _of_gates) = after.device_ptr(&stream);
            let (made, _of_made) = made.device_ptr_mut(&stream);
            let second = |address: u64| if parts == 2 { address } else { 0 };
            let [weight_hh, hidden, outputs, of_outputs] = [0, 1, 2, 3].map(|at| pointers[at].0);
            let hidden_gradient = made + bytes(all_gates);
            let pass = BackwardPass {
                sizes: Sizes::of(batch, steps, units),
                weight_hh,
                initial_hidden: hidden,
                initial_cell: second(hidden + bytes(of_state)),
                gates,
                outputs,
                cells: second(outputs + bytes(batch * steps * units)),
                output_gradient: of_outputs,
                gate_gradient: made,
                hidden_gradient,
                cell_gradient: second(hidden_gradient + bytes(of_state)),
                words: 0,
            };
            // SAFETY: as in `cuda_fwd`; the tensors are locked until the kernel is in the stream.
            unsafe { self.passes.backward(device, pass) }?;
        }
        let storage = Storage::Cuda(f32::wrap_cuda_slice(made, device.clone()));
        let made =
            Tensor::from_storage(storage, all_gates + parts * of_state, BackpropOp::none(), false);
        let of_gates = made.narrow(0, 0, all_gates)?.reshape(before.shape())?;
        let of_initial = made.narrow(0, all_gates, parts * of_state)?.reshape(initial.shape())?;
        let outputs = both.narrow(0, 0, 1)?.squeeze(0)?;
        let first = initial.narrow(0, 0, 1)?.squeeze(0)?.unsqueeze(1)?;
        let previous = match steps {
            1 => first,
            _ => Tensor::cat(&[&first, &outputs.narrow(1, 0, steps - 1)?], 1)?,
        };
        let width = self.passes.gates.weight_rows();
        let fed = of_gates.narrow(2, self.passes.gates.hidden_start(), width)?;
        let fed = fed.reshape((batch * steps, width))?;
        let previous = previous.reshape((batch * steps, units))?;
        let of_weight = product_in(self.precision, &fed.t()?, &previous)?;
        Ok((Some(of_gates), Some(of_weight), Some(of_initial)))
    }
}
