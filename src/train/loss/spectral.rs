//! A loss that listens to magnitudes.

use std::sync::Arc;

use candle_core::{
    CpuStorage, CustomOp2, D, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};
use rayon::prelude::*;

use super::pointwise::{check_alike, mean_squared_error};
use crate::compute::Real;
use crate::compute::storage::{values, with_values};
use crate::features::{Blocks, Normaliser, SpectrumLayout};
use crate::{Error, Result};

/// Below this share of the loudest bin's usual magnitude (-60 dB) differences stop to count.
const FLOOR: f64 = 1e-3;
/// The share of a usual block's norm (-20 dB) that a quieter block is taken to have.
const QUIET: f64 = 0.1;

/// Squared differences plus `weight` times how far each block's magnitudes are off.
///
/// A block's row holds real and imaginary parts. With M the magnitudes of the `K` bins of the target
/// and P those of the prediction, both with the normalisation undone, the second part is the mean over
/// all blocks of
///
/// - *spectral convergence*, `‖P - M‖ / √(‖M‖² + q²)`, which weighs the loud bins, and
/// - *log-magnitude distance*, the mean over bins of `|ln (P + f) - ln (M + f)|`, which weighs all alike,
///
/// after Arık, Jun and Diamos (2018), "Fast Spectrogram Inversion Using Multi-Head Convolutional Neural
/// Networks". Ours are the floors, both taken from the normalisation's deviations: `f` lies 60 dB below
/// the loudest bin's usual magnitude, `q` 20 dB below the norm of a usual block; they keep silence from
/// counting for more than sound. Squared differences stay in the sum because magnitudes alone say
/// nothing about phase.
#[derive(Clone, Debug)]
pub struct SpectralLoss {
    bins: Arc<Bins>,
    weight: f64,
}

/// Where the bins are in a row, and what undoes the normalisation.
#[derive(Debug)]
struct Bins {
    blocks: Blocks,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// For every bin, where its real part is, and where its imaginary part is, if it has one.
    places: Vec<(usize, Option<usize>)>,
    floor: f64,
    quiet_squared: f64,
}

impl SpectralLoss {
    /// For rows of `blocks` normalised by `normaliser`.
    ///
    /// # Errors
    /// [`Error::Argument`] where the two have rows of different widths.
    pub fn new(blocks: Blocks, normaliser: &Normaliser, weight: f64) -> Result<Self> {
        if normaliser.width() != blocks.width() {
            return Err(Error::argument(
                "normaliser",
                format!("statistics for rows of {} numbers", blocks.width()),
                normaliser.width(),
            ));
        }
        let doubles = |numbers: &[f32]| numbers.iter().copied().map(f64::from).collect::<Vec<_>>();
        let deviation = doubles(normaliser.deviation());
        let n = blocks.block_samples;
        let places: Vec<_> = match blocks.layout {
            SpectrumLayout::Full => (0..n).map(|bin| (bin, Some(n + bin))).collect(),
            SpectrumLayout::Half => {
                let bins = n / 2 + 1;
                let has_imaginary = |bin: usize| bin > 0 && bin < n.div_ceil(2);
                let imaginary = |bin| has_imaginary(bin).then(|| bins + bin - 1);
                (0..bins).map(|bin| (bin, imaginary(bin))).collect()
            }
        };
        let usual_squared = |&(re, im): &(usize, Option<usize>)| {
            deviation[re].powi(2) + im.map_or(0., |im| deviation[im].powi(2))
        };
        let loudest = places.iter().map(usual_squared).fold(0., f64::max).sqrt();
        let quiet_squared = QUIET.powi(2) * places.iter().map(usual_squared).sum::<f64>();
        let mean = doubles(normaliser.mean());
        let floor = FLOOR * loudest;
        let bins = Arc::new(Bins { blocks, mean, deviation, places, floor, quiet_squared });
        Ok(Self { bins, weight })
    }

    /// The loss of `predicted` against `target`, both (..., width), normalised: a scalar.
    ///
    /// # Errors
    /// [`Error::Argument`] if the two differ in shape, number type or device, or are not rows of the
    /// width this was made for.
    pub fn of(&self, predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
        let squared = mean_squared_error(predicted, target)?;
        Ok((squared + (self.magnitudes(predicted, target)? * self.weight)?)?)
    }

    /// The second part alone: spectral convergence plus log-magnitude distance.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn magnitudes(&self, predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
        check_alike(predicted, target)?;
        let width = self.bins.blocks.width();
        if predicted.dims().last() != Some(&width) {
            let expected = format!("rows of {width} numbers");
            return Err(Error::argument("predicted", expected, format!("{:?}", predicted.dims())));
        }
        match (predicted.device(), predicted.dtype()) {
            (Device::Cpu, DType::F32) => self.fused::<f32>(predicted, target),
            (Device::Cpu, DType::F64) => self.fused::<f64>(predicted, target),
            _ => self.composed(predicted, target),
        }
    }

    fn fused<T: Real>(&self, predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
        let operation = Magnitudes::<T>(self.bins.clone(), std::marker::PhantomData);
        // The target is given, so nobody asks for its gradient.
        let target = target.detach().contiguous()?;
        Ok(predicted.contiguous()?.apply_op2(&target, operation)?)
    }

    fn composed(&self, predicted: &Tensor, target: &Tensor) -> Result<Tensor> {
        let bins = &*self.bins;
        let rows = predicted.elem_count() / bins.blocks.width();
        let (ours, theirs) =
            (bins.magnitudes(predicted, rows)?, bins.magnitudes(&target.detach(), rows)?);
        let off = (&ours - &theirs)?.sqr()?.sum(D::Minus1)?.sqrt()?;
        let norm = (theirs.sqr()?.sum(D::Minus1)? + bins.quiet_squared)?.sqrt()?;
        let logarithms = ((ours + bins.floor)?.log()? - (theirs + bins.floor)?.log()?)?.abs()?;
        Ok((off.div(&norm)?.mean_all()? + logarithms.mean_all()?)?)
    }
}

impl Bins {
    /// Added to squared magnitudes, so that the root has a slope everywhere.
    fn tiny(&self) -> f64 {
        (1e-3 * self.floor).powi(2)
    }

    /// (rows, bins) with Candle's own operations.
    fn magnitudes(&self, values: &Tensor, rows: usize) -> Result<Tensor> {
        let (device, dtype, width) = (values.device(), values.dtype(), self.blocks.width());
        let row = |numbers: &[f64]| Tensor::from_slice(numbers, width, device)?.to_dtype(dtype);
        let plain = values.reshape((rows, width))?.broadcast_mul(&row(&self.deviation)?)?;
        let squares = plain.broadcast_add(&row(&self.mean)?)?.sqr()?;
        let bins = self.places.len();
        let real = squares.narrow(1, 0, bins)?;
        let imaginary = squares.narrow(1, bins, width - bins)?;
        // The half layout leaves out the imaginary parts that are always zero: the first, and the last
        // of an even number.
        let before = usize::from(self.blocks.layout == SpectrumLayout::Half);
        let after = bins - before - imaginary.dim(1)?;
        let imaginary = imaginary.pad_with_zeros(1, before, after)?;
        Ok(((real + imaginary)? + self.tiny())?.sqrt()?)
    }

    fn magnitude<T: Real>(&self, row: &[T], (re, im): (usize, Option<usize>)) -> f64 {
        let plain = |at: usize| row[at].to_f64() * self.deviation[at] + self.mean[at];
        (plain(re).powi(2) + im.map_or(0., |im| plain(im).powi(2)) + self.tiny()).sqrt()
    }

    /// The norms of (what is off, the target with what a quiet block is taken to have).
    fn norms<T: Real>(&self, predicted: &[T], target: &[T]) -> (f64, f64) {
        let mut off = 0.;
        let mut norm = self.quiet_squared;
        for place in &self.places {
            let magnitude = self.magnitude(target, *place);
            off += (self.magnitude(predicted, *place) - magnitude).powi(2);
            norm += magnitude * magnitude;
        }
        (off.sqrt(), norm.sqrt())
    }

    /// A block's loss.
    fn loss<T: Real>(&self, predicted: &[T], target: &[T]) -> f64 {
        let (off, norm) = self.norms(predicted, target);
        let mut logarithms = 0.;
        for place in &self.places {
            let (ours, theirs) =
                (self.magnitude(predicted, *place), self.magnitude(target, *place));
            logarithms += ((ours + self.floor) / (theirs + self.floor)).ln().abs();
        }
        off / norm + logarithms / self.places.len() as f64
    }

    /// `factor` times the gradient of a block's loss by `predicted`.
    fn gradient<T: Real>(&self, predicted: &[T], target: &[T], factor: f64, gradient: &mut [T]) {
        let (off, norm) = self.norms(predicted, target);
        let of_off = if off > 0. { factor / (off * norm) } else { 0. };
        let of_logarithm = factor / self.places.len() as f64;
        for &(re, im) in &self.places {
            let ours = self.magnitude(predicted, (re, im));
            let difference = ours - self.magnitude(target, (re, im));
            // A difference of 0 has no sign; NaN stays NaN.
            let sign = if difference == 0. { 0. } else { difference.signum() };
            let slope = of_off * difference + of_logarithm * sign / (ours + self.floor);
            for at in [Some(re), im].into_iter().flatten() {
                let plain = predicted[at].to_f64() * self.deviation[at] + self.mean[at];
                gradient[at] = T::from_f64(slope * plain / ours * self.deviation[at]);
            }
        }
    }
}

struct Magnitudes<T>(Arc<Bins>, std::marker::PhantomData<T>);

impl<T: Real> CustomOp2 for Magnitudes<T> {
    fn name(&self) -> &'static str {
        "spectral-loss"
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
        let width = self.0.blocks.width();
        let losses: Vec<f64> = predicted
            .par_chunks(width)
            .zip(target.par_chunks(width))
            .map(|(predicted, target)| self.0.loss(predicted, target))
            .collect();
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        Ok((T::to_cpu_storage_owned(vec![T::from_f64(mean)]), Shape::from(())))
    }

    fn bwd(
        &self,
        predicted: &Tensor,
        target: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> CandleResult<(Option<Tensor>, Option<Tensor>)> {
        let width = self.0.blocks.width();
        let upstream = gradient.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let factor = upstream / (predicted.elem_count() / width) as f64;
        let mut gradient = vec![T::ZERO; predicted.elem_count()];
        with_values::<T, _>(predicted, |predicted| {
            with_values::<T, _>(target, |target| {
                gradient
                    .par_chunks_mut(width)
                    .zip(predicted.par_chunks(width).zip(target.par_chunks(width)))
                    .for_each(|(gradient, (predicted, target))| {
                        self.0.gradient(predicted, target, factor, gradient);
                    });
                Ok(())
            })
        })?;
        Ok((Some(Tensor::from_vec(gradient, predicted.shape(), predicted.device())?), None))
    }
}
