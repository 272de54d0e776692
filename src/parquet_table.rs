//! Tables of ours as Parquet: what all of them say of themselves, and how their columns are written.
//!
//! Nothing is compressed, and no Arrow is needed: any reader of Parquet will do.

use parquet::basic::Compression;
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::FileReader;
use parquet::file::writer::SerializedRowGroupWriter;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

/// Why a table could not be read.
pub(crate) enum Unread {
    Damaged(String),
    /// Of another version.
    Version(String),
}

impl Unread {
    /// Something that every table has is not there.
    pub(crate) fn missing(name: &str) -> Self {
        Self::Damaged(format!("{name} is missing"))
    }
}

impl From<ParquetError> for Unread {
    fn from(error: ParquetError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// How a table is written by `writer`, and what it says of itself.
pub(crate) fn properties(writer: String, says: Vec<(&str, String)>) -> Arc<WriterProperties> {
    let says = says.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let properties = WriterProperties::builder()
        .set_created_by(writer)
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(says.collect()));
    Arc::new(properties.build())
}

/// What a table says of itself, where it is one of `version`, which stands under `key`.
pub(crate) fn said_by<'r>(
    reader: &'r impl FileReader,
    (key, version): (&str, &str),
) -> Result<HashMap<&'r str, &'r str>, Unread> {
    let pairs = reader.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let said: HashMap<&str, &str> =
        pairs.filter_map(|pair| Some((pair.key.as_str(), pair.value.as_deref()?))).collect();
    match said.get(key) {
        Some(found) if *found == version => Ok(said),
        // Whoever wrote it: as much as a version takes.
        Some(found) => Err(Unread::Version(found.chars().take(20).collect())),
        None => Err(Unread::Damaged("it is none of ours".into())),
    }
}

/// Writes the next column of a group.
pub(crate) fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: Vec<Option<T::T>>,
    is_required: bool,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".into()));
    };
    let levels = (!is_required).then_some(levels.as_slice());
    column.typed::<T>().write_batch(&values, levels, None)?;
    column.close()
}
