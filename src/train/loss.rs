//! Losses: how far a prediction is from what it should have been.

use candle_core::{
    CpuStorage, CustomOp2, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};
use rayon::prelude::*;

use crate::model::cpu::Real;
use crate::model::cpu::elementwise::{Loop, vectorised};
use crate::model::cpu::storage::{values, with_values};
use crate::{Error, Result};

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
    match (predicted.device(), predicted.dtype()) {
        (Device::Cpu, DType::F32) => fused::<f32>(predicted, target),
        (Device::Cpu, DType::F64) => fused::<f64>(predicted, target),
        _ => Ok(predicted.sub(target)?.sqr()?.mean_all()?),
    }
}

fn fused<T: Real>(predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
    let operation = SquaredError::<T>(std::marker::PhantomData);
    Ok(predicted.contiguous()?.apply_op2(&target.contiguous()?, operation)?)
}

/// Values that one task takes.
const CHUNK: usize = 1 << 15;

struct SquaredError<T>(std::marker::PhantomData<T>);

impl<T: Real> CustomOp2 for SquaredError<T> {
    fn name(&self) -> &'static str {
        "mean-squared-error"
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
                vectorised(Sum { predicted, target, sum: &mut sum });
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
        let factor = 2. * upstream / predicted.elem_count() as f64;
        let scaled = |factor: f64| {
            let factor = T::from_f64(factor);
            let mut gradient = vec![T::ZERO; predicted.elem_count()];
            with_values::<T, _>(predicted, |predicted| {
                with_values::<T, _>(target, |target| {
                    gradient
                        .par_chunks_mut(CHUNK)
                        .zip(predicted.par_chunks(CHUNK).zip(target.par_chunks(CHUNK)))
                        .for_each(|(gradient, (predicted, target))| {
                            vectorised(Scaled { predicted, target, factor, gradient });
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

struct Sum<'a, T> {
    predicted: &'a [T],
    target: &'a [T],
    sum: &'a mut f64,
}

impl<T: Real> Loop for Sum<'_, T> {
    #[inline(always)]
    fn run(self) {
        // Sixteen sums side by side make vectors; short runs of them keep `f32` accurate.
        for (predicted, target) in self.predicted.chunks(1024).zip(self.target.chunks(1024)) {
            let mut sums = [T::ZERO; 16];
            for (predicted, target) in predicted.chunks(16).zip(target.chunks(16)) {
                for (sum, (predicted, target)) in sums.iter_mut().zip(predicted.iter().zip(target))
                {
                    let difference = *predicted - *target;
                    *sum += difference * difference;
                }
            }
            *self.sum += sums.iter().map(|sum| sum.to_f64()).sum::<f64>();
        }
    }
}

struct Scaled<'a, T> {
    predicted: &'a [T],
    target: &'a [T],
    factor: T,
    gradient: &'a mut [T],
}

impl<T: Real> Loop for Scaled<'_, T> {
    #[inline(always)]
    fn run(self) {
        let values = self.predicted.iter().zip(self.target);
        for (gradient, (predicted, target)) in self.gradient.iter_mut().zip(values) {
            *gradient = (*predicted - *target) * self.factor;
        }
    }
}
