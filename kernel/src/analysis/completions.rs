//! What can stand at a position: rust-analyzer's items, in the order a cell wants them.

use super::question::Completion;
use super::text;
use lsp_types::{
    CompletionItem, CompletionItemKind as Kind, CompletionItemTag, CompletionResponse,
    CompletionTextEdit, InsertTextFormat, TextEdit,
};
use ra_ap_syntax::ast::{self, HasModuleItem};
use ra_ap_syntax::{AstNode, Edition, SourceFile};
use std::collections::HashSet;

/// More than anyone reads.
const MOST: usize = 500;
/// Names that the kernel and its evaluator make.
const HIDDEN: [&str; 3] = ["neural_composer_", "evcxr_", "EVCXR_"];
/// Traits that nearly every type has: their methods are what a cell wants last.
const UNIVERSAL_TRAITS: [&str; 22] = [
    "Any",
    "AsMut",
    "AsRef",
    "Borrow",
    "BorrowMut",
    "Clone",
    "CloneToUninit",
    "Debug",
    "Default",
    "Drop",
    "Eq",
    "From",
    "Hash",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Pointer",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
];

/// Traits behind operators, whose methods nobody calls by name.
const OPERATOR_TRAITS: [&str; 30] = [
    "Add",
    "AddAssign",
    "BitAnd",
    "BitAndAssign",
    "BitOr",
    "BitOrAssign",
    "BitXor",
    "BitXorAssign",
    "Deref",
    "DerefMut",
    "Div",
    "DivAssign",
    "Fn",
    "FnMut",
    "FnOnce",
    "Index",
    "IndexMut",
    "Mul",
    "MulAssign",
    "Neg",
    "Not",
    "PartialOrd",
    "Rem",
    "RemAssign",
    "Shl",
    "ShlAssign",
    "Shr",
    "ShrAssign",
    "Sub",
    "SubAssign",
];
/// Types that rust-analyzer calls structs, since the protocol has no word for them.
const PRIMITIVE_TYPES: [&str; 19] = [
    "bool", "char", "f128", "f16", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "isize", "str",
    "u128", "u16", "u32", "u64", "u8", "usize",
];

/// Start and end of what is replaced, and what may stand there instead, best first.
type Found = (usize, usize, Vec<Completion>);

/// The items of a reply.
pub fn items(reply: Option<CompletionResponse>) -> Vec<CompletionItem> {
    match reply {
        Some(CompletionResponse::Array(items)) => items,
        Some(CompletionResponse::List(list)) => list.items,
        None => Vec::new(),
    }
}

/// What these items say to Tab at byte `position` of the source; none if they are no completions.
pub fn completed(items: Vec<CompletionItem>, source: &str, position: usize) -> Option<Found> {
    let Some(range) = items.first().and_then(edit).map(|edit| edit.range) else {
        return Some((position, position, Vec::new()));
    };
    let start = text::offset(source, range.start)?;
    let end = text::offset(source, range.end)?;
    let typed = source.get(start..position)?;
    let own = names_of_items(source);
    let is_in_path = source.get(..start)?.trim_end().ends_with("::");
    let mut wanted: Vec<(CompletionItem, TextEdit)> = items
        .into_iter()
        .filter(|item| is_wanted(item, typed))
        .filter_map(|item| edit(&item).cloned().map(|edit| (item, edit)))
        .filter(|(_, edit)| edit.range == range)
        .collect();
    wanted.sort_by_cached_key(|(item, _)| {
        let is_other_case = !name(item).starts_with(typed);
        // The server's own order, by how well the item fits here.
        let fit = item.sort_text.clone();
        let is_no_field = item.kind != Some(Kind::FIELD);
        (is_other_case, rank(item, &own, is_in_path), is_no_field, fit, name(item).to_owned())
    });
    let mut seen = HashSet::new();
    let completions = wanted
        .iter()
        .map(|(item, edit)| completion(item, edit))
        .filter(|completion| seen.insert(completion.code.clone()))
        .take(MOST)
        .collect();
    Some((start, end, completions))
}

/// What the item would write, and over what.
fn edit(item: &CompletionItem) -> Option<&TextEdit> {
    match item.text_edit.as_ref()? {
        CompletionTextEdit::Edit(edit) => Some(edit),
        CompletionTextEdit::InsertAndReplace(_) => None,
    }
}

/// What is compared with what was typed.
fn name(item: &CompletionItem) -> &str {
    item.filter_text.as_deref().unwrap_or(&item.label)
}

fn is_wanted(item: &CompletionItem, typed: &str) -> bool {
    let name = name(item);
    let start: String = name.chars().take(typed.chars().count()).collect();
    start.to_lowercase() == typed.to_lowercase()
        && !HIDDEN.iter().any(|prefix| name.starts_with(prefix))
        && item.kind != Some(Kind::SNIPPET)
        // The same thing once more, with a reference to it.
        && !item.label.starts_with('&')
        && item.additional_text_edits.as_ref().is_none_or(Vec::is_empty)
}

/// What the source itself defines: the notebook's own functions and types.
fn names_of_items(source: &str) -> HashSet<String> {
    SourceFile::parse(source, Edition::CURRENT)
        .tree()
        .items()
        .flat_map(|item| item.syntax().children().filter_map(ast::Name::cast).next())
        .map(|name| name.text().to_string())
        .collect()
}

fn is_deprecated(item: &CompletionItem) -> bool {
    item.tags.iter().flatten().any(|tag| *tag == CompletionItemTag::DEPRECATED)
}

/// The lower, the sooner a cell wants it.
fn rank(item: &CompletionItem, own: &HashSet<String>, is_in_path: bool) -> u8 {
    if is_deprecated(item) {
        return 9;
    }
    let name = name(item);
    let is_constant = name.starts_with(|letter: char| letter.is_uppercase());
    match item.kind.unwrap_or(Kind::TEXT) {
        // A static is called a value as well.
        Kind::VARIABLE | Kind::VALUE if !is_constant => 0,
        Kind::FIELD => 1,
        Kind::METHOD | Kind::FUNCTION | Kind::CONSTANT | Kind::STRUCT
            if of_trait(item).is_some() =>
        {
            rank_of_trait(item)
        }
        // Behind `Type::` a function that makes a value is meant, rather than a method.
        Kind::METHOD if is_in_path => 3,
        Kind::METHOD | Kind::ENUM_MEMBER => 1,
        _ if own.contains(name) => 1,
        Kind::FUNCTION if is_macro(item) => 4,
        Kind::STRUCT if PRIMITIVE_TYPES.contains(&name) => 4,
        Kind::FUNCTION
        | Kind::STRUCT
        | Kind::ENUM
        | Kind::INTERFACE
        | Kind::CONSTANT
        | Kind::VALUE => 2,
        Kind::MODULE => 3,
        Kind::KEYWORD => 5,
        _ => 4,
    }
}

fn is_macro(item: &CompletionItem) -> bool {
    item.label
        .trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_')
        .starts_with('!')
}

/// The trait that brings it, which stands behind the label.
fn of_trait(item: &CompletionItem) -> Option<&str> {
    let behind = item.label_details.as_ref()?.detail.as_deref()?;
    Some(behind.rsplit_once("(as ")?.1.trim_end_matches(')'))
}

fn rank_of_trait(item: &CompletionItem) -> u8 {
    let is_in = |names: &[&str]| of_trait(item).is_some_and(|name| names.contains(&name));
    if is_in(&UNIVERSAL_TRAITS) || is_in(&OPERATOR_TRAITS) { 8 } else { 2 }
}

fn completion(item: &CompletionItem, edit: &TextEdit) -> Completion {
    // Up to where the first argument goes: the cursor stands at the end.
    let code = match edit.new_text.split_once('$') {
        _ if item.kind == Some(Kind::KEYWORD) => name(item),
        Some((before, _)) if item.insert_text_format == Some(InsertTextFormat::SNIPPET) => before,
        _ => &edit.new_text,
    };
    let signature = match &item.detail {
        Some(detail) => format!("{}: {detail}", name(item)),
        None => item.label.clone(),
    };
    let kind = word_of(item.kind.unwrap_or(Kind::TEXT)).to_owned();
    Completion { code: code.to_owned(), kind, signature }
}

/// The word that Jupyter front ends know for this kind of thing.
fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::FUNCTION | Kind::METHOD => "function",
        Kind::STRUCT | Kind::ENUM | Kind::INTERFACE | Kind::TYPE_PARAMETER => "class",
        Kind::MODULE => "module",
        Kind::KEYWORD => "keyword",
        _ => "instance",
    }
}
