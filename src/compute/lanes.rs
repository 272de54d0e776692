//! The inner loops of products with few rows.

use half::bf16;
use pulp::{Arch, Simd, WithSimd};

use super::Real;
use super::panels::{PANEL, Rows};

/// The inner loops, for a number type.
pub trait Lanes: Real {
    /// One panel of `rows · matrixᵀ`; `matrix` holds the panel's columns as rows of `rows.width`.
    fn dots(rows: Rows<'_, Self>, matrix: &[Self], panel: &mut [Self]);

    /// [`dots`](Self::dots) with a matrix of rounded values; of each of `rows`, the values at even
    /// places come first, then those at odd ones.
    fn rounded_dots(rows: Rows<'_, Self>, matrix: &[bf16], panel: &mut [Self]);

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

    fn rounded_dots(rows: Rows<'_, Self>, matrix: &[bf16], panel: &mut [Self]) {
        for (column, weights) in matrix.chunks_exact(rows.width).enumerate() {
            for row in 0..rows.count {
                let (even, odd) = rows.row(row).split_at(rows.width.div_ceil(2));
                let sum = |inputs: &[Self], first| -> Self {
                    let weights = weights.iter().skip(first).step_by(2);
                    inputs.iter().zip(weights).map(|(a, b)| a * b.to_f64()).sum()
                };
                panel[row * PANEL + column] = sum(even, 0) + sum(odd, 1);
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

    fn rounded_dots(rows: Rows<'_, Self>, matrix: &[bf16], panel: &mut [Self]) {
        Arch::new().dispatch(RoundedDots { rows, matrix, panel });
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

    /// One row of the matrix after the other, because memory is fastest when read from beginning to end.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, matrix, panel } = self;
        for (column, weights) in matrix.chunks_exact(rows.width).enumerate() {
            let out = &mut panel[column..];
            let mut row = 0;
            while row < rows.count {
                row += match rows.count - row {
                    1 => dots::<S, 1, 8>(simd, rows, row, weights, out),
                    2 => dots::<S, 2, 4>(simd, rows, row, weights, out),
                    3 => dots::<S, 3, 2>(simd, rows, row, weights, out),
                    5 => dots::<S, 5, 2>(simd, rows, row, weights, out),
                    _ => dots::<S, 4, 2>(simd, rows, row, weights, out),
                };
            }
        }
    }
}

/// The products of `R` rows with a row of the matrix, each in `U` sums to be under way at a time.
#[inline(always)]
fn dots<S: Simd, const R: usize, const U: usize>(
    simd: S,
    rows: Rows<'_, f32>,
    first: usize,
    weights: &[f32],
    out: &mut [f32],
) -> usize {
    let (lanes, weights_rest) = S::as_simd_f32s(weights);
    let (groups, last) = lanes.as_chunks::<U>();
    let inputs: [_; R] = std::array::from_fn(|r| S::as_simd_f32s(rows.row(first + r)));
    let mut sums = [[simd.splat_f32s(0.); U]; R];
    for (i, group) in groups.iter().enumerate() {
        for r in 0..R {
            let inputs = &inputs[r].0[U * i..][..U];
            for u in 0..U {
                sums[r][u] = simd.mul_add_e_f32s(group[u], inputs[u], sums[r][u]);
            }
        }
    }
    for r in 0..R {
        let (lanes, rest) = inputs[r];
        let mut sum = sums[r][0];
        for (weight, input) in last.iter().zip(&lanes[U * groups.len()..]) {
            sum = simd.mul_add_e_f32s(*weight, *input, sum);
        }
        for part in &sums[r][1..] {
            sum = simd.add_f32s(sum, *part);
        }
        let mut product = simd.reduce_sum_f32s(sum);
        for (weight, input) in weights_rest.iter().zip(rest) {
            product += weight * input;
        }
        out[r * PANEL + first * PANEL] = product;
    }
    R
}

struct RoundedDots<'a> {
    rows: Rows<'a, f32>,
    matrix: &'a [bf16],
    panel: &'a mut [f32],
}

impl WithSimd for RoundedDots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { rows, matrix, panel } = self;
        let width = rows.width;
        for (column, weights) in matrix.chunks_exact(width).enumerate() {
            for row in 0..rows.count {
                panel[row * PANEL + column] = rounded_dot(simd, rows.row(row), weights);
            }
        }
    }
}

/// The product of a row, its even places first, with a row of a matrix; one row of the matrix after the
/// other, because memory is fastest when read from beginning to end.
///
/// Weights are read in pairs of 32 bits.
#[inline(always)]
fn rounded_dot<S: Simd>(simd: S, row: &[f32], weights: &[bf16]) -> f32 {
    let (even, odd) = row.split_at(row.len().div_ceil(2));
    let lanes = S::as_simd_u32s(pairs(weights)).0;
    let (even_lanes, odd_lanes) = (S::as_simd_f32s(even).0, S::as_simd_f32s(odd).0);
    // As many sums as multiplications can be under way at a time.
    let mut sums = [simd.splat_f32s(0.); 8];
    let (fours, last) = lanes.as_chunks::<4>();
    for (i, pairs) in fours.iter().enumerate() {
        for n in 0..4 {
            let (even, odd) = (even_lanes[4 * i + n], odd_lanes[4 * i + n]);
            let (first, second) = widened(simd, pairs[n]);
            sums[2 * n] = simd.mul_add_e_f32s(first, even, sums[2 * n]);
            sums[2 * n + 1] = simd.mul_add_e_f32s(second, odd, sums[2 * n + 1]);
        }
    }
    for (n, pair) in last.iter().enumerate() {
        let i = 4 * fours.len() + n;
        let (first, second) = widened(simd, *pair);
        sums[0] = simd.mul_add_e_f32s(first, even_lanes[i], sums[0]);
        sums[1] = simd.mul_add_e_f32s(second, odd_lanes[i], sums[1]);
    }
    let mut sum = simd.splat_f32s(0.);
    for part in sums {
        sum = simd.add_f32s(sum, part);
    }
    let mut rest = 0.;
    for place in 2 * lanes.len() * S::F32_LANES..row.len() {
        let input = if place % 2 == 0 { even[place / 2] } else { odd[place / 2] };
        rest += weights[place].to_f32() * input;
    }
    simd.reduce_sum_f32s(sum) + rest
}

/// The first and the second weights of pairs. A bfloat16 is the upper half of a single-precision number:
/// of a pair, the second is its upper half, and the first is there after a shift.
#[inline(always)]
fn widened<S: Simd>(simd: S, pairs: S::u32s) -> (S::f32s, S::f32s) {
    let first = simd.wrapping_dyn_shl_u32s(pairs, simd.splat_u32s(16));
    let second = simd.and_u32s(pairs, simd.splat_u32s(0xffff_0000));
    (simd.transmute_f32s_u32s(first), simd.transmute_f32s_u32s(second))
}

/// The weights two by two, the first in the lower half; nothing where they do not lie so in memory.
#[inline(always)]
fn pairs(weights: &[bf16]) -> &[u32] {
    // SAFETY: any 32 bits are a `u32`.
    let (before, pairs, _) = unsafe { weights.align_to::<u32>() };
    if before.is_empty() && cfg!(target_endian = "little") { pairs } else { &[] }
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
