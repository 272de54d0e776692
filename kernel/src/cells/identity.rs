//! What makes a type what it is: its definition, and the names that this reaches.

use super::syntax::{is_in_body, normal};
use super::words::Words;
use ra_ap_syntax::ast;
use ra_ap_syntax::{AstNode, SyntaxKind, SyntaxNode};
use std::collections::BTreeSet;

/// What makes a type what it is.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The definition, without comments and without the bodies of functions.
    pub text: String,
    /// The names that it reaches.
    pub reaches: BTreeSet<String>,
    /// Of these, the names that its paths begin with.
    pub roots: BTreeSet<String>,
    /// It names types of traits' implementations, such as `T::Item`.
    pub projects: bool,
    /// Types that an implementation gives: `type Item = u32;`.
    pub gives: String,
}

impl Identity {
    /// The identity of a definition.
    pub fn of(node: &SyntaxNode) -> Self {
        let is_reached =
            |name: &SyntaxNode| name.first_token().is_none_or(|token| !is_in_body(&token, node));
        let name_refs = || {
            node.descendants()
                .filter(|found| found.kind() == SyntaxKind::NAME_REF && is_reached(found))
        };
        let projects = node.descendants().any(|found| match ast::Path::cast(found) {
            // `T::Item` and `<T as Iterator>::Item`, which somebody's `impl` decides.
            Some(path) => path.qualifier().is_some(),
            None => false,
        });
        let is_root = |name: &SyntaxNode| {
            let path = name.ancestors().find_map(ast::Path::cast);
            path.is_none_or(|path| path.qualifier().is_none())
        };
        let (reached, roots) = (name_refs(), name_refs().filter(is_root));
        Identity {
            text: normal(node, false),
            reaches: reached.map(|found| found.text().to_string()).collect(),
            roots: roots.map(|found| found.text().to_string()).collect(),
            projects,
            gives: String::new(),
        }
    }

    /// The identity of a `macro_rules!`, whose every word may be a name that it reaches.
    pub fn by_words(node: &SyntaxNode) -> Self {
        let mut words = Words::default();
        words.take(node);
        let (reaches, roots) = (words.0.clone(), words.0);
        Identity { text: normal(node, true), reaches, roots, ..Identity::default() }
    }
}
