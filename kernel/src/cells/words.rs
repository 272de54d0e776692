//! The names that a piece of code mentions.

use super::syntax::tokens;
use ra_ap_syntax::{SyntaxKind, SyntaxNode};
use std::collections::BTreeSet;

/// Names that a piece of code mentions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub BTreeSet<String>);

impl Words {
    /// Adds the names in a node, and in its strings, which `format!` looks into.
    pub fn take(&mut self, node: &SyntaxNode) {
        for token in tokens(node) {
            match token.kind() {
                SyntaxKind::IDENT => {
                    self.0.insert(token.text().to_owned());
                }
                SyntaxKind::STRING => self.take_text(token.text()),
                _ => {}
            }
        }
    }

    /// Adds every word of a text.
    pub fn take_text(&mut self, text: &str) {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let names = words.filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'));
        self.0.extend(names.map(str::to_owned));
    }

    /// Whether the name occurs; `r#type` occurs as `type` in strings.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name) || name.strip_prefix("r#").is_some_and(|name| self.0.contains(name))
    }
}
