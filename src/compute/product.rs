//! Products of matrices by whichever form is best for them, and sums of columns.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::Real;
use super::blocked;
use super::matrix::{Into, Matrix};

/// `destination = left · right`, or `+=`; the destination's rows begin every `row_stride` values.
///
/// Runs on all threads of the current rayon pool.
///
/// # Panics
/// If the shapes do not fit: a mistake of the caller, not of any input.
pub fn product<T: Real>(
    destination: &mut [T],
    row_stride: usize,
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    into: Into,
) {
    let (rows, columns, inner) = (left.rows, right.columns, left.columns);
    assert_eq!(inner, right.rows);
    assert!(columns <= row_stride && (rows - 1) * row_stride + columns <= destination.len());
    if let (Some(destination), Some(left), Some(right)) =
        (T::in_f32_mut(destination), left.in_f32(), right.in_f32())
        && blocked::product(destination, row_stride, left, right, into)
    {
        return;
    }
    let threads = rayon::current_num_threads();
    // Below this a product is done sooner than threads are woken.
    let small = rows * columns * inner < 32 * 32 * 32;
    let parallelism =
        if threads < 2 || small { Parallelism::None } else { Parallelism::Rayon(threads) };
    // SAFETY: `Matrix::strided` checked that every element of the two operands lies within its slice,
    // the assertion above does so for the destination, which nothing else can refer to while it is
    // borrowed mutably; slices are shorter than `isize::MAX`, so the strides fit.
    unsafe {
        gemm(
            rows,
            columns,
            inner,
            destination.as_mut_ptr(),
            1,
            row_stride as isize,
            into == Into::Add,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Adds the sum of each column of a matrix, whose rows are as long as `sums`, to `sums`.
pub fn add_column_sums<T: Real>(data: &[T], sums: &mut [T]) {
    /// Rows that one task sums; fixed, so that the result does not depend on the machine.
    const ROWS: usize = 64;
    fn add<T: Real>(sums: &mut [T], row: &[T]) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += *value;
        }
    }
    let columns = sums.len();
    let part = |rows: &[T]| {
        let mut part = vec![T::ZERO; columns];
        rows.chunks_exact(columns).for_each(|row| add(&mut part, row));
        part
    };
    if data.len() <= 1 << 16 {
        data.chunks(ROWS * columns).for_each(|rows| add(sums, &part(rows)));
        return;
    }
    let parts: Vec<Vec<T>> = data.par_chunks(ROWS * columns).map(part).collect();
    parts.iter().for_each(|part| add(sums, part));
}
