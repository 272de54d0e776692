//! What can be completed and described without the analyser: names, commands, files.

use crate::analysis::{Completion, described};
use crate::cells::commands::COMMANDS;
use crate::cells::source::without_commands;
use crate::cursor::{Place, place};
use crate::definitions::{Kind, imported_names};
use crate::outline::Outline;
use ra_ap_syntax::ast::{self, HasName};
use ra_ap_syntax::{AstNode, Edition, SourceFile};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

const KEYWORDS: [&str; 34] = [
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub",
    "ref", "return", "self", "static", "struct", "trait", "true", "unsafe", "use", "while",
];
/// Of the standard library, what every cell can name.
const STANDARD_NAMES: [&str; 37] = [
    "Box", "Clone", "Copy", "Default", "Drop", "Err", "Fn", "FnMut", "FnOnce", "From", "Into",
    "Iterator", "None", "Ok", "Option", "Result", "Some", "String", "ToString", "Vec", "bool",
    "char", "f32", "f64", "i16", "i32", "i64", "i8", "isize", "std", "str", "u16", "u32", "u64",
    "u8", "usize", "where",
];
const STANDARD_MACROS: [&str; 17] = [
    "assert!(",
    "assert_eq!(",
    "assert_ne!(",
    "concat!(",
    "dbg!(",
    "env!(",
    "eprint!(",
    "eprintln!(",
    "format!(",
    "include_str!(",
    "matches!(",
    "panic!(",
    "print!(",
    "println!(",
    "todo!(",
    "vec![",
    "write!(",
];
/// Files listed at most.
const MOST_FILES: usize = 500;

/// What is known at a cursor.
#[derive(Debug, Default)]
pub struct Known {
    /// Where what was typed begins, in bytes.
    pub start: usize,
    pub completions: Vec<Completion>,
    /// Nobody else can know more.
    pub is_all: bool,
}

/// The names of the library's prelude and the notebook's folder, which never change.
pub struct Surroundings {
    pub notebook_folder: PathBuf,
    prelude: Vec<String>,
}

impl Surroundings {
    /// `home` is the library's checkout.
    pub fn new(notebook_folder: PathBuf, home: Option<&Path>) -> Self {
        let prelude =
            home.and_then(|home| std::fs::read_to_string(home.join("src/prelude.rs")).ok());
        let prelude = prelude.map(|source| imported_names(&source)).unwrap_or_default();
        Surroundings { notebook_folder, prelude }
    }
}

/// Completes what stands before byte `cursor`.
pub fn complete(
    code: &str,
    cursor: usize,
    outline: &Outline,
    surroundings: &Surroundings,
) -> Known {
    let typed = |start: usize| code.get(start..cursor).unwrap_or_default();
    let all = |start, completions| Known { start, completions, is_all: true };
    match place(code, cursor, &|name| outline.knows(name)) {
        Place::Nothing => all(cursor, Vec::new()),
        Place::Member => Known { start: cursor, ..Known::default() },
        Place::Command { start } => {
            let named = |(name, does): &(&str, &str)| Completion {
                code: format!(":{name}"),
                kind: "keyword".to_owned(),
                signature: (*does).to_owned(),
            };
            let commands = COMMANDS.iter().map(named);
            all(start, commands.filter(|it| it.code.starts_with(typed(start))).collect())
        }
        Place::Variable { start } => {
            let found = outline.variables().iter().filter(|it| it.name.starts_with(typed(start)));
            all(start, found.map(|it| completion(&it.name, "instance")).collect())
        }
        Place::Text { start, is_raw } => {
            let (offset, completions) = files(typed(start), is_raw, &surroundings.notebook_folder);
            all(start + offset, completions)
        }
        Place::Name { start } => {
            let completions = names(code, start, typed(start), outline, surroundings);
            Known { start, completions, is_all: false }
        }
    }
}

/// Describes what stands at byte `cursor`: a variable's type, or an item's heading and
/// documentation.
pub fn describe(code: &str, cursor: usize, outline: &Outline) -> Option<String> {
    let before = "fn cell() {\n";
    let rust = without_commands(code, &|name| outline.knows(name));
    let source = format!("{before}{rust}\n}}");
    let name = &source[described(&source, before.len() + cursor)?];
    if let Some(variable) = outline.variables().iter().find(|variable| variable.name == name) {
        return Some(format!("let {name}: {}", variable.ty));
    }
    let (heading, documentation) = outline.definitions().description(name)?;
    Some(format!("{heading}\n\n{documentation}").trim().to_owned())
}

fn completion(code: &str, kind: &str) -> Completion {
    let (code, kind, signature) = (code.to_owned(), kind.to_owned(), code.to_owned());
    Completion { code, kind, signature }
}

/// Names that begin as typed, nearest first; none of them twice.
fn names(
    code: &str,
    start: usize,
    typed: &str,
    outline: &Outline,
    surroundings: &Surroundings,
) -> Vec<Completion> {
    let mut found: Vec<Completion> = Vec::new();
    let mut add = |name: &str, kind: &str| found.push(completion(name, kind));
    for (name, kind) in names_of_cell(&code[..start]) {
        add(&name, kind);
    }
    for variable in outline.variables() {
        add(&variable.name, "instance");
    }
    for (name, kind) in outline.definitions().names() {
        match kind {
            Kind::Function => add(name, "function"),
            Kind::Macro => add(&format!("{name}!("), "function"),
            Kind::Type => add(name, "class"),
            Kind::Module => add(name, "module"),
            Kind::Value | Kind::Nameless => add(name, "instance"),
        }
    }
    let imports_prelude =
        outline.definitions().imports_prelude() || code.contains("neural_composer::prelude::*");
    let prelude = surroundings.prelude.iter().filter(|_| imports_prelude);
    for name in outline.definitions().imported_names().iter().chain(prelude) {
        add(name, if name.starts_with(char::is_uppercase) { "class" } else { "function" });
    }
    STANDARD_NAMES.iter().for_each(|name| add(name, "class"));
    STANDARD_MACROS.iter().for_each(|name| add(name, "function"));
    KEYWORDS.iter().for_each(|name| add(name, "keyword"));
    if !surroundings.prelude.is_empty() {
        add("neural_composer", "module");
    }
    let mut seen = HashSet::new();
    found.retain(|it| it.code.starts_with(typed) && seen.insert(it.code.clone()));
    found
}

/// The names that a cell binds and defines itself, the last one first.
fn names_of_cell(code: &str) -> Vec<(String, &'static str)> {
    let source = format!("fn cell() {{\n{code}\n}}");
    let tree = SourceFile::parse(&source, Edition::CURRENT).tree();
    let mut names: Vec<(String, &'static str)> = tree
        .syntax()
        .descendants()
        .skip(2)
        .filter_map(|node| {
            let (name, kind) = if let Some(pattern) = ast::IdentPat::cast(node.clone()) {
                (pattern.name()?, "instance")
            } else if let Some(function) = ast::Fn::cast(node.clone()) {
                (function.name()?, "function")
            } else {
                let item = ast::Adt::cast(node)?;
                (item.name()?, "class")
            };
            let name = name.text().to_string();
            (name != "cell").then_some((name, kind))
        })
        .collect();
    names.reverse();
    names
}

/// Files and folders whose paths begin as typed; where the last part of the path starts.
fn files(typed: &str, is_raw: bool, notebook_folder: &Path) -> (usize, Vec<Completion>) {
    let start = typed.rfind('/').map_or(0, |at| at + 1);
    let (folder, beginning) = typed.split_at(start);
    let folder = notebook_folder.join(if is_raw { folder.to_owned() } else { unescaped(folder) });
    let Ok(entries) = std::fs::read_dir(folder) else { return (start, Vec::new()) };
    let mut found: Vec<(String, bool)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_hidden = name.starts_with('.') && !beginning.starts_with('.');
            // Followed where it is a link.
            (!is_hidden).then(|| (name, entry.path().is_dir()))
        })
        .collect();
    found.sort();
    let completions = found
        .into_iter()
        .map(|(name, is_folder)| {
            let name = if is_raw { name } else { quoted(&name) };
            if is_folder {
                completion(&format!("{name}/"), "folder")
            } else {
                completion(&name, "file")
            }
        })
        .filter(|it| it.code.starts_with(beginning))
        .take(MOST_FILES)
        .collect();
    (start, completions)
}

/// A file's name as a string literal writes it.
fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// What a string literal's text stands for, as far as paths need it.
fn unescaped(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}
