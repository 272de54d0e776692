//! Small questions to syntax trees.

use ra_ap_syntax::ast;
use ra_ap_syntax::{AstNode, SyntaxKind, SyntaxNode, SyntaxToken};

/// A macro's path without blanks and without `::` in front.
pub fn macro_path(call: &ast::MacroCall) -> Option<String> {
    let path: String = tokens(call.path()?.syntax())
        .filter(|token| !token.kind().is_trivia())
        .map(|token| token.text().to_owned())
        .collect();
    Some(path.trim_start_matches("::").to_owned())
}

pub fn macro_name(call: &ast::MacroCall) -> Option<String> {
    Some(call.path()?.segment()?.name_ref()?.text().to_string())
}

pub fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.descendants_with_tokens().filter_map(|element| element.into_token())
}

pub fn first_token_of(node: &SyntaxNode, kind: SyntaxKind) -> Option<SyntaxToken> {
    let mut children = node.children_with_tokens().filter_map(|element| element.into_token());
    children.find(|token| token.kind() == kind)
}

/// The first token that is neither comment nor part of an attribute.
pub fn first_token(node: &SyntaxNode) -> Option<SyntaxToken> {
    let mut children = node
        .children_with_tokens()
        .filter(|child| !child.kind().is_trivia() && child.kind() != SyntaxKind::ATTR);
    match children.next()? {
        ra_ap_syntax::NodeOrToken::Token(token) => Some(token),
        ra_ap_syntax::NodeOrToken::Node(node) => node.first_token(),
    }
}

/// A node's tokens with one blank between them, without comments; the bodies of functions only if
/// wanted.
pub fn normal(node: &SyntaxNode, with_bodies: bool) -> String {
    let mut text = String::new();
    for token in tokens(node).filter(|token| !token.kind().is_trivia()) {
        if !with_bodies && is_in_body(&token, node) {
            continue;
        }
        text += token.text();
        text.push(' ');
    }
    text
}

/// Whether a token stands in the body of a function within `node` that types do not depend on.
pub fn is_in_body(token: &SyntaxToken, node: &SyntaxNode) -> bool {
    token.parent_ancestors().take_while(|above| above != node).any(|above| {
        let function = above.parent().filter(|parent| parent != node).and_then(ast::Fn::cast);
        above.kind() == SyntaxKind::BLOCK_EXPR
            && function.is_some_and(|function| function.const_token().is_none())
    })
}

/// What stands within a token tree's delimiters.
pub fn inner_text(tree: &ast::TokenTree) -> String {
    let text = tree.syntax().text().to_string();
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

pub fn last_segment(path: &str) -> String {
    path.rsplit("::").next().unwrap_or(path).trim().to_owned()
}
