//! What a corpus knows of a file.

use crate::sha256::{hex, is_hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What is known of a song's sound and file, wherever the file lies.
///
/// It is what `KEY.json` in a shard holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SongFacts {
    /// SHA-256 of the song's file, in hexadecimal digits. The first 32 of them are its key.
    pub content_sha256: String,
    /// SHA-256 of the stored samples: interleaved, 32 bits, the lowest byte first, full scale 2³¹.
    pub samples_sha256: String,
    /// The title tag.
    pub title: Option<String>,
    /// The artist tag.
    pub artist: Option<String>,
    /// The album tag.
    pub album: Option<String>,
    /// All tags by name.
    pub tags: BTreeMap<String, String>,
    /// How the song's file is coded: `"MP3"`, `"FLAC"`, `"PCM, 16-bit integer"`.
    pub codec: String,
    /// Whether the file has all that was recorded into it.
    pub lossless: bool,
    /// Length in seconds.
    pub seconds: f64,
    /// Samples per channel.
    pub frames: u64,
    /// Samples per second and channel.
    pub sample_rate_hz: u32,
    /// How many channels, 1 to 8.
    pub channels: u32,
    /// Bits of a stored sample, 16 or 24.
    pub bits: u32,
    /// A power of two: stored samples times this are the song's.
    ///
    /// It is 1.0 unless samples go beyond full scale.
    pub scale: f64,
    /// Programme loudness after EBU R 128, in LUFS. Nothing for silence, or less than 0.4 s.
    pub loudness_lufs: Option<f64>,
    /// The song's largest magnitude; 1 is full scale.
    pub peak: f64,
    /// What was wrong with the file and put up with, one sentence each.
    pub warnings: Vec<String>,
}

/// Where a song's FLAC file is in the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The shard's name in `shards/`.
    pub shard: String,
    /// Where in the shard the FLAC file begins, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A file of the folder that a corpus was built from: a row of its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The file, seen from that folder, with `/` between names.
    pub path: String,
    /// SHA-256 of the file, in hexadecimal digits; nothing where it could not be read.
    pub content_sha256: Option<String>,
    /// What is known of the song; nothing where it could not be decoded.
    pub facts: Option<SongFacts>,
    /// Where its sound is; nothing for duplicates and for what could not be decoded.
    pub stored: Option<Stored>,
    /// Why it could not be stored.
    pub problem: Option<String>,
    /// The path of the song that is the same recording, and stored.
    pub duplicate_of: Option<String>,
    /// Words of 32 bits, ten a second, that say how the sound moves; see [`crate::corpus`]. Only
    /// builders need them: they are empty in an opened corpus.
    pub(super) fingerprint: Vec<u32>,
}

/// How many digits of a song's hash are its key.
const KEY_DIGITS: usize = 32;

/// The name of a song's members in a shard, from the hash of its file.
pub(super) fn key(content_sha256: &str) -> &str {
    content_sha256.get(..KEY_DIGITS).unwrap_or(content_sha256)
}

/// Whether `text` is a key as [`key`] makes it.
pub(super) fn is_key(text: &str) -> bool {
    is_hex(text, KEY_DIGITS)
}

/// Whether `text` is a hash as [`hex`] writes it.
pub(super) fn is_sha256(text: &str) -> bool {
    is_hex(text, 64)
}

impl SongFacts {
    /// The name of the song's members in its shard.
    pub fn key(&self) -> &str {
        key(&self.content_sha256)
    }

    /// The member `KEY.json`.
    pub(super) fn json(&self) -> Vec<u8> {
        // Strings, numbers and maps of strings: there is nothing that JSON could refuse.
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

impl Entry {
    /// The title tag, else the file's name without its ending.
    pub fn title(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        self.facts.as_ref().and_then(|facts| facts.title.as_deref()).unwrap_or(stem)
    }
}

/// A hash over all that rows say, one after the other, which tells a damaged table.
#[derive(Default)]
pub(super) struct RowsHash(Sha256);

impl RowsHash {
    pub(super) fn add(&mut self, entry: &Entry) {
        let mut add = |part: &[u8]| {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        };
        add(entry.path.as_bytes());
        add(entry.content_sha256.as_deref().unwrap_or_default().as_bytes());
        add(&entry.facts.as_ref().map(SongFacts::json).unwrap_or_default());
        if let Some(stored) = &entry.stored {
            add(stored.shard.as_bytes());
            add(&stored.offset.to_le_bytes());
            add(&stored.size.to_le_bytes());
            add(stored.sha256.as_bytes());
        }
        add(entry.problem.as_deref().unwrap_or_default().as_bytes());
        add(entry.duplicate_of.as_deref().unwrap_or_default().as_bytes());
        add(&fingerprint_bytes(&entry.fingerprint));
    }

    pub(super) fn digits(self) -> String {
        hex(self.0.finalize())
    }
}

/// The words, the lowest byte first.
pub(super) fn fingerprint_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
