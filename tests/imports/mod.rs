//! What files of a crate import from each other, and where they do so in a circle.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Token, UseTree};

/// A path as it is written, and the module in which it is.
pub struct Named {
    module: Vec<String>,
    pub path: Vec<String>,
}

/// A name that a `use` item brings into its module.
pub struct Use {
    module: Vec<String>,
    pub path: Vec<String>,
    name: String,
    /// Whether others may import the name from here.
    is_public: bool,
}

/// All names that a file takes from elsewhere, tests left out.
#[derive(Default)]
pub struct Names {
    module: Vec<String>,
    pub uses: Vec<Use>,
    pub paths: Vec<Named>,
}

impl Names {
    /// The names in `code`, which is `file` below the root of its crate.
    pub fn read(file: &str, code: &str) -> Self {
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
pub struct Imports {
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
    /// Reads files, each with its name below the root of the crate and its code.
    pub fn read(files: &[(String, String)]) -> Self {
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
    pub fn arrows(&self, files: &[(String, String)]) -> Vec<BTreeSet<usize>> {
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
pub fn circles(files: &[(String, String)]) -> Vec<String> {
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
