//! Tables of sweeps of strangers: rows that are sound, or an error that names the table.

use crate::scratch_file::with_file;
use neural_composer::Error;
use neural_composer::display::Show;
use neural_composer::sweep::SweepTable;

/// Opens a table without its runs.
pub fn read(data: &[u8]) {
    with_file("sweep.parquet", data, |path| {
        let table = match SweepTable::open(path) {
            Ok(table) => table,
            Err(Error::Sweep { path: named, .. } | Error::Io { path: named, .. }) => {
                assert_eq!(named, path);
                return;
            }
            Err(error) => panic!("{error} does not name the table"),
        };
        let _ = table.bundle();
        for row in table.rows() {
            assert!(table.history(row).is_err());
            let inside = |model: std::path::PathBuf| model.starts_with(table.folder());
            assert!(table.model_path(row).is_none_or(inside));
        }
    });
}
