//! The number types that the CPU forms compute in.

use super::pool::Pool;
use candle_core::{CpuStorage, Result, WithDType, bail};

/// `f32` or `f64`, with the functions that gates need, written so that loops over them vectorise.
pub trait Real: WithDType + std::ops::Neg<Output = Self> + std::iter::Sum<Self> + 'static {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The hyperbolic tangent; NaN stays NaN.
    fn tanh(self) -> Self;

    /// The logistic function `1 / (1 + e^-x)`; NaN stays NaN.
    fn sigmoid(self) -> Self;

    /// The square root.
    fn sqrt(self) -> Self;

    /// Memory of this type that may be used again.
    fn pool() -> &'static Pool<Self>;

    /// The values, where they are in single precision.
    fn in_f32(values: &[Self]) -> Option<&[f32]>;

    /// [`in_f32`](Self::in_f32), to change in place.
    fn in_f32_mut(values: &mut [Self]) -> Option<&mut [f32]>;

    /// The values of a storage of this number type, to change in place.
    ///
    /// # Errors
    /// If the storage holds another number type.
    fn values_mut(storage: &mut CpuStorage) -> Result<&mut [Self]>;
}

impl Real for f64 {
    const ZERO: Self = 0.;
    const ONE: Self = 1.;

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f64> = Pool::new();
        &POOL
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        Self::tanh(self)
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        1. / (1. + (-self).exp())
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self::sqrt(self)
    }

    fn in_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }

    fn in_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }

    fn values_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F64(values) => Ok(values),
            other => bail!(
                "expected f64 values, found {:?}",
                candle_core::backend::BackendStorage::dtype(other)
            ),
        }
    }
}

impl Real for f32 {
    const ZERO: Self = 0.;
    const ONE: Self = 1.;

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f32> = Pool::new();
        &POOL
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        // Near zero a polynomial, because the other form would lose the leading digits; both are
        // computed and one is picked, so that there is no branch.
        let square = self * self;
        let polynomial = horner(
            square,
            [-0.333_332_8, 0.133_314_42, -0.053_739_715, 0.020_639_086, -0.005_704_987],
        );
        let near = self + self * square * polynomial;
        let magnitude = self.abs();
        let far = (1. - 2. / (1. + exp(2. * magnitude))).copysign(self);
        if magnitude < 0.625 { near } else { far }
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        1. / (1. + exp(-self))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self::sqrt(self)
    }

    fn in_f32(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }

    fn in_f32_mut(values: &mut [Self]) -> Option<&mut [f32]> {
        Some(values)
    }

    fn values_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
        match storage {
            CpuStorage::F32(values) => Ok(values),
            other => bail!(
                "expected f32 values, found {:?}",
                candle_core::backend::BackendStorage::dtype(other)
            ),
        }
    }
}

/// `e^x` to about 1e-7 relative, for x clamped to where the result is a normal number.
///
/// x = n ln 2 + r with a whole n, so `e^x = 2^n e^r`, and `e^r` is a polynomial on ±ln 2 / 2 (our own
/// minimax fit). Adding and subtracting 1.5 · 2^23 rounds to the nearest whole number and leaves that
/// number in the low bits, from where it becomes the exponent.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.;
    // ln 2 in two parts, the first short enough for n times it to be exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87., 88.);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let polynomial =
        horner(r, [0.499_999_94, 0.166_665_21, 0.041_668_39, 0.008_368_716, 0.001_381_460_2]);
    let fraction = 1. + (r + r * r * polynomial);
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1f32.to_bits()));
    fraction * power
}

/// The polynomial with `coefficients` from the constant upwards.
#[inline(always)]
fn horner<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.iter().rev().fold(0., |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error against the standard library in f64, over a sweep of f32.
    fn worst(range: std::ops::Range<f64>, ours: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        (0..=200_000)
            .map(|i| (range.start + (range.end - range.start) * f64::from(i) / 200_000.) as f32)
            .filter(|x| *x != 0.)
            .map(|x| {
                let exact = exact(f64::from(x));
                ((f64::from(ours(x)) - exact) / exact).abs()
            })
            .fold(0., f64::max)
    }

    #[test]
    fn functions_are_accurate_to_a_few_units_in_the_last_place() {
        assert!(worst(-87. ..88., exp, f64::exp) < 3e-7);
        assert!(worst(-1e-3..1e-3, Real::tanh, f64::tanh) < 2e-7);
        assert!(worst(-12. ..12., Real::tanh, f64::tanh) < 3e-7);
        assert!(worst(-80. ..80., Real::sigmoid, |x| 1. / (1. + (-x).exp())) < 4e-7);
    }

    #[test]
    fn extremes_saturate_and_what_is_no_number_stays_so() {
        for huge in [100f32, 1e30, f32::INFINITY] {
            assert_eq!((Real::tanh(huge), Real::tanh(-huge)), (1., -1.));
            assert_eq!(Real::sigmoid(huge), 1.);
            assert!(Real::sigmoid(-huge) < 1e-37);
        }
        assert!(Real::tanh(f32::NAN).is_nan());
        assert!(Real::sigmoid(f32::NAN).is_nan());
        assert_eq!(Real::tanh(0f32), 0.);
    }
}
