//! Layer normalisation.

use std::marker::PhantomData;

use candle_core::{
    CpuStorage, CustomOp3, D, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};
use rayon::prelude::*;

use super::gradients;
use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::matrix::Into;
use crate::compute::product::add_column_sums;
use crate::compute::storage::{values, with_values};
use crate::{Error, Result};

/// Added to the variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// Rows that one task takes.
const ROWS: usize = 32;

/// Brings every row to mean 0 and variance 1, then scales and shifts each of its values (Ba, Kiros
/// and Hinton 2016); PyTorch's `nn.LayerNorm` with its epsilon of 1e-5.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::model::LayerNorm;
///
/// let cpu = Device::Cpu;
/// let norm = LayerNorm::new(Tensor::new(&[1f32, 1.], &cpu)?, Tensor::new(&[0f32, 10.], &cpu)?)?;
/// let output = norm.forward(&Tensor::new(&[[3f32, 5.]], &cpu)?)?.to_vec2::<f32>()?;
/// assert!((output[0][0] + 1.).abs() < 1e-4 && (output[0][1] - 11.).abs() < 1e-4);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
}

impl LayerNorm {
    /// A layer over given values: `weight` and `bias`, both of shape (width).
    ///
    /// # Errors
    /// [`Error::Argument`] if the two differ in shape, number type or device, or are empty.
    pub fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        let alike = weight.dtype() == bias.dtype() && weight.device().same_device(bias.device());
        if weight.rank() != 1 || weight.elem_count() == 0 || weight.dims() != bias.dims() || !alike
        {
            return Err(Error::argument(
                "bias",
                "shape (width), number type and device of the weight",
                format!(
                    "{:?} {:?}, a weight of {:?} {:?}",
                    bias.dims(),
                    bias.dtype(),
                    weight.dims(),
                    weight.dtype()
                ),
            ));
        }
        Ok(Self { weight, bias })
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.weight.elem_count()
    }

    /// Normalises the last axis of `input`, of shape (..., width).
    ///
    /// # Errors
    /// [`Error::Argument`] if `input` does not fit the layer; [`Error::Tensor`] if memory runs out.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let fits = input.dims().last() == Some(&self.width()) && input.elem_count() > 0;
        if !fits || input.dtype() != self.weight.dtype() {
            return Err(Error::argument(
                "input",
                format!("shape (..., {}) of {:?}", self.width(), self.weight.dtype()),
                format!("{:?} of {:?}", input.dims(), input.dtype()),
            ));
        }
        match (input.device(), input.dtype()) {
            (Device::Cpu, DType::F32) => self.fused::<f32>(input),
            (Device::Cpu, DType::F64) => self.fused::<f64>(input),
            _ => self.composed(input),
        }
    }

    /// The same layer cut off from its variables: it gathers no graph.
    pub(super) fn untracked(&self) -> Self {
        Self { weight: self.weight.detach(), bias: self.bias.detach() }
    }

    /// [`untracked`](Self::untracked), on `device`.
    pub(super) fn on(&self, device: &Device) -> Result<Self> {
        let there = |tensor: &Tensor| tensor.detach().to_device(device);
        Ok(Self { weight: there(&self.weight)?, bias: there(&self.bias)? })
    }

    fn fused<T: Real>(&self, input: &Tensor) -> Result<Tensor> {
        let operation = Normalise::<T>(PhantomData);
        let (weight, bias) = (self.weight.contiguous()?, self.bias.contiguous()?);
        Ok(input.contiguous()?.apply_op3(&weight, &bias, operation)?)
    }

    fn composed(&self, input: &Tensor) -> Result<Tensor> {
        let centred = input.broadcast_sub(&input.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normal = centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?;
        Ok(normal.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)?)
    }
}

struct Normalise<T>(PhantomData<T>);

impl<T: Real> CustomOp3 for Normalise<T> {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let input: &[T] = values(input, input_layout)?;
        let (weight, bias) = (values(weight, weight_layout)?, values(bias, bias_layout)?);
        let mut output = vec![T::ZERO; input.len()];
        let chunk = ROWS * weight.len();
        output.par_chunks_mut(chunk).zip(input.par_chunks(chunk)).for_each(|(output, input)| {
            vectorised(Forward { input, weight, bias, output });
        });
        Ok((T::to_cpu_storage_owned(output), input_layout.shape().clone()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let size = input.elem_count();
        // Of the input, and of each value's share in the weight.
        let (mut d_input, mut d_scaled) = (vec![T::ZERO; size], vec![T::ZERO; size]);
        with_values::<T, _>(input, |input| {
            with_values::<T, _>(weight, |weight| {
                with_values::<T, _>(&gradient, |gradient| {
                    let chunk = ROWS * weight.len();
                    d_input
                        .par_chunks_mut(chunk)
                        .zip(d_scaled.par_chunks_mut(chunk))
                        .zip(input.par_chunks(chunk).zip(gradient.par_chunks(chunk)))
                        .for_each(|((d_input, d_scaled), (input, gradient))| {
                            vectorised(Backward { input, weight, gradient, d_input, d_scaled });
                        });
                    Ok(())
                })
            })
        })?;
        let sums = |parameter: &Tensor, columns: &[T]| {
            gradients::compute(parameter, |sums, into| {
                if into == Into::Overwrite {
                    sums.fill(T::ZERO);
                }
                add_column_sums(columns, sums);
            })
        };
        let d_weight = sums(weight, &d_scaled)?;
        let d_bias = with_values(&gradient, |gradient| sums(bias, gradient))?;
        let d_input = Tensor::from_vec(d_input, input.shape(), input.device())?;
        Ok((Some(d_input), d_weight, d_bias))
    }
}

/// The sum of `value(index)` over a row: sixteen sums side by side make vectors.
#[inline(always)]
fn sum<T: Real>(count: usize, value: impl Fn(usize) -> T) -> T {
    let mut sums = [T::ZERO; 16];
    let whole = count - count % 16;
    for start in (0..whole).step_by(16) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += value(start + lane);
        }
    }
    let rest: T = (whole..count).map(&value).sum();
    sums.into_iter().sum::<T>() + rest
}

/// A row's mean, and one over its standard deviation.
#[inline(always)]
fn statistics<T: Real>(row: &[T]) -> (T, T) {
    let count = T::from_f64(row.len() as f64);
    let mean = sum(row.len(), |i| row[i]) / count;
    let variance = sum(row.len(), |i| (row[i] - mean) * (row[i] - mean)) / count;
    (mean, T::ONE / (variance + T::from_f64(EPSILON)).sqrt())
}

struct Forward<'a, T> {
    input: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    output: &'a mut [T],
}

impl<T: Real> Loop for Forward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let width = self.weight.len();
        let rows = self.input.chunks_exact(width).zip(self.output.chunks_exact_mut(width));
        for (input, output) in rows {
            let (mean, scale) = statistics(input);
            for (j, output) in output.iter_mut().enumerate() {
                *output = (input[j] - mean) * scale * self.weight[j] + self.bias[j];
            }
        }
    }
}

struct Backward<'a, T> {
    input: &'a [T],
    weight: &'a [T],
    gradient: &'a [T],
    d_input: &'a mut [T],
    d_scaled: &'a mut [T],
}

impl<T: Real> Loop for Backward<'_, T> {
    #[inline(always)]
    fn run(self) {
        let width = self.weight.len();
        let count = T::from_f64(width as f64);
        let upstream = self.input.chunks_exact(width).zip(self.gradient.chunks_exact(width));
        let written =
            self.d_input.chunks_exact_mut(width).zip(self.d_scaled.chunks_exact_mut(width));
        for ((input, gradient), (d_input, d_scaled)) in upstream.zip(written) {
            let weight = self.weight;
            let (mean, scale) = statistics(input);
            for (j, d_scaled) in d_scaled.iter_mut().enumerate() {
                *d_scaled = gradient[j] * (input[j] - mean) * scale;
            }
            // With n the normalised row and g the gradient by it:
            // d_input = (g - mean(g) - n mean(g n)) / deviation.
            let of_mean = sum(width, |j| gradient[j] * weight[j]) / count;
            let of_scale = sum(width, |j| d_scaled[j] * weight[j]) / count;
            for (j, d_input) in d_input.iter_mut().enumerate() {
                let normal = (input[j] - mean) * scale;
                *d_input = scale * (gradient[j] * weight[j] - of_mean - normal * of_scale);
            }
        }
    }
}
