//! What products with few rows are given, and the order in which their results lie.
//!
//! Results come in *panels*: value `(row, column)` of an output with `rows` rows stands at
//! `(column / PANEL * rows + row) * PANEL + column % PANEL`. A panel is what one thread writes.

/// How many columns of the output one panel holds.
pub const PANEL: usize = 32;

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
    pub(super) fn row(&self, index: usize) -> &'a [T] {
        &self.data[index * self.stride..][..self.width]
    }
}

/// How many values an output of `rows` rows and `columns` columns takes in panels.
pub const fn panels_len(rows: usize, columns: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL * rows
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
