//! A corpus in a few numbers.

use super::entry::Entry;
use crate::words::{counted, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is in a corpus, in a few numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Songs that are stored.
    pub songs: usize,
    /// Their length together, in hours.
    pub hours: f64,
    /// Bytes of their FLAC files.
    pub bytes: u64,
    /// Files that hold them.
    pub shards: usize,
    /// How the songs' own files are coded, and how many of each.
    pub formats: BTreeMap<String, usize>,
    /// Samples per second and channel, and how many songs have them.
    pub rates: BTreeMap<u32, usize>,
    /// Channels, and how many songs have so many.
    pub channels: BTreeMap<u32, usize>,
    /// Bits of a stored sample, and how many songs have so many.
    pub bits: BTreeMap<u32, usize>,
    /// Files that are the same recording as another: theirs and the stored one's path.
    pub duplicates: Vec<(String, String)>,
    /// Files that could not be stored, and why.
    pub problems: Vec<(String, String)>,
    /// What was put up with in songs that are stored: path and sentence.
    pub warnings: Vec<(String, String)>,
}

impl Summary {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut summary = Self::default();
        let mut shards = BTreeSet::new();
        for entry in entries {
            let pair = |words: &String| (entry.path.clone(), words.clone());
            summary.problems.extend(entry.problem.as_ref().map(pair));
            summary.duplicates.extend(entry.duplicate_of.as_ref().map(pair));
            let (Some(facts), Some(stored)) = (&entry.facts, &entry.stored) else { continue };
            summary.songs += 1;
            summary.hours += facts.seconds / 3600.0;
            summary.bytes += stored.size;
            shards.insert(&stored.shard);
            *summary.formats.entry(facts.codec.clone()).or_default() += 1;
            *summary.rates.entry(facts.sample_rate_hz).or_default() += 1;
            *summary.channels.entry(facts.channels).or_default() += 1;
            *summary.bits.entry(facts.bits).or_default() += 1;
            summary.warnings.extend(facts.warnings.iter().map(pair));
        }
        summary.shards = shards.len();
        summary
    }

    /// Length in words: hours, or minutes or seconds where there is no whole one.
    pub fn length(&self) -> String {
        match self.hours {
            hours if hours < 1.0 / 60.0 => format!("{:.1} s", hours * 3600.0),
            hours if hours < 1.0 => format!("{:.1} min", hours * 60.0),
            hours => format!("{hours:.1} h"),
        }
    }
}

/// "MP3 (3), FLAC (1)", the most frequent first.
pub(crate) fn frequencies<K: fmt::Display + Ord>(counts: &BTreeMap<K, usize>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let words: Vec<_> = counts.iter().map(|(what, count)| format!("{what} ({count})")).collect();
    words.join(", ")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (songs, shards) = (counted(self.songs, "song"), counted(self.shards, "shard"));
        writeln!(f, "{songs}, {}, {:.1} MB in {shards}", self.length(), self.bytes as f64 / 1e6)?;
        for (name, counts) in [
            ("formats", frequencies(&self.formats)),
            ("rates in Hz", frequencies(&self.rates)),
            ("channels", frequencies(&self.channels)),
            ("bits", frequencies(&self.bits)),
        ] {
            writeln!(f, "{name:12} {counts}")?;
        }
        for (path, of) in &self.duplicates {
            writeln!(f, "{}: the same recording as {}, stored once", shown(path), shown(of))?;
        }
        for (path, problem) in &self.problems {
            writeln!(f, "{}: not stored: {problem}", shown(path))?;
        }
        for (path, warning) in &self.warnings {
            writeln!(f, "{}: {warning}", shown(path))?;
        }
        Ok(())
    }
}
