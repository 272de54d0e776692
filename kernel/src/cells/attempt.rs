//! One attempt to compile a cell: what it assumes, and what errors teach it.

use super::definitions::Definitions;
use super::diagnostic::Diagnostic;
use super::item::{Item, Key};
use super::parse::Cell;
use super::types::{CRATES_MODULE, OPEN_CRATES, Type, roots};
use super::variable::{Keeping, Variable};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an attempt to compile a cell is made with.
pub struct Attempt {
    pub definitions: Definitions,
    pub loaded: Vec<(String, Variable)>,
    pub moved: Vec<String>,
    /// Moved, and given a new value behind that.
    pub renewed: Vec<String>,
    pub kept: Vec<(String, Keeping)>,
    /// Bound by the cell, and moved by it.
    pub spent: Vec<String>,
    /// They borrow from other variables.
    pub borrowing: Vec<String>,
    /// Of these, those that end early; and those that cannot, since the cell moves them.
    pub dropped: Vec<String>,
    pub not_dropped: Vec<String>,
    pub nameless: Vec<String>,
    pub debug_errors: bool,
    /// All crates are named, which takes the compiler a fifth longer.
    pub names_crates: bool,
    /// The last expression has a type that can be shown.
    pub shows_tail: bool,
    /// What `?` could not carry before the errors' `Debug` was tried.
    pub display_errors: Option<Vec<Diagnostic>>,
}

impl Attempt {
    /// What a cell is first compiled with; `lost` variables are left out.
    pub fn first(
        cell: &Cell,
        definitions: Definitions,
        variables: &BTreeMap<String, Variable>,
        lost: &[String],
        debug_errors: bool,
    ) -> Self {
        let loaded: Vec<_> = variables
            .iter()
            .filter(|(name, _)| cell.words.has(name) && !lost.contains(name))
            .map(|(name, variable)| (name.clone(), variable.clone()))
            .collect();
        let names_crates = loaded.iter().any(|(_, it)| roots(&it.ty).any(|it| it == CRATES_MODULE));
        let mut kept: Vec<(String, Keeping)> = Vec::new();
        let mut nameless = Vec::new();
        for binding in &cell.bindings {
            // A constant or a unit struct in a pattern binds nothing.
            if binding.name.starts_with(char::is_uppercase) && definitions.has_name(&binding.name) {
                continue;
            }
            kept.retain(|(name, _)| *name != binding.name);
            let hides = binding.made_by.as_ref().is_some_and(|maker| definitions.hides_type(maker));
            if hides {
                nameless.push(binding.name.clone());
            }
            let keeping = if hides { Keeping::Local } else { Keeping::Inferred };
            kept.push((binding.name.clone(), keeping));
        }
        Attempt {
            definitions,
            loaded,
            moved: Vec::new(),
            renewed: Vec::new(),
            kept,
            spent: Vec::new(),
            borrowing: Vec::new(),
            dropped: Vec::new(),
            not_dropped: Vec::new(),
            nameless,
            debug_errors,
            names_crates,
            shows_tail: true,
            display_errors: None,
        }
    }

    pub fn make_local(&mut self, name: &str) -> bool {
        let found =
            self.kept.iter_mut().find(|(known, how)| known == name && *how != Keeping::Local);
        found.map(|(_, how)| *how = Keeping::Local).is_some()
    }

    pub fn learn_keeping(&mut self, error: &Diagnostic, cell: &Cell) -> bool {
        let is_moved = matches!(error.code.as_deref(), Some("E0381" | "E0382"));
        let mut has_learnt = false;
        if is_moved {
            for (name, _) in error.kept.iter().filter(|(_, is_main)| *is_main) {
                if self.make_local(name) {
                    self.spent.push(name.clone());
                    has_learnt = true;
                }
            }
            for (name, _) in error.returned.iter().filter(|(_, is_main)| *is_main) {
                let is_assigned = cell.assigned.contains(name);
                if is_assigned && !self.renewed.contains(name) {
                    self.renewed.push(name.clone());
                    has_learnt = true;
                } else if !self.moved.contains(name) {
                    self.moved.push(name.clone());
                    has_learnt = true;
                }
            }
            return has_learnt;
        }
        // What is moved while something borrows from it is not at fault: the borrower is.
        let is_move = error.code.as_deref() == Some("E0505");
        let culprits = error.kept.iter().filter(|(_, is_main)| *is_main);
        let borrowers: Vec<&String> = if is_move {
            error
                .kept
                .iter()
                .skip(usize::from(error.returned.is_empty()))
                .map(|(name, _)| name)
                .collect()
        } else {
            culprits.map(|(name, _)| name).collect()
        };
        for name in borrowers {
            if self.make_local(name) {
                self.borrowing.push(name.clone());
                has_learnt = true;
            }
        }
        // What borrows and has a destructor is in the way until it ends.
        for name in self.borrowing.clone() {
            if !has_learnt && !self.dropped.contains(&name) && !self.not_dropped.contains(&name) {
                self.dropped.push(name);
                has_learnt = true;
            }
        }
        has_learnt
    }

    /// A variable cannot be ended: it is moved already.
    pub fn learn_dropping(&mut self, error: &Diagnostic) -> bool {
        let before = self.dropped.len();
        self.dropped.retain(|name| !error.dropped.contains(name));
        self.not_dropped.extend(error.dropped.iter().cloned());
        self.dropped.len() < before
    }

    /// A type of a crate that the cell does not name may be written by a path that is closed to later
    /// cells: where the compiler knows all crates, it takes an open one.
    pub fn needs_crates(&mut self, types: &BTreeMap<usize, Type>, crates: &[String]) -> bool {
        let is_known = |root: &str| {
            OPEN_CRATES.contains(&root)
                || (self.definitions.has_name(root) && !crates.iter().any(|name| name == root))
        };
        let is_foreign = |ty: &Type| match ty {
            Type::Named(ty) | Type::Function(ty) => !roots(ty).all(is_known),
            Type::Nameless => false,
        };
        let needs = !self.names_crates && types.values().any(is_foreign);
        self.names_crates |= needs;
        needs
    }

    /// Functions are kept as pointers, which takes another compilation.
    pub fn needs_other_types(&mut self, types: &BTreeMap<usize, Type>) -> bool {
        let mut needs = false;
        for (number, (_, keeping)) in self.kept.iter_mut().enumerate() {
            if let (Keeping::Inferred, Some(Type::Function(pointer))) =
                (&*keeping, types.get(&number))
            {
                *keeping = Keeping::As(pointer.clone());
                needs = true;
            }
        }
        needs
    }
}

/// Definitions of earlier cells that an error is about: they no longer fit.
pub fn outdated_items(error: &Diagnostic, cell: &Cell) -> Vec<Arc<Item>> {
    const CONFLICTS: [&str; 7] = ["E0119", "E0428", "E0255", "E0252", "E0592", "E0201", "E0254"];
    let is_older = |item: &Arc<Item>| {
        item.source.cell != cell.source.cell || !Arc::ptr_eq(&item.source, &cell.source)
    };
    let is_conflict = error.code.as_deref().is_some_and(|code| CONFLICTS.contains(&code));
    let is_in_this_cell = error
        .labels
        .iter()
        .any(|label| label.is_primary && Arc::ptr_eq(&label.source, &cell.source));
    if is_in_this_cell && !is_conflict {
        return Vec::new();
    }
    let older = error.items.iter().filter(|(item, is_main)| {
        is_older(item) && (*is_main || is_conflict) && !matches!(item.key, Key::Macro(_))
    });
    older.map(|(item, _)| item.clone()).collect()
}
