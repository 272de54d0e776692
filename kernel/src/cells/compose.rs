//! The crate that a cell becomes.
//!
//! Its root holds the definitions of the notebook that the cell may need, then one function: it takes
//! the variables that the cell names out of the store, runs the cell's statements, shows the last
//! expression, and keeps what is new. Every byte of it knows which byte of which cell it came from.

use super::crate_set::CrateSet;
use super::definitions::Definitions;
use super::generated::{Generated, Origin};
use super::item::{Item, Key};
use super::parse::Cell;
use super::source::Source;
use super::statics::{Form, Static};
use super::types::{CRATES_MODULE, VERSION_PREFIX};
use super::variable::{Keeping, Variable};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The runtime that cells with `.await` run on: a static like the notebook's own.
pub const RUNTIME: &str = "NEURAL_RUNTIME";

/// The definition of [`RUNTIME`].
pub const RUNTIME_DEFINITION: &str = "static NEURAL_RUNTIME: \
    ::std::sync::LazyLock<::tokio::runtime::Runtime> = ::std::sync::LazyLock::new(|| \
    ::tokio::runtime::Runtime::new().expect(\"tokio's runtime starts\"));";

/// What a crate is made from.
pub struct Plan<'a> {
    pub cell: &'a Cell,
    pub rust: &'a str,
    pub build: u32,
    pub definitions: &'a Definitions,
    /// The notebook's `#![...]`, from earlier cells and this one.
    pub attributes: &'a [(Arc<Source>, Range<usize>)],
    /// The variables that the cell names.
    pub loaded: &'a [(String, Variable)],
    /// Of the loaded, those that the cell moves away.
    pub moved: &'a [String],
    /// Of the loaded, those that the cell moves and then gives a new value: only at its end are they
    /// there.
    pub renewed: &'a [String],
    /// The variables that the cell binds; the last binding of a name counts.
    pub kept: &'a [(String, Keeping)],
    /// Of the bound, those that must end before others are kept.
    pub dropped: &'a [String],
    /// Exported symbols: which build has them.
    pub exported: &'a HashMap<String, u32>,
    /// The identity that a type's name had first.
    pub first_identities: &'a HashMap<String, u64>,
    pub crate_set: &'a CrateSet,
    /// Crates that types may come from, where they are to be named.
    pub crates: &'a [String],
    /// Crates that are loaded but not named by the user.
    pub linked_crates: &'a [String],
    pub has_library: bool,
    pub debug_errors: bool,
    /// The last expression is shown, if there is one.
    pub shows_tail: bool,
    pub format: &'a str,
    pub notebook_folder: &'a Path,
}

/// The name of a cell's function.
pub fn function_name(build: u32) -> String {
    format!("neural_cell_{build}")
}

/// The file a build's source is in; panics and `dbg!` name it.
pub fn file_name(build: u32) -> String {
    format!("cell_{build}.rs")
}

/// What tells one static from another: a symbol.
pub fn symbol(found: &Static, definitions: &Definitions, crates: &CrateSet) -> String {
    let mut hasher = DefaultHasher::new();
    (&found.text, definitions.fingerprint(&found.ty, crates)).hash(&mut hasher);
    format!("neural_static_{:016x}", hasher.finish())
}

impl Plan<'_> {
    pub fn generate(&self) -> Generated {
        let mut out = Generated::default();
        out.add("#![allow(warnings)]\n");
        for (source, range) in self.attributes {
            out.copy(source, range.clone());
            out.add("\n");
        }
        for name in self.linked_crates {
            out.add(&format!("extern crate {name} as _;\n"));
        }
        if !self.crates.is_empty() {
            out.add(&format!("mod {CRATES_MODULE} {{\n"));
            for name in self.crates {
                out.add(&format!("pub extern crate {name};\n"));
            }
            out.add("}\n");
        }
        let mut words = self.cell.words.clone();
        if self.cell.is_async || self.cell.enters_runtime {
            words.take_text(RUNTIME);
        }
        for (_, variable) in self.loaded {
            words.take_text(&variable.ty);
        }
        let wanted = self.definitions.wanted(&words);
        let (macros, others): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|item| matches!(item.key, Key::Macro(_)));
        for item in macros.into_iter().chain(others) {
            let start = out.text.len();
            self.add_item(&mut out, item);
            let end = out.text.len();
            out.items.push((start..end, item.clone()));
        }
        self.add_function(&mut out);
        out
    }

    fn add_item(&self, out: &mut Generated, item: &Arc<Item>) {
        if let Some(import) = &item.import {
            out.push(import, Origin::For(item.source.clone(), item.range.clone()));
            out.add("\n");
            return;
        }
        let version = self.version(item);
        if let Some((module, _)) = &version {
            out.add(&format!("mod {module} {{ use super::*;\n"));
        }
        if let Some(header) = &item.header {
            out.copy(&item.source, header.clone());
        }
        let mut edits = self.static_edits(out, item);
        if version.is_some() {
            let places = item.private_places.iter();
            edits.extend(places.map(|&at| (at..at, "pub(super) ".to_owned())));
        }
        edits.extend(self.path_edits(&item.relative_paths));
        out.copy_edited(&item.source, item.range.clone(), edits);
        if item.header.is_some() {
            out.add("}");
        }
        out.add("\n");
        if let Some((module, name)) = version {
            out.add(&format!("}}\nuse {module}::{name};\n"));
        }
    }

    /// The module that a type gets once it is not what its name meant first: another type then, for
    /// `Any` as well.
    fn version(&self, item: &Item) -> Option<(String, String)> {
        let Key::Type(name) = &item.key else { return None };
        if !item.has_identity {
            return None;
        }
        let now = self.definitions.fingerprint(name, self.crate_set);
        let first = self.first_identities.get(name).copied().unwrap_or(now);
        (now != first).then(|| (format!("{VERSION_PREFIX}{now:016x}"), name.clone()))
    }

    fn static_edits(&self, out: &mut Generated, item: &Item) -> Vec<(Range<usize>, String)> {
        let mut edits = Vec::new();
        for found in &item.statics {
            let symbol = symbol(found, self.definitions, self.crate_set);
            let edit = match self.exported.get(&symbol) {
                Some(&build) => {
                    if !out.imports_from.contains(&build) {
                        out.imports_from.push(build);
                    }
                    (found.range.clone(), found.imported(&symbol))
                }
                None => {
                    out.exports.push(symbol.clone());
                    let range = match found.form {
                        Form::Plain => found.range.start..found.range.start,
                        Form::ThreadLocal => found.range.end..found.range.end,
                        Form::Lazy => found.range.clone(),
                    };
                    (range, found.exported(&symbol))
                }
            };
            // Several statics of one macro's call stand together in its place.
            match edits.iter_mut().find(|(range, _)| *range == edit.0) {
                Some((_, text)) => *text = format!("{text} {}", edit.1),
                None => edits.push(edit),
            }
        }
        edits
    }

    /// Makes paths beside the notebook absolute: the compiler looks beside the generated source.
    fn path_edits(&self, places: &[usize]) -> Vec<(Range<usize>, String)> {
        let folder = self.notebook_folder.display().to_string();
        let folder = folder.replace('\\', "\\\\").replace('"', "\\\"") + "/";
        places.iter().map(|&at| (at..at, folder.clone())).collect()
    }

    fn add_function(&self, out: &mut Generated) {
        out.add(&format!(
            "#[unsafe(no_mangle)] pub extern \"C\" fn {}() -> u8 {{\n",
            function_name(self.build)
        ));
        if self.cell.enters_runtime && !self.cell.is_async {
            out.add(&format!("let _neural_runtime = {RUNTIME}.enter();\n"));
        }
        if self.has_library {
            out.add("use ::neural_composer::display::ShowInCell as _;\n");
        }
        for (name, variable) in self.loaded {
            let held = format!(
                "if !::neural_cells::holds::<{}>(stringify!({name})) {{ return 3; }}\n",
                variable.ty
            );
            out.push(&held, Origin::Load(name.clone()));
        }
        for (name, variable) in self.loaded {
            let taken = format!(
                "let mut {name}: {ty} = ::neural_cells::take_variable::<{ty}>(stringify!({name}));\n",
                ty = variable.ty
            );
            let taken = if variable.is_mutable { taken } else { taken.replacen("mut ", "", 1) };
            out.push(&taken, Origin::Load(name.clone()));
        }
        let error = if self.debug_errors { "DebugCellError" } else { "CellError" };
        out.add(&format!(
            "let neural_status = ::neural_cells::run(|| -> \
             ::std::result::Result<(), ::neural_cells::{error}> {{\n"
        ));
        if self.cell.is_async {
            out.add(&format!("{RUNTIME}.block_on(async {{\n"));
        }
        self.add_statements(out);
        for name in self.dropped.iter().rev() {
            out.push(&format!("::std::mem::drop({name});\n"), Origin::Drop(name.clone()));
        }
        for (number, (name, keeping)) in self.kept.iter().enumerate() {
            let ty = match keeping {
                Keeping::Inferred => "_",
                Keeping::As(ty) => ty,
                Keeping::Local => continue,
            };
            let kept = format!(
                "::neural_cells::keep_variable::<{number}, {ty}>(stringify!({name}), {name});\n"
            );
            out.push(&kept, Origin::Keep(name.clone()));
        }
        for name in self.renewed.iter().filter(|name| !self.moved.contains(name)) {
            let returned =
                format!("::neural_cells::return_variable(stringify!({name}), {name});\n");
            out.push(&returned, Origin::Return(name.clone()));
        }
        out.add(&format!("::std::result::Result::<(), ::neural_cells::{error}>::Ok(())\n"));
        out.add(if self.cell.is_async { "})});\n" } else { "});\n" });
        let stay = |name: &String| !self.moved.contains(name) && !self.renewed.contains(name);
        for (name, _) in self.loaded.iter().filter(|(name, _)| stay(name)) {
            let is_rebound =
                self.kept.iter().any(|(kept, how)| kept == name && *how != Keeping::Local);
            let condition = if is_rebound { "if neural_status != 0 " } else { "" };
            let kept = format!(
                "{condition}{{ ::neural_cells::return_variable(stringify!({name}), {name}); }}\n"
            );
            out.push(&kept, Origin::Return(name.clone()));
        }
        out.add("neural_status\n}\n");
    }

    fn add_statements(&self, out: &mut Generated) {
        let source = &self.cell.source;
        let mut edits: Vec<(Range<usize>, String)> =
            self.cell.hoisted.iter().map(|range| (range.clone(), String::new())).collect();
        edits.extend(self.path_edits(&self.cell.relative_paths));
        let end = self.rust.len();
        let Some(tail) = &self.cell.tail else {
            out.copy_rust(source, self.rust, 0..end, edits);
            out.add("\n");
            return;
        };
        let (before, within): (Vec<_>, Vec<_>) =
            edits.into_iter().partition(|(range, _)| range.start < tail.start);
        out.copy_rust(source, self.rust, 0..tail.start, before);
        if !self.shows_tail {
            out.copy_rust(source, self.rust, tail.clone(), within);
            out.add("\n;");
            out.copy_rust(source, self.rust, tail.end..end, Vec::new());
            out.add("\n");
            return;
        }
        out.add("match &");
        // To the compiler, an expression begins with the parenthesis around it.
        out.push("(", Origin::For(source.clone(), tail.clone()));
        out.copy_rust(source, self.rust, tail.clone(), within);
        // A method of the value's own, of a trait in scope, or else text.
        out.add(&format!(
            "\n) {{ neural_value => {{\n\
             use ::neural_cells::{{Plain as _, Pointing as _}};\n\
             let neural_value = (&::neural_cells::Outer(neural_value)).target();\n\
             let neural_value = (&::neural_cells::Outer(neural_value)).target();\n\
             let neural_shown = {{ use ::neural_cells::AnyDisplay as _; neural_value.evcxr_display() }};\n\
             ::neural_cells::show(&neural_shown, neural_value, |neural_out| {{\n\
             use ::neural_cells::{{ByDebug as _, ByType as _}};\n\
             (&&::neural_cells::Asked(neural_value)).text(neural_out, {:?})\n}});\n}} }}\n",
            self.format
        ));
        // Comments behind it end with their line.
        out.copy_rust(source, self.rust, tail.end..end, Vec::new());
        out.add("\n");
    }
}
