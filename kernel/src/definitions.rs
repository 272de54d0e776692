//! What the cells so far have defined, for the analyser, which runs none of them.

use crate::cells::source::without_commands;
use ra_ap_syntax::ast::{self, HasModuleItem, HasName};
use ra_ap_syntax::{AstNode, AstToken, Edition, SourceFile, SyntaxKind};

/// Imports, functions, types and the rest, in the order of their definition.
#[derive(Default)]
pub struct Definitions {
    items: Vec<Definition>,
}

struct Definition {
    /// What a later definition of the same name replaces; imports and implementations replace only
    /// their own repetition.
    key: String,
    name: Option<String>,
    kind: Kind,
    code: String,
}

/// What sort of thing a name of the notebook stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Function,
    Type,
    /// A constant or a static.
    Value,
    Macro,
    Module,
    /// Imports and implementations, which define no name of their own.
    Nameless,
}

impl Definitions {
    /// Takes over what a cell that ran has defined.
    pub fn add(&mut self, cell: &str) {
        let source = format!("fn cell() {{\n{}\n}}", without_commands(cell, &|_| false));
        let parsed = SourceFile::parse(&source, Edition::CURRENT);
        let Some(ast::Item::Fn(function)) = parsed.tree().items().next() else { return };
        let Some(body) = function.body() else { return };
        for statement in body.statements() {
            let ast::Stmt::Item(item) = statement else { continue };
            let code = item.syntax().text().to_string();
            let (kind, name) = kind_and_name(&item);
            let key = name.clone().unwrap_or_else(|| code.clone());
            self.items.retain(|known| known.key != key);
            self.items.push(Definition { key, name, kind, code });
        }
    }

    /// Source that defines all of it, one line or more for each.
    pub fn source(&self) -> String {
        self.items.iter().map(|item| format!("{}\n", item.code)).collect()
    }

    /// Every name that was defined, and what it stands for.
    pub fn names(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.items.iter().filter_map(|item| Some((item.name.as_deref()?, item.kind)))
    }

    /// The names that imports bring, `*` left out.
    pub fn imported_names(&self) -> Vec<String> {
        self.items.iter().flat_map(|item| imported_names(&item.code)).collect()
    }

    /// Whether a cell imports all of the library's prelude.
    pub fn imports_prelude(&self) -> bool {
        self.items.iter().any(|item| {
            let code: String = item.code.chars().filter(|c| !c.is_whitespace()).collect();
            code.contains("neural_composer::prelude::*")
        })
    }

    /// The heading and the documentation of an item.
    pub fn description(&self, name: &str) -> Option<(String, String)> {
        let found = self.items.iter().find(|item| item.name.as_deref() == Some(name))?;
        let parsed = SourceFile::parse(&found.code, Edition::CURRENT);
        let item = parsed.tree().items().next()?;
        let is_before =
            |kind| matches!(kind, SyntaxKind::COMMENT | SyntaxKind::WHITESPACE | SyntaxKind::ATTR);
        let before = item.syntax().children_with_tokens().take_while(|it| is_before(it.kind()));
        let (mut start, mut documentation) = (0, Vec::new());
        for element in before {
            start = usize::from(element.text_range().end());
            let comment = element.into_token().and_then(ast::Comment::cast);
            if let Some((text, _)) = comment.as_ref().and_then(|comment| comment.doc_comment()) {
                documentation.push(text.trim().to_owned());
            }
        }
        let body = item.syntax().descendants().find(|node| {
            matches!(node.kind(), SyntaxKind::BLOCK_EXPR | SyntaxKind::ASSOC_ITEM_LIST)
        });
        let end = body.map_or(found.code.len(), |body| body.text_range().start().into());
        let heading = found.code.get(start..end)?.trim().to_owned();
        Some((heading, documentation.join("\n")))
    }
}

/// The names that the `use` items of some source bring, `*` left out.
pub fn imported_names(source: &str) -> Vec<String> {
    let parsed = SourceFile::parse(source, Edition::CURRENT);
    let uses = parsed.tree().items().filter_map(|item| match item {
        ast::Item::Use(item) => item.use_tree(),
        _ => None,
    });
    let trees = uses.flat_map(|tree| tree.syntax().descendants().filter_map(ast::UseTree::cast));
    trees
        .filter(|tree| tree.use_tree_list().is_none() && tree.star_token().is_none())
        .filter_map(|tree| match tree.rename() {
            Some(rename) => Some(rename.name()?.text().to_string()),
            None => Some(tree.path()?.segment()?.name_ref()?.text().to_string()),
        })
        .collect()
}

fn kind_and_name(item: &ast::Item) -> (Kind, Option<String>) {
    let (kind, name) = match item {
        ast::Item::Fn(item) => (Kind::Function, item.name()),
        ast::Item::Struct(item) => (Kind::Type, item.name()),
        ast::Item::Enum(item) => (Kind::Type, item.name()),
        ast::Item::Union(item) => (Kind::Type, item.name()),
        ast::Item::Trait(item) => (Kind::Type, item.name()),
        ast::Item::TypeAlias(item) => (Kind::Type, item.name()),
        ast::Item::Const(item) => (Kind::Value, item.name()),
        ast::Item::Static(item) => (Kind::Value, item.name()),
        ast::Item::Module(item) => (Kind::Module, item.name()),
        ast::Item::MacroRules(item) => (Kind::Macro, item.name()),
        _ => (Kind::Nameless, None),
    };
    (kind, name.map(|name| name.text().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> Definitions {
        let mut definitions = Definitions::default();
        cells.iter().for_each(|cell| definitions.add(cell));
        definitions
    }

    #[test]
    fn later_definitions_replace_earlier_ones() {
        let definitions = of(&[
            ":dep x = \"1\"\nuse std::fmt;\nfn f() {}\nlet a = 1;",
            "use std::fmt;\nfn f() -> u8 { 1 }\nstruct S;\nimpl S {}",
        ]);
        let expected = "use std::fmt;\nfn f() -> u8 { 1 }\nstruct S;\nimpl S {}\n";
        assert_eq!(definitions.source(), expected);
        assert!(definitions.names().eq([("f", Kind::Function), ("S", Kind::Type)]));
    }

    #[test]
    fn imports_bring_names() {
        let definitions =
            of(&["use std::{fmt, io::{self as inputs, Read}};\nuse neural_composer::prelude::*;"]);
        assert_eq!(definitions.imported_names(), ["fmt", "inputs", "Read"]);
        assert!(definitions.imports_prelude());
    }

    #[test]
    fn items_are_described_by_their_heading() {
        let definitions = of(&[
            "/// Plays it.\n/// Loudly.\n#[inline]\nfn play<T: Copy>(speed: T) -> T { speed }",
            "struct Note { pitch: u8 }\nconst A: f32 = 440.0;",
        ]);
        let play = ("fn play<T: Copy>(speed: T) -> T".to_owned(), "Plays it.\nLoudly.".to_owned());
        assert_eq!(definitions.description("play"), Some(play));
        let note = ("struct Note { pitch: u8 }".to_owned(), String::new());
        assert_eq!(definitions.description("Note"), Some(note));
        assert!(definitions.names().any(|known| known == ("A", Kind::Value)));
        assert_eq!(definitions.description("missing"), None);
    }
}
