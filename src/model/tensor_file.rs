//! Safetensors files with a checksum over all that they say.
//!
//! Written tensor by tensor, so that no second copy of a large network is in memory; read by the
//! `safetensors` crate.

use crate::{Error, Result, atomic_file};
use candle_core::Tensor;
use crc32fast::Hasher;
use safetensors::{Dtype, SafeTensors, View};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// The metadata key of the checksum: a CRC-32 in eight hexadecimal digits.
pub(super) const CHECKSUM: &str = "neural-composer.checksum";
/// What stands there until it is known.
const UNKNOWN: &str = "????????";
/// Headers end at multiples of so many bytes.
const ALIGNMENT: usize = 8;

/// Writes `tensors` and a text about them under the metadata's `key`, whole or not at all.
pub(super) fn write(
    path: &Path,
    (key, text): (&str, &str),
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    let problem = |error: &dyn std::fmt::Display| {
        Error::model(path, format!("could not be put together: {error}"))
    };
    let mut order: Vec<(&String, &Tensor)> = tensors.iter().collect();
    order.sort_by_key(|(name, tensor)| place(View::dtype(*tensor), name));
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ key: text, CHECKSUM: UNKNOWN }));
    let mut offset = 0;
    for (name, tensor) in &order {
        let end = offset + View::data_len(*tensor);
        let (dtype, shape) = (View::dtype(*tensor), View::shape(*tensor));
        header.insert(
            (*name).clone(),
            json!({ "dtype": dtype, "shape": shape, "data_offsets": [offset, end] }),
        );
        offset = end;
    }
    let mut header = serde_json::to_string(&header).map_err(|e| problem(&e))?;
    header
        .extend(std::iter::repeat_n(' ', header.len().next_multiple_of(ALIGNMENT) - header.len()));
    // Quotes inside a text are escaped: this stands nowhere else.
    let before = format!("\"{CHECKSUM}\":\"");
    let found = header.find(&before).ok_or_else(|| problem(&"no place for its checksum"))?;
    let start = (8 + found + before.len()) as u64;
    atomic_file::write(path, |file| {
        let failed = Error::io(path, "write the model");
        let written = (|| {
            file.write_all(&(header.len() as u64).to_le_bytes())?;
            file.write_all(header.as_bytes())?;
            let mut sum = Hasher::new();
            sum.update(text.as_bytes());
            for (name, tensor) in &order {
                let (dtype, data) = (View::dtype(*tensor), View::data(*tensor));
                add(&mut sum, name, (dtype, View::shape(*tensor)), &data);
                file.write_all(&data)?;
            }
            file.seek(SeekFrom::Start(start))?;
            file.write_all(digits(sum).as_bytes())?;
            file.seek(SeekFrom::End(0)).map(drop)
        })();
        written.map_err(failed)
    })
}

/// Whether what a file holds is what was written, by the checksum that was; `None` where there is none.
pub(super) fn is_whole(
    file: &SafeTensors<'_>,
    written: Option<&String>,
    text: &str,
) -> Option<bool> {
    let written = written?;
    let mut order: Vec<_> = file.iter().collect();
    order.sort_by_key(|(name, tensor)| place(tensor.dtype(), name));
    let mut sum = Hasher::new();
    sum.update(text.as_bytes());
    for (name, tensor) in order {
        add(&mut sum, name, (tensor.dtype(), tensor.shape()), tensor.data());
    }
    Some(*written == digits(sum))
}

/// Wide numbers first, so that all lie at multiples of their width; then by name.
fn place(dtype: Dtype, name: &str) -> (std::cmp::Reverse<usize>, String) {
    (std::cmp::Reverse(dtype.bitsize()), name.to_owned())
}

fn add(sum: &mut Hasher, name: &str, (dtype, shape): (Dtype, &[usize]), data: &[u8]) {
    sum.update(name.as_bytes());
    sum.update(format!("{dtype:?}{shape:?}").as_bytes());
    sum.update(data);
}

fn digits(sum: Hasher) -> String {
    format!("{:08x}", sum.finalize())
}
