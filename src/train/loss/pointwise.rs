//! Losses that compare value by value.

use candle_core::{
    CpuStorage, CustomOp2, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};
use rayon::prelude::*;

use crate::compute::Real;
use crate::compute::elementwise::{Loop, vectorised};
use crate::compute::storage::{values, with_values};
use crate::{Error, Result};

/// Refuses two tensors that cannot be compared value by value.
pub(super) fn check_alike(predicted: &Tensor, target: &Tensor) -> Result<()> {
    if predicted.dims() != target.dims() || predicted.elem_count() == 0 {
        return Err(Error::argument(
            "target",
            format!("the shape of the prediction, {:?}, none of it 0", predicted.dims()),
            format!("{:?}", target.dims()),
        ));
    }
    if predicted.dtype() != target.dtype() || !predicted.device().same_device(target.device()) {
        return Err(Error::argument(
            "target",
            format!("{:?} on the prediction's device", predicted.dtype()),
            format!("{:?} on {:?}", target.dtype(), target.device().location()),
        ));
    }
    Ok(())
}

/// The mean of the squared differences of all values, a scalar, as PyTorch's and Keras's default.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use neural_composer::train::loss::mean_squared_error;
///
/// let predicted = Tensor::new(&[1f32, 2., 3.], &Device::Cpu)?;
/// let target = Tensor::new(&[1f32, 0., 0.], &Device::Cpu)?;
/// let loss = mean_squared_error(&predicted, &target)?.to_scalar::<f32>()?;
/// assert!((loss - 13. / 3.).abs() < 1e-6);
/// # Ok::<(), neural_composer::Error>(())
/// ```
///
/// # Errors
/// [`Error::Argument`] if the two differ in shape, number type or device, or hold no value.
pub fn mean_squared_error(predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
    check_alike(predicted, target)?;
    match (predicted.device(), predicted.dtype()) {
        (Device::Cpu, DType::F32) => fused::<f32, _>(predicted, target, Squared),
        (Device::Cpu, DType::F64) => fused::<f64, _>(predicted, target, Squared),
        _ => Ok(predicted.sub(target)?.sqr()?.mean_all()?),
    }
}

/// The mean of the absolute differences of all values, a scalar, as PyTorch's `L1Loss`.
///
/// # Errors
/// [`Error::Argument`] if the two differ in shape, number type or device, or hold no value.
pub fn mean_absolute_error(predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
    check_alike(predicted, target)?;
    match (predicted.device(), predicted.dtype()) {
        (Device::Cpu, DType::F32) => fused::<f32, _>(predicted, target, Absolute),
        (Device::Cpu, DType::F64) => fused::<f64, _>(predicted, target, Absolute),
        _ => Ok(predicted.sub(target)?.abs()?.mean_all()?),
    }
}

/// The mean of `d² / 2` for differences d of up to `delta`, and of `delta (|d| - delta / 2)` for
/// larger ones, a scalar, as PyTorch's `HuberLoss`.
///
/// # Errors
/// [`Error::Argument`] if the two differ in shape, number type or device, or hold no value, or unless
/// `delta` is above 0.
pub fn huber(predicted: &Tensor, target: &Tensor, delta: f64) -> Result<Tensor> {
    check_alike(predicted, target)?;
    if !(delta > 0. && delta.is_finite()) {
        return Err(Error::argument("delta", "a number above 0", delta));
    }
    match (predicted.device(), predicted.dtype()) {
        (Device::Cpu, DType::F32) => fused::<f32, _>(predicted, target, Huber(delta as f32)),
        (Device::Cpu, DType::F64) => fused::<f64, _>(predicted, target, Huber(delta)),
        _ => {
            // With m = min(|d|, delta), both branches are m |d| - m² / 2.
            let difference = predicted.sub(target)?.abs()?;
            let bounded = difference.minimum(delta)?;
            Ok(((&bounded * difference)? - (bounded.sqr()? * 0.5)?)?.mean_all()?)
        }
    }
}

/// What a difference costs, and how the cost rises with it.
trait Pointwise<T>: Copy + Send + Sync + 'static {
    fn cost(self, difference: T) -> T;
    fn slope(self, difference: T) -> T;
}

#[derive(Clone, Copy)]
struct Squared;
#[derive(Clone, Copy)]
struct Absolute;
#[derive(Clone, Copy)]
struct Huber<T>(T);

impl<T: Real> Pointwise<T> for Squared {
    #[inline(always)]
    fn cost(self, difference: T) -> T {
        difference * difference
    }

    #[inline(always)]
    fn slope(self, difference: T) -> T {
        difference + difference
    }
}

impl<T: Real> Pointwise<T> for Absolute {
    #[inline(always)]
    fn cost(self, difference: T) -> T {
        // Written so that NaN stays NaN.
        if difference < T::ZERO { -difference } else { difference }
    }

    #[inline(always)]
    fn slope(self, difference: T) -> T {
        // 0 where there is no difference, as in PyTorch; NaN stays NaN.
        if difference > T::ZERO {
            T::ONE
        } else if difference < T::ZERO {
            -T::ONE
        } else {
            difference
        }
    }
}

impl<T: Real> Pointwise<T> for Huber<T> {
    #[inline(always)]
    fn cost(self, difference: T) -> T {
        let size = Absolute.cost(difference);
        let bounded = if size > self.0 { self.0 } else { size };
        bounded * (size - bounded * T::from_f64(0.5))
    }

    #[inline(always)]
    fn slope(self, difference: T) -> T {
        if difference > self.0 {
            self.0
        } else if difference < -self.0 {
            -self.0
        } else {
            difference
        }
    }
}

fn fused<T: Real, P: Pointwise<T>>(
    predicted: &Tensor,
    target: &Tensor,
    pointwise: P,
) -> Result<Tensor> {
    let operation = MeanCost::<T, P>(pointwise, std::marker::PhantomData);
    Ok(predicted.contiguous()?.apply_op2(&target.contiguous()?, operation)?)
}

/// Values that one task takes.
const CHUNK: usize = 1 << 15;

struct MeanCost<T, P>(P, std::marker::PhantomData<T>);

impl<T: Real, P: Pointwise<T>> CustomOp2 for MeanCost<T, P> {
    fn name(&self) -> &'static str {
        "pointwise-loss"
    }

    fn cpu_fwd(
        &self,
        predicted: &CpuStorage,
        predicted_layout: &Layout,
        target: &CpuStorage,
        target_layout: &Layout,
    ) -> CandleResult<(CpuStorage, Shape)> {
        let predicted: &[T] = values(predicted, predicted_layout)?;
        let target: &[T] = values(target, target_layout)?;
        let sums: Vec<f64> = predicted
            .par_chunks(CHUNK)
            .zip(target.par_chunks(CHUNK))
            .map(|(predicted, target)| {
                let mut sum = 0.;
                vectorised(Sum { pointwise: self.0, predicted, target, sum: &mut sum });
                sum
            })
            .collect();
        let mean = sums.iter().sum::<f64>() / predicted.len() as f64;
        Ok((T::to_cpu_storage_owned(vec![T::from_f64(mean)]), Shape::from(())))
    }

    fn bwd(
        &self,
        predicted: &Tensor,
        target: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let upstream = gradient.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let factor = upstream / predicted.elem_count() as f64;
        let scaled = |factor: f64| {
            let (pointwise, factor) = (self.0, T::from_f64(factor));
            let mut gradient = vec![T::ZERO; predicted.elem_count()];
            with_values::<T, _>(predicted, |predicted| {
                with_values::<T, _>(target, |target| {
                    gradient
                        .par_chunks_mut(CHUNK)
                        .zip(predicted.par_chunks(CHUNK).zip(target.par_chunks(CHUNK)))
                        .for_each(|(gradient, (predicted, target))| {
                            vectorised(Scaled { pointwise, predicted, target, factor, gradient });
                        });
                    Ok(())
                })
            })?;
            Tensor::from_vec(gradient, predicted.shape(), predicted.device())
        };
        let of_predicted = if predicted.track_op() { Some(scaled(factor)?) } else { None };
        let of_target = if target.track_op() { Some(scaled(-factor)?) } else { None };
        Ok((of_predicted, of_target))
    }
}

struct Sum<'a, T, P> {
    pointwise: P,
    predicted: &'a [T],
    target: &'a [T],
    sum: &'a mut f64,
}

impl<T: Real, P: Pointwise<T>> Loop for Sum<'_, T, P> {
    #[inline(always)]
    fn run(self) {
        // Sixteen sums side by side make vectors; short runs of them keep `f32` accurate.
        for (predicted, target) in self.predicted.chunks(1024).zip(self.target.chunks(1024)) {
            let mut sums = [T::ZERO; 16];
            for (predicted, target) in predicted.chunks(16).zip(target.chunks(16)) {
                for (sum, (predicted, target)) in sums.iter_mut().zip(predicted.iter().zip(target))
                {
                    *sum += self.pointwise.cost(*predicted - *target);
                }
            }
            *self.sum += sums.iter().map(|sum| sum.to_f64()).sum::<f64>();
        }
    }
}

struct Scaled<'a, T, P> {
    pointwise: P,
    predicted: &'a [T],
    target: &'a [T],
    factor: T,
    gradient: &'a mut [T],
}

impl<T: Real, P: Pointwise<T>> Loop for Scaled<'_, T, P> {
    #[inline(always)]
    fn run(self) {
        let values = self.predicted.iter().zip(self.target);
        for (gradient, (predicted, target)) in self.gradient.iter_mut().zip(values) {
            *gradient = self.pointwise.slope(*predicted - *target) * self.factor;
        }
    }
}
