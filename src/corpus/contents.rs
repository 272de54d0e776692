//! The table of contents: a Parquet file with a row for each file of the folder.
//!
//! It is written and read column by column and row by row through `parquet::file` and
//! `parquet::record`, which need no Arrow. Nothing is compressed: any reader of Parquet will do.

use super::VERSION;
use super::entry::{Entry, RowsHash, SongFacts, Stored, fingerprint_bytes, is_sha256};
use crate::audio::no_panic;
use crate::parquet_table::{Unread, properties, said_by, write_column};
use crate::{Error, Result, atomic_file};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Its name in a corpus's folder.
pub(super) const NAME: &str = "contents.parquet";

const SCHEMA: &str = "message contents {
    REQUIRED BYTE_ARRAY path (STRING);
    OPTIONAL BYTE_ARRAY key (STRING);
    OPTIONAL BYTE_ARRAY content_sha256 (STRING);
    OPTIONAL BYTE_ARRAY samples_sha256 (STRING);
    OPTIONAL BYTE_ARRAY title (STRING);
    OPTIONAL BYTE_ARRAY artist (STRING);
    OPTIONAL BYTE_ARRAY album (STRING);
    OPTIONAL BYTE_ARRAY tags (JSON);
    OPTIONAL BYTE_ARRAY codec (STRING);
    OPTIONAL BOOLEAN lossless;
    OPTIONAL DOUBLE seconds;
    OPTIONAL INT64 frames;
    OPTIONAL INT64 sample_rate_hz;
    OPTIONAL INT64 channels;
    OPTIONAL INT64 bits;
    OPTIONAL DOUBLE scale;
    OPTIONAL DOUBLE loudness_lufs;
    OPTIONAL DOUBLE peak;
    OPTIONAL BYTE_ARRAY shard (STRING);
    OPTIONAL INT64 offset;
    OPTIONAL INT64 size;
    OPTIONAL BYTE_ARRAY sha256 (STRING);
    OPTIONAL BYTE_ARRAY warnings (STRING);
    OPTIONAL BYTE_ARRAY problem (STRING);
    OPTIONAL BYTE_ARRAY duplicate_of (STRING);
    OPTIONAL BYTE_ARRAY fingerprint;
}";

/// Rows that are written together.
const GROUP_ROWS: usize = 4096;

const VERSION_KEY: &str = "neural-composer.corpus";
const SHARD_BYTES_KEY: &str = "neural-composer.shard_bytes";
const ROWS_KEY: &str = "neural-composer.rows_sha256";

/// What the table holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contents {
    /// Sorted by path.
    pub(super) entries: Vec<Entry>,
    /// The option with which shards were cut.
    pub(super) shard_bytes: u64,
    rows_sha256: String,
    /// Whether the rows are as they were written.
    pub(super) is_sound: bool,
}

/// Rows that are read at a time: a fingerprint of an hour is 144 kB.
const ROWS_AT_ONCE: usize = 16;

impl Contents {
    pub(super) fn new(entries: Vec<Entry>, shard_bytes: u64) -> Self {
        let mut hash = RowsHash::default();
        entries.iter().for_each(|entry| hash.add(entry));
        Self { rows_sha256: hash.digits(), entries, shard_bytes, is_sound: true }
    }

    /// Forgets what only builders need.
    pub(super) fn without_fingerprints(mut self) -> Self {
        self.entries.iter_mut().for_each(|entry| entry.fingerprint = Vec::new());
        self
    }

    /// Writes the table, which is there as a whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        atomic_file::write(path, |file| {
            self.write_to(file).map_err(|error| match error {
                ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                    Ok(cause) => Error::io(path, "write the table")(*cause),
                    Err(cause) => Error::corpus(path, format!("could not be written: {cause}")),
                },
                error => Error::corpus(path, format!("could not be written: {error}")),
            })
        })
    }

    fn write_to(&self, file: &mut (impl Write + Send)) -> Result<(), ParquetError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let says = vec![
            (VERSION_KEY, VERSION.to_owned()),
            (SHARD_BYTES_KEY, self.shard_bytes.to_string()),
            (ROWS_KEY, self.rows_sha256.clone()),
        ];
        let properties = properties(format!("neural-composer corpus {VERSION}"), says);
        let mut writer = SerializedFileWriter::new(file, schema, properties)?;
        for rows in self.entries.chunks(GROUP_ROWS) {
            let mut group = writer.next_row_group()?;
            write_group(&mut group, rows)?;
            group.close()?;
        }
        writer.close().map(drop)
    }

    /// Reads the table.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Corpus`] when it is damaged, of another version or
    /// no table of a corpus.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Self::read_rows(path, |_| ())
    }

    /// As [`Self::read`], without what only builders need: most of the table.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_without_fingerprints(path: &Path) -> Result<Self> {
        Self::read_rows(path, |entry| entry.fingerprint = Vec::new())
    }

    /// Reads the table; `change` is done to each row once it was checked.
    fn read_rows(path: &Path, change: impl Fn(&mut Entry)) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path, "open the table of contents"))?;
        let damaged = |cause: &dyn std::fmt::Display| {
            let problem = format!(
                "expected a corpus's table of contents, found something else or a damaged one \
                 ({cause}); build the corpus again, into an empty folder"
            );
            Error::corpus(path, problem)
        };
        match no_panic::catch(|| Self::read_from(file, change)) {
            Some(Ok(contents)) => Ok(contents),
            Some(Err(Unread::Damaged(cause))) => Err(damaged(&cause)),
            Some(Err(Unread::Version(found))) => {
                let problem = format!(
                    "expected a corpus of version {VERSION}, found {found}; build it again, into \
                     an empty folder, or use the neural-composer that made it"
                );
                Err(Error::corpus(path, problem))
            }
            None => Err(damaged(&"it cannot be parsed")),
        }
    }

    fn read_from(file: File, change: impl Fn(&mut Entry)) -> Result<Self, Unread> {
        let reader = SerializedFileReader::new(file)?;
        let said = said_by(&reader, (VERSION_KEY, VERSION))?;
        let number = said.get(SHARD_BYTES_KEY).and_then(|text| text.parse().ok());
        let shard_bytes = number.ok_or_else(|| Unread::missing(SHARD_BYTES_KEY))?;
        let rows_sha256 = said.get(ROWS_KEY).ok_or_else(|| Unread::missing(ROWS_KEY))?;
        let rows_sha256 = (*rows_sha256).to_owned();
        let rows = RowIter::from_file(None, &reader)?.with_batch_size(ROWS_AT_ONCE);
        let mut hash = RowsHash::default();
        let mut checked = |row: Result<Row, ParquetError>| {
            let mut entry = entry(&row?)?;
            hash.add(&entry);
            change(&mut entry);
            Ok(entry)
        };
        let entries = rows.map(&mut checked).collect::<Result<Vec<_>, Unread>>()?;
        let is_sound = hash.digits() == rows_sha256;
        Ok(Self { entries, shard_bytes, rows_sha256, is_sound })
    }
}

/// Writes the columns of a group one after the other, as the schema has them.
struct Columns<'a, 'b, W: Write + Send> {
    group: &'a mut SerializedRowGroupWriter<'b, W>,
    rows: &'a [Entry],
}

impl<W: Write + Send> Columns<'_, '_, W> {
    fn next<T: DataType>(
        &mut self,
        value: impl Fn(&Entry) -> Option<T::T>,
        is_required: bool,
    ) -> Result<(), ParquetError> {
        write_column::<T, W>(self.group, self.rows.iter().map(value).collect(), is_required)
    }

    fn text(&mut self, text: impl Fn(&Entry) -> Option<String>) -> Result<(), ParquetError> {
        self.next::<ByteArrayType>(
            |row| text(row).map(|text| ByteArray::from(text.into_bytes())),
            false,
        )
    }

    fn fact<T: DataType>(
        &mut self,
        fact: impl Fn(&SongFacts) -> Option<T::T>,
    ) -> Result<(), ParquetError> {
        self.next::<T>(|row| fact(row.facts.as_ref()?), false)
    }

    fn words(&mut self, words: impl Fn(&SongFacts) -> Option<String>) -> Result<(), ParquetError> {
        self.text(|row| words(row.facts.as_ref()?))
    }

    fn number(&mut self, number: impl Fn(&SongFacts) -> u64) -> Result<(), ParquetError> {
        self.fact::<Int64Type>(|facts| i64::try_from(number(facts)).ok())
    }
}

fn write_group<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[Entry],
) -> Result<(), ParquetError> {
    let mut columns = Columns { group, rows };
    columns.next::<ByteArrayType>(|row| Some(ByteArray::from(row.path.as_str())), true)?;
    columns.words(|facts| Some(facts.key().to_owned()))?;
    columns.text(|row| row.content_sha256.clone())?;
    columns.words(|facts| Some(facts.samples_sha256.clone()))?;
    columns.words(|facts| facts.title.clone())?;
    columns.words(|facts| facts.artist.clone())?;
    columns.words(|facts| facts.album.clone())?;
    columns.words(|facts| serde_json::to_string(&facts.tags).ok())?;
    columns.words(|facts| Some(facts.codec.clone()))?;
    columns.fact::<BoolType>(|facts| Some(facts.lossless))?;
    columns.fact::<DoubleType>(|facts| Some(facts.seconds))?;
    columns.number(|facts| facts.frames)?;
    columns.number(|facts| facts.sample_rate_hz.into())?;
    columns.number(|facts| facts.channels.into())?;
    columns.number(|facts| facts.bits.into())?;
    columns.fact::<DoubleType>(|facts| Some(facts.scale))?;
    columns.fact::<DoubleType>(|facts| facts.loudness_lufs)?;
    columns.fact::<DoubleType>(|facts| Some(facts.peak))?;
    columns.text(|row| Some(row.stored.as_ref()?.shard.clone()))?;
    columns.next::<Int64Type>(|row| i64::try_from(row.stored.as_ref()?.offset).ok(), false)?;
    columns.next::<Int64Type>(|row| i64::try_from(row.stored.as_ref()?.size).ok(), false)?;
    columns.text(|row| Some(row.stored.as_ref()?.sha256.clone()))?;
    columns.words(|facts| Some(facts.warnings.join("\n")).filter(|text| !text.is_empty()))?;
    columns.text(|row| row.problem.clone())?;
    columns.text(|row| row.duplicate_of.clone())?;
    columns.next::<ByteArrayType>(
        |row| {
            let bytes = fingerprint_bytes(&row.fingerprint);
            row.facts.is_some().then(|| ByteArray::from(bytes))
        },
        false,
    )
}

/// The values of a row by the names of their columns.
struct Values<'a>(HashMap<&'a str, &'a Field>);

impl Values<'_> {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Field::Str(text) => Some(text.clone()),
            Field::Bytes(bytes) => bytes.as_utf8().ok().map(str::to_owned),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Field::Long(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    fn real(&self, name: &str) -> Option<f64> {
        match self.0.get(name)? {
            Field::Double(number) => Some(*number),
            _ => None,
        }
    }

    fn facts(&self) -> Option<SongFacts> {
        let short = |name: &str| u32::try_from(self.number(name)?).ok();
        let tags: BTreeMap<String, String> = serde_json::from_str(&self.text("tags")?).ok()?;
        let warnings = self.text("warnings").unwrap_or_default();
        Some(SongFacts {
            content_sha256: self.text("content_sha256").filter(|hash| is_sha256(hash))?,
            samples_sha256: self.text("samples_sha256")?,
            title: self.text("title"),
            artist: self.text("artist"),
            album: self.text("album"),
            tags,
            codec: self.text("codec")?,
            lossless: matches!(self.0.get("lossless")?, Field::Bool(true)),
            seconds: self.real("seconds")?,
            frames: self.number("frames")?,
            sample_rate_hz: short("sample_rate_hz").filter(|rate| *rate > 0)?,
            channels: short("channels")?,
            bits: short("bits")?,
            scale: self.real("scale")?,
            loudness_lufs: self.real("loudness_lufs"),
            peak: self.real("peak")?,
            warnings: warnings.lines().map(str::to_owned).collect(),
        })
    }

    fn stored(&self) -> Option<Stored> {
        Some(Stored {
            shard: self.text("shard")?,
            offset: self.number("offset")?,
            size: self.number("size")?,
            sha256: self.text("sha256")?,
        })
    }
}

fn entry(row: &Row) -> Result<Entry, Unread> {
    let values = row.get_column_iter().map(|(name, field)| (name.as_str(), field)).collect();
    let values = Values(values);
    let path = values.text("path").ok_or_else(|| Unread::missing("path"))?;
    let fingerprint = match values.0.get("fingerprint") {
        Some(Field::Bytes(bytes)) => bytes
            .data()
            .chunks_exact(4)
            .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect(),
        _ => Vec::new(),
    };
    Ok(Entry {
        path,
        content_sha256: values.text("content_sha256"),
        facts: values.facts(),
        stored: values.stored(),
        problem: values.text("problem"),
        duplicate_of: values.text("duplicate_of"),
        fingerprint,
    })
}
