//! What may import what: folders of `src/` in the order that ARCHITECTURE.md tells, files in no circle.

mod imports;

use imports::{Imports, Names, circles};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where no two files may import each other in a circle.
const ROOTS: [&str; 2] = ["src", "kernel/src"];

/// From the ground up: each imports those before it only. Those of a line may import each other.
const ORDER: [&[&str]; 16] = [
    &["words"],
    &["error"],
    &[
        "numbers",
        "atomic_file",
        "claim",
        "sha256",
        "parquet_table",
        "interrupt",
        "stream_file",
        "memory",
    ],
    &["processes"],
    &["compute"],
    &["audio"],
    &["corpus"],
    &["features"],
    &["evaluate"],
    &["dataset"],
    &["model"],
    &["train"],
    &["generate"],
    &["recipe", "configuration", "sweep"],
    &["display"],
    &["notebook", "prelude"],
];

fn place(module: &str) -> Option<usize> {
    ORDER.iter().position(|line| line.contains(&module))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each import that goes up, as a sentence.
fn wrong_arrows(files: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, code) in files {
        let own = file.split(['/', '.']).next().unwrap_or_default();
        let Some(here) = place(own) else { continue };
        let names = Names::read(file, code);
        let paths =
            names.paths.iter().map(|path| &path.path).chain(names.uses.iter().map(|u| &u.path));
        let modules: BTreeSet<&String> =
            paths.filter(|path| path[0] == "crate").filter_map(|path| path.get(1)).collect();
        for module in modules {
            if place(module).is_some_and(|there| there > here) {
                wrong.push(format!("{file} imports {module}, which comes after {own}"));
            }
        }
    }
    wrong
}

/// The files below a folder of the repository: names below it, and code.
fn files_of(root: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    paths.sort();
    let file = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        (name, fs::read_to_string(path).unwrap())
    };
    paths.iter().map(file).collect()
}

#[test]
fn imports_go_down() {
    let files = files_of("src");
    assert!(files.len() > 100, "{}", files.len());
    let wrong = wrong_arrows(&files);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Every folder has its place.
    for (file, _) in &files {
        let own = file.split(['/', '.']).next().unwrap_or_default();
        let is_outside = ["lib", "main", "cli"].contains(&own);
        assert!(is_outside || place(own).is_some(), "{file} has no place in the order");
    }
}

#[test]
fn an_arrow_turned_round_is_seen() {
    let file = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    for (name, code) in [
        ("audio/wav.rs", "use crate::features::Blocks;"),
        ("dataset/mod.rs", "use crate::{Error, Result, model::{Device, Network}, audio};"),
        ("compute/real.rs", "fn f() -> crate::train::History { todo!() }"),
        ("train/fit.rs", "use crate::Result;\nuse crate::display::Live;"),
    ] {
        assert_eq!(wrong_arrows(&[file(name, code)]).len(), 1, "{code}");
    }
    for (name, code) in [
        ("model/dense.rs", "use crate::compute::{lanes, matrix};\n// use crate::train::run;"),
        ("notebook/cards.rs", "use crate::recipe::Recipe;"),
        ("generate/model.rs", "use crate::{Result, evaluate, train::History};"),
    ] {
        assert!(wrong_arrows(&[file(name, code)]).is_empty(), "{code}");
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for root in ROOTS {
        let files = files_of(root);
        let arrows = Imports::read(&files).arrows(&files);
        let count: usize = arrows.iter().map(BTreeSet::len).sum();
        assert!(count > 2 * files.len(), "{root}: {count} imports in {} files", files.len());
        let circles = circles(&files);
        assert!(circles.is_empty(), "in {root}:\n{}", circles.join("\n"));
    }
}

#[test]
fn circles_are_seen_through_every_way_to_import() {
    let house = |files: &[(&str, &str)]| -> Vec<(String, String)> {
        files.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())).collect()
    };
    let root = ("lib.rs", "mod a; mod b; mod c;");
    let item = "pub struct B;";
    for (case, files) in [
        (
            "by super",
            vec![
                root,
                ("a.rs", "use super::b::B; pub struct A;"),
                ("b.rs", "use super::a::A; pub struct B;"),
            ],
        ),
        (
            "in nested braces, under another name",
            vec![
                root,
                ("a.rs", "use crate::{c::C, b::{self as other, B as Other}}; pub struct A;"),
                ("b.rs", "fn f(_: &[crate::a::A]) {} pub struct B;"),
            ],
        ),
        (
            "through a module and in a macro",
            vec![
                root,
                ("a.rs", "use crate::b; fn f() { println!(\"{}\", b::g()); }"),
                ("b.rs", "use super::a; pub fn g() -> a::A { todo!() }"),
            ],
        ),
        (
            "through a name that is handed on",
            vec![
                (
                    "a/mod.rs",
                    "mod one; pub mod two; pub use self::{one::*, two::{Two as Second}}; pub use one::One;",
                ),
                ("a/one.rs", "use super::Second; pub struct One;"),
                ("a/two.rs", "use crate::a::One; pub struct Two;"),
            ],
        ),
        (
            "of three",
            vec![
                ("a.rs", "use crate::b::B; pub struct A;"),
                ("b.rs", "use crate::c::C; pub struct B;"),
                ("c.rs", "impl crate::a::A {} pub struct C;"),
            ],
        ),
    ] {
        let found = circles(&house(&files));
        assert_eq!(found.len(), 1, "{case}: {found:?}");
    }
    for (case, files) in [
        ("one way", vec![root, ("a.rs", "use crate::b::B;"), ("b.rs", item)]),
        (
            "in tests and comments, and as far as something is visible",
            vec![
                root,
                ("a.rs", "use crate::b::B; pub(in crate::a) struct A;"),
                (
                    "b.rs",
                    "// use crate::a::A;\n#[cfg(test)] mod tests { use crate::a::A; } pub(super) struct B;",
                ),
            ],
        ),
        (
            "a module hands on what its files define",
            vec![
                ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::Two;"),
                ("a/one.rs", "use super::Two; pub struct One;"),
                ("a/two.rs", "pub struct Two;"),
            ],
        ),
    ] {
        let found = circles(&house(&files));
        assert!(found.is_empty(), "{case}: {found:?}");
    }
}
