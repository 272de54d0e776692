//! The order in which folders of `src/` may import each other, as ARCHITECTURE.md tells it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up: each imports those before it only. Those of a line may import each other.
const ORDER: [&[&str]; 12] = [
    &["error"],
    &["numbers", "atomic_file", "interrupt"],
    &["compute"],
    &["audio"],
    &["features"],
    &["evaluate"],
    &["dataset"],
    &["model"],
    &["train"],
    &["generate"],
    &["display"],
    &["recipe", "notebook", "prelude"],
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

/// The modules that code names behind `crate::`, comments left out.
fn imported(code: &str) -> Vec<String> {
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .fold(String::new(), |all, line| all + line + "\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let mut names = Vec::new();
        match rest.strip_prefix('{') {
            None => names.push(rest),
            Some(list) => {
                let mut depth = 0;
                let mut start = 0;
                for (index, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            names.push(&list[start..index]);
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.push(&list[start..index]);
                            start = index + 1;
                        }
                        _ => {}
                    }
                }
            }
        }
        for name in names {
            let name = name.trim();
            let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
            found.push(name[..end].to_owned());
        }
    }
    found
}

/// Each import that goes up, as a sentence.
fn wrong_arrows(files: &[(String, String)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, code) in files {
        let own = file.split(['/', '.']).next().unwrap_or_default();
        let Some(here) = place(own) else { continue };
        for module in imported(code) {
            if place(&module).is_some_and(|there| there > here) {
                wrong.push(format!("{file} imports {module}, which comes after {own}"));
            }
        }
    }
    wrong
}

#[test]
fn imports_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    rust_files(&source, &mut paths);
    let files: Vec<(String, String)> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
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
