//! Large matrix products in `f32` on x86-64 with wide vectors.
//!
//! The general product of the `gemm` crate reaches about a third of what two cores with AVX-512 can
//! do, and its threads wait for each other many times in one product, which costs dearly on a machine
//! that does something else beside. Here each task computes a rectangle of the result on its own, in
//! blocks that stay in its core's cache: the scheme of Goto and van de Geijn (Anatomy of
//! High-Performance Matrix Multiplication, 2008), with one difference. The operand whose values are
//! spread over a vector one by one need not be put in order where its rows lie along the inner
//! dimension; and since either operand can take that part (by computing the transposed result), the
//! smaller one is put in order and the larger one, a layer's weights, read as it lies.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::matrix::{Into, Matrix};
use super::ordering::{height, order_panels, order_tiles};
use super::scratch::Scratch;

/// Values of the ordered operand that a task holds at a time: a core's second cache.
const BLOCK: usize = 1 << 18;

/// Steps along the inner dimension at a time, where not all of it fits.
const DEPTH: usize = 512;

/// Rows of the result that a task finishes at a time, where all of the inner dimension fits; a multiple
/// of every tile's height.
const BAND: usize = 96;

/// What putting one value in order costs, in multiplications.
const ORDERING: usize = 32;

/// Computes `destination = left · right` (or `+=`); `false` if this machine or shape is better served by
/// the general product, and nothing was done.
pub fn product(
    destination: &mut [f32],
    row_stride: usize,
    left: Matrix<'_, f32>,
    right: Matrix<'_, f32>,
    into: Into,
) -> bool {
    if left.rows * right.columns * left.columns < 1 << 18 || left.rows < 8 || right.columns < 8 {
        return false;
    }
    // The operand to be spread is read as it lies where its inner dimension is contiguous.
    let transposed = left.column_stride == 1 && right.row_stride == 1 && left.rows < right.columns;
    let (spread, ordered) = if transposed { (right.t(), left.t()) } else { (left, right) };
    let problem = Problem {
        spread,
        ordered,
        destination: Destination { start: destination.as_mut_ptr(), row_stride, transposed, into },
    };
    Arch::new().dispatch(problem)
}

/// Where the result goes.
#[derive(Clone, Copy)]
struct Destination {
    start: *mut f32,
    row_stride: usize,
    /// Whether the transposed result is computed.
    transposed: bool,
    into: Into,
}

// SAFETY: tasks write through the pointer only inside `Destination::write`, each to rectangles of its
// own (`Problem::with_simd` splits the result into disjoint ones), while `product` holds the borrow.
unsafe impl Send for Destination {}
// SAFETY: as above.
unsafe impl Sync for Destination {}

impl Destination {
    /// Writes `sums`, rows of `stride` values, to the rectangle of the computed result that begins at
    /// (`row`, `column`) and is `rows` by `columns` large.
    ///
    /// # Safety
    /// The rectangle must lie within the result, and no other task may write any of it.
    #[inline(always)]
    unsafe fn write(
        self,
        (row, rows): (usize, usize),
        (column, columns): (usize, usize),
        sums: &[f32],
        stride: usize,
    ) {
        let (lines, values) = if self.transposed { (columns, rows) } else { (rows, columns) };
        let (first_line, first) = if self.transposed { (column, row) } else { (row, column) };
        for line in 0..lines {
            let start = (first_line + line) * self.row_stride + first;
            // SAFETY: within the result and ours alone, as the caller promises.
            let out = unsafe { std::slice::from_raw_parts_mut(self.start.add(start), values) };
            if self.transposed {
                let sums = sums[line..].iter().step_by(stride);
                match self.into {
                    Into::Overwrite => out.iter_mut().zip(sums).for_each(|(o, s)| *o = *s),
                    Into::Add => out.iter_mut().zip(sums).for_each(|(o, s)| *o += *s),
                }
            } else {
                let sums = &sums[line * stride..][..values];
                match self.into {
                    Into::Overwrite => out.copy_from_slice(sums),
                    Into::Add => out.iter_mut().zip(sums).for_each(|(o, s)| *o += *s),
                }
            }
        }
    }
}

struct Problem<'a> {
    spread: Matrix<'a, f32>,
    ordered: Matrix<'a, f32>,
    destination: Destination,
}

impl WithSimd for Problem<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        match S::F32_LANES {
            16 => self.run::<12>(16),
            8 => self.run::<6>(8),
            _ => return false,
        }
        true
    }
}

impl Problem<'_> {
    /// Splits the result among tasks; tiles are `HEIGHT` rows high.
    fn run<const HEIGHT: usize>(self, lanes: usize) {
        let (rows, columns) = (self.spread.rows, self.ordered.columns);
        // Two tasks for each thread, so that a thread that was held up can be helped.
        let tasks = 2 * rayon::current_num_threads();
        let part = |whole: usize, parts: usize, unit: usize| {
            whole.div_ceil(parts).next_multiple_of(unit).min(whole)
        };
        let ordering = if self.spread.column_stride == 1 { 0 } else { ORDERING };
        let sizes = (1..=tasks)
            .filter(|across| tasks.is_multiple_of(*across))
            .map(|across| {
                let down = tasks / across;
                (part(rows, down, HEIGHT), part(columns, across, 2 * lanes))
            })
            .min_by_key(|(rows, columns)| {
                rows * columns.next_multiple_of(lanes) + ORDERING * columns + ordering * rows
            });
        let Some((task_rows, task_columns)) = sizes else { return };
        let across = columns.div_ceil(task_columns);
        (0..rows.div_ceil(task_rows) * across).into_par_iter().for_each(|task| {
            let (row, column) = (task / across * task_rows, task % across * task_columns);
            let part = Part {
                problem: &self,
                rows: (row, task_rows.min(rows - row)),
                columns: (column, task_columns.min(columns - column)),
            };
            Arch::new().dispatch(part);
        });
    }
}

/// One task's rectangle: (first, how many) rows and columns of the computed result.
struct Part<'a> {
    problem: &'a Problem<'a>,
    rows: (usize, usize),
    columns: (usize, usize),
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 12>(simd),
            _ => self.run::<S, 6>(simd),
        }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn run<S: Simd, const HEIGHT: usize>(self, simd: S) {
        let Self { problem, rows: (first_row, rows), columns: (first_column, columns) } = self;
        let Problem { spread, ordered, destination } = problem;
        let inner = spread.columns;
        let panel = 2 * S::F32_LANES;
        let padded = |width: usize| width.next_multiple_of(S::F32_LANES);
        // Sums that are put together from parts are rounded otherwise: whether they are does not depend
        // on the task, and so not on the number of threads.
        let whole_fits = inner * padded(ordered.columns).min(8 * panel) <= BLOCK;
        let depth = if whole_fits { inner } else { DEPTH };
        let width = (BLOCK / depth / panel * panel).max(panel).min(columns);
        let band = if whole_fits { BAND.min(rows) } else { rows };
        let mut order = Scratch::new(depth * padded(width));
        let ordered_rows = if spread.column_stride == 1 { 0 } else { BAND.min(rows) };
        let mut heap = Scratch::new(depth * ordered_rows);
        let mut sums = Scratch::new(band * padded(width));
        for column in (0..columns).step_by(width) {
            let width = width.min(columns - column);
            let stride = padded(width);
            for band_row in (0..rows).step_by(band) {
                let band = band.min(rows - band_row);
                for from in (0..inner).step_by(depth) {
                    let depth = depth.min(inner - from);
                    if band_row == 0 || !whole_fits {
                        let block = ordered.part((from, depth), (first_column + column, width));
                        order_panels::<S>(block, &mut order);
                    }
                    for row in (0..band).step_by(BAND) {
                        let count = BAND.min(band - row);
                        let start = first_row + band_row + row;
                        let block = spread.part((start, count), (from, depth));
                        let sums = &mut sums[row * stride..];
                        let fresh = from == 0;
                        if spread.column_stride == 1 {
                            let out = Sums { values: sums, stride, fresh };
                            tiles::<S, HEIGHT, false>(simd, block, &order, out);
                        } else {
                            order_tiles::<HEIGHT>(block, &mut heap);
                            let block = Matrix { data: &heap, ..block };
                            let out = Sums { values: sums, stride, fresh };
                            tiles::<S, HEIGHT, true>(simd, block, &order, out);
                        }
                    }
                }
                // SAFETY: within this task's rectangle, which is within the result.
                unsafe {
                    destination.write(
                        (first_row + band_row, band),
                        (first_column + column, width),
                        &sums,
                        stride,
                    );
                }
            }
        }
    }
}

/// Where the sums of a block go: rows of `stride` values, overwritten if `fresh`, else added to.
struct Sums<'a> {
    values: &'a mut [f32],
    stride: usize,
    fresh: bool,
}

impl Sums<'_> {
    #[inline(always)]
    fn at_row(&mut self, row: usize) -> Sums<'_> {
        Sums { values: &mut self.values[row * self.stride..], ..*self }
    }
}

/// `sums = block · order` (or `+=`), tile by tile; `ORDERED` tells whether the block's values were put
/// in order by [`order_tiles`].
#[inline(always)]
fn tiles<S: Simd, const HEIGHT: usize, const ORDERED: bool>(
    simd: S,
    block: Matrix<'_, f32>,
    order: &[f32],
    mut out: Sums<'_>,
) {
    let mut row = 0;
    while row < block.rows {
        let height = height::<HEIGHT>(block.rows - row);
        let first = row * if ORDERED { block.columns } else { block.row_stride };
        let tile = Tile {
            values: &block.data[first..],
            row_stride: block.row_stride,
            depth: block.columns,
            order,
            sums: out.at_row(row),
        };
        match height {
            12 => tile.run::<S, 12, ORDERED>(simd),
            8 => tile.run::<S, 8, ORDERED>(simd),
            6 => tile.run::<S, 6, ORDERED>(simd),
            4 => tile.run::<S, 4, ORDERED>(simd),
            2 => tile.run::<S, 2, ORDERED>(simd),
            _ => tile.run::<S, 1, ORDERED>(simd),
        }
        row += height;
    }
}

/// Some rows of a block against all panels.
struct Tile<'a> {
    values: &'a [f32],
    row_stride: usize,
    depth: usize,
    order: &'a [f32],
    sums: Sums<'a>,
}

impl Tile<'_> {
    #[inline(always)]
    fn run<S: Simd, const R: usize, const ORDERED: bool>(self, simd: S) {
        let Self { values, row_stride, depth, order, sums } = self;
        let Sums { values: sums, stride, fresh } = sums;
        let furthest = if ORDERED { R * depth } else { (R - 1) * row_stride + depth };
        assert!(furthest <= values.len() && (R - 1) * row_stride <= isize::MAX as usize);
        let mut column = 0;
        let mut rest = order;
        while column < stride {
            let sums = &mut sums[column..];
            let wide = if stride - column > S::F32_LANES { 2 } else { 1 };
            let (panel, after) = rest.split_at(depth * wide * S::F32_LANES);
            let panel = S::as_simd_f32s(panel).0;
            // SAFETY: `furthest` was checked above.
            unsafe {
                if wide == 2 {
                    sum_tile::<S, 2, R, ORDERED>(
                        simd, values, row_stride, panel, sums, stride, fresh,
                    );
                } else {
                    sum_tile::<S, 1, R, ORDERED>(
                        simd, values, row_stride, panel, sums, stride, fresh,
                    );
                }
            }
            rest = after;
            column += wide * S::F32_LANES;
        }
    }
}

/// The innermost loop: `R` rows by `V` vectors of sums, held in registers.
///
/// # Safety
/// `values` must hold `R` times `panel.len() / V` values one after the other if `ORDERED`, else `R` rows
/// of that many at a distance of `row_stride`.
#[inline(always)]
unsafe fn sum_tile<S: Simd, const V: usize, const R: usize, const ORDERED: bool>(
    simd: S,
    values: &[f32],
    row_stride: usize,
    panel: &[S::f32s],
    sums: &mut [f32],
    stride: usize,
    fresh: bool,
) {
    let mut tile = [[simd.splat_f32s(0.); V]; R];
    let (step, row_stride) = if ORDERED { (R, 1) } else { (1, row_stride) };
    let mut at = values.as_ptr();
    for vectors in panel.chunks_exact(V) {
        // Iterators over these few values cost a tenth of the speed.
        #[allow(clippy::needless_range_loop)]
        for r in 0..R {
            // SAFETY: row `r` at the present step, which the caller promises is there.
            let value = simd.splat_f32s(unsafe { *at.add(r * row_stride) });
            for v in 0..V {
                tile[r][v] = simd.mul_add_e_f32s(value, vectors[v], tile[r][v]);
            }
        }
        at = at.wrapping_add(step);
    }
    for (r, tile) in tile.iter().enumerate() {
        let out = &mut sums[r * stride..][..V * S::F32_LANES];
        let out = S::as_mut_simd_f32s(out).0;
        for (out, sum) in out.iter_mut().zip(tile) {
            *out = if fresh { *sum } else { simd.add_f32s(*out, *sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 37 + seed * 101) % 211) as f32 / 211. - 0.5).collect()
    }

    /// The matrix `rows` by `columns` over `data`, whose rows or else columns lie in one piece.
    fn laid(data: &[f32], rows: usize, columns: usize, by_columns: bool) -> Matrix<'_, f32> {
        if by_columns {
            Matrix::new(data, columns, rows).t()
        } else {
            Matrix::new(data, rows, columns)
        }
    }

    #[test]
    fn products_agree_with_plain_sums_for_every_layout_and_odd_shapes() {
        let shapes = [(8, 2100, 16), (37, 50, 211), (200, 64, 97), (97, 1300, 33), (13, 700, 531)];
        for (rows, inner, columns) in shapes {
            let (left, right) = (filled(rows * inner, 1), filled(inner * columns, 2));
            for layout in 0..4 {
                let left = laid(&left, rows, inner, layout & 1 > 0);
                let right = laid(&right, inner, columns, layout & 2 > 0);
                for into in [Into::Overwrite, Into::Add] {
                    let stride = columns + 3;
                    let mut destination = vec![1f32; rows * stride];
                    if !product(&mut destination, stride, left, right, into) {
                        continue;
                    }
                    for row in 0..rows {
                        for column in 0..columns {
                            let exact: f64 = (0..inner)
                                .map(|k| {
                                    f64::from(left.at(row, k)) * f64::from(right.at(k, column))
                                })
                                .sum();
                            let before = if into == Into::Add { 1. } else { 0. };
                            let found = f64::from(destination[row * stride + column]);
                            assert!(
                                (found - exact - before).abs() < 1e-5 * (1. + exact.abs()),
                                "{rows}x{inner}x{columns}, layout {layout}: {found} for {exact}"
                            );
                        }
                        assert_eq!(destination[row * stride + columns..][..3], [1.; 3]);
                    }
                }
            }
        }
    }

    #[test]
    fn products_are_the_same_for_every_number_of_threads() {
        // The ordered operand of a task fits into a block, or does not, as the threads are many or few.
        for (rows, inner, columns) in [(256, 1500, 256), (768, 1100, 200), (64, 2100, 500)] {
            let (left, right) = (filled(rows * inner, 1), filled(inner * columns, 2));
            for layout in 0..4 {
                let left = laid(&left, rows, inner, layout & 1 > 0);
                let right = laid(&right, inner, columns, layout & 2 > 0);
                let with_threads = |threads: usize| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    let mut destination = vec![0f32; rows * columns];
                    pool.unwrap().install(|| {
                        product(&mut destination, columns, left, right, Into::Overwrite);
                    });
                    destination
                };
                let one = with_threads(1);
                for threads in [2, 3, 5, 8] {
                    let name = format!("{rows}x{inner}x{columns}, layout {layout}");
                    assert!(with_threads(threads) == one, "{name}, {threads} threads");
                }
            }
        }
    }
}
