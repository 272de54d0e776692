//! The table as Parquet, which notebooks and other programs read back.

use super::columns::{Cell, Column, Kind, columns, setting_names};
use super::result::RunResult;
use super::run_folder::MODEL;
use super::signature::{hash_of, is_signature};
use super::table::{SweepRow, SweepTable};
use super::value::Value;
use crate::audio::no_panic;
use crate::parquet_table::{Unread, properties, said_by, write_column};
use crate::{Error, Result};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Its name in a sweep's folder.
pub(super) const NAME: &str = "sweep.parquet";

const VERSION: &str = "1";
const VERSION_KEY: &str = "neural-composer.sweep";
const VARIED_KEY: &str = "neural-composer.varied";
const SETTINGS_KEY: &str = "neural-composer.settings";
const ROWS_KEY: &str = "neural-composer.rows_sha256";

/// The table as Parquet.
pub(super) fn bytes(table: &SweepTable, path: &Path) -> Result<Vec<u8>> {
    written(table)
        .map_err(|error| Error::sweep(path, format!("the table could not be told: {error}")))
}

fn written(table: &SweepTable) -> Result<Vec<u8>, ParquetError> {
    let columns = columns(table);
    let fields = columns.iter().map(|column| {
        let (kind, logical) = match column.kind {
            Kind::Text => ("BYTE_ARRAY", " (STRING)"),
            Kind::Whole => ("INT64", ""),
            Kind::Real => ("DOUBLE", ""),
            Kind::Flag => ("BOOLEAN", ""),
        };
        format!("OPTIONAL {kind} {}{logical};", column.name)
    });
    let schema = format!("message sweep {{ {} }}", fields.collect::<Vec<_>>().join(" "));
    let schema = Arc::new(parse_message_type(&schema)?);
    let list = |names: &[String]| serde_json::Value::from(names).to_string();
    let says = vec![
        (VERSION_KEY, VERSION.to_owned()),
        (VARIED_KEY, list(table.varied())),
        (SETTINGS_KEY, list(&setting_names(table))),
        (ROWS_KEY, hash_of(&table.told())),
    ];
    let properties = properties(format!("neural-composer sweep {VERSION}"), says);
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties)?;
    let mut group = writer.next_row_group()?;
    for column in &columns {
        match column.kind {
            Kind::Text => write::<ByteArrayType>(&mut group, table, column, |cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.into_bytes())),
                _ => None,
            })?,
            Kind::Whole => write::<Int64Type>(&mut group, table, column, |cell| match cell {
                Cell::Whole(number) => Some(number),
                _ => None,
            })?,
            Kind::Real => write::<DoubleType>(&mut group, table, column, |cell| match cell {
                Cell::Real(number) => Some(number),
                _ => None,
            })?,
            Kind::Flag => write::<BoolType>(&mut group, table, column, |cell| match cell {
                Cell::Flag(flag) => Some(flag),
                _ => None,
            })?,
        }
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    table: &SweepTable,
    column: &Column,
    value: impl Fn(Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let values = table.rows().iter().map(|row| (column.cell)(row).and_then(&value));
    write_column::<T, _>(group, values.collect(), false)
}

impl SweepTable {
    /// Reads the table in a sweep's folder, or a table's file (`sweep.parquet`).
    ///
    /// ```no_run
    /// use neural_composer::sweep::SweepTable;
    /// let table = SweepTable::open("plan.runs")?;
    /// if let Some(best) = table.best() {
    ///     println!("{}: {}", best.words(table.varied()), table.model_path(best).unwrap().display());
    /// }
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Sweep`] for what is no table of a sweep, a damaged
    /// one, or one of another version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = if path.is_dir() { path.join(NAME) } else { path.to_path_buf() };
        read(&file)
    }
}

/// Reads a table.
///
/// # Errors
/// [`Error::Io`] when it cannot be read; [`Error::Sweep`] when it is damaged, of another version or no
/// table of a sweep.
fn read(path: &Path) -> Result<SweepTable> {
    let file = File::open(path).map_err(Error::io(path, "open the table of a sweep"))?;
    let remedy = "run the sweep again, which writes the table from its runs";
    let damaged = |cause: &dyn std::fmt::Display| {
        let problem = format!(
            "expected the table of a sweep, found something else or a damaged one ({cause}): {remedy}"
        );
        Error::sweep(path, problem)
    };
    match no_panic::catch(|| read_from(file, path)) {
        Some(Ok(table)) => Ok(table),
        Some(Err(Unread::Damaged(cause))) => Err(damaged(&cause)),
        Some(Err(Unread::Version(found))) => {
            let problem = format!("expected a table of version {VERSION}, found {found}: {remedy}");
            Err(Error::sweep(path, problem))
        }
        None => Err(damaged(&"it cannot be parsed")),
    }
}

fn read_from(file: File, path: &Path) -> Result<SweepTable, Unread> {
    let reader = SerializedFileReader::new(file)?;
    let said = said_by(&reader, (VERSION_KEY, VERSION))?;
    let list = |key: &str| -> Result<Vec<String>, Unread> {
        let list = said.get(key).and_then(|text| serde_json::from_str(text).ok());
        list.ok_or_else(|| Unread::missing(key))
    };
    let (varied, settings) = (list(VARIED_KEY)?, list(SETTINGS_KEY)?);
    let rows = reader.get_row_iter(None)?;
    let rows = rows.map(|row| read_row(&row?, &settings)).collect::<Result<Vec<_>, Unread>>()?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let table = SweepTable::new(folder, varied, rows);
    if said.get(ROWS_KEY) != Some(&hash_of(&table.told()).as_str()) {
        return Err(Unread::Damaged("its rows are not those that were written".into()));
    }
    Ok(table)
}

/// The values of a row by the names of their columns.
struct Values<'a>(HashMap<&'a str, &'a Field>);

impl Values<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        match self.0.get(name)? {
            Field::Str(text) => Some(Value::Text(text.clone())),
            Field::Bytes(bytes) => bytes.as_utf8().ok().map(Value::from),
            Field::Long(number) => Some(Value::Whole(*number)),
            Field::Double(number) => Some(Value::Real(*number)),
            Field::Bool(flag) => Some(Value::Flag(*flag)),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn whole(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Whole(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    fn real(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Real(number) => Some(number),
            _ => None,
        }
    }

    fn result(&self) -> Option<RunResult> {
        let notes = self.text("notes").unwrap_or_default();
        Some(RunResult {
            final_loss: self.real("final_loss")?,
            final_loss_is: self.text("final_loss_is")?,
            train_loss: self.real("train_loss")?,
            validation_loss: self.real("validation_loss"),
            best_epoch: self.whole("best_epoch")?,
            epochs_trained: self.whole("epochs_trained")?,
            stopped_early: self.value("stopped_early")? == Value::Flag(true),
            parameters: self.whole("parameters")?,
            model_bytes: self.whole("model_bytes")?,
            seconds: self.real("seconds")?,
            memory_bytes: self.whole("memory_bytes"),
            device: self.text("device")?,
            notes: notes.lines().map(str::to_owned).collect(),
        })
    }
}

fn read_row(row: &Row, settings: &[String]) -> Result<SweepRow, Unread> {
    let values = row.get_column_iter().map(|(name, field)| (name.as_str(), field)).collect();
    let values = Values(values);
    let number = values.whole("run").and_then(|number| usize::try_from(number).ok());
    let setting = |name: &String| {
        values.value(name).map(|value| (name.clone(), value)).ok_or_else(|| Unread::missing(name))
    };
    let signature = values.text("signature").filter(|text| is_signature(text));
    let signature = signature.ok_or_else(|| Unread::missing("signature"))?;
    let model_file = values.text("model_file");
    // No name leads out of the folder.
    if model_file.as_ref().is_some_and(|file| *file != format!("{signature}/{MODEL}")) {
        return Err(Unread::Damaged("a model is not in its run's folder".into()));
    }
    Ok(SweepRow {
        number: number.ok_or_else(|| Unread::missing("run"))?,
        signature,
        settings: settings.iter().map(setting).collect::<Result<_, _>>()?,
        result: values.result(),
        model_file,
        error: values.text("error"),
    })
}
