//! Signatures: short hashes of all that changes a result.

use crate::interrupt::Listener;
use crate::sha256::{self, hex};
use crate::{Error, Result};
use rayon::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::PathBuf;

/// What a signature stands for is hashed in this way; another number gives other signatures.
const VERSION: &str = "neural-composer run 1";
/// Twelve digits: of ten thousand runs two have the same once in five million plans.
const BYTES: usize = 6;

/// SHA-256 of each file.
pub(super) fn hashes(songs: &[PathBuf]) -> Result<Vec<String>> {
    let stop = Listener::here();
    let hash = |path: &PathBuf| {
        if stop.requested() {
            return Err(Error::Interrupted(
                "while looking at the songs; nothing was changed".into(),
            ));
        }
        let mut file = File::open(path).map_err(Error::io(path, "open the song"))?;
        let (_, hash) = sha256::of_all(&mut file).map_err(Error::io(path, "read the song"))?;
        Ok(hash)
    };
    songs.par_iter().with_max_len(1).map(hash).collect()
}

/// Signs configurations for the same songs.
pub(super) struct Signer(Sha256);

impl Signer {
    /// For songs of these hashes, in this order, and the loss that is compared.
    pub fn new(songs: &[String], compare: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [VERSION, compare].into_iter().chain(songs.iter().map(String::as_str)) {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self(hash)
    }

    /// The signature of a configuration.
    pub fn sign(&self, identity: &Value) -> String {
        let mut hash = self.0.clone();
        hash.update(sorted(identity).as_bytes());
        hex(&hash.finalize()[..BYTES])
    }
}

/// Whether a text could be a signature: no path, nothing but digits.
pub(super) fn is_signature(text: &str) -> bool {
    text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// SHA-256 of a value, whatever the order of its keys.
pub(super) fn hash_of(value: &Value) -> String {
    hex(Sha256::digest(sorted(value).as_bytes()))
}

/// JSON with keys in the order of their names, in whatever order other programs' features put them.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), sorted(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(sorted).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
