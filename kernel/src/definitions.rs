//! What the cells so far have defined, for the analyser, which runs none of them.

use crate::cells::source::without_commands;
use ra_ap_syntax::ast::{self, HasModuleItem, HasName};
use ra_ap_syntax::{AstNode, Edition, SourceFile};

/// Imports, functions, types and the rest, in the order of their definition.
#[derive(Default)]
pub struct Definitions {
    items: Vec<Definition>,
}

struct Definition {
    /// What a later definition of the same name replaces; imports and implementations replace only
    /// their own repetition.
    key: String,
    code: String,
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
            let key = name(&item).unwrap_or_else(|| code.clone());
            self.items.retain(|known| known.key != key);
            self.items.push(Definition { key, code });
        }
    }

    /// Source that defines all of it, and the variables; one line for each.
    pub fn source<'a>(&self, variables: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        let mut source = String::new();
        for item in &self.items {
            source += &item.code;
            source.push('\n');
        }
        for (name, ty) in variables {
            source += &format!("let mut {name}: {ty} = loop {{}};\n");
        }
        source
    }
}

fn name(item: &ast::Item) -> Option<String> {
    let name = match item {
        ast::Item::Fn(item) => item.name(),
        ast::Item::Struct(item) => item.name(),
        ast::Item::Enum(item) => item.name(),
        ast::Item::Union(item) => item.name(),
        ast::Item::Trait(item) => item.name(),
        ast::Item::TypeAlias(item) => item.name(),
        ast::Item::Const(item) => item.name(),
        ast::Item::Static(item) => item.name(),
        ast::Item::Module(item) => item.name(),
        ast::Item::MacroRules(item) => item.name(),
        _ => None,
    };
    name.map(|name| name.text().to_string())
}

#[cfg(test)]
mod tests {
    use super::Definitions;

    #[test]
    fn later_definitions_replace_earlier_ones() {
        let mut definitions = Definitions::default();
        definitions.add(":dep x = \"1\"\nuse std::fmt;\nfn f() {}\nlet a = 1;");
        definitions.add("use std::fmt;\nfn f() -> u8 { 1 }\nstruct S;\nimpl S {}");
        let source = definitions.source([("a", "i32")].into_iter());
        assert_eq!(
            source,
            "use std::fmt;\nfn f() -> u8 { 1 }\nstruct S;\nimpl S {}\nlet mut a: i32 = loop {};\n"
        );
    }
}
