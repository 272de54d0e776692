//! The folder of a sweep: whose it is, and its table.

use super::plan::{Plan, PlannedRun};
use super::run_folder::{MODEL, RunFolder};
use super::table::{SweepRow, SweepTable};
use super::{csv_table, parquet_table};
use crate::claim::is_anothers;
use crate::words::shown;
use crate::{Error, Result, atomic_file};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that a folder is a sweep's; held while its table is written.
const LOCK: &str = ".sweep-lock";

/// The folder of a sweep.
pub(super) struct Output {
    folder: PathBuf,
    lock: File,
}

impl Output {
    /// Opens the folder of a sweep, which is made where it is missing.
    ///
    /// # Errors
    /// [`Error::Argument`] for a folder that holds other things or cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let refused = |expected: &str, found: String| Error::argument("output", expected, found);
        let made = match folder.as_os_str().is_empty() {
            true => Err(std::io::Error::other("it has no name")),
            false => fs::create_dir_all(folder),
        };
        made.map_err(|error| {
            refused("a folder that can be written", format!("{}: {error}", shown(folder)))
        })?;
        let path = folder.join(LOCK);
        if is_anothers(folder, &path).map_err(Error::io(folder, "list the sweep's folder"))? {
            let found = format!("{}, which holds other things", shown(folder));
            return Err(refused("a new or empty folder, or that of a sweep", found));
        }
        let mut options = OpenOptions::new();
        let lock = options.read(true).write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| {
            refused("a folder that can be written", format!("{}: {error}", shown(folder)))
        })?;
        atomic_file::remove_left_behind(folder);
        Ok(Self { folder: folder.to_path_buf(), lock })
    }

    /// Writes the table of all runs that are over; files that say the same already are left alone.
    pub fn write_table(&self, plan: &Plan) -> Result<SweepTable> {
        // Who comes last has seen the most: nobody writes what he read before.
        self.lock.lock().map_err(Error::io(self.folder.join(LOCK), "lock the table"))?;
        let written = self.write_locked(plan);
        let unlocked = self.lock.unlock();
        let table = written?;
        unlocked.map_err(Error::io(self.folder.join(LOCK), "unlock the table"))?;
        Ok(table)
    }

    fn write_locked(&self, plan: &Plan) -> Result<SweepTable> {
        let table = SweepTable::new(self.folder.clone(), plan.varied().to_vec(), self.rows(plan));
        atomic_file::together(|| {
            let of_parquet = self.folder.join(parquet_table::NAME);
            write_changed(&of_parquet, &parquet_table::bytes(&table, &of_parquet)?)?;
            let of_csv = self.folder.join(csv_table::NAME);
            write_changed(&of_csv, &csv_table::bytes(&table, &of_csv)?)
        })?;
        Ok(table)
    }

    fn rows(&self, plan: &Plan) -> Vec<SweepRow> {
        let row = |run: &PlannedRun| {
            let folder = RunFolder::of(&self.folder, run);
            let result = folder.result().ok().flatten();
            let error = if result.is_some() { None } else { folder.failure() };
            (result.is_some() || error.is_some()).then(|| SweepRow {
                number: run.number(),
                signature: run.signature().to_owned(),
                settings: run.settings().to_vec(),
                model_file: result.as_ref().map(|_| format!("{}/{MODEL}", run.signature())),
                result,
                error,
            })
        };
        plan.runs().iter().filter_map(row).collect()
    }
}

fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    atomic_file::write(path, |file| {
        file.write_all(bytes).map_err(Error::io(path, "write the table"))
    })
}
