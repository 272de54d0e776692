//! What names mean to the next cell: definitions, variables, and why others are gone.

use super::crate_set::CrateSet;
use super::definitions::Definitions;
use super::diagnostic::Diagnostic;
use super::item::{Item, Key};
use super::ready::Ready;
use super::source::Source;
use super::variable::Variable;
use crate::publisher::Publisher;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// What earlier cells have left to later ones.
#[derive(Default)]
pub struct Namespace {
    pub definitions: Definitions,
    /// The notebook's `#![...]`.
    pub attributes: Vec<(Arc<Source>, Range<usize>)>,
    pub variables: BTreeMap<String, Variable>,
    /// Exported symbols: which build has them.
    pub exported: HashMap<String, u32>,
    /// The identity that a type's name had first.
    pub first_identities: HashMap<String, u64>,
    /// Names that meant something, and why they no longer do.
    gone: HashMap<String, String>,
}

impl Namespace {
    /// Whether a name means something.
    pub fn knows(&self, name: &str) -> bool {
        self.variables.contains_key(name) || self.definitions.has_name(name)
    }

    /// The evaluator is gone, and every variable with it.
    pub fn lose_variables(&mut self, why: &str) {
        for name in std::mem::take(&mut self.variables).into_keys() {
            self.gone.insert(name, why.to_owned());
        }
    }

    pub fn lose_variable(&mut self, name: &str, why: &str) {
        if self.variables.remove(name).is_some() {
            self.gone.insert(name.to_owned(), why.to_owned());
        }
    }

    /// Removes definitions that no longer fit what a cell defines, and says which.
    pub fn lose_definitions(&mut self, outdated: &[Arc<Item>], cell: i64, publisher: &Publisher) {
        for item in outdated {
            let name = described(item);
            let why = format!("it no longer fits what cell [{cell}] defines");
            let note = format!("{name} of cell [{}] is gone: {why}.\n", item.source.cell);
            publisher.text("stderr", &note);
            if let Key::Value(name) | Key::Type(name) | Key::Import(name) = &item.key {
                self.gone.insert(name.clone(), why);
            }
        }
        self.definitions.remove(outdated);
    }

    /// The variables that a cell's definitions give another meaning.
    pub fn changed(&self, definitions: &Definitions, crates: &CrateSet) -> Vec<String> {
        let variables = self.variables.iter();
        variables
            .filter(|(_, known)| definitions.fingerprint(&known.ty, crates) != known.fingerprint)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Adds to "not found" what became of the name.
    pub fn explained(&self, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let explain = |mut error: Diagnostic| {
            let is_unknown =
                matches!(error.code.as_deref(), Some("E0425" | "E0412" | "E0432" | "E0433"));
            let name = error.message.split('`').nth(1).unwrap_or_default().to_owned();
            if let (true, Some(why)) = (is_unknown, self.gone.get(&name)) {
                error.message = format!("`{name}` is not there any more: {why}");
                error.notes.retain(|note| note.level == "note");
            }
            error
        };
        errors.into_iter().map(explain).collect()
    }

    /// A cell's code has begun to run: its definitions hold, whatever comes of it.
    pub fn begun(&mut self, ready: &Ready, crates: &CrateSet, publisher: &Publisher) {
        self.definitions = ready.definitions.clone();
        self.attributes.clone_from(&ready.attributes);
        for symbol in &ready.exports {
            self.exported.insert(symbol.clone(), ready.build);
        }
        for name in &ready.lost {
            let why = format!("its type was redefined by cell [{}], so it was lost", ready.cell);
            self.lose_variable(name, &why);
            let note =
                format!("The type of the variable `{name}` was redefined, so `{name}` was lost.\n");
            publisher.text("stderr", &note);
        }
        let types = self.definitions.iter().filter(|item| item.has_identity);
        for item in types {
            if let Key::Type(name) = &item.key
                && !self.first_identities.contains_key(name)
            {
                let identity = self.definitions.fingerprint(name, crates);
                self.first_identities.insert(name.clone(), identity);
            }
            if let Key::Type(name) | Key::Value(name) | Key::Import(name) = &item.key {
                self.gone.remove(name);
            }
        }
    }

    /// A cell's code has returned: by its end, or before it.
    pub fn returned(&mut self, ready: Ready, reached_its_end: bool) {
        let why = format!("moved by cell [{}]", ready.cell);
        let not_renewed = if reached_its_end { Vec::new() } else { ready.renewed };
        for name in ready.moved.into_iter().chain(not_renewed) {
            self.variables.remove(&name);
            self.gone.insert(name, why.clone());
        }
        if !reached_its_end {
            for (name, _) in ready.kept {
                if !self.variables.contains_key(&name) {
                    let why = format!("cell [{}] ended before it was kept", ready.cell);
                    self.gone.insert(name, why);
                }
            }
            return;
        }
        for name in ready.local {
            self.variables.remove(&name);
            self.gone.insert(name, format!("it was kept for cell [{}] only", ready.cell));
        }
        for (name, variable) in ready.kept {
            self.gone.remove(&name);
            self.variables.insert(name, variable);
        }
    }
}

/// A definition in words: `fn area`, `impl Display for Note`.
fn described(item: &Item) -> String {
    match &item.key {
        Key::Impl { header, member } if member.is_empty() => format!("`{}`", header.trim()),
        Key::Impl { header, member } => format!("`{member}` in `{}`", header.trim()),
        Key::Macro(name) | Key::Type(name) | Key::Value(name) | Key::Import(name) => {
            format!("`{name}`")
        }
        Key::Text(text) => format!("`{}`", text.chars().take(60).collect::<String>().trim()),
    }
}
