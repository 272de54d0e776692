//! The table as CSV, for programs that read no Parquet.

use super::columns::{Cell, columns};
use super::table::SweepTable;
use crate::{Error, Result};
use std::path::Path;

/// Its name in a sweep's folder.
pub(super) const NAME: &str = "sweep.csv";

/// The table as CSV (RFC 4180, but for lines that end in a line feed alone).
pub(super) fn bytes(table: &SweepTable, path: &Path) -> Result<Vec<u8>> {
    let told = |error: &dyn std::fmt::Display| {
        Error::sweep(path, format!("the table could not be told: {error}"))
    };
    let columns = columns(table);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| &column.name)).map_err(|e| told(&e))?;
    for row in table.rows() {
        let cells = columns.iter().map(|column| match (column.cell)(row) {
            None => String::new(),
            Some(Cell::Text(text)) => text,
            Some(Cell::Whole(number)) => number.to_string(),
            Some(Cell::Real(number)) => number.to_string(),
            Some(Cell::Flag(flag)) => flag.to_string(),
        });
        writer.write_record(cells).map_err(|e| told(&e))?;
    }
    writer.into_inner().map_err(|e| told(&e))
}
