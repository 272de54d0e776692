//! What a compiled cell changes in its notebook, once it has begun to run and once it has returned.

use super::attempt::Attempt;
use super::compose::{Keeping, Variable};
use super::definitions::Definitions;
use super::item::Key;
use super::notebook::Notebook;
use super::parse::Cell;
use super::source::Source;
use super::types::Type;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
/// A cell, compiled and not yet run.
pub struct Ready {
    pub build: u32,
    pub object: PathBuf,
    pub is_empty: bool,
    /// It ends in an expression, whose value is its result.
    pub has_result: bool,
    /// Variables to drop before the cell runs, since their types changed.
    pub lost: Vec<String>,
    /// Variables that the cell ends with.
    pub local: Vec<String>,
    kept: Vec<(String, Variable)>,
    moved: Vec<String>,
    renewed: Vec<String>,
    definitions: Definitions,
    attributes: Vec<(Arc<Source>, Range<usize>)>,
    exports: Vec<String>,
    cell: i64,
}

impl Notebook {
    #[expect(clippy::too_many_arguments)]
    pub(super) fn ready(
        &self,
        cell: &Cell,
        build: u32,
        object: PathBuf,
        attempt: Attempt,
        attributes: Vec<(Arc<Source>, Range<usize>)>,
        exports: &[String],
        lost: Vec<String>,
        types: &BTreeMap<usize, Type>,
    ) -> Ready {
        let crates = self.crates.set();
        let mut kept = Vec::new();
        let mut local = Vec::new();
        let (mut nameless, borrowing) = (attempt.nameless, attempt.borrowing);
        for (number, (name, keeping)) in attempt.kept.iter().enumerate() {
            let ty = match (keeping, types.get(&number)) {
                (Keeping::Local, _) => {
                    local.push(name.clone());
                    continue;
                }
                (_, None) => continue,
                (Keeping::As(ty), _) | (_, Some(Type::Named(ty) | Type::Function(ty))) => {
                    ty.clone()
                }
                (_, Some(Type::Nameless)) => {
                    nameless.push(name.clone());
                    local.push(name.clone());
                    continue;
                }
            };
            let is_mutable =
                cell.bindings.iter().any(|found| found.name == *name && found.is_mutable);
            let fingerprint = attempt.definitions.fingerprint(&ty, crates);
            kept.push((name.clone(), Variable { ty, is_mutable, fingerprint }));
        }
        let pointers: Vec<&str> = kept
            .iter()
            .filter(|(_, it)| is_pointer(&it.ty))
            .map(|(name, _)| name.as_str())
            .collect();
        if !pointers.is_empty() {
            let note = format!(
                "Variables move between cells: a raw pointer to one points nowhere in the next cell: {}.\n",
                pointers.join(", ")
            );
            self.publisher.text("stderr", &note);
        }
        for (names, why) in [
            (nameless, "their types have no names"),
            (borrowing, "they borrow from other variables"),
        ] {
            if !names.is_empty() {
                let note = format!("Kept for this cell only, {why}: {}.\n", names.join(", "));
                self.publisher.text("stderr", &note);
            }
        }
        let mut moved = attempt.moved;
        moved.extend(attempt.spent);
        Ready {
            build,
            object,
            is_empty: build == 0,
            has_result: cell.tail.is_some(),
            lost,
            local,
            kept,
            moved,
            renewed: attempt.renewed,
            definitions: attempt.definitions,
            attributes,
            exports: exports.to_vec(),
            cell: cell.source.cell,
        }
    }

    /// The cell's code has begun to run: its definitions hold, whatever comes of it.
    pub fn begun(&mut self, ready: &Ready) {
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
            self.publisher.text("stderr", &note);
        }
        let crates = self.crates.set();
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

    /// The cell's code has returned: by its end, or before it.
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

fn is_pointer(ty: &str) -> bool {
    ty.starts_with("*const ") || ty.starts_with("*mut ") || ty.starts_with("std::ptr::NonNull<")
}
