//! Passes over all steps of a layer, as they are put into a card's stream.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::cublas::CudaBlas;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute as FunctionLimit;
use candle_core::cuda_backend::cudarc::driver::{
    CudaStream, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Result as CandleResult, bail};

use super::super::Cell;
use super::super::gates::Gates;
use super::plan::Plan;
use super::product::Product;
use crate::compute::card::{Graphs, Kernels, Values, bytes};

pub static KERNELS: Kernels = Kernels::new(
    "neural-composer-recurrent",
    concat!(
        include_str!("../../../compute/cuda/device.h"),
        include_str!("../../../compute/cuda/gates.cu"),
        include_str!("../../../compute/cuda/persistent.cu")
    ),
);
/// Steps, one after the other, are launched as one.
static GRAPHS: Graphs = Graphs::new();
/// Lanes of a block.
const LANES: u32 = 256;
/// More blocks of a step than any card has room for: each takes several units then.
const MOST_BLOCKS: usize = 4096;

/// `Forward` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ForwardPass {
    pub sizes: Sizes,
    pub weight_hh: u64,
    pub bias: u64,
    pub initial_hidden: u64,
    pub initial_cell: u64,
    pub gates: u64,
    pub outputs: u64,
    pub cells: u64,
    /// Of the exchange; who launches makes them.
    pub words: u64,
}

/// `Backward` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BackwardPass {
    pub sizes: Sizes,
    pub weight_hh: u64,
    pub initial_hidden: u64,
    pub initial_cell: u64,
    pub gates: u64,
    pub outputs: u64,
    pub cells: u64,
    pub output_gradient: u64,
    pub gate_gradient: u64,
    pub hidden_gradient: u64,
    pub cell_gradient: u64,
    /// Of the exchange; who launches makes them.
    pub words: u64,
}

/// What both begin with.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sizes {
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

impl ForwardPass {
    /// The same, with what it reads and writes at other places: of bias, states, gates, outputs, cells.
    fn elsewhere(mut self, at: &[u64]) -> Self {
        let states = [&mut self.initial_hidden, &mut self.initial_cell];
        let made = [&mut self.gates, &mut self.outputs, &mut self.cells];
        move_to(at, std::iter::once(&mut self.bias).chain(states).chain(made));
        self
    }
}

impl BackwardPass {
    /// The same, with what it reads and writes at other places: of states, gates, outputs, cells, and
    /// the gradients of outputs, gates, states.
    fn elsewhere(mut self, at: &[u64]) -> Self {
        let states = [&mut self.initial_hidden, &mut self.initial_cell];
        let made = [&mut self.gates, &mut self.outputs, &mut self.cells];
        let of_steps = [&mut self.output_gradient, &mut self.gate_gradient];
        let of_states = [&mut self.hidden_gradient, &mut self.cell_gradient];
        move_to(at, states.into_iter().chain(made).chain(of_steps).chain(of_states));
        self
    }
}

/// Puts addresses in place of others; what a pass has not, it has not there either.
fn move_to<'a>(at: &[u64], addresses: impl Iterator<Item = &'a mut u64>) {
    for (address, at) in addresses.zip(at).filter(|(address, _)| **address != 0) {
        *address = *at;
    }
}

impl Sizes {
    /// What tells launches apart.
    fn key(self, kernel: &str, weight: u64) -> Vec<u64> {
        let sizes = self.all().map(|size| size as u64);
        kernel.bytes().map(u64::from).chain(sizes).chain([weight]).collect()
    }

    /// Of a layer; who launches says how it is dealt out over blocks.
    pub fn of(batch: usize, steps: usize, units: usize) -> Self {
        let [batch, steps, units] = [batch, steps, units].map(|size| size as u32);
        Self { batch, steps, units, units_per_block: 0, tile: 0 }
    }

    fn all(self) -> [usize; 3] {
        [self.batch, self.steps, self.units].map(|size| size as usize)
    }
}

/// The passes of a layer, taken as planned.
#[derive(Clone, Copy, Debug)]
pub struct Passes {
    pub gates: Gates,
    pub plan: Plan,
}

impl Passes {
    fn kernel(self, kind: &str, direction: &str) -> String {
        let cell = match self.gates.cell {
            Cell::SimpleRnn => "simple_tanh",
            Cell::SimpleRnnRelu => "simple_relu",
            Cell::Gru => "gru",
            Cell::Lstm => "lstm",
        };
        format!("{kind}_{direction}_{cell}")
    }

    /// Puts a pass forwards into the stream.
    ///
    /// # Safety
    /// All addresses in `pass` are of values on this card, as many as its sizes ask for, until what is in
    /// the stream now is done.
    pub unsafe fn forward(self, device: &CudaDevice, mut pass: ForwardPass) -> CandleResult<()> {
        let stream = device.cuda_stream();
        let [batch, steps, units] = pass.sizes.all();
        let rows = self.gates.weight_rows();
        if let Plan::Persistent { units_per_block, forward: (tile, shared_bytes), .. } = self.plan {
            let mut words = device.alloc_zeros::<u64>(2 * batch * units)?;
            let (address, _guard) = words.device_ptr_mut(&stream);
            pass.words = address;
            pass.sizes.units_per_block = units_per_block as u32;
            pass.sizes.tile = tile as u32;
            // SAFETY: the caller's; the words are freed in the stream's order, after the kernel.
            return unsafe { self.stay(device, "forward", shared_bytes, &pass) };
        }
        let kernel = self.kernel("step", "forward");
        let function = KERNELS.function(device, &kernel)?;
        let mut shares = device.alloc_zeros::<f32>(batch * rows)?;
        let (shares, _guard) = shares.device_ptr_mut(&stream);
        let has_cell = self.gates.cell.has_cell_state();
        let (state, all) = (batch * units, batch * steps * units);
        let of_cell = |values: usize| if has_cell { values } else { 0 };
        let values = [
            Values::read(pass.bias, self.gates.row()),
            Values::read(pass.initial_hidden, state),
            Values::read(pass.initial_cell, of_cell(state)),
            Values::changed(pass.gates, batch * steps * self.gates.row()),
            Values::written(pass.outputs, all),
            Values::written(pass.cells, of_cell(all)),
            Values::between(shares, batch * rows),
        ];
        let put = |at: &[u64], stream: &Arc<CudaStream>, blas: &CudaBlas| {
            let [at @ .., shares] = at else { bail!("a pass has other values") };
            let pass = pass.elsewhere(at);
            stream.context().bind_to_thread().w()?;
            for step in 0..steps {
                let (before, apart) = match step {
                    0 => (pass.initial_hidden, units),
                    _ => (pass.outputs + bytes((step - 1) * units), steps * units),
                };
                let product = Product::forward(self.gates, batch, apart);
                // SAFETY: the caller's; `shares` has (batch, rows) values, freed in the stream's order.
                unsafe { product.launch(blas, pass.weight_hh, before, *shares) }?;
                let step = step as u32;
                let mut launch = stream.launch_builder(&function);
                launch.arg(&pass).arg(shares).arg(&step);
                // SAFETY: the arguments are those of the kernel; the rest is the caller's.
                unsafe { launch.launch(of_step(batch * units)) }.w()?;
            }
            Ok(())
        };
        let key = pass.sizes.key(&kernel, pass.weight_hh);
        // SAFETY: the key has the cell, the sizes and the weight; the caller sees to what addresses are of.
        unsafe { GRAPHS.run(device, &key, &values, put) }
    }

    /// Puts a pass backwards into the stream.
    ///
    /// # Safety
    /// As of [`forward`](Self::forward).
    pub unsafe fn backward(self, device: &CudaDevice, mut pass: BackwardPass) -> CandleResult<()> {
        let stream = device.cuda_stream();
        let [batch, steps, units] = pass.sizes.all();
        let (row, rows) = (self.gates.row(), self.gates.weight_rows());
        if let Plan::Persistent { units_per_block, backward: (tile, shared_bytes), .. } = self.plan
        {
            let mut words = device.alloc_zeros::<u64>(2 * batch * rows)?;
            let (address, _guard) = words.device_ptr_mut(&stream);
            pass.words = address;
            pass.sizes.units_per_block = units_per_block as u32;
            pass.sizes.tile = tile as u32;
            // SAFETY: the caller's; the words are freed in the stream's order, after the kernel.
            return unsafe { self.stay(device, "backward", shared_bytes, &pass) };
        }
        let kernel = self.kernel("step", "backward");
        let function = KERNELS.function(device, &kernel)?;
        let has_cell = self.gates.cell.has_cell_state();
        let (state, all) = (batch * units, batch * steps * units);
        let of_cell = |values: usize| if has_cell { values } else { 0 };
        let values = [
            Values::read(pass.initial_hidden, state),
            Values::read(pass.initial_cell, of_cell(state)),
            Values::read(pass.gates, batch * steps * row),
            Values::read(pass.outputs, all),
            Values::read(pass.cells, of_cell(all)),
            Values::read(pass.output_gradient, all),
            Values::written(pass.gate_gradient, batch * steps * row),
            Values::changed(pass.hidden_gradient, state),
            Values::changed(pass.cell_gradient, of_cell(state)),
        ];
        let put = |at: &[u64], stream: &Arc<CudaStream>, blas: &CudaBlas| {
            let pass = pass.elsewhere(at);
            stream.context().bind_to_thread().w()?;
            for step in (0..steps).rev() {
                let number = step as u32;
                let mut launch = stream.launch_builder(&function);
                launch.arg(&pass).arg(&number);
                // SAFETY: the arguments are those of the kernel; the rest is the caller's.
                unsafe { launch.launch(of_step(batch * units)) }.w()?;
                let gradients = pass.gate_gradient + bytes(step * row + self.gates.hidden_start());
                let product = Product::backward(self.gates, batch, steps * row);
                // SAFETY: the caller's.
                unsafe { product.launch(blas, pass.weight_hh, gradients, pass.hidden_gradient) }?;
            }
            Ok(())
        };
        let key = pass.sizes.key(&kernel, pass.weight_hh);
        // SAFETY: the key has the cell, the sizes and the weight; the caller sees to what addresses are of.
        unsafe { GRAPHS.run(device, &key, &values, put) }
    }

    /// Launches a kernel that stays for all steps.
    ///
    /// # Safety
    /// As of [`forward`](Self::forward), and `pass` is the struct that the kernel takes.
    unsafe fn stay<P: DeviceRepr>(
        self,
        device: &CudaDevice,
        direction: &str,
        shared_bytes: usize,
        pass: &P,
    ) -> CandleResult<()> {
        let function = KERNELS.function(device, &self.kernel("persistent", direction))?;
        let shared = FunctionLimit::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        function.set_attribute(shared, shared_bytes as i32).w()?;
        let config = LaunchConfig {
            grid_dim: (self.plan.blocks(), 1, 1),
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

/// The launch of a step that has so many units in all sequences.
fn of_step(units: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (units.div_ceil(LANES as usize).min(MOST_BLOCKS) as u32, 1, 1),
        block_dim: (LANES, 1, 1),
        shared_mem_bytes: 0,
    }
}
