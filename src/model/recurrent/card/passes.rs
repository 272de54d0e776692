//! Passes over all steps of a layer, as they are put into a card's stream.

use std::mem::size_of;

use candle_core::Result as CandleResult;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute as FunctionLimit;
use candle_core::cuda_backend::cudarc::driver::{
    DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};

use super::super::Cell;
use super::super::gates::Gates;
use super::plan::Plan;
use super::product::Product;
use crate::compute::card::Kernels;

pub static KERNELS: Kernels = Kernels::new(
    "neural-composer-recurrent",
    concat!(
        include_str!("../../../compute/cuda/device.h"),
        include_str!("../../../compute/cuda/gates.cu"),
        include_str!("../../../compute/cuda/persistent.cu")
    ),
);
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

impl Sizes {
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
        let (stream, blas) = (device.cuda_stream(), device.cublas_handle());
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
        let function = KERNELS.function(device, &self.kernel("step", "forward"))?;
        let mut shares = device.alloc_zeros::<f32>(batch * rows)?;
        let (shares, _guard) = shares.device_ptr_mut(&stream);
        stream.context().bind_to_thread().w()?;
        for step in 0..steps {
            let (before, apart) = match step {
                0 => (pass.initial_hidden, units),
                _ => (pass.outputs + bytes((step - 1) * units), steps * units),
            };
            let product = Product::forward(self.gates, batch, apart);
            // SAFETY: the caller's; `shares` has (batch, rows) values, freed in the stream's order.
            unsafe { product.launch(&blas, pass.weight_hh, before, shares) }?;
            let step = step as u32;
            let mut launch = stream.launch_builder(&function);
            launch.arg(&pass).arg(&shares).arg(&step);
            // SAFETY: the arguments are those of the kernel; the rest is the caller's.
            unsafe { launch.launch(of_step(batch * units)) }.w()?;
        }
        Ok(())
    }

    /// Puts a pass backwards into the stream.
    ///
    /// # Safety
    /// As of [`forward`](Self::forward).
    pub unsafe fn backward(self, device: &CudaDevice, mut pass: BackwardPass) -> CandleResult<()> {
        let (stream, blas) = (device.cuda_stream(), device.cublas_handle());
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
        let function = KERNELS.function(device, &self.kernel("step", "backward"))?;
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
            unsafe { product.launch(&blas, pass.weight_hh, gradients, pass.hidden_gradient) }?;
        }
        Ok(())
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

/// Bytes of so many values.
pub const fn bytes(values: usize) -> u64 {
    (values * size_of::<f32>()) as u64
}
