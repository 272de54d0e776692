//! Dropout: noise that keeps units from relying on each other while a network is trained.

use std::marker::PhantomData;

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result as CandleResult, Shape, Tensor,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::compute::Real;
use crate::compute::storage::{values, with_values};
use crate::{Error, Result};

/// What dropout takes away in one optimizer step (Srivastava et al. 2014).
///
/// Every value is set to 0 with probability `rate`; the others are divided by `1 - rate`, so that the
/// expected sum stays. What is drawn depends on nothing but the seed, the number of the optimizer step,
/// the layer and the place in time: a layer that is computed again, whole or in parts, loses the same
/// values.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use neural_composer::model::Dropout;
/// let ones = Tensor::ones((2, 6, 50), DType::F32, &Device::Cpu)?;
/// let dropout = Dropout::new(0.5, 1)?.at_update(7);
/// let whole = dropout.apply(&ones, 0, 0)?;
/// // The last two steps by themselves:
/// let part = dropout.apply(&ones.narrow(1, 4, 2)?, 0, 4)?;
/// assert_eq!(part.to_vec3::<f32>()?, whole.narrow(1, 4, 2)?.to_vec3::<f32>()?);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    rate: f64,
    seed: u64,
    update: u64,
    /// Where in its batch the first sequence is.
    first_sequence: usize,
}

impl Dropout {
    /// Takes nothing away: what is used outside training.
    pub const NONE: Self = Self { rate: 0., seed: 0, update: 0, first_sequence: 0 };

    /// Takes away the share `rate` of all values, drawn by `seed`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless the rate is from 0 to below 1.
    pub fn new(rate: f64, seed: u64) -> Result<Self> {
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::argument("dropout", "a share from 0 to below 1", rate));
        }
        Ok(Self { rate, seed, update: 0, first_sequence: 0 })
    }

    /// The same for another optimizer step.
    #[must_use]
    pub const fn at_update(self, update: u64) -> Self {
        Self { update, ..self }
    }

    /// The same for sequences that begin with number `first_sequence` of their batch.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use neural_composer::model::Dropout;
    /// let ones = Tensor::ones((5, 6, 50), DType::F32, &Device::Cpu)?;
    /// let dropout = Dropout::new(0.5, 1)?;
    /// let whole = dropout.apply(&ones, 0, 0)?;
    /// let part = dropout.at_sequence(3).apply(&ones.narrow(0, 3, 2)?, 0, 0)?;
    /// assert_eq!(part.to_vec3::<f32>()?, whole.narrow(0, 3, 2)?.to_vec3::<f32>()?);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    #[must_use]
    pub const fn at_sequence(self, first_sequence: usize) -> Self {
        Self { first_sequence, ..self }
    }

    /// Whether nothing is taken away.
    pub fn is_none(&self) -> bool {
        self.rate == 0.
    }

    /// Applies it to `values`, of shape (batch, steps, units): the output of layer number `layer`
    /// beginning with step `first_step` of the sequence.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the shape is another or memory runs out.
    pub fn apply(&self, values: &Tensor, layer: usize, first_step: usize) -> Result<Tensor> {
        if self.is_none() {
            return Ok(values.clone());
        }
        values.dims3()?;
        let place = Place { dropout: *self, layer, first_step };
        match (values.device(), values.dtype()) {
            (Device::Cpu, DType::F32) => {
                Ok(values.contiguous()?.apply_op1(Drop::<f32>::at(place))?)
            }
            (Device::Cpu, DType::F64) => {
                Ok(values.contiguous()?.apply_op1(Drop::<f64>::at(place))?)
            }
            _ => {
                let mut mask = vec![1f32; values.elem_count()];
                place.apply(&mut mask, values.dims());
                let mask = Tensor::from_vec(mask, values.shape(), values.device())?;
                Ok((values * mask.to_dtype(values.dtype())?)?)
            }
        }
    }

    /// A generator of its own for every layer and step of an optimizer step.
    fn random(&self, layer: usize, step: usize) -> ChaCha8Rng {
        let mut key = [0; 32];
        let parts = [self.seed, self.update, layer as u64, step as u64];
        for (bytes, part) in key.chunks_exact_mut(8).zip(parts) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

/// Where in a training's draws some values lie.
#[derive(Clone, Copy)]
struct Place {
    dropout: Dropout,
    layer: usize,
    first_step: usize,
}

impl Place {
    /// Applies dropout to `values`, of shape (batch, steps, units).
    fn apply<T: Real>(&self, values: &mut [T], dims: &[usize]) {
        let &[batch, steps, units] = dims else { return };
        let rate = self.dropout.rate;
        let kept = T::from_f64(1. / (1. - rate));
        // Of all 32-bit numbers, those below this one take a value away.
        let threshold = (rate * f64::from(u32::MAX)) as u32;
        for step in 0..steps {
            let mut random = self.dropout.random(self.layer, self.first_step + step);
            // A word for each value of the sequences before.
            random.set_word_pos((self.dropout.first_sequence * units) as u128);
            for sequence in 0..batch {
                for value in &mut values[(sequence * steps + step) * units..][..units] {
                    let gone = random.random::<u32>() < threshold;
                    *value = if gone { T::ZERO } else { *value * kept };
                }
            }
        }
    }
}

/// Dropout as one operation, which draws again on the way back instead of keeping what it drew.
struct Drop<T>(Place, PhantomData<T>);

impl<T> Drop<T> {
    const fn at(place: Place) -> Self {
        Self(place, PhantomData)
    }
}

impl<T: Real> CustomOp1 for Drop<T> {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> CandleResult<(CpuStorage, Shape)> {
        let mut output: Vec<T> = values::<T>(storage, layout)?.to_vec();
        self.0.apply(&mut output, layout.dims());
        Ok((T::to_cpu_storage_owned(output), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> CandleResult<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let mut output = with_values(&gradient, |values: &[T]| Ok(values.to_vec()))?;
        self.0.apply(&mut output, gradient.dims());
        Ok(Some(Tensor::from_vec(output, gradient.shape(), gradient.device())?))
    }
}
