//! The crates of `:dep` as cells see them: compiled files, and what their sources say.

use super::crate_source::CrateSource;
use super::globs::Brought;
use super::types::OPEN_CRATES;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The crates that a cell may name, compiled.
#[derive(Debug, Clone, Default)]
pub struct CrateSet {
    /// Name in code → file.
    pub names: BTreeMap<String, PathBuf>,
    /// Shared objects that hold them: name → file. The evaluator loads them.
    pub linked: BTreeMap<String, PathBuf>,
    /// Where the crates are that these depend on.
    pub dependencies: Vec<PathBuf>,
    /// Crates whose source is in a folder, and what it was when they were compiled.
    pub stamps: BTreeMap<String, u64>,
    /// Name in code → source.
    sources: BTreeMap<String, CrateSource>,
}

impl CrateSet {
    /// Tells where a crate's source is, to be read once a cell depends on it.
    pub fn add_source(&mut self, name: &str, folder: &Path) {
        self.sources.insert(name.to_owned(), CrateSource::new(name, folder));
    }

    /// Whether a cell could call a macro that one of the crates exports.
    pub fn exports_macros(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Whether an import of all that a crate has may change what a name means.
    pub fn brings(&self, of_crate: &str, name: &str) -> bool {
        match self.sources.get(of_crate) {
            Some(source) => source.brought().has(name),
            // Of theirs that hide a name of the prelude, none can be used in its place.
            None if OPEN_CRATES.contains(&of_crate) => false,
            None => Brought::unknown().has(name),
        }
    }

    /// The rules of a crate's macro by its path, `krate::name`.
    pub fn macro_rules(&self, path: &str) -> Option<String> {
        let (of_crate, rest) = path.split_once("::")?;
        self.sources.get(of_crate)?.rules(rest.rsplit("::").next()?)
    }
}
