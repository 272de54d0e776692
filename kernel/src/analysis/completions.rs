//! What can stand at a position: rust-analyzer's items, in the order a cell wants them.

use super::protocol::Completion;
use ra_ap_hir::PrefixKind;
use ra_ap_ide::{
    Analysis, CallableSnippets, Cancellable, CompletionConfig, CompletionFieldsToResolve,
    CompletionItem, CompletionItemKind, FileId, FilePosition, RaFixtureConfig, SymbolKind,
    TextRange,
};
use ra_ap_ide_completion::{CompletionRelevanceReturnType, CompletionRelevanceTypeMatch};
use ra_ap_ide_db::SnippetCap;
use ra_ap_ide_db::imports::insert_use::{ImportGranularity, InsertUseConfig};
use ra_ap_syntax::TextSize;
use ra_ap_syntax::ast::HasModuleItem;
use ra_ap_syntax::{AstNode, ast};
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

/// Start and end of what is replaced, and what may stand there instead, best first.
type Found = (usize, usize, Vec<Completion>);

pub fn complete(
    analysis: &Analysis,
    file_id: FileId,
    source: &str,
    position: usize,
) -> Cancellable<Found> {
    let nothing = (position, position, Vec::new());
    let Ok(offset) = TextSize::try_from(position) else { return Ok(nothing) };
    let at = FilePosition { file_id, offset };
    let Some(mut items) = analysis.completions(&config(), at, None)? else { return Ok(nothing) };
    let Some(range) = items.first().map(|item| item.source_range) else { return Ok(nothing) };
    let typed = source.get(usize::from(range.start())..position).unwrap_or_default();
    items.retain(|item| item.source_range == range && is_wanted(item, typed));
    let own = names_of_items(&analysis.parse(file_id)?);
    let before = source.get(..range.start().into()).unwrap_or_default();
    let is_in_path = before.trim_end().ends_with("::");
    items.sort_by_cached_key(|item| {
        let is_other_case = !item.lookup().starts_with(typed);
        (is_other_case, rank(item, &own, is_in_path), fit(item), item.lookup().to_owned())
    });
    let mut seen = HashSet::new();
    let completions = items
        .iter()
        .filter_map(|item| completion(item, range))
        .filter(|completion| seen.insert(completion.code.clone()))
        .take(MOST)
        .collect();
    Ok((range.start().into(), range.end().into(), completions))
}

fn config() -> CompletionConfig<'static> {
    CompletionConfig {
        enable_postfix_completions: false,
        enable_imports_on_the_fly: false,
        enable_self_on_the_fly: false,
        enable_auto_iter: false,
        enable_auto_await: false,
        // What is private to its crate, a cell cannot use.
        enable_private_editable: false,
        enable_term_search: false,
        term_search_fuel: 0,
        full_function_signatures: true,
        callable: Some(CallableSnippets::AddParentheses),
        add_colons_to_module: false,
        add_semicolon_to_unit: false,
        snippet_cap: SnippetCap::new(true),
        insert_use: InsertUseConfig {
            granularity: ImportGranularity::Item,
            enforce_granularity: false,
            prefix_kind: PrefixKind::ByCrate,
            group: false,
            skip_glob_imports: false,
        },
        prefer_no_std: false,
        prefer_prelude: true,
        prefer_absolute: false,
        snippets: Vec::new(),
        limit: None,
        fields_to_resolve: CompletionFieldsToResolve::empty(),
        exclude_flyimport: Vec::new(),
        exclude_traits: &[],
        ra_fixture: RaFixtureConfig::default(),
    }
}

fn is_wanted(item: &CompletionItem, typed: &str) -> bool {
    let name = item.lookup();
    let start: String = name.chars().take(typed.chars().count()).collect();
    start.to_lowercase() == typed.to_lowercase()
        && !HIDDEN.iter().any(|prefix| name.starts_with(prefix))
        && item.kind != CompletionItemKind::Snippet
        && item.text_edit.len() == 1
}

/// What the file itself defines: the notebook's own functions and types.
fn names_of_items(file: &ast::SourceFile) -> HashSet<String> {
    file.items()
        .flat_map(|item| item.syntax().children().filter_map(ast::Name::cast).next())
        .map(|name| name.text().to_string())
        .collect()
}

/// The lower, the sooner a cell wants it.
fn rank(item: &CompletionItem, own: &HashSet<String>, is_in_path: bool) -> u8 {
    use CompletionItemKind as Kind;
    if item.deprecated {
        return 9;
    }
    match item.kind {
        Kind::SymbolKind(SymbolKind::Local | SymbolKind::ValueParam | SymbolKind::SelfParam)
        | Kind::Binding => 0,
        _ if item.relevance.exact_name_match || item.relevance.is_missing => 0,
        Kind::SymbolKind(SymbolKind::Field) => 1,
        Kind::SymbolKind(
            SymbolKind::Method | SymbolKind::Function | SymbolKind::Const | SymbolKind::TypeAlias,
        ) if item.relevance.trait_.is_some() => rank_of_trait(item),
        // Behind `Type::` a function that makes a value is meant, rather than a method.
        Kind::SymbolKind(SymbolKind::Method) if is_in_path => 3,
        Kind::SymbolKind(SymbolKind::Method | SymbolKind::Variant) => 1,
        _ if own.contains(item.lookup()) => 1,
        Kind::SymbolKind(
            SymbolKind::Function
            | SymbolKind::Struct
            | SymbolKind::Enum
            | SymbolKind::Trait
            | SymbolKind::Const
            | SymbolKind::Static
            | SymbolKind::TypeAlias
            | SymbolKind::Union,
        ) => 2,
        Kind::SymbolKind(SymbolKind::Module) => 3,
        Kind::SymbolKind(SymbolKind::Macro | SymbolKind::ProcMacro) | Kind::BuiltinType => 4,
        Kind::Keyword => 5,
        _ => 4,
    }
}

/// Among things of one rank: what has the type that is expected here, then what makes a value.
fn fit(item: &CompletionItem) -> u8 {
    use CompletionRelevanceReturnType as Returns;
    let makes = item.relevance.function.filter(|function| !function.has_self_param);
    match (item.relevance.type_match, makes.map(|function| function.return_type)) {
        (Some(CompletionRelevanceTypeMatch::Exact), _) => 0,
        (_, Some(Returns::DirectConstructor)) => 1,
        (_, Some(Returns::Constructor)) => 2,
        _ => 3,
    }
}

fn rank_of_trait(item: &CompletionItem) -> u8 {
    let named = item.label.detail_left.as_deref().unwrap_or_default();
    let name = named.rsplit_once("(as ").map(|(_, name)| name.trim_end_matches(')'));
    let is_universal = name.is_some_and(|name| UNIVERSAL_TRAITS.contains(&name));
    let is_operator = item.relevance.trait_.is_some_and(|of| of.is_op_method);
    if is_universal || is_operator { 8 } else { 2 }
}

fn completion(item: &CompletionItem, range: TextRange) -> Option<Completion> {
    let edit = item.text_edit.iter().next().filter(|edit| edit.delete == range)?;
    let is_keyword = item.kind == CompletionItemKind::Keyword;
    // Up to where the first argument goes: the cursor stands at the end.
    let code = match edit.insert.split_once('$') {
        _ if is_keyword => item.lookup(),
        Some((before, _)) if item.is_snippet => before,
        _ => &edit.insert,
    };
    let signature = match &item.detail {
        Some(detail) => format!("{}: {detail}", item.lookup()),
        None => item.label.primary.to_string(),
    };
    let kind = word_of(item.kind).to_owned();
    Some(Completion { code: code.to_owned(), kind, signature })
}

/// The word that Jupyter front ends know for this kind of thing.
fn word_of(kind: CompletionItemKind) -> &'static str {
    use CompletionItemKind as Kind;
    match kind {
        Kind::SymbolKind(
            SymbolKind::Function
            | SymbolKind::Method
            | SymbolKind::Macro
            | SymbolKind::ProcMacro
            | SymbolKind::Derive
            | SymbolKind::DeriveHelper
            | SymbolKind::Attribute
            | SymbolKind::BuiltinAttr,
        ) => "function",
        Kind::SymbolKind(
            SymbolKind::Struct
            | SymbolKind::Enum
            | SymbolKind::Union
            | SymbolKind::Trait
            | SymbolKind::TypeAlias
            | SymbolKind::TypeParam
            | SymbolKind::SelfType,
        ) => "class",
        Kind::SymbolKind(SymbolKind::Module | SymbolKind::CrateRoot | SymbolKind::ToolModule) => {
            "module"
        }
        Kind::Keyword => "keyword",
        _ => "instance",
    }
}
