//! The recurrence on a CUDA card: all steps of a layer in one launch, forwards and backwards.
//!
//! The kernels are `compute/cuda/persistent.cu`, which keep the recurrent weight on the card's chip
//! (after Diamos et al., "Persistent RNNs", 2016) and hand values over in words that carry the step's
//! number (arXiv 1804.10223); `tests/cuda_kernels.rs` compares them with the CPU's code. The input's
//! products, the biases and the weights' gradients are Candle's own large operations. Where the weight
//! does not fit, or the kernels were seen to differ on this card, Candle's operations take every step.

use std::mem::size_of;
use std::sync::{Arc, Mutex};

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUdevice_attribute as DeviceLimit, CUfunction_attribute as FunctionLimit,
};
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, Device, Layout, Result as CandleResult, Shape,
    Storage, Tensor, Var, bail,
};

use super::gates::Gates;
use super::weights::Weights;
use super::{Cell, State, composed};
use crate::Result;
use crate::compute::Precision;
use crate::compute::card::{Kernels, address, farthest, pointer};
use crate::compute::lock::lock;
use crate::model::dense::product_in;

static KERNELS: Kernels = Kernels::new(
    "neural-composer-recurrent",
    concat!(
        include_str!("../../compute/cuda/device.h"),
        include_str!("../../compute/cuda/gates.cu"),
        include_str!("../../compute/cuda/persistent.cu")
    ),
);
/// Lanes of a block.
const LANES: u32 = 256;
/// `PARTS` of the kernels.
const PARTS: usize = 8;
/// Sequences that a block takes at a time, at most.
const MOST_AT_A_TIME: usize = 32;
/// As far as values and gradients of the trial may differ.
const NEAR: f32 = 1e-4;

/// `Forward` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct ForwardPass {
    sizes: Sizes,
    weight_hh: u64,
    bias: u64,
    initial_hidden: u64,
    initial_cell: u64,
    gates: u64,
    outputs: u64,
    cells: u64,
    words: u64,
}

/// `Backward` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct BackwardPass {
    sizes: Sizes,
    weight_hh: u64,
    initial_hidden: u64,
    initial_cell: u64,
    gates: u64,
    outputs: u64,
    cells: u64,
    output_gradient: u64,
    gate_gradient: u64,
    hidden_gradient: u64,
    cell_gradient: u64,
    words: u64,
}

/// What both begin with.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sizes {
    batch: u32,
    steps: u32,
    units: u32,
    units_per_block: u32,
    tile: u32,
}

// SAFETY: plain numbers, laid out as the kernels' structs of the same fields.
unsafe impl DeviceRepr for ForwardPass {}
// SAFETY: as above.
unsafe impl DeviceRepr for BackwardPass {}

/// How a layer is dealt out over a card's blocks, all of which are on it at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plan {
    blocks: u32,
    units_per_block: usize,
    /// Sequences at a time and bytes of shared memory, forwards and backwards.
    forward: (usize, usize),
    backward: (usize, usize),
}

impl Plan {
    /// On a card of so many multiprocessors with so much shared memory for a block; nothing where the
    /// weight does not fit.
    fn of(gates: Gates, batch: usize, processors: usize, shared_bytes: usize) -> Option<Self> {
        let units_per_block = gates.hidden.div_ceil(processors.max(1));
        let weight_blocks = gates.cell.gates();
        let tile = |rows: usize, width: usize| {
            let weight = size_of::<f32>() * rows * (width | 1);
            let of_sequence = size_of::<f32>() * (width + rows * PARTS);
            let fits = shared_bytes.checked_sub(weight)? / of_sequence;
            let tile = fits.min(batch).min(MOST_AT_A_TIME);
            (tile > 0).then_some((tile, weight + tile * of_sequence))
        };
        Some(Self {
            blocks: u32::try_from(gates.hidden.div_ceil(units_per_block)).ok()?,
            units_per_block,
            forward: tile(weight_blocks * units_per_block, gates.hidden)?,
            backward: tile(units_per_block, weight_blocks * gates.hidden)?,
        })
    }

    fn on(device: &CudaDevice, gates: Gates, batch: usize) -> CandleResult<Option<Self>> {
        let stream = device.cuda_stream();
        let limit = |limit| -> CandleResult<usize> {
            Ok(stream.context().attribute(limit).w()?.max(0) as usize)
        };
        let processors = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let together = limit(DeviceLimit::CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)?;
        Ok(if together == 0 { None } else { Self::of(gates, batch, processors, shared) })
    }
}

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
    let Some(plan) = Plan::on(card, gates, input.dim(0)?)? else { return Ok(None) };
    // In all bits, whatever precision holds: only then are they near.
    let trial = || Precision::F32.during(|| difference(weights.cell, input.device()));
    if !KERNELS.are_right(card, weights.cell.name(), NEAR, trial) {
        return Ok(None);
    }
    run(weights, input, state, plan).map(Some)
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
    let sequence = Sequence { gates, plan, precision, tracked, after: Mutex::new(None) };
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

/// How far the kernels are from Candle's operations on a small layer, gradients included.
fn difference(cell: Cell, device: &Device) -> Result<f32> {
    let (batch, steps, inputs, units) = (3, 5, 4, 20);
    let Device::Cuda(card) = device else { return Ok(f32::NAN) };
    let gates = Gates { cell, hidden: units };
    let Some(plan) = Plan::on(card, gates, batch)? else { return Ok(f32::NAN) };
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
    gates: Gates,
    plan: Plan,
    /// Of the weights' gradients.
    precision: Precision,
    /// Whether anybody may ask for gradients.
    tracked: bool,
    /// The gates after, for the way back.
    after: Mutex<Option<Arc<CudaSlice<f32>>>>,
}

impl Sequence {
    fn name_of(&self, direction: &str) -> String {
        let cell = match self.gates.cell {
            Cell::SimpleRnn => "simple_tanh",
            Cell::SimpleRnnRelu => "simple_relu",
            Cell::Gru => "gru",
            Cell::Lstm => "lstm",
        };
        format!("persistent_{direction}_{cell}")
    }

    fn sizes(&self, batch: usize, steps: usize, tile: usize) -> Sizes {
        Sizes {
            batch: batch as u32,
            steps: steps as u32,
            units: self.gates.hidden as u32,
            units_per_block: self.plan.units_per_block as u32,
            tile: tile as u32,
        }
    }

    /// Launches a kernel for one pass.
    ///
    /// # Safety
    /// All addresses in `pass`, which is the struct that the kernel takes, are of values on this card, as
    /// many as its sizes ask for, until what is in the stream now is done.
    unsafe fn launch<P: DeviceRepr>(
        &self,
        device: &CudaDevice,
        direction: &str,
        shared_bytes: usize,
        pass: &P,
    ) -> CandleResult<()> {
        let function = KERNELS.function(device, &self.name_of(direction))?;
        let shared = FunctionLimit::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(shared, shared_bytes as i32).w()?;
        let config = LaunchConfig {
            grid_dim: (self.plan.blocks, 1, 1),
            block_dim: (LANES, 1, 1),
            shared_mem_bytes: shared_bytes as u32,
        };
        let stream = device.cuda_stream();
        let mut launch = stream.launch_builder(&function);
        launch.arg(pass);
        // SAFETY: the caller's. Launched so that it fails where not all blocks are on the card at once.
        unsafe { launch.launch_cooperative(config) }.w()?;
        Ok(())
    }
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
        let units = self.gates.hidden;
        let values = batch * steps * units;
        let parts = if self.gates.cell.has_cell_state() { 2 } else { 1 };
        let from = before.as_cuda_slice::<f32>()?;
        let from = from.slice(before_layout.start_offset()..);
        let from = from.slice(..batch * steps * row);
        // SAFETY: the copy fills all of it.
        let mut gates = unsafe { device.alloc::<f32>(batch * steps * row) }?;
        device.memcpy_dtod(&from, &mut gates)?;
        let bias = device.alloc_zeros::<f32>(row)?;
        let mut outputs = device.alloc_zeros::<f32>(parts * values)?;
        let mut words = device.alloc_zeros::<u64>(2 * batch * units)?;
        let (tile, shared_bytes) = self.plan.forward;
        {
            let (gates, _of_gates) = gates.device_ptr_mut(&stream);
            let (bias, _of_bias) = bias.device_ptr(&stream);
            let (outputs, _of_outputs) = outputs.device_ptr_mut(&stream);
            let (words, _of_words) = words.device_ptr_mut(&stream);
            let (hidden, _of_initial) = address(initial, initial_layout, &stream)?;
            let (weight_hh, _of_weight) = address(weight, weight_layout, &stream)?;
            let second = |start: u64, values: usize| match parts {
                2 => start + (values * size_of::<f32>()) as u64,
                _ => 0,
            };
            let pass = ForwardPass {
                sizes: self.sizes(batch, steps, tile),
                weight_hh,
                bias,
                initial_hidden: hidden,
                initial_cell: second(hidden, batch * units),
                gates,
                outputs,
                cells: second(outputs, values),
                words,
            };
            // SAFETY: all were made above with as many values as the kernel takes, or are the
            // operation's arguments, contiguous and of the shapes that `run` gives them; they are freed
            // in the stream's order, after the kernel.
            unsafe { self.launch(&device, "forward", shared_bytes, &pass) }?;
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
        let Gates { cell, hidden: units } = self.gates;
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
        let width = cell.gates() * units;
        let mut words = device.alloc_zeros::<u64>(2 * batch * width)?;
        let (tile, shared_bytes) = self.plan.backward;
        {
            let tensors = [&weight, &initial, &both, &gradient];
            let locked: Vec<_> = tensors.iter().map(|tensor| tensor.storage_and_layout()).collect();
            let pointers: Vec<_> = locked
                .iter()
                .map(|(storage, layout)| pointer(storage, layout, &stream))
                .collect::<CandleResult<_>>()?;
            let (gates, _of_gates) = after.device_ptr(&stream);
            let (made, _of_made) = made.device_ptr_mut(&stream);
            let (words, _of_words) = words.device_ptr_mut(&stream);
            let bytes = |values: usize| (values * size_of::<f32>()) as u64;
            let second = |address: u64| if parts == 2 { address } else { 0 };
            let [weight_hh, hidden, outputs, of_outputs] = [0, 1, 2, 3].map(|at| pointers[at].0);
            let hidden_gradient = made + bytes(all_gates);
            let pass = BackwardPass {
                sizes: self.sizes(batch, steps, tile),
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
                words,
            };
            // SAFETY: as in `cuda_fwd`; the tensors are locked until the kernel is in the stream.
            unsafe { self.launch(device, "backward", shared_bytes, &pass) }?;
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
        let fed = of_gates.narrow(2, self.gates.hidden_start(), width)?;
        let fed = fed.reshape((batch * steps, width))?;
        let previous = previous.reshape((batch * steps, units))?;
        let of_weight = product_in(self.precision, &fed.t()?, &previous)?;
        Ok((Some(of_gates), Some(of_weight), Some(of_initial)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An H100 has 132 multiprocessors, and 227 KB of shared memory for a block.
    #[test]
    fn a_layer_is_dealt_out_where_its_weight_fits() {
        let plan = |cell, hidden, batch| Plan::of(Gates { cell, hidden }, batch, 132, 227 << 10);
        let course = plan(Cell::Lstm, 1024, 5).unwrap();
        assert_eq!((course.blocks, course.units_per_block), (128, 8));
        assert_eq!((course.forward.0, course.backward.0), (5, 5));
        assert!(course.forward.1 <= 227 << 10 && course.backward.1 <= 227 << 10);
        assert_eq!(plan(Cell::Gru, 1, 1).unwrap().blocks, 1);
        assert_eq!(plan(Cell::Lstm, 4096, 5), None);
        for hidden in 1..1400 {
            for cell in Cell::ALL {
                let Some(plan) = plan(cell, hidden, 65) else { continue };
                assert!(plan.blocks as usize <= 132);
                assert!(plan.blocks as usize * plan.units_per_block >= hidden);
            }
        }
    }
}
