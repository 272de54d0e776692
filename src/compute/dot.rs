//! Sums of products, in several sums side by side: for vector instructions, and the same on every
//! machine.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

/// In single precision.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    side_by_side::<f32, 8>(a, b)
}

/// In double precision.
#[inline(always)]
pub fn dot_f64(a: &[f32], b: &[f32]) -> f64 {
    side_by_side::<f64, 16>(a, b)
}

/// In `N` sums, then those of what is left over.
#[inline(always)]
fn side_by_side<T, const N: usize>(a: &[f32], b: &[f32]) -> T
where
    T: Copy + Default + From<f32> + Add<Output = T> + AddAssign + Mul<Output = T> + Sum,
{
    let mut sums = [T::default(); N];
    let (parts, rest) = a.as_chunks::<N>();
    let (other_parts, other_rest) = b.as_chunks::<N>();
    for (a, b) in parts.iter().zip(other_parts) {
        for i in 0..N {
            sums[i] += T::from(a[i]) * T::from(b[i]);
        }
    }
    let rest: T = rest.iter().zip(other_rest).map(|(a, b)| T::from(*a) * T::from(*b)).sum();
    sums.into_iter().sum::<T>() + rest
}
