//! What may import what: folders of `src/` in the order that ARCHITECTURE.md tells, files in no circle.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Token, UseTree};

/// Where no two files may import each other in a circle.
const ROOTS: [&str; 1] = ["src"];

/// Modules that are still in a circle with files of their own. None is added; one that is straightened
/// goes from here.
const STILL_IN_A_CIRCLE: [&str; 3] =
    ["train/loss/mod.rs", "train/memory/mod.rs", "train/optimizer/mod.rs"];

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

/// A path as it is written, and the module in which it is.
struct Named {
    module: Vec<String>,
    path: Vec<String>,
}

/// A name that a `use` item brings into its module.
struct Use {
    module: Vec<String>,
    path: Vec<String>,
    name: String,
    /// Whether others may import the name from here.
    is_public: bool,
}

/// All names that a file takes from elsewhere, tests left out.
#[derive(Default)]
struct Names {
    module: Vec<String>,
    uses: Vec<Use>,
    paths: Vec<Named>,
}

impl Names {
    fn read(file: &str, code: &str) -> Self {
        let mut names = Self { module: module_of(file), ..Self::default() };
        names.visit_file(&syn::parse_file(code).unwrap());
        names
    }

    fn add_uses(&mut self, before: &[String], tree: &UseTree, is_public: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.add_uses(&with(&path.ident), &path.tree, is_public),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.add_uses(before, tree, is_public));
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.to_vec(), before.last().cloned())
            }
            UseTree::Name(name) => (with(&name.ident), Some(name.ident.to_string())),
            UseTree::Rename(rename) if rename.ident == "self" => {
                (before.to_vec(), Some(rename.rename.to_string()))
            }
            UseTree::Rename(rename) => (with(&rename.ident), Some(rename.rename.to_string())),
            UseTree::Glob(_) => (before.to_vec(), Some("*".into())),
        };
        let (module, name) = (self.module.clone(), name.unwrap_or_default());
        self.uses.push(Use { module, path, name, is_public });
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let test = attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test");
        attribute.path().is_ident("cfg") && test
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() && !is_test(&item.attrs) {
            let is_public = !matches!(item.vis, syn::Visibility::Inherited);
            self.add_uses(&[], &item.tree, is_public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.paths.push(Named { module: self.module.clone(), path: names });
        }
        visit::visit_path(self, path);
    }

    /// What a macro is given, where it is given expressions.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated;
        for expression in call.parse_body_with(expressions).into_iter().flatten() {
            <Self as Visit<'_>>::visit_expr(self, &expression);
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

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

/// The module that a file is: none for the crate itself.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if ["mod", "lib", "main"].contains(&module[module.len() - 1].as_str()) {
        module.pop();
    }
    module
}

/// The files of a crate and the names they take from each other.
struct Imports {
    names: Vec<Names>,
    /// The file of each module.
    modules: BTreeMap<Vec<String>, usize>,
    /// For each file what stands behind the names it imports, from the crate's root on.
    bound: Vec<HashMap<String, Vec<String>>>,
}

/// What a path from the crate's root on leads to.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Module(usize),
    /// Something that this file defines.
    Item(usize),
}

impl Imports {
    fn read(files: &[(String, String)]) -> Self {
        let names: Vec<Names> = files.iter().map(|(file, code)| Names::read(file, code)).collect();
        let mut modules = BTreeMap::new();
        for (index, names) in names.iter().enumerate() {
            // Beside a library, a program is at the root as well.
            let is_program = files[index].0 == "main.rs";
            if !is_program || !files.iter().any(|(file, _)| file == "lib.rs") {
                modules.insert(names.module.clone(), index);
            }
        }
        let mut imports = Self { names, modules, bound: Vec::new() };
        let bound = |names: &Names| {
            let named = |item: &Use| {
                Some((item.name.clone(), imports.absolute(&item.module, &item.path, None)?))
            };
            names.uses.iter().filter_map(named).collect()
        };
        imports.bound = imports.names.iter().map(bound).collect();
        imports
    }

    /// A path that stands in `module`, from the root on; `None` where it leads out of the crate.
    fn absolute(
        &self,
        module: &[String],
        path: &[String],
        bound: Option<&HashMap<String, Vec<String>>>,
    ) -> Option<Vec<String>> {
        let rest = &path[1..];
        match path[0].as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let above = &module[..module.len().checked_sub(1)?];
                match rest.first() {
                    Some(next) if next == "super" => self.absolute(above, rest, None),
                    _ => Some([above, rest].concat()),
                }
            }
            first => {
                let child = [module, &path[..1]].concat();
                match bound.and_then(|bound| bound.get(first)) {
                    Some(target) => Some([target, rest].concat()),
                    None if self.modules.contains_key(&child) => Some([module, path].concat()),
                    None => None,
                }
            }
        }
    }

    /// Where a path from the root on ends, through names that files hand on.
    fn place(&self, path: &[String], steps: usize) -> Option<Place> {
        let inside = (0..=path.len()).rev().find(|&n| self.modules.contains_key(&path[..n]))?;
        let file = self.modules[&path[..inside]];
        match path.get(inside).and_then(|name| self.bound[file].get(name)) {
            Some(target) if steps < 16 => {
                self.place(&[target, &path[inside + 1..]].concat(), steps + 1)
            }
            _ if inside == path.len() => Some(Place::Module(file)),
            _ => Some(Place::Item(file)),
        }
    }

    /// For each file those that define what it names.
    fn arrows(&self, files: &[(String, String)]) -> Vec<BTreeSet<usize>> {
        let arrow = |(file, names): (usize, &Names)| {
            let hands_on = ["mod.rs", "lib.rs"].iter().any(|end| files[file].0.ends_with(end));
            let used = names.uses.iter().filter(|item| !(hands_on && item.is_public));
            let used = used.filter_map(|item| {
                let path = self.absolute(&item.module, &item.path, None)?;
                // A module is not what is imported: what is named in it is.
                match self.place(&path, 0)? {
                    Place::Module(_) => None,
                    Place::Item(there) => Some(there),
                }
            });
            let named = names.paths.iter().filter_map(|named| {
                let path = self.absolute(&named.module, &named.path, Some(&self.bound[file]))?;
                match self.place(&path, 0)? {
                    Place::Module(there) | Place::Item(there) => Some(there),
                }
            });
            used.chain(named).filter(|there| *there != file).collect()
        };
        self.names.iter().enumerate().map(arrow).collect()
    }
}

/// The shortest way from a file back to itself, for every file that has one and is its first.
fn circles(files: &[(String, String)]) -> Vec<String> {
    let arrows = Imports::read(files).arrows(files);
    let mut found = Vec::new();
    for start in 0..files.len() {
        let mut before = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            for there in &arrows[here] {
                if !before.contains_key(there) {
                    before.insert(*there, here);
                    queue.push_back(*there);
                }
            }
        }
        let Some(last) = before.get(&start) else { continue };
        let mut way = vec![*last];
        while way[way.len() - 1] != start {
            way.push(before[&way[way.len() - 1]]);
        }
        if way.iter().all(|file| *file >= start) {
            let names: Vec<&str> = way.iter().rev().map(|file| files[*file].0.as_str()).collect();
            found.push(format!("{} → {}", names.join(" → "), files[start].0));
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
        let (known, new): (Vec<_>, Vec<_>) = circles(&files)
            .into_iter()
            .partition(|circle| STILL_IN_A_CIRCLE.iter().any(|file| circle.contains(file)));
        assert!(new.is_empty(), "in {root}:\n{}", new.join("\n"));
        for file in STILL_IN_A_CIRCLE.iter().filter(|_| root == "src") {
            assert!(known.iter().any(|circle| circle.contains(file)), "{file} is in none any more");
        }
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
