//! One import for each name that a `use` brings.

use super::syntax::last_segment;
use ra_ap_syntax::ast::{self, HasName};
use ra_ap_syntax::{AstNode, SyntaxNode};

/// One name that a `use` brings.
pub struct Leaf {
    /// The path, and `as` with the name that it gets.
    pub text: String,
    pub name: String,
    pub node: SyntaxNode,
}

pub fn leaves(tree: &ast::UseTree, before: &str, found: &mut Vec<Leaf>) {
    let path = tree.path().map(|path| path.syntax().text().to_string()).unwrap_or_default();
    let joined = match (before.is_empty(), path.is_empty()) {
        (true, _) => path.clone(),
        (false, true) => before.to_owned(),
        (false, false) => format!("{before}::{path}"),
    };
    // `use ::std::fmt` starts at the crates; `use ::{a, b}` has no path at all.
    let joined = if before.is_empty() && path.is_empty() && tree.coloncolon_token().is_some() {
        "::".to_owned()
    } else {
        joined
    };
    let join = |part: &str| match joined.as_str() {
        "" => part.to_owned(),
        "::" => format!("::{part}"),
        joined => format!("{joined}::{part}"),
    };
    if let Some(list) = tree.use_tree_list() {
        let before = if joined == "::" { String::new() } else { joined.clone() };
        for part in list.use_trees() {
            leaves(&part, &before, found);
        }
        return;
    }
    let node = tree.syntax().clone();
    if tree.star_token().is_some() {
        found.push(Leaf { text: join("*"), name: "*".to_owned(), node });
        return;
    }
    // `io::{self}` is `io`.
    let (target, last) = match joined.strip_suffix("::self") {
        Some(module) if path == "self" => (module.to_owned(), last_segment(module)),
        _ => (joined.clone(), last_segment(&joined)),
    };
    let rename = tree.rename();
    let alias = rename.as_ref().map(|rename| match (rename.name(), rename.underscore_token()) {
        (Some(name), _) => name.text().to_string(),
        (None, _) => "_".to_owned(),
    });
    let text = match &alias {
        // A module that is imported as itself would bring the value of its name, too.
        None => target,
        Some(alias) => format!("{target} as {alias}"),
    };
    found.push(Leaf { text, name: alias.unwrap_or(last), node });
}
