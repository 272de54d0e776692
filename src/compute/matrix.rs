//! Matrices laid over slices.

use super::Real;

/// A matrix over a slice it does not own.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Rows one after the other, each `columns` long.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows that begin every `row_stride` values; each is `columns` long.
    ///
    /// # Panics
    /// If the matrix does not lie within `data`: a mistake of the caller, not of any input.
    pub fn strided(data: &'a [T], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows > 0 && columns > 0 && columns <= row_stride);
        assert!((rows - 1) * row_stride + columns <= data.len());
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The transposed matrix, without moving anything.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

impl<T: Copy> Matrix<'_, T> {
    /// The part with (first, how many) rows and columns.
    #[inline(always)]
    pub(super) fn part(
        self,
        (row, rows): (usize, usize),
        (column, columns): (usize, usize),
    ) -> Self {
        let start = row * self.row_stride + column * self.column_stride;
        Self { data: &self.data[start..], rows, columns, ..self }
    }

    /// One value.
    #[cfg(test)]
    pub(super) fn at(self, row: usize, column: usize) -> T {
        self.data[row * self.row_stride + column * self.column_stride]
    }
}

impl<'a, T: Real> Matrix<'a, T> {
    /// The same matrix where its values are in single precision; nothing otherwise.
    pub(super) fn in_f32(self) -> Option<Matrix<'a, f32>> {
        let Self { data, rows, columns, row_stride, column_stride } = self;
        let data = T::in_f32(data)?;
        Some(Matrix { data, rows, columns, row_stride, column_stride })
    }
}

/// What a product does with the values its destination holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// Replaces them.
    Overwrite,
    /// Adds to them.
    Add,
}
