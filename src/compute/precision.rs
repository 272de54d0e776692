//! With how many bits large products are computed while a network learns.

use super::Real;
use crate::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

/// With how many bits large matrix products are computed while a network learns.
///
/// Parameters, the optimizer's memory, sums, states and losses are in 32 bits with all of them; what a
/// product reads is rounded (mixed precision: Micikevicius et al., "Mixed precision training", 2018).
/// It is meant for CUDA cards, whose products are several times as fast with fewer bits. On the CPU values
/// are rounded as a card would, so that what it does to a training can be seen without one; it takes
/// longer there.
///
/// ```
/// use neural_composer::model::Precision;
/// let precision: Precision = "bf16".parse()?;
/// assert_eq!((precision, precision.to_string()), (Precision::Bf16, "bf16".to_owned()));
/// assert_eq!(Precision::default(), Precision::F32);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// All 24 significant bits.
    #[default]
    F32,
    /// 11 significant bits (NVIDIA's TensorFloat-32).
    Tf32,
    /// 8 significant bits (bfloat16); a card also rounds the product itself.
    Bf16,
}

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::F32) };
}

impl Precision {
    /// All of them, from the finest.
    pub const ALL: [Self; 3] = [Self::F32, Self::Tf32, Self::Bf16];

    /// How settings name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }

    /// Whether nothing is rounded.
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::F32
    }

    /// Does `work`, whose layers compute their products in this precision, forwards and backwards: the
    /// dense layers', the recurrent layers' input's, and those of all weights' gradients.
    ///
    /// For a training loop of one's own; it holds for this thread. (On a card, whether it is `Tf32` is a
    /// switch of Candle's, which holds for the whole program meanwhile.)
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use neural_composer::model::{Precision, dense::Dense};
    /// let weight = Tensor::new(&[[1.001f32]], &Device::Cpu)?;
    /// let layer = Dense::new(weight, Tensor::zeros(1, candle_core::DType::F32, &Device::Cpu)?)?;
    /// let input = Tensor::new(&[[1f32]], &Device::Cpu)?;
    /// let output = Precision::Bf16.during(|| layer.forward(&input))?;
    /// assert_eq!(output.to_vec2::<f32>()?, [[1.0]]);
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    pub fn during<R>(self, work: impl FnOnce() -> R) -> R {
        let _before = Before::set(self);
        work()
    }

    /// The one that holds on this thread.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// `values` as a product of this precision reads them.
    pub(crate) fn read<T: Real>(self, values: &[T]) -> Cow<'_, [T]> {
        let round = match self {
            Self::F32 => return Cow::Borrowed(values),
            Self::Tf32 => |value: &mut f32| *value = rounded(*value, 13),
            Self::Bf16 => |value: &mut f32| *value = rounded(*value, 16),
        };
        if T::in_f32(values).is_none() {
            return Cow::Borrowed(values);
        }
        let mut read = values.to_vec();
        if let Some(values) = T::in_f32_mut(&mut read) {
            values.par_iter_mut().with_min_len(1 << 14).for_each(round);
        }
        Cow::Owned(read)
    }
}

/// `value` without its `dropped` last bits, to the nearest, halves to the even one.
fn rounded(value: f32, dropped: u32) -> f32 {
    if !value.is_finite() {
        return value;
    }
    let bits = value.to_bits();
    let half = (1 << (dropped - 1)) - 1 + (bits >> dropped & 1);
    f32::from_bits((bits + half) >> dropped << dropped)
}

/// What held before, and will again when this is dropped.
struct Before {
    precision: Precision,
    #[cfg(feature = "cuda")]
    tf32: bool,
}

impl Before {
    fn set(precision: Precision) -> Self {
        let before = Self {
            precision: CURRENT.replace(precision),
            #[cfg(feature = "cuda")]
            tf32: candle_core::cuda::gemm_reduced_precision_f32(),
        };
        #[cfg(feature = "cuda")]
        candle_core::cuda::set_gemm_reduced_precision_f32(precision == Precision::Tf32);
        before
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.precision);
        #[cfg(feature = "cuda")]
        candle_core::cuda::set_gemm_reduced_precision_f32(self.tf32);
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    /// Reads "f32", "tf32" or "bf16".
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.name() == text)
            .ok_or_else(|| Error::argument("precision", "f32, tf32 or bf16", format!("{text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn rounding_is_that_of_bfloat16() {
        let values = [0.0, -0.0, 1.0, 1.001, -3.3, 1e-40, 3.0e38, f32::MAX, f32::INFINITY];
        let halves = (0..2_000).map(|n| f32::from_bits(0x3F80_0000 + n * 0x1001));
        for value in values.into_iter().chain(halves) {
            let expected = half::bf16::from_f32(value).to_f32();
            assert_eq!(rounded(value, 16).to_bits(), expected.to_bits(), "{value}");
        }
        assert!(rounded(f32::NAN, 16).is_nan());
        // Eleven significant bits: a step of 2⁻¹⁰ above 1, half of it to the even one.
        assert_eq!(rounded(1.0 + 2f32.powi(-11), 13), 1.0);
        assert_eq!(rounded(1.0 + 1.5 * 2f32.powi(-10), 13), 1.0 + 2f32.powi(-9));
    }
}
