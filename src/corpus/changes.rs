//! What is different from the corpus that was there.

use super::entry::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// How the files of the folder differ from those of the corpus before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that are new.
    pub added: Vec<String>,
    /// Files with another content under the same path.
    pub changed: Vec<String>,
    /// Files that are gone.
    pub removed: Vec<String>,
    /// Files under another path: the old one and the new one.
    pub renamed: Vec<(String, String)>,
    /// How many files are as they were.
    pub unchanged: usize,
}

impl Changes {
    /// From the old rows to the new ones.
    pub(super) fn between(old: &[Entry], new: &[Entry]) -> Self {
        let paths = |entries: &[Entry]| -> BTreeMap<String, Option<String>> {
            let pair = |entry: &Entry| (entry.path.clone(), entry.content_sha256.clone());
            entries.iter().map(pair).collect()
        };
        let (before, after) = (paths(old), paths(new));
        let mut changes = Self::default();
        let mut gone: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut removed: BTreeSet<&str> = BTreeSet::new();
        for (path, hash) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
            removed.insert(path);
            if let Some(hash) = hash {
                gone.entry(hash).or_default().insert(path);
            }
        }
        for (path, hash) in &after {
            match before.get(path) {
                Some(old) if old == hash => changes.unchanged += 1,
                Some(_) => changes.changed.push(path.clone()),
                None => {
                    let of_hash = hash.as_deref().and_then(|hash| gone.get_mut(hash));
                    match of_hash.and_then(BTreeSet::pop_first) {
                        Some(old) => {
                            removed.remove(old);
                            changes.renamed.push((old.to_owned(), path.clone()));
                        }
                        None => changes.added.push(path.clone()),
                    }
                }
            }
        }
        changes.removed = removed.into_iter().map(str::to_owned).collect();
        changes
    }
}
