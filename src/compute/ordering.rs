//! The operands of a product, put into the order in which it reads them.

use super::matrix::Matrix;
use pulp::Simd;

/// Puts a block of the ordered operand into panels of two vectors: for each step along the inner
/// dimension, the panel's values. A last panel of at most one vector is one vector wide; what is
/// missing of it is zero.
#[inline(always)]
pub(super) fn order_panels<S: Simd>(block: Matrix<'_, f32>, order: &mut [f32]) {
    let depth = block.rows;
    let mut column = 0;
    let mut rest = order;
    while column < block.columns {
        let left = block.columns - column;
        let wide = if left > S::F32_LANES { 2 * S::F32_LANES } else { S::F32_LANES };
        let width = wide.min(left);
        let (panel, after) = rest.split_at_mut(depth * wide);
        if block.column_stride == 1 {
            for (step, out) in panel.chunks_exact_mut(wide).enumerate() {
                let values = &block.data[step * block.row_stride + column..][..width];
                if width == wide {
                    // Vector by vector, which is faster than a call for so few values.
                    let vectors = S::as_mut_simd_f32s(out).0.iter_mut();
                    vectors.zip(S::as_simd_f32s(values).0).for_each(|(out, value)| *out = *value);
                } else {
                    out[..width].copy_from_slice(values);
                    out[width..].fill(0.);
                }
            }
        } else {
            // Some steps at a time, so that what is written stays in the first cache.
            for from in (0..depth).step_by(64) {
                let steps = 64.min(depth - from);
                let panel = &mut panel[from * wide..][..steps * wide];
                for offset in 0..wide {
                    let out = panel[offset..].iter_mut().step_by(wide);
                    if offset >= width {
                        out.for_each(|out| *out = 0.);
                        continue;
                    }
                    let start = (column + offset) * block.column_stride + from * block.row_stride;
                    let values = block.data[start..].iter().step_by(block.row_stride);
                    out.zip(values).for_each(|(out, value)| *out = *value);
                }
            }
        }
        rest = after;
        column += width;
    }
}

/// The heights of the tiles that a number of rows is cut into.
#[inline(always)]
pub(super) fn height<const HEIGHT: usize>(left: usize) -> usize {
    match left {
        left if left >= HEIGHT => HEIGHT,
        left if left >= 8 && HEIGHT > 8 => 8,
        left if left >= 4 => 4,
        left if left >= 2 => 2,
        _ => 1,
    }
}

/// Puts a block of the spread operand, whose columns are contiguous, into tiles: for each step along the
/// inner dimension, the tile's values.
#[inline(always)]
pub(super) fn order_tiles<const HEIGHT: usize>(block: Matrix<'_, f32>, heap: &mut [f32]) {
    let depth = block.columns;
    let whole = block.rows / HEIGHT * HEIGHT;
    let (tiles, mut rest) = heap.split_at_mut(whole * depth);
    if block.row_stride == 1 && whole > 0 {
        // Along the rows, as they lie in memory; a step's values go to all tiles.
        let (tiles, _) = tiles.as_chunks_mut::<HEIGHT>();
        for (step, values) in block.data.chunks(block.column_stride).take(depth).enumerate() {
            let (values, _) = values[..whole].as_chunks::<HEIGHT>();
            for (tile, values) in tiles[step..].iter_mut().step_by(depth).zip(values) {
                *tile = *values;
            }
        }
    } else {
        for (index, tile) in tiles.chunks_exact_mut(HEIGHT * depth).enumerate() {
            order_tile(block, index * HEIGHT, HEIGHT, tile);
        }
    }
    let mut row = whole;
    while row < block.rows {
        let height = height::<HEIGHT>(block.rows - row);
        let (tile, after) = rest.split_at_mut(height * depth);
        order_tile(block, row, height, tile);
        rest = after;
        row += height;
    }
}

/// One tile of [`order_tiles`], from `row` on.
#[inline(always)]
fn order_tile(block: Matrix<'_, f32>, row: usize, height: usize, tile: &mut [f32]) {
    for (step, out) in tile.chunks_exact_mut(height).enumerate() {
        let start = step * block.column_stride + row * block.row_stride;
        let values = block.data[start..].iter().step_by(block.row_stride);
        out.iter_mut().zip(values).for_each(|(out, value)| *out = *value);
    }
}
