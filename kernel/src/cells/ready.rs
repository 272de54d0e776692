//! A cell that is compiled and not yet run: what it keeps, moves and defines.

use super::attempt::Attempt;
use super::crate_set::CrateSet;
use super::definitions::Definitions;
use super::parse::Cell;
use super::source::Source;
use super::types::Type;
use super::variable::{Keeping, Variable};
use crate::publisher::Publisher;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What rustc made of a cell; of a cell without code, nothing.
#[derive(Default)]
pub struct Build {
    pub number: u32,
    pub object: PathBuf,
    /// Symbols that it is the first to export.
    pub exports: Vec<String>,
    /// The types of what it keeps.
    pub types: BTreeMap<usize, Type>,
}

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
    pub(super) kept: Vec<(String, Variable)>,
    pub(super) moved: Vec<String>,
    pub(super) renewed: Vec<String>,
    pub(super) definitions: Definitions,
    pub(super) attributes: Vec<(Arc<Source>, Range<usize>)>,
    pub(super) exports: Vec<String>,
    pub(super) cell: i64,
}

impl Ready {
    /// The cell as the attempt that succeeded has it; says which variables will not be kept.
    pub fn new(
        cell: &Cell,
        build: Build,
        attempt: Attempt,
        attributes: Vec<(Arc<Source>, Range<usize>)>,
        lost: Vec<String>,
        crates: &CrateSet,
        publisher: &Publisher,
    ) -> Self {
        let mut kept = Vec::new();
        let mut local = Vec::new();
        let (mut nameless, borrowing) = (attempt.nameless, attempt.borrowing);
        for (number, (name, keeping)) in attempt.kept.iter().enumerate() {
            let ty = match (keeping, build.types.get(&number)) {
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
            publisher.text("stderr", &note);
        }
        for (names, why) in [
            (nameless, "their types have no names"),
            (borrowing, "they borrow from other variables"),
        ] {
            if !names.is_empty() {
                let note = format!("Kept for this cell only, {why}: {}.\n", names.join(", "));
                publisher.text("stderr", &note);
            }
        }
        let mut moved = attempt.moved;
        moved.extend(attempt.spent);
        Ready {
            build: build.number,
            object: build.object,
            is_empty: build.number == 0,
            has_result: cell.tail.is_some(),
            lost,
            local,
            kept,
            moved,
            renewed: attempt.renewed,
            definitions: attempt.definitions,
            attributes,
            exports: build.exports,
            cell: cell.source.cell,
        }
    }
}

fn is_pointer(ty: &str) -> bool {
    ty.starts_with("*const ") || ty.starts_with("*mut ") || ty.starts_with("std::ptr::NonNull<")
}
