//! Sums of products, in several sums side by side: for vector instructions, and the same on every
//! machine.

/// In single precision.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (eights, rest) = a.as_chunks::<8>();
    let (other_eights, other_rest) = b.as_chunks::<8>();
    for (a, b) in eights.iter().zip(other_eights) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// In double precision.
#[inline(always)]
pub fn dot_f64(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f64; 16];
    let (parts, rest) = a.as_chunks::<16>();
    let (other_parts, other_rest) = b.as_chunks::<16>();
    for (a, b) in parts.iter().zip(other_parts) {
        for i in 0..16 {
            sums[i] += f64::from(a[i]) * f64::from(b[i]);
        }
    }
    let rest: f64 = rest.iter().zip(other_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    sums.iter().sum::<f64>() + rest
}
