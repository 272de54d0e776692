//! Products of a few rows with a large matrix, where reading the matrix is what takes the time.
//!
//! A general matrix product first copies its operands into an order of its own. That pays when each
//! value is used often; one step of a recurrent layer uses each weight only once per sequence of the
//! batch. So these products read the weights once, in the order they lie in memory, or (for larger
//! batches) in an order made once for all steps.
//!
//! Results come in [panels](super::panels).

use half::bf16;
use rayon::prelude::*;
use std::borrow::Cow;

use super::lanes::Lanes;
use super::matrix::{Into, Matrix};
use super::panels::{PANEL, Rows, each_run, panels_len};
use super::product::product;
use super::scratch::Scratch;
use super::{Precision, Real};

/// Up to this many rows the matrix is best read as it lies.
pub const FEW: usize = 8;

/// Into how many parts a sum over a matrix's rows is cut for threads to share it: fixed, so that the
/// result does not depend on the machine.
const PARTS: usize = 8;

/// A weight matrix in the order of its rows, as it is kept.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a, T> {
    /// In the numbers that are computed with.
    Full(&'a [T]),
    /// In sixteen bits each, which takes half the time to read.
    Rounded(&'a [bf16]),
}

impl<'a, T> Stored<'a, T> {
    /// How many values there are.
    pub const fn len(self) -> usize {
        match self {
            Self::Full(values) => values.len(),
            Self::Rounded(values) => values.len(),
        }
    }

    /// The same as a product of this precision reads it; what is rounded for that is put into `room`.
    pub fn read(self, precision: Precision, room: &'a mut Vec<T>) -> Self
    where
        T: Real,
    {
        match self {
            Self::Full(values) => match precision.read(values) {
                Cow::Owned(read) => {
                    *room = read;
                    Self::Full(room)
                }
                Cow::Borrowed(values) => Self::Full(values),
            },
            // Of eight bits already, fewer than any.
            Self::Rounded(_) => self,
        }
    }

    /// `values[start..start + len]`
    pub fn part(self, start: usize, len: usize) -> Self {
        match self {
            Self::Full(values) => Self::Full(&values[start..][..len]),
            Self::Rounded(values) => Self::Rounded(&values[start..][..len]),
        }
    }
}

/// How much there is to do, and who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Little: one thread in one go.
    Small,
    /// Much, and all threads of the pool share it.
    Shared,
    /// Much, but this thread does it alone; the others have rows of their own.
    Alone,
}

/// A matrix to multiply a few rows with, again and again.
#[derive(Debug)]
pub enum Weights<'a, T> {
    /// `output = rows · matrixᵀ`, the matrix read as it lies: (columns of the output, inner).
    Transposed {
        /// The matrix.
        matrix: &'a [T],
        /// Its rows, the output's columns.
        columns: usize,
    },
    /// [`Transposed`](Self::Transposed) with rounded values.
    Rounded {
        /// The matrix.
        matrix: &'a [bf16],
        /// Its rows, the output's columns.
        columns: usize,
    },
    /// `output = rows · matrix`, the matrix read as it lies: (inner, columns of the output).
    Plain {
        /// The matrix.
        matrix: &'a [T],
        /// Its columns, the output's columns.
        columns: usize,
    },
    /// Either of them, put in order beforehand.
    Packed {
        /// For each panel, for each inner index, the panel's values.
        panels: Vec<T>,
        /// The output's columns.
        columns: usize,
    },
}

impl<'a, T: Lanes> Weights<'a, T> {
    /// For `rows · matrixᵀ` with a matrix (columns, inner); `uses` tells how many rows will be
    /// multiplied in all, `batch` how many at a time.
    pub fn transposed(matrix: Stored<'a, T>, columns: usize, batch: usize, uses: usize) -> Self {
        let matrix = match matrix {
            Stored::Full(matrix) => matrix,
            Stored::Rounded(matrix) => return Self::Rounded { matrix, columns },
        };
        if batch <= FEW || uses <= 2 * FEW {
            return Self::Transposed { matrix, columns };
        }
        let inner = matrix.len() / columns;
        let mut panels = vec![T::ZERO; panels_len(inner, columns)];
        panels.par_chunks_mut(PANEL * inner).enumerate().for_each(|(index, panel)| {
            let first = index * PANEL;
            for (offset, row) in matrix[first * inner..].chunks_exact(inner).take(PANEL).enumerate()
            {
                for (cell, value) in panel[offset..].iter_mut().step_by(PANEL).zip(row) {
                    *cell = *value;
                }
            }
        });
        Self::Packed { panels, columns }
    }

    /// For `rows · matrix` with a matrix (inner, columns).
    pub fn plain(matrix: &'a [T], columns: usize, batch: usize, uses: usize) -> Self {
        if batch <= FEW || uses <= 2 * FEW {
            return Self::Plain { matrix, columns };
        }
        let inner = matrix.len() / columns;
        let mut panels = vec![T::ZERO; panels_len(inner, columns)];
        panels.par_chunks_mut(PANEL * inner).enumerate().for_each(|(index, panel)| {
            let first = index * PANEL;
            let width = PANEL.min(columns - first);
            for (cells, row) in panel.chunks_exact_mut(PANEL).zip(matrix.chunks_exact(columns)) {
                cells[..width].copy_from_slice(&row[first..][..width]);
            }
        });
        Self::Packed { panels, columns }
    }

    /// The output's columns.
    pub const fn columns(&self) -> usize {
        match self {
            Self::Transposed { columns, .. }
            | Self::Rounded { columns, .. }
            | Self::Plain { columns, .. }
            | Self::Packed { columns, .. } => *columns,
        }
    }

    /// Writes the product with `rows` into `panels`, which must be [`panels_len`] long.
    pub fn multiply(&self, rows: Rows<'_, T>, panels: &mut [T], work: Work) {
        let columns = self.columns();
        debug_assert_eq!(panels.len(), panels_len(rows.count, columns));
        if let Self::Plain { matrix, .. } = self {
            sum_rows(rows, matrix, columns, panels, work);
            return;
        }
        let in_order;
        let rows = if let Self::Rounded { .. } = self {
            in_order = even_first(rows);
            Rows { data: &in_order, stride: rows.width, ..rows }
        } else {
            rows
        };
        let one = |(index, panel): (usize, &mut [T])| {
            let first = index * PANEL * rows.width;
            let size = PANEL.min(columns - index * PANEL) * rows.width;
            match self {
                Self::Packed { panels: packed, .. } => {
                    T::panel(rows, &packed[first..][..PANEL * rows.width], panel);
                }
                Self::Rounded { matrix, .. } => {
                    T::rounded_dots(rows, &matrix[first..][..size], panel);
                }
                Self::Plain { matrix, .. } | Self::Transposed { matrix, .. } => {
                    T::dots(rows, &matrix[first..][..size], panel);
                }
            }
        };
        let chunk = PANEL * rows.count;
        if work == Work::Shared {
            panels.par_chunks_mut(chunk).enumerate().for_each(one);
        } else {
            panels.chunks_mut(chunk).enumerate().for_each(one);
        }
    }
}

/// The rows one after the other, of each the values at even places first.
fn even_first<T: Lanes>(rows: Rows<'_, T>) -> Vec<T> {
    let row = |index| rows.row(index).iter();
    (0..rows.count)
        .flat_map(|index| row(index).step_by(2).chain(row(index).skip(1).step_by(2)))
        .copied()
        .collect()
}

/// `rows · matrix` into panels. The matrix is read from beginning to end, for memory to keep up: threads
/// take runs of its rows, and what they get is summed.
fn sum_rows<T: Lanes>(
    rows: Rows<'_, T>,
    matrix: &[T],
    columns: usize,
    panels: &mut [T],
    work: Work,
) {
    // The same parts whoever sums them, so that the result does not depend on the threads.
    let part = if work == Work::Small { rows.width } else { rows.width.div_ceil(PARTS) };
    let parts = rows.width.div_ceil(part);
    let mut sums = vec![T::ZERO; parts * rows.count * columns];
    let one = |(index, sums): (usize, &mut [T])| {
        let first = index * part;
        let width = part.min(rows.width - first);
        let rows = Rows { data: &rows.data[first..], width, ..rows };
        T::row_sums(rows, &matrix[first * columns..][..width * columns], columns, sums);
    };
    if work == Work::Shared {
        sums.par_chunks_mut(rows.count * columns).enumerate().for_each(one);
    } else {
        sums.chunks_mut(rows.count * columns).enumerate().for_each(one);
    }
    for (index, panel) in panels.chunks_exact_mut(PANEL * rows.count).enumerate() {
        let first = index * PANEL;
        let width = PANEL.min(columns - first);
        for (row, run) in panel.chunks_exact_mut(PANEL).enumerate() {
            run.fill(T::ZERO);
            for sums in sums.chunks_exact(rows.count * columns) {
                let sums = &sums[row * columns + first..][..width];
                run.iter_mut().zip(sums).for_each(|(sum, part)| *sum += *part);
            }
        }
    }
}

/// `row`, `count` times.
pub fn repeated<T: Real>(row: &[T], count: usize) -> Vec<T> {
    let mut rows = vec![T::ZERO; row.len() * count];
    if rows.len() > 1 << 18 {
        rows.par_chunks_exact_mut(row.len()).for_each(|copy| copy.copy_from_slice(row));
    } else {
        rows.chunks_exact_mut(row.len()).for_each(|copy| copy.copy_from_slice(row));
    }
    rows
}

/// `output = input · weightᵀ` or `+=`, by whichever way suits the number of rows. `input` holds `rows`
/// rows one after the other, `weight` (columns, inner); the output's rows begin every `row_stride`
/// values.
pub fn transposed<T: Lanes>(
    output: &mut [T],
    row_stride: usize,
    input: &[T],
    rows: usize,
    weight: Stored<'_, T>,
    into: Into,
) {
    if rows == 0 {
        return;
    }
    let inner = input.len() / rows;
    let columns = weight.len() / inner;
    if let (Stored::Full(weight), true) = (weight, rows > FEW) {
        let (input, weight) =
            (Matrix::new(input, rows, inner), Matrix::new(weight, columns, inner));
        product(output, row_stride, input, weight.t(), into);
        return;
    }
    let mut panels = Scratch::new(panels_len(rows, columns));
    let input = Rows { data: input, count: rows, stride: inner, width: inner };
    let weights = Weights::transposed(weight, columns, rows, rows);
    let is_large = rows * weight.len() > 1 << 17;
    weights.multiply(input, &mut panels, if is_large { Work::Shared } else { Work::Small });
    each_run(&panels, rows, columns, |row, first, run| {
        let output = output[row * row_stride + first..].iter_mut().zip(run);
        match into {
            Into::Overwrite => output.for_each(|(sum, value)| *sum = *value),
            Into::Add => output.for_each(|(sum, value)| *sum += *value),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that differ, small enough for sums of thousands to stay exact to a few digits.
    fn filled(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + seed * 101) % 211) as f32 / 211. - 0.5).collect()
    }

    fn largest_difference(batch: usize, inner: usize, columns: usize, packed: bool) -> f32 {
        let rows = filled(batch * (inner + 3), 1);
        let rows = Rows { data: &rows, count: batch, stride: inner + 3, width: inner };
        let matrix = filled(inner * columns, 2);
        let (at_a_time, uses) = if packed { (FEW + 1, 1000) } else { (1, 1) };
        let mut worst = 0f32;
        for work in [Work::Small, Work::Shared, Work::Alone] {
            for transposed in [false, true] {
                let (weights, strides) = if transposed {
                    (
                        Weights::transposed(Stored::Full(&matrix), columns, at_a_time, uses),
                        (1, inner),
                    )
                } else {
                    (Weights::plain(&matrix, columns, at_a_time, uses), (columns, 1))
                };
                let mut panels = vec![f32::NAN; panels_len(batch, columns)];
                weights.multiply(rows, &mut panels, work);
                let mut seen = 0;
                each_run(&panels, batch, columns, |row, first, run| {
                    for (offset, value) in run.iter().enumerate() {
                        let exact: f64 = (0..inner)
                            .map(|k| {
                                let weight = matrix[k * strides.0 + (first + offset) * strides.1];
                                f64::from(rows.row(row)[k]) * f64::from(weight)
                            })
                            .sum();
                        worst = worst.max((exact as f32 - value).abs());
                        seen += 1;
                    }
                });
                assert_eq!(seen, batch * columns);
            }
        }
        worst
    }

    #[test]
    fn products_with_rounded_weights_are_those_with_the_rounded_values() {
        for (batch, inner, columns) in [(1, 64, 32), (1, 37, 70), (3, 130, 33), (2, 1, 5)] {
            let rows = filled(batch * inner, 1);
            let rows = Rows { data: &rows, count: batch, stride: inner, width: inner };
            let matrix: Vec<bf16> =
                filled(inner * columns, 2).into_iter().map(bf16::from_f32).collect();
            let full: Vec<f32> = matrix.iter().map(|value| value.to_f32()).collect();
            let products = |matrix| {
                let mut panels = vec![0f32; panels_len(batch, columns)];
                Weights::transposed(matrix, columns, batch, 1).multiply(
                    rows,
                    &mut panels,
                    Work::Shared,
                );
                panels
            };
            let (rounded, full) =
                (products(Stored::Rounded(&matrix)), products(Stored::Full(&full)));
            assert!(full.iter().any(|value| *value != 0.));
            for (rounded, full) in rounded.iter().zip(&full) {
                assert!((rounded - full).abs() < 1e-5, "{rounded} for {full}");
            }
        }
    }

    #[test]
    fn products_agree_with_plain_sums_for_every_shape() {
        for batch in [1, 2, 3, 4, 5, 6, 7, 8, 11, 17] {
            for (inner, columns) in [(1, 1), (3, 33), (16, 32), (37, 70), (64, 257), (130, 300)] {
                for packed in [false, true] {
                    let difference = largest_difference(batch, inner, columns, packed);
                    assert!(
                        difference < 2e-5,
                        "{batch} rows, {inner} by {columns}, packed {packed}: {difference}"
                    );
                }
            }
        }
    }
}
