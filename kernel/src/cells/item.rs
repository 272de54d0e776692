//! Functions, types, imports and the rest: what a cell defines for the cells after it.

use super::globs::Brought;
use super::identity::Identity;
use super::source::Source;
use super::statics::Static;
use super::words::Words;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Macros of the standard library, and one of a crate, whose calls are items.
pub const MACROS_OF_ITEMS: [&str; 2] = ["thread_local", "lazy_static"];
/// Macros whose argument is a path beside the source.
pub const MACROS_OF_PATHS: [&str; 3] = ["include_str", "include_bytes", "include"];

/// What an item's next definition replaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Macro(String),
    /// Structs, enums, unions, traits, aliases, modules.
    Type(String),
    /// Functions, constants, statics.
    Value(String),
    /// The name that an import brings.
    Import(String),
    /// One member of an inherent implementation, or a trait's whole implementation.
    Impl {
        header: String,
        member: String,
    },
    /// What has no name: it replaces only its own repetition.
    Text(String),
}

/// One definition.
#[derive(Debug, Clone)]
pub struct Item {
    pub key: Key,
    pub source: Arc<Source>,
    /// Where it stands in its cell.
    pub range: Range<usize>,
    /// For a member of an implementation: where the header stands, up to its brace.
    pub header: Option<Range<usize>>,
    /// For an import, which may be part of a longer one: the whole statement.
    pub import: Option<String>,
    pub words: Words,
    /// The names by which it is wanted; none if it always is.
    pub provides: Option<BTreeSet<String>>,
    pub identity: Identity,
    pub statics: Vec<Static>,
    /// Where `pub(super)` must stand once the item is in a module of its own.
    pub private_places: Vec<usize>,
    pub relative_paths: Vec<usize>,
    /// It is a struct, enum, union, trait or module: a type with an identity of its own.
    pub has_identity: bool,
    /// It returns a type that it hides, `impl Trait`.
    pub hides_type: bool,
    /// Of a `macro_rules!`: its rules.
    pub rules: Option<String>,
    /// Of a module: the names that an import of all of it may bring.
    pub brought: Brought,
}

impl Item {
    /// The path that this import would bring `name` from, `krate::name`; an import of all that a
    /// crate has may bring any name.
    pub fn imported_path(&self, name: &str) -> Option<String> {
        let path = match &self.key {
            Key::Import(known) if known == name => {
                self.identity.text.split(" as ").next()?.to_owned()
            }
            Key::Text(_) if self.import.is_some() => {
                format!("{}::{name}", self.identity.text.strip_suffix("::*")?)
            }
            Key::Text(text) if self.source.code[self.range.clone()].contains("macro_use") => {
                let of_crate = text.strip_prefix("extern crate ")?;
                format!("{}::{name}", of_crate.split([' ', ';']).next()?)
            }
            _ => return None,
        };
        Some(path.trim_start_matches("::").to_owned())
    }
}
