//! What the notebook has defined so far: what completion and descriptions know it by.

use crate::analyser_folder::AnalyserFolder;
use crate::cells::source::without_commands;
use crate::cells::types::readable;
use crate::definitions::Definitions;
use ra_ap_syntax::{Edition, SourceFile};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The outline as the evaluation thread writes it and the keys' thread reads it.
#[derive(Clone, Default)]
pub struct SharedOutline(Arc<Mutex<Outline>>);

impl SharedOutline {
    pub fn lock(&self) -> MutexGuard<'_, Outline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Items, variables and added crates of the notebook.
#[derive(Default)]
pub struct Outline {
    definitions: Definitions,
    variables: Vec<Variable>,
    dependencies: Vec<Dependency>,
    /// Where the analyser may work, once the session is prepared.
    analyser: Option<AnalyserFolder>,
    changes: u64,
    dependency_changes: u64,
}

/// A variable that cells can use, and its type as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub ty: String,
}

struct Dependency {
    name: String,
    /// What a manifest says behind the equals sign.
    value: String,
}

impl Outline {
    /// Lets the analyser be started in this folder.
    pub fn allow_analyser(&mut self, folder: AnalyserFolder) {
        self.analyser = Some(folder);
    }

    pub fn analyser(&self) -> Option<AnalyserFolder> {
        self.analyser.clone()
    }

    /// Takes over the items and the crates of a cell that was compiled and ran.
    pub fn cell_ran(&mut self, code: &str, notebook_folder: &Path) {
        for line in code.lines().map(str::trim) {
            if line == ":clear" {
                self.definitions = Definitions::default();
                self.variables.clear();
                self.dependencies.clear();
                self.dependency_changes += 1;
            } else if let Some(dependency) = Dependency::of(line, notebook_folder) {
                self.dependencies.retain(|known| known.name != dependency.name);
                self.dependencies.push(dependency);
                self.dependency_changes += 1;
            }
        }
        self.definitions.add(code);
        self.changes += 1;
    }

    /// Takes over which variables there are now: pairs of name and type.
    pub fn set_variables<'a>(&mut self, variables: impl Iterator<Item = (&'a str, &'a str)>) {
        let mut variables: Vec<Variable> = variables
            .map(|(name, ty)| Variable { name: name.to_owned(), ty: readable(ty) })
            .collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        if self.variables != variables {
            self.variables = variables;
            self.changes += 1;
        }
    }

    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Whether `name` is a variable or an item of the notebook.
    pub fn knows(&self, name: &str) -> bool {
        self.variables.iter().any(|variable| variable.name == name)
            || self.definitions.names().any(|(known, _)| known == name)
    }

    /// Grows with every change.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Grows whenever crates were added.
    pub fn dependency_changes(&self) -> u64 {
        self.dependency_changes
    }

    /// Lines of a manifest.
    pub fn dependencies(&self) -> Vec<String> {
        let line = |it: &Dependency| format!("{} = {}", it.name, it.value);
        self.dependencies.iter().map(line).collect()
    }

    /// Source with a cell in it, all that was defined being known there; where the cell starts.
    pub fn source_with(&self, cell: &str) -> (String, usize) {
        let mut source = self.source_before();
        let start = source.len();
        source += &without_commands(cell, &|name| self.knows(name));
        source += SOURCE_END;
        (source, start)
    }

    /// Source that asks for names, for a text's methods and for those of the variables; where.
    ///
    /// The last number says which of the positions has methods, whatever the cells define.
    pub fn source_to_warm_up(&self) -> (String, Vec<usize>, usize) {
        let mut source = self.source_before();
        let mut positions = vec![source.len()];
        let of_text = positions.len();
        let mut seen = HashSet::new();
        let variables = self.variables.iter().rev().filter(|it| seen.insert(&it.ty));
        for value in std::iter::once("\"\"").chain(variables.map(|it| it.name.as_str())) {
            source += &format!("{{ {value}.");
            positions.push(source.len());
            source += " }\n";
        }
        source += SOURCE_END;
        (source, positions, of_text)
    }

    /// Source whose last function is open and ends where a cell may stand.
    fn source_before(&self) -> String {
        let mut source = self.definitions.source();
        source += "fn neural_composer_cell() -> Result<(), Box<dyn std::error::Error>> {\n";
        for Variable { name, ty } in &self.variables {
            // A type that has no name would spoil what follows.
            let ty = if is_type(ty) { ty } else { "_" };
            source += &format!("let {name}: {ty} = loop {{}};\n");
        }
        source
    }
}

/// What closes the function that a cell is looked at in.
const SOURCE_END: &str = "\n;Ok(())\n}\n";

fn is_type(text: &str) -> bool {
    let item = format!("type T = {text};");
    SourceFile::parse(&item, Edition::CURRENT).errors().is_empty()
}

impl Dependency {
    /// Reads `:dep name = value`; paths are made absolute.
    fn of(line: &str, notebook_folder: &Path) -> Option<Self> {
        let rest = line.strip_prefix(":dep ")?.trim();
        let (name, value) = rest.split_once('=').unwrap_or((rest, "\"*\""));
        let is_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let name = name.trim();
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let value = with_absolute_path(value.trim(), notebook_folder);
        Some(Dependency { name: name.to_owned(), value })
    }
}

fn with_absolute_path(value: &str, folder: &Path) -> String {
    let behind_key = |key: &str| {
        let at = value.find(key)?;
        let is_key = value[..at].trim_end().ends_with(['{', ',']);
        let quote = value[at + key.len()..].trim_start().strip_prefix('=')?.trim_start();
        let path = quote.strip_prefix(['"', '\''])?;
        is_key.then_some(path.split(['"', '\'']).next().unwrap_or_default())
    };
    match behind_key("path") {
        Some(path) => {
            let start = path.as_ptr() as usize - value.as_ptr() as usize;
            let absolute = folder.join(path).display().to_string();
            format!("{}{absolute}{}", &value[..start], &value[start + path.len()..])
        }
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_defines_what_the_cells_did() {
        let mut outline = Outline::default();
        outline.cell_ran("fn f() {}\nlet a = f();", Path::new("/n"));
        outline.set_variables(
            [("a", "Vec<neural_crates::tiny::Chord>"), ("b", "{closure@src/lib.rs:1:2: 3:4}")]
                .into_iter(),
        );
        let expected = "fn f() {}\n\
                        fn neural_composer_cell() -> Result<(), Box<dyn std::error::Error>> {\n\
                        let a: Vec<tiny::Chord> = loop {};\nlet b: _ = loop {};\n";
        assert_eq!(outline.source_before(), expected);
        outline.cell_ran(":clear", Path::new("/n"));
        assert!(!outline.source_before().contains("fn f"));
    }

    #[test]
    fn dependencies_are_lines_of_a_manifest() {
        let mut outline = Outline::default();
        let cell = ":dep rand = \"0.9\"\n:dep regex\n:dep tiny = { path = \"a b\", features = [] }";
        outline.cell_ran(cell, Path::new("/n"));
        outline.cell_ran(":dep rand = \"0.8\"\n:dep ./path", Path::new("/n"));
        let expected =
            ["regex = \"*\"", "tiny = { path = \"/n/a b\", features = [] }", "rand = \"0.8\""];
        assert_eq!(outline.dependencies(), expected);
        assert_eq!(outline.dependency_changes(), 4);
    }
}
