//! The rules on a CUDA card: one launch changes all parameters, and the gradients' norm stays there.
//!
//! The kernels are `compute/cuda/optimizer.cu`, which `tests/cuda_kernels.rs` compares with the CPU's
//! code. They are compiled for the card when they are first wanted, and used once they have agreed with
//! Candle's own operations on a small example; where they do not, that is said, and Candle's are used.

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{
    DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{DType, Device, Result as CandleResult, Tensor, Var};

use super::fused::Prepared;
use super::parameter::Parameter;
use super::{Rule, composed};
use crate::Result;
use crate::compute::card::{Kernels, farthest, pointer};

static KERNELS: Kernels = Kernels::new(
    "neural-composer-optimizer",
    concat!(
        include_str!("../../compute/cuda/device.h"),
        include_str!("../../compute/cuda/optimizer.cu")
    ),
);
/// Values of a chunk and lanes of a block: `CHUNK` and `SUM_LANES` of the kernels.
const CHUNK: u64 = 4096;
const LANES: u32 = 256;
/// More blocks than any card has room for: each takes several chunks then.
const MOST_BLOCKS: u64 = 4096;
/// As far as both may differ on values around 1.
const NEAR: f32 = 1e-5;

/// `Parameter` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct Row {
    weights: u64,
    gradient: u64,
    first: u64,
    second: u64,
    count: u64,
    first_chunk: u64,
}

/// `Table` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct Table {
    parameters: u64,
    count: u32,
    chunks: u64,
}

/// `Settings` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Settings {
    rule: i32,
    nesterov: i32,
    keep: f32,
    add: f32,
    mean_keep: f32,
    mean_add: f32,
    epsilon: f32,
    momentum: f32,
    decay: f32,
    shrink: f32,
    rate: f32,
    root_of_bias: f32,
}

// SAFETY: plain numbers, laid out as the kernels' structs of the same fields.
unsafe impl DeviceRepr for Row {}
// SAFETY: as above.
unsafe impl DeviceRepr for Table {}
// SAFETY: as above.
unsafe impl DeviceRepr for Settings {}

impl Settings {
    /// Of a rule that was prepared for a step; the scale of the gradients is an argument of its own.
    fn of(rule: &Prepared<f32>) -> Self {
        let none = Self::default();
        match *rule {
            Prepared::RmsProp { keep, add, epsilon, momentum, rate, .. } => {
                Self { rule: 0, keep, add, epsilon, momentum, rate, ..none }
            }
            Prepared::RmsPropTorch { keep, add, epsilon, momentum, decay, rate, .. } => {
                Self { rule: 1, keep, add, epsilon, momentum, decay, rate, ..none }
            }
            Prepared::AdamW { beta1, beta2, epsilon, shrink, rate, root_of_bias, .. } => Self {
                rule: 2,
                keep: beta2,
                add: 1. - beta2,
                mean_keep: beta1,
                mean_add: 1. - beta1,
                epsilon,
                shrink,
                rate,
                root_of_bias,
                ..none
            },
            Prepared::Sgd { momentum, nesterov, decay, rate, .. } => {
                Self { rule: 3, nesterov: nesterov.into(), momentum, decay, rate, ..none }
            }
        }
    }
}

/// One step of `rule` on all parameters that have a gradient, each with its own; gradients are clipped
/// where their norm is above `limit`. A `loss` that is no number changes nothing. False where the card
/// cannot do it: nothing was changed then.
pub fn update(
    rule: &Rule,
    parameters: &[(&Parameter, Tensor)],
    rate: f64,
    limit: Option<f64>,
    step: u64,
    loss: Option<&Tensor>,
) -> Result<bool> {
    let Some((first, _)) = parameters.first() else { return Ok(false) };
    let Device::Cuda(device) = first.value.device() else { return Ok(false) };
    let fits = |tensor: &Tensor| {
        let is_here = matches!(tensor.device(), Device::Cuda(other) if other.same_device(device));
        is_here && tensor.dtype() == DType::F32 && tensor.is_contiguous() && tensor.elem_count() > 0
    };
    let all_fit = parameters.iter().all(|(parameter, gradient)| {
        let Parameter { value, memory, .. } = parameter;
        fits(value) && fits(gradient) && memory.iter().all(fits)
    });
    let trial = || difference(rule, first.value.device());
    let all_fit = all_fit && loss.is_none_or(fits);
    if !all_fit || !KERNELS.are_right(device, &rule.to_string(), NEAR, trial) {
        return Ok(false);
    }
    launch(device, &Settings::of(&Prepared::new(rule, rate, 1., step)), parameters, limit, loss)?;
    Ok(true)
}

/// How far two steps of the kernels and of Candle's operations are apart.
fn difference(rule: &Rule, device: &Device) -> Result<f32> {
    let Device::Cuda(card) = device else { return Ok(f32::NAN) };
    let limit = 20.;
    let wave = |count: usize, by: f32| -> Result<Tensor> {
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * by + by).sin()).collect();
        Ok(Tensor::from_vec(values, count, device)?)
    };
    // A few values, and more than two chunks.
    let make = || -> Result<Vec<Parameter>> {
        let of = |count: usize| -> Result<Parameter> {
            let value = Var::from_tensor(&wave(count, 0.37)?)?;
            let memory = rule.memories().iter().map(|_| value.zeros_like());
            let memory = memory.collect::<CandleResult<_>>()?;
            Ok(Parameter { name: String::new(), value, memory })
        };
        Ok(vec![of(5)?, of(2 * CHUNK as usize + 3)?])
    };
    let (mut composed_ones, own) = (make()?, make()?);
    for step in 1..=2 {
        let gradients: Vec<Tensor> = own
            .iter()
            .map(|parameter| wave(parameter.value.elem_count(), 0.11 * step as f32))
            .collect::<Result<_>>()?;
        let mut squares = 0.;
        for gradient in &gradients {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let scale = (limit / squares.sqrt()).min(1.);
        for (parameter, gradient) in composed_ones.iter_mut().zip(&gradients) {
            composed::update(rule, parameter, gradient, 0.01, scale, step)?;
        }
        let pairs: Vec<_> = own.iter().zip(gradients).collect();
        launch(
            card,
            &Settings::of(&Prepared::new(rule, 0.01, 1., step)),
            &pairs,
            Some(limit),
            None,
        )?;
    }
    let pairs = composed_ones.iter().zip(&own);
    farthest(pairs.map(|(a, b)| (a.value.as_tensor(), b.value.as_tensor())))
}

fn launch(
    device: &CudaDevice,
    settings: &Settings,
    parameters: &[(&Parameter, Tensor)],
    limit: Option<f64>,
    loss: Option<&Tensor>,
) -> Result<()> {
    let stream = device.cuda_stream();
    let (mut tensors, mut lengths) = (Vec::new(), Vec::new());
    for (parameter, gradient) in parameters {
        let Parameter { value, memory, .. } = parameter;
        tensors.extend([value.as_tensor(), gradient]);
        tensors.extend(memory.iter().take(2));
        lengths.push(2 + memory.len().min(2));
    }
    let locked: Vec<_> = tensors.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let pointers: Vec<(u64, SyncOnDrop)> = locked
        .iter()
        .map(|(storage, layout)| pointer(storage, layout, &stream))
        .collect::<CandleResult<_>>()?;
    let (mut rows, mut chunks, mut next) = (Vec::new(), 0, 0);
    for ((parameter, _), length) in parameters.iter().zip(lengths) {
        let of = |at: usize| if at < length { pointers[next + at].0 } else { 0 };
        let count = parameter.value.elem_count() as u64;
        let (weights, gradient, first, second) = (of(0), of(1), of(2), of(3));
        rows.push(Row { weights, gradient, first, second, count, first_chunk: chunks });
        chunks += count.div_ceil(CHUNK);
        next += length;
    }
    let on_card = device.clone_htod(&rows)?;
    let (start, guard) = on_card.device_ptr(&stream);
    let table = Table { parameters: start, count: rows.len() as u32, chunks };
    let config = |blocks: u64| LaunchConfig {
        grid_dim: (blocks as u32, 1, 1),
        block_dim: (LANES, 1, 1),
        shared_mem_bytes: LANES * size_of::<f64>() as u32,
    };
    let blocks = chunks.min(MOST_BLOCKS);
    let mut scale = device.clone_htod(&[1f32])?;
    if let Some(limit) = limit {
        let mut squares = device.alloc_zeros::<f64>(chunks as usize)?;
        let mut norm = device.alloc_zeros::<f64>(1)?;
        let of_chunks = KERNELS.function(device, "chunk_squares")?;
        let mut launch = stream.launch_builder(&of_chunks);
        launch.arg(&table).arg(&mut squares);
        // SAFETY: the arguments are those of the kernel; all rows' values are on this card, as many as
        // they say, locked until the launches are in the stream, and `squares` has one for each chunk.
        unsafe { launch.launch(config(blocks)) }.w()?;
        let of_all = KERNELS.function(device, "clip_scale")?;
        let mut launch = stream.launch_builder(&of_all);
        launch.arg(&squares).arg(&chunks).arg(&limit).arg(&mut norm).arg(&mut scale);
        // SAFETY: the arguments are those of the kernel, which wants one block.
        unsafe { launch.launch(config(1)) }.w()?;
    }
    let locked_loss = loss.map(Tensor::storage_and_layout);
    let of_loss = locked_loss.as_ref().map(|(storage, layout)| pointer(storage, layout, &stream));
    let of_loss = of_loss.transpose()?;
    let loss = of_loss.as_ref().map_or(0, |(address, _)| *address);
    let change = KERNELS.function(device, "change_parameters")?;
    let mut launch = stream.launch_builder(&change);
    launch.arg(&table).arg(settings).arg(&scale).arg(&loss);
    // SAFETY: as for `chunk_squares`; weights and memories are changed by nobody else meanwhile, for the
    // optimizer alone has them, and one stream does all work of the card in its order.
    unsafe { launch.launch(config(blocks)) }.w()?;
    drop(guard);
    Ok(())
}
