//! What an import of everything, `use m::*`, may bring: a name that it brings hides the prelude's.

use ra_ap_syntax::ast::{self, HasName, HasVisibility};
use ra_ap_syntax::{AstNode, SyntaxKind, SyntaxNode};
use std::collections::BTreeSet;

/// Types that every cell can name.
const PRELUDE: [&str; 5] = ["Box", "Option", "Result", "String", "Vec"];
/// Words that are types by themselves.
const PRIMITIVE: [&str; 17] = [
    "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str", "u128", "u16",
    "u32", "u64", "u8", "usize",
];

/// The names of types that a module or a crate may bring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    names: BTreeSet<String>,
    /// It brings all that something else has, whose names are not known.
    is_open: bool,
}

impl Brought {
    /// Of a crate whose source is not at hand.
    pub fn unknown() -> Self {
        Brought { names: BTreeSet::new(), is_open: true }
    }

    /// Adds what code defines, at any depth, and what it hands on.
    pub fn take(&mut self, code: &SyntaxNode) {
        let mut globs = Vec::new();
        for node in code.descendants() {
            let name = match node.kind() {
                SyntaxKind::STRUCT | SyntaxKind::ENUM | SyntaxKind::UNION => {
                    ast::Adt::cast(node).and_then(|found| found.name())
                }
                SyntaxKind::TYPE_ALIAS => ast::TypeAlias::cast(node).and_then(|found| found.name()),
                SyntaxKind::TRAIT => ast::Trait::cast(node).and_then(|found| found.name()),
                SyntaxKind::MODULE => ast::Module::cast(node).and_then(|found| found.name()),
                SyntaxKind::USE => {
                    let found = ast::Use::cast(node);
                    let shared = found.filter(|found| found.visibility().is_some());
                    if let Some(tree) = shared.and_then(|found| found.use_tree()) {
                        self.take_import(&tree, &mut globs);
                    }
                    None
                }
                // What it makes is not known: any word of it may be a name.
                SyntaxKind::MACRO_CALL if makes_items(&node) => {
                    let tokens = node.descendants_with_tokens().filter_map(|it| it.into_token());
                    let words = tokens.filter(|token| token.kind() == SyntaxKind::IDENT);
                    self.names.extend(words.map(|word| word.text().to_owned()));
                    None
                }
                _ => None,
            };
            self.names.extend(name.map(|name| name.text().to_string()));
        }
        let is_own = |root: &String| {
            ["crate", "self", "super"].contains(&root.as_str()) || self.names.contains(root)
        };
        self.is_open |= !globs.iter().all(is_own);
    }

    fn take_import(&mut self, tree: &ast::UseTree, globs: &mut Vec<String>) {
        if let Some(list) = tree.use_tree_list() {
            list.use_trees().for_each(|tree| self.take_import(&tree, globs));
        }
        if tree.star_token().is_some() {
            let whole = tree.syntax().ancestors().filter_map(ast::UseTree::cast).last();
            let path = whole.and_then(|whole| whole.path());
            globs.extend(
                path.and_then(|path| Some(path.first_segment()?.syntax().text().to_string())),
            );
        }
        let is_whole = tree.star_token().is_some() || tree.use_tree_list().is_some();
        let name = match tree.rename() {
            _ if is_whole => None,
            Some(rename) => rename.name().map(|name| name.text().to_string()),
            None => tree.path().and_then(|path| Some(path.segment()?.syntax().text().to_string())),
        };
        self.names.extend(name);
    }

    /// Whether a glob of it may change what a name means.
    pub fn has(&self, name: &str) -> bool {
        let is_primitive = PRIMITIVE.contains(&name);
        !is_primitive && (self.names.contains(name) || self.is_open && PRELUDE.contains(&name))
    }
}

/// Whether a macro's call stands where items stand.
fn makes_items(call: &SyntaxNode) -> bool {
    let parent = call.parent().map(|parent| parent.kind());
    matches!(
        parent,
        Some(SyntaxKind::ITEM_LIST | SyntaxKind::SOURCE_FILE | SyntaxKind::MACRO_ITEMS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::{Edition, SourceFile};

    #[test]
    fn names_are_those_that_may_be_brought() {
        let brought = |code: &str| {
            let mut brought = Brought::default();
            brought.take(SourceFile::parse(code, Edition::CURRENT).tree().syntax());
            brought
        };
        let code = "pub struct A { f: Field } mod inner { pub enum B {} } pub use self::inner::*; \
                    pub use other::{C, d::D as E}; make! { G }";
        let all = brought(code);
        for name in ["A", "B", "C", "E", "G", "inner"] {
            assert!(all.has(name), "{name}");
        }
        for name in ["Field", "D", "Vec", "f"] {
            assert!(!all.has(name), "{name}");
        }
        assert!(brought("pub use other::*;").has("Vec"));
        assert!(!brought("use other::*;").has("Vec"));
        assert!(!brought("pub type u8 = f64;").has("u8"));
    }
}
