//! Products of a few rows with a large matrix, where reading the matrix is what takes the time.
//!
//! A general matrix product first copies its operands into an order of its own. That pays when each
//! value is used often; one step of a recurrent layer uses each weight only once per sequence of the
//! batch. So these products read the weights once, in the order they lie in memory, or (for larger
//! batches) in an order made once for all steps.
//!
//! Results come in *panels*: value `(row, column)` of an output with `rows` rows stands at
//! `(column / PANEL * rows + row) * PANEL + column % PANEL`. A panel is what one thread writes.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::Real;
use super::matrix::{Into, Matrix, product};

/// How many columns of the output one panel holds.
pub const PANEL: usize = 32;

/// Up to this many rows the matrix is best read as it lies.
pub const FEW: usize = 8;

/// Into how many parts a sum over a matrix's rows is cut for threads to share it: fixed, so that the
/// result does not depend on the machine.
const PARTS: usize = 8;

/// Rows of equal length at a regular distance.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Where the first row begins.
    pub data: &'a [T],
    /// How many there are.
    pub count: usize,
    /// How many values lie from the beginning of one row to that of the next.
    pub stride: usize,
    /// How long each is.
    pub width: usize,
}

impl<'a, T> Rows<'a, T> {
    /// Row `index`.
    #[inline(always)]
    fn row(&self, index: usize) -> &'a [T] {
        &self.data[index * self.stride..][..self.width]
    }
}

/// How many values an output of `rows` rows and `columns` columns takes in panels.
pub const fn panels_len(rows: usize, columns: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL * rows
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
    pub fn transposed(matrix: &'a [T], columns: usize, batch: usize, uses: usize) -> Self {
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
            | Self::Plain { columns, .. }
            | Self::Packed { columns, .. } => *columns,
        }
    }

    /// Writes the product with `rows` into `panels`, which must be [`panels_len`] long; on all
    /// threads of the pool if `parallel`.
    pub fn multiply(&self, rows: Rows<'_, T>, panels: &mut [T], parallel: bool) {
        let columns = self.columns();
        debug_assert_eq!(panels.len(), panels_len(rows.count, columns));
        if let Self::Plain { matrix, .. } = self {
            sum_rows(rows, matrix, columns, panels, parallel);
            return;
        }
        let one = |(index, panel): (usize, &mut [T])| match self {
            Self::Packed { panels: packed, .. } => {
                let size = PANEL * rows.width;
                T::panel(rows, &packed[index * size..][..size], panel);
            }
            Self::Plain { matrix, .. } | Self::Transposed { matrix, .. } => {
                let first = index * PANEL;
                let width = PANEL.min(columns - first);
                T::dots(rows, &matrix[first * rows.width..][..width * rows.width], panel);
            }
        };
        let chunk = PANEL * rows.count;
        if parallel {
            panels.par_chunks_mut(chunk).enumerate().for_each(one);
        } else {
            panels.chunks_mut(chunk).enumerate().for_each(one);
        }
    }
}

/// `rows · matrix` into panels. The matrix is read from beginning to end, for memory to keep up: threads
/// take runs of its rows, and what they get is summed.
fn sum_rows<T: Lanes>(
    rows: Rows<'_, T>,
    matrix: &[T],
    columns: usize,
    panels: &mut [T],
    parallel: bool,
) {
    let part = if parallel { rows.width.div_ceil(PARTS) } else { rows.width };
    let parts = rows.width.div_ceil(part);
    let mut sums = vec![T::ZERO; parts * rows.count * columns];
    let one = |(index, sums): (usize, &mut [T])| {
        let first = index * part;
        let width = part.min(rows.width - first);
        let rows = Rows { data: &rows.data[first..], width, ..rows };
        T::row_sums(rows, &matrix[first * columns..][..width * columns], columns, sums);
    };
    if parallel {
        sums.par_chunks_mut(rows.count * columns).enumerate().for_each(one);
    } else {
        one((0, &mut sums));
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

/// Calls `visit(row, first column, values)` for every run of an output in panels.
pub fn each_run<T>(
    panels: &[T],
    rows: usize,
    columns: usize,
    mut visit: impl FnMut(usize, usize, &[T]),
) {
    for (index, panel) in panels.chunks_exact(PANEL * rows).enumerate() {
        let first = index * PANEL;
        let width = PANEL.min(columns - first);
        for (row, run) in panel.chunks_exact(PANEL).enumerate() {
            visit(row, first, &run[..width]);
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

/// `output += input · weightᵀ` by whichever way suits the number of rows. `input` holds `rows` rows one
/// after the other, `weight` (columns, inner); the output's rows begin every `row_stride` values.
pub fn add_transposed<T: Lanes>(
    output: &mut [T],
    row_stride: usize,
    input: &[T],
    rows: usize,
    weight: &[T],
) {
    if rows == 0 {
        return;
    }
    let inner = input.len() / rows;
    let columns = weight.len() / inner;
    if rows > FEW {
        let (input, weight) =
            (Matrix::new(input, rows, inner), Matrix::new(weight, columns, inner));
        product(output, row_stride, input, weight.t(), Into::Add);
        return;
    }
    let mut panels = vec![T::ZERO; panels_len(rows, columns)];
    let input = Rows { data: input, count: rows, stride: inner, width: inner };
    let weights = Weights::transposed(weight, columns, rows, rows);
    weights.multiply(input, &mut panels, rows * weight.len() > 1 << 17);
    each_run(&panels, rows, columns, |row, first, run| {
        for (sum, value) in output[row * row_stride + first..].iter_mut().zip(run) {
            *sum += *value;
        }
    });
}

/// The inner loops, for a number type.
pub trait Lanes: Real {
    /// One panel of `rows · matrixᵀ`; `matrix` holds the panel's columns as rows of `rows.width`.
    fn dots(rows: Rows<'_, Self>, matrix: &[Self], panel: &mut [Self]);

    /// Adds `rows · matrix` to `sums`, whose rows, like the matrix's, are `columns` long.
    fn row_sums(rows: Rows<'_, Self>, matrix: &[Self], columns: usize, sums: &mut [Self]);

    /// One panel from values that were put in order: `rows.width` times [`PANEL`] of them.
    fn panel(rows: Rows<'_, Self>, packed: &[Self], panel: &mut [Self]);
}

impl Lanes for f64 {
    fn dots(rows: Rows<'_, Self>, matrix: &[Self], panel: &mut [Self]) {
        for (column, weights) in matrix.chunks_exact(rows.width).enumerate() {
            for row in 0..rows.count {
                panel[row * PANEL + column] =
                    rows.row(row).iter().zip(weights).map(|(a, b)| a * b).sum();
            }
        }
    }

    fn row_sums(rows: Rows<'_, Self>, matrix: &[Self], columns: usize, sums: &mut [Self]) {
        for (row, sums) in sums.chunks_exact_mut(columns).enumerate() {
            for (value, weights) in rows.row(row).iter().zip(matrix.chunks_exact(columns)) {
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
        }
    }

    fn panel(rows: Rows<'_, Self>, packed: &[Self], panel: &mut [Self]) {
        for (row, run) in panel.chunks_exact_mut(PANEL).enumerate() {
            run.fill(0.);
            for (value, weights) in rows.row(row).iter().zip(packed.chunks_exact(PANEL)) {
                for (sum, weight) in run.iter_mut().zip(weights) {
                    *sum += value * weight;
                }
            }
        }
    }
}

impl Lanes for f32 {
    fn dots(rows: Rows<'_, Self>, matrix: &[Self], panel: &mut [Self]) {
        Arch::new().dispatch(Dots { rows, matrix, panel });
    }

    fn row_sums(rows: Rows<'_, Self>, matrix: &[Self], columns: usize, sums: &mut [Self]) {
        Arch::new().dispatch(RowSums { rows, matrix, columns, sums });
    }

    fn panel(rows: Rows<'_, Self>, packed: &[Self], panel: &mut [Self]) {
        Arch::new().dispatch(Panel { rows, packed, panel });
    }
}

struct Dots<'a> {
    rows: Rows<'a, f32>,
    matrix: &'a [f32],
    panel: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, matrix, panel } = self;
        let columns = matrix.len() / rows.width;
        // Sums in registers: columns at a time by rows at a time.
        let mut column = 0;
        while column < columns {
            let left = columns - column;
            let weights = &matrix[column * rows.width..];
            let width = if S::F32_LANES >= 16 && left >= 4 {
                dots_columns::<S, 4>(simd, rows, weights, &mut panel[column..]);
                4
            } else if left >= 2 {
                dots_columns::<S, 2>(simd, rows, weights, &mut panel[column..]);
                2
            } else {
                dots_columns::<S, 1>(simd, rows, weights, &mut panel[column..]);
                1
            };
            column += width;
        }
    }
}

#[inline(always)]
fn dots_columns<S: Simd, const C: usize>(
    simd: S,
    rows: Rows<'_, f32>,
    matrix: &[f32],
    panel: &mut [f32],
) {
    let weights: [&[f32]; C] = std::array::from_fn(|c| &matrix[c * rows.width..][..rows.width]);
    let mut row = 0;
    while row < rows.count {
        let out = &mut panel[row * PANEL..];
        row += match rows.count - row {
            1 => dots_tile::<S, C, 1>(simd, rows, row, weights, out),
            2 => dots_tile::<S, C, 2>(simd, rows, row, weights, out),
            3 => dots_tile::<S, C, 3>(simd, rows, row, weights, out),
            5 => dots_tile::<S, C, 5>(simd, rows, row, weights, out),
            _ => dots_tile::<S, C, 4>(simd, rows, row, weights, out),
        };
    }
}

#[inline(always)]
fn dots_tile<S: Simd, const C: usize, const R: usize>(
    simd: S,
    rows: Rows<'_, f32>,
    first: usize,
    weights: [&[f32]; C],
    out: &mut [f32],
) -> usize {
    let inputs: [&[f32]; R] = std::array::from_fn(|r| rows.row(first + r));
    let weight_lanes = weights.map(|weights| S::as_simd_f32s(weights));
    let input_lanes = inputs.map(|input| S::as_simd_f32s(input));
    let whole = rows.width / S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.); C]; R];
    for i in 0..whole {
        let weight: [S::f32s; C] = std::array::from_fn(|c| weight_lanes[c].0[i]);
        for r in 0..R {
            let input = input_lanes[r].0[i];
            for c in 0..C {
                sums[r][c] = simd.mul_add_e_f32s(input, weight[c], sums[r][c]);
            }
        }
    }
    for r in 0..R {
        for c in 0..C {
            let rest: f32 =
                input_lanes[r].1.iter().zip(weight_lanes[c].1).map(|(a, b)| a * b).sum();
            out[r * PANEL + c] = simd.reduce_sum_f32s(sums[r][c]) + rest;
        }
    }
    R
}

struct RowSums<'a> {
    rows: Rows<'a, f32>,
    matrix: &'a [f32],
    columns: usize,
    sums: &'a mut [f32],
}

impl WithSimd for RowSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, matrix, columns, sums } = self;
        let mut inner = 0;
        while inner < rows.width {
            let four = rows.width - inner >= 4;
            let matrix = &matrix[inner * columns..];
            let mut pairs = sums.chunks_exact_mut(2 * columns);
            for (pair, sums) in pairs.by_ref().enumerate() {
                if four {
                    add_matrix_rows::<S, 4, 2>(simd, rows, 2 * pair, inner, matrix, sums);
                } else {
                    add_matrix_rows::<S, 1, 2>(simd, rows, 2 * pair, inner, matrix, sums);
                }
            }
            let last = pairs.into_remainder();
            if !last.is_empty() && four {
                add_matrix_rows::<S, 4, 1>(simd, rows, rows.count - 1, inner, matrix, last);
            } else if !last.is_empty() {
                add_matrix_rows::<S, 1, 1>(simd, rows, rows.count - 1, inner, matrix, last);
            }
            inner += if four { 4 } else { 1 };
        }
    }
}

/// Adds what `N` rows of the matrix, the first for value `inner`, give to `R` rows of sums from `row` on.
#[inline(always)]
fn add_matrix_rows<S: Simd, const N: usize, const R: usize>(
    simd: S,
    rows: Rows<'_, f32>,
    row: usize,
    inner: usize,
    matrix: &[f32],
    sums: &mut [f32],
) {
    let columns = sums.len() / R;
    let weights: [&[f32]; N] = std::array::from_fn(|n| &matrix[n * columns..][..columns]);
    let lanes = weights.map(|weights| S::as_simd_f32s(weights));
    let factors: [[f32; N]; R] =
        std::array::from_fn(|r| std::array::from_fn(|n| rows.row(row + r)[inner + n]));
    let splats = factors.map(|factors| factors.map(|factor| simd.splat_f32s(factor)));
    let mut out = sums.chunks_exact_mut(columns);
    let out: [_; R] = std::array::from_fn(|_| S::as_mut_simd_f32s(out.next().unwrap_or_default()));
    for i in 0..columns / S::F32_LANES {
        let weight: [S::f32s; N] = std::array::from_fn(|n| lanes[n].0[i]);
        for r in 0..R {
            let mut sum = out[r].0[i];
            for n in 0..N {
                sum = simd.mul_add_e_f32s(splats[r][n], weight[n], sum);
            }
            out[r].0[i] = sum;
        }
    }
    for r in 0..R {
        for (i, sum) in out[r].1.iter_mut().enumerate() {
            for n in 0..N {
                *sum += factors[r][n] * lanes[n].1[i];
            }
        }
    }
}

struct Panel<'a> {
    rows: Rows<'a, f32>,
    packed: &'a [f32],
    panel: &'a mut [f32],
}

impl WithSimd for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => panel_rows::<S, 2, 8>(simd, self),
            8 => panel_rows::<S, 4, 3>(simd, self),
            4 => panel_rows::<S, 8, 1>(simd, self),
            _ => panel_rows::<S, PANEL, 1>(simd, self),
        }
    }
}

/// `V` vectors make a panel; `R` rows are summed at a time.
#[inline(always)]
fn panel_rows<S: Simd, const V: usize, const R: usize>(simd: S, task: Panel<'_>) {
    let Panel { rows, packed, panel } = task;
    let (weights, _) = S::as_simd_f32s(packed);
    let (out, _) = S::as_mut_simd_f32s(panel);
    let mut row = 0;
    while row < rows.count {
        let out = &mut out[row * V..];
        row += match rows.count - row {
            left if left >= R => panel_tile::<S, V, R>(simd, rows, row, weights, out),
            left if left >= 4 && R > 4 => panel_tile::<S, V, 4>(simd, rows, row, weights, out),
            left if left >= 2 && R > 2 => panel_tile::<S, V, 2>(simd, rows, row, weights, out),
            _ => panel_tile::<S, V, 1>(simd, rows, row, weights, out),
        };
    }
}

#[inline(always)]
fn panel_tile<S: Simd, const V: usize, const R: usize>(
    simd: S,
    rows: Rows<'_, f32>,
    first: usize,
    weights: &[S::f32s],
    out: &mut [S::f32s],
) -> usize {
    let inputs: [&[f32]; R] = std::array::from_fn(|r| rows.row(first + r));
    let mut sums = [[simd.splat_f32s(0.); V]; R];
    for (k, weight) in weights.chunks_exact(V).take(rows.width).enumerate() {
        for r in 0..R {
            let input = simd.splat_f32s(inputs[r][k]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_e_f32s(input, weight[v], sums[r][v]);
            }
        }
    }
    for r in 0..R {
        out[r * V..][..V].copy_from_slice(&sums[r]);
    }
    R
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
        for parallel in [false, true] {
            for transposed in [false, true] {
                let (weights, strides) = if transposed {
                    (Weights::transposed(&matrix, columns, at_a_time, uses), (1, inner))
                } else {
                    (Weights::plain(&matrix, columns, at_a_time, uses), (columns, 1))
                };
                let mut panels = vec![f32::NAN; panels_len(batch, columns)];
                weights.multiply(rows, &mut panels, parallel);
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
