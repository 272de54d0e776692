//! From syntax nodes to the items of a notebook.

use super::globs::Brought;
use super::identity::Identity;
use super::imports;
use super::item::{Item, Key, MACROS_OF_ITEMS, MACROS_OF_PATHS};
use super::source::Source;
use super::statics;
use super::syntax::{first_token, first_token_of, inner_text, macro_name, normal, tokens};
use super::words::Words;
use ra_ap_syntax::ast::{self, HasAttrs, HasName, HasVisibility};
use ra_ap_syntax::{AstNode, AstToken, SyntaxKind, SyntaxNode, SyntaxToken};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// Makes items of syntax nodes.
pub struct Maker<'a> {
    pub source: &'a Arc<Source>,
    /// Where the cell starts in the parsed text.
    pub syntax_start: usize,
}

impl Maker<'_> {
    pub fn range(&self, node: &SyntaxNode) -> Range<usize> {
        self.offset(node.text_range().start())..self.offset(node.text_range().end())
    }

    fn range_behind_comments(&self, node: &SyntaxNode) -> Range<usize> {
        let first = tokens(node).find(|token| !token.kind().is_trivia());
        let start = first.map_or(node.text_range().start(), |token| token.text_range().start());
        self.offset(start)..self.offset(node.text_range().end())
    }

    /// Within the source: what is not closed there would take in what stands around it.
    pub fn offset(&self, offset: ra_ap_syntax::TextSize) -> usize {
        usize::from(offset).saturating_sub(self.syntax_start).min(self.source.code.len())
    }

    /// The items that one item of a cell stands for: imports and implementations are taken apart.
    pub fn items(&self, item: &ast::Item) -> Vec<Item> {
        match item {
            ast::Item::Use(found) => self.imports(found),
            ast::Item::Impl(found) if found.trait_().is_none() => self.members(found),
            ast::Item::Impl(found) => vec![self.implementation(found)],
            item => vec![self.item(item)],
        }
    }

    fn plain(&self, key: Key, node: &SyntaxNode) -> Item {
        let mut words = Words::default();
        words.take(node);
        Item {
            key,
            source: self.source.clone(),
            range: self.range_behind_comments(node),
            header: None,
            import: None,
            words,
            provides: None,
            identity: Identity::default(),
            statics: statics::find(node, &|found| self.range(found)),
            private_places: Vec::new(),
            relative_paths: self.relative_paths(node),
            has_identity: false,
            hides_type: false,
            rules: None,
            brought: Brought::default(),
        }
    }

    fn item(&self, item: &ast::Item) -> Item {
        let node = item.syntax();
        let text = || Key::Text(normal(node, true));
        let named = |name: Option<ast::Name>, key: fn(String) -> Key| match name
            .map(|name| name.text().to_string())
        {
            None => text(),
            Some(name) if name == "_" => text(),
            Some(name) => key(name),
        };
        let key = match item {
            ast::Item::Struct(item) => named(item.name(), Key::Type),
            ast::Item::Enum(item) => named(item.name(), Key::Type),
            ast::Item::Union(item) => named(item.name(), Key::Type),
            ast::Item::Trait(item) => named(item.name(), Key::Type),
            ast::Item::TypeAlias(item) => named(item.name(), Key::Type),
            ast::Item::Module(item) => named(item.name(), Key::Type),
            ast::Item::Fn(item) => named(item.name(), Key::Value),
            ast::Item::Const(item) => named(item.name(), Key::Value),
            ast::Item::Static(item) => named(item.name(), Key::Value),
            ast::Item::MacroRules(item) => named(item.name(), Key::Macro),
            _ => text(),
        };
        let mut made = self.plain(key, node);
        made.has_identity = matches!(
            item,
            ast::Item::Struct(_)
                | ast::Item::Enum(_)
                | ast::Item::Union(_)
                | ast::Item::Trait(_)
                | ast::Item::Module(_)
        );
        made.identity = match item {
            // What it is called with may call others.
            ast::Item::MacroRules(_) => Identity::by_words(node),
            _ => Identity::of(node),
        };
        if let ast::Item::Module(module) = item {
            made.brought.take(module.syntax());
        }
        made.hides_type = match item {
            ast::Item::Fn(item) => item.ret_type().is_some_and(|ty| {
                ty.syntax().descendants().any(|node| node.kind() == SyntaxKind::IMPL_TRAIT_TYPE)
            }),
            _ => false,
        };
        made.rules = match item {
            ast::Item::MacroRules(item) => item.token_tree().as_ref().map(inner_text),
            _ => None,
        };
        if made.has_identity {
            made.private_places = self.private_places(item);
        }
        made.provides = self.provides(item, &made);
        made
    }

    fn provides(&self, item: &ast::Item, made: &Item) -> Option<BTreeSet<String>> {
        let (Key::Macro(name) | Key::Type(name) | Key::Value(name)) = &made.key else {
            return None;
        };
        let mut names = BTreeSet::from([name.clone()]);
        // A method may be called without its trait being named.
        if let ast::Item::Trait(found) = item {
            let members = found.assoc_item_list().into_iter().flat_map(|list| list.assoc_items());
            names.extend(members.filter_map(|member| member_name(&member)));
        }
        Some(names)
    }

    /// A macro's call that makes items.
    pub fn macro_item(&self, call: &ast::MacroCall, node: &SyntaxNode) -> Item {
        let statics = statics::find(node, &|found| self.range(found));
        let key = match statics.as_slice() {
            [one] => Key::Value(one.name.clone()),
            _ => Key::Text(normal(node, true)),
        };
        let mut made = self.plain(key, node);
        made.statics = statics;
        made.identity = Identity::of(node);
        // What a macro of the notebook makes is not known.
        if macro_name(call).is_some_and(|name| MACROS_OF_ITEMS.contains(&name.as_str())) {
            made.provides = Some(made.statics.iter().map(|found| found.name.clone()).collect());
        }
        made
    }

    /// One import for each name that a `use` brings.
    fn imports(&self, found: &ast::Use) -> Vec<Item> {
        let Some(tree) = found.use_tree() else {
            return vec![self.plain(Key::Text(normal(found.syntax(), true)), found.syntax())];
        };
        let before: String =
            found.attrs().map(|attribute| format!("{} ", attribute.syntax())).collect();
        let visibility = found.visibility().map_or(String::new(), |v| format!("{} ", v.syntax()));
        let mut leaves = Vec::new();
        imports::leaves(&tree, "", &mut leaves);
        leaves
            .into_iter()
            .map(|leaf| {
                let statement = format!("{before}{visibility}use {};", leaf.text);
                let key = match leaf.name.as_str() {
                    "*" | "_" => Key::Text(statement.clone()),
                    name => Key::Import(name.to_owned()),
                };
                let mut made = self.plain(key, &leaf.node);
                made.words.take_text(&leaf.text);
                made.identity.text = leaf.text.clone();
                made.identity.reaches.clone_from(&made.words.0);
                made.import = Some(statement);
                made
            })
            .collect()
    }

    /// One item for each member of an inherent implementation.
    fn members(&self, found: &ast::Impl) -> Vec<Item> {
        let Some(list) = found.assoc_item_list() else { return Vec::new() };
        let Some(brace) = list.l_curly_token() else { return Vec::new() };
        let start = self.range(found.syntax()).start;
        let header = start..self.offset(brace.text_range().end());
        let mut header_words = Words::default();
        let mut header_text = String::new();
        for token in tokens(found.syntax()) {
            if token.text_range().start() >= brace.text_range().start() {
                break;
            }
            if !token.kind().is_trivia() {
                header_words.take_text(token.text());
                header_text = header_text + token.text() + " ";
            }
        }
        list.assoc_items()
            .map(|member| {
                let node = member.syntax();
                let name = member_name(&member).unwrap_or_else(|| normal(node, true));
                let key = Key::Impl { header: header_text.clone(), member: name };
                let mut made = self.plain(key, node);
                made.words.0.extend(header_words.0.iter().cloned());
                made.provides = Some(header_words.0.clone());
                made.header = Some(header.clone());
                // Types are made of constants, of what computes them, and of other types.
                made.identity = match &member {
                    ast::AssocItem::Fn(function) if function.const_token().is_none() => {
                        Identity::default()
                    }
                    _ => Identity::of(node),
                };
                made
            })
            .collect()
    }

    fn implementation(&self, found: &ast::Impl) -> Item {
        let node = found.syntax();
        let body = found.assoc_item_list();
        let end = body.as_ref().map(|list| list.syntax().text_range().start());
        let mut header = Words::default();
        let mut text = String::new();
        for token in tokens(node).filter(|token| !token.kind().is_trivia()) {
            if end.is_some_and(|end| token.text_range().start() >= end) {
                break;
            }
            header.take_text(token.text());
            text = text + token.text() + " ";
        }
        let mut made = self.plain(Key::Impl { header: text, member: String::new() }, node);
        made.provides = Some(header.0);
        let types = body.into_iter().flat_map(|list| list.assoc_items());
        made.identity.gives = types
            .filter(|member| {
                matches!(member, ast::AssocItem::TypeAlias(_) | ast::AssocItem::Const(_))
            })
            .map(|member| normal(member.syntax(), true))
            .collect();
        made
    }

    /// Where a definition says nothing of who may use it: itself, and a struct's fields.
    fn private_places(&self, item: &ast::Item) -> Vec<usize> {
        let mut places = Vec::new();
        let mut look = |visibility: Option<ast::Visibility>, first: Option<SyntaxToken>| {
            if let (None, Some(token)) = (visibility, first) {
                places.push(self.offset(token.text_range().start()));
            }
        };
        let keyword = |kind| first_token_of(item.syntax(), kind);
        match item {
            ast::Item::Struct(item) => {
                look(item.visibility(), keyword(SyntaxKind::STRUCT_KW));
                match item.field_list() {
                    Some(ast::FieldList::RecordFieldList(list)) => {
                        for field in list.fields() {
                            let name = field.name().and_then(|name| name.syntax().first_token());
                            look(field.visibility(), name);
                        }
                    }
                    Some(ast::FieldList::TupleFieldList(list)) => {
                        for field in list.fields() {
                            let ty = field.ty().and_then(|ty| ty.syntax().first_token());
                            look(field.visibility(), ty);
                        }
                    }
                    None => {}
                }
            }
            ast::Item::Union(item) => {
                look(item.visibility(), first_token(item.syntax()));
                for field in item.record_field_list().into_iter().flat_map(|list| list.fields()) {
                    let name = field.name().and_then(|name| name.syntax().first_token());
                    look(field.visibility(), name);
                }
            }
            ast::Item::Enum(item) => look(item.visibility(), keyword(SyntaxKind::ENUM_KW)),
            ast::Item::Trait(item) => {
                let unsafe_first = keyword(SyntaxKind::UNSAFE_KW);
                look(item.visibility(), unsafe_first.or_else(|| keyword(SyntaxKind::TRAIT_KW)));
            }
            ast::Item::Module(item) => look(item.visibility(), keyword(SyntaxKind::MOD_KW)),
            _ => {}
        }
        places
    }

    /// Where the strings of `include_str!("beside.txt")` and the like start, inside the quote.
    pub fn relative_paths(&self, node: &SyntaxNode) -> Vec<usize> {
        node.descendants()
            .filter_map(ast::MacroCall::cast)
            .filter(|call| {
                macro_name(call).is_some_and(|name| MACROS_OF_PATHS.contains(&name.as_str()))
            })
            .filter_map(|call| {
                let tree = call.token_tree()?;
                let token =
                    tokens(tree.syntax()).find(|token| token.kind() == SyntaxKind::STRING)?;
                let string = ast::String::cast(token)?;
                let is_relative = string.value().is_ok_and(|path| !path.starts_with('/'));
                let quote = string.text().find('"')?;
                let start = self.offset(string.syntax().text_range().start()) + quote + 1;
                is_relative.then_some(start)
            })
            .collect()
    }
}

/// The name of a trait's or an implementation's member.
fn member_name(member: &ast::AssocItem) -> Option<String> {
    let name = match member {
        ast::AssocItem::Fn(item) => item.name(),
        ast::AssocItem::Const(item) => item.name(),
        ast::AssocItem::TypeAlias(item) => item.name(),
        ast::AssocItem::MacroCall(_) => None,
    };
    name.map(|name| name.text().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn items(code: &str) -> Vec<Item> {
        parse(&Source::new(1, code), code, &|_| None).items
    }

    fn imports(code: &str) -> Vec<String> {
        items(code).into_iter().filter_map(|item| item.import).collect()
    }

    #[test]
    fn imports_are_taken_apart() {
        assert_eq!(
            imports("pub use std::{fmt::{self, Debug as D}, io::*, path::Path as _};"),
            [
                "pub use std::fmt;",
                "pub use std::fmt::Debug as D;",
                "pub use std::io::*;",
                "pub use std::path::Path as _;"
            ]
        );
        assert_eq!(imports("use ::std::mem;"), ["use ::std::mem;"]);
        assert_eq!(imports("use rand;"), ["use rand;"]);
    }

    #[test]
    fn inherent_members_are_items_of_their_own() {
        let found = items(
            "impl<T> A<T> { const N: u8 = 1; fn f() {} }\nimpl Clone for B { fn clone(&self) -> B { B } }",
        );
        assert_eq!(found.len(), 3);
        assert!(matches!(&found[1].key, Key::Impl { member, .. } if member == "f"));
        assert!(found[2].provides.as_ref().is_some_and(|names| names.contains("B")));
    }

    #[test]
    fn identities_reach_types_and_leave_bodies() {
        let found = items("struct A { x: [B; N], y: u8 }\ntrait T { fn f(&self) -> C { d() } }");
        let reaches =
            |item: &Item| item.identity.reaches.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(reaches(&found[0]), "B N u8");
        assert_eq!(reaches(&found[1]), "C");
        assert!(!found[1].identity.text.contains('d'));
        assert_eq!(found[0].private_places.len(), 3);
    }
}
