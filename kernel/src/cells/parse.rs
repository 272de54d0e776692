//! A cell's parts: attributes, items, statements, the last expression.

use super::expand::expand;
use super::item::{self, Item, Key};
use super::maker::Maker;
use super::source::Source;
use super::syntax;
use super::words::Words;
use ra_ap_syntax::ast::{self, HasModuleItem};
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind, SyntaxNode};
use std::cell::Cell as Counter;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// How deep macros that expand to macros are followed.
const EXPANSIONS: usize = 128;
/// How much they may expand to in all: a few lines can name a tree of any size, or double a list of
/// tokens at each level.
const EXPANDED_BYTES: usize = 4 << 20;
/// What an expansion counts for, however short it is.
const LEAST_BYTES: usize = 256;

/// Gives the rules of a macro by its path: `name`, or `krate::name` for one that a crate exports.
pub type Rules<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What stands around a cell's code when it is parsed.
pub const PRELUDE: &str = "fn cell() {\n";

/// A variable that a cell's top level binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub name: String,
    pub is_mutable: bool,
    /// The function whose result it is, as a name, if it is one's.
    pub made_by: Option<String>,
}

/// A cell, taken apart.
#[derive(Debug)]
pub struct Cell {
    pub source: Arc<Source>,
    /// `#![...]`, for the notebook as a whole.
    pub attributes: Vec<Range<usize>>,
    pub items: Vec<Item>,
    /// Where items and attributes stand, which the cell's function leaves out.
    pub hoisted: Vec<Range<usize>>,
    pub bindings: Vec<Binding>,
    /// The expression whose value is the result.
    pub tail: Option<Range<usize>>,
    /// It waits with `.await` outside of any function, closure and block of its own.
    pub is_async: bool,
    /// It may start tasks, which need a runtime around them.
    pub enters_runtime: bool,
    /// Every name that occurs, also within strings, which `format!` looks into.
    pub words: Words,
    /// Paths in `include_str!` and the like, which are relative to the notebook's folder.
    pub relative_paths: Vec<usize>,
    /// Variables that the cell assigns to.
    pub assigned: BTreeSet<String>,
    pub has_statements: bool,
    pub has_errors: bool,
    /// Some of its items are what a crate's macro expands to.
    pub expands_crates: bool,
}

/// Takes a cell apart; `rust` is its code with blanks in place of commands, `rules` knows the macros
/// of earlier cells.
pub fn parse(source: &Arc<Source>, rust: &str, rules: Rules) -> Cell {
    let bytes = Counter::new(EXPANDED_BYTES);
    parse_within(source, rust, rules, Room { levels: EXPANSIONS, bytes: &bytes })
}

/// How far macros may still be followed.
#[derive(Clone, Copy)]
struct Room<'a> {
    levels: usize,
    bytes: &'a Counter<usize>,
}

impl Room<'_> {
    /// One level further down; none where that, or all there is, was used up.
    fn deeper(self) -> Option<Self> {
        let levels = self.levels.checked_sub(1).filter(|_| self.bytes.get() > 0)?;
        Some(Self { levels, ..self })
    }

    /// Takes what was expanded into account; none if it was too much.
    fn spend(self, code: &str) -> Option<()> {
        let left = self.bytes.get().saturating_sub(code.len().max(LEAST_BYTES));
        self.bytes.set(left);
        (left > 0).then_some(())
    }
}

fn parse_within(source: &Arc<Source>, rust: &str, rules: Rules, room: Room) -> Cell {
    let parsed = SourceFile::parse(&format!("{PRELUDE}{rust}\n}}"), Edition::CURRENT);
    let mut cell = Cell {
        source: source.clone(),
        attributes: Vec::new(),
        items: Vec::new(),
        hoisted: Vec::new(),
        bindings: Vec::new(),
        tail: None,
        is_async: false,
        enters_runtime: false,
        words: Words::default(),
        relative_paths: Vec::new(),
        assigned: BTreeSet::new(),
        has_statements: false,
        has_errors: !parsed.errors().is_empty(),
        expands_crates: false,
    };
    let tree = parsed.tree();
    let mut items = tree.items();
    let function = match items.next() {
        Some(ast::Item::Fn(function)) => function,
        _ => return cell,
    };
    // A brace too many ends the function early.
    cell.has_errors |= items.next().is_some();
    let Some(list) = function.body().and_then(|body| body.stmt_list()) else { return cell };
    let maker = Maker { source, syntax_start: PRELUDE.len() };
    for attribute in list.syntax().children().filter_map(ast::Attr::cast) {
        if attribute.excl_token().is_some() {
            let range = maker.range(attribute.syntax());
            cell.attributes.push(range.clone());
            cell.hoisted.push(range);
        }
    }
    cell.hoisted.extend(inner_comments(&maker, list.syntax()));
    for statement in list.statements() {
        let node = statement.syntax();
        match &statement {
            ast::Stmt::Item(found) => {
                cell.hoist(&maker, node);
                cell.items.extend(maker.items(found));
            }
            ast::Stmt::ExprStmt(found) => {
                let call = match found.expr() {
                    Some(ast::Expr::MacroExpr(call)) => call.macro_call(),
                    _ => None,
                };
                cell.macro_or_statement(&maker, call, node, rules, room);
            }
            ast::Stmt::LetStmt(found) => {
                cell.take_statement(&maker, node);
                if let Some(pattern) = found.pat() {
                    let made_by = found.initializer().and_then(|value| called(&value));
                    cell.bindings.extend(bindings(&pattern, &made_by));
                }
            }
        }
    }
    if let Some(tail) = list.tail_expr() {
        let call = match &tail {
            ast::Expr::MacroExpr(call) => call.macro_call(),
            _ => None,
        };
        if cell.macro_or_statement(&maker, call, tail.syntax(), rules, room) {
            cell.tail = Some(maker.range(tail.syntax()));
        }
    }
    cell
}

impl Cell {
    fn hoist(&mut self, maker: &Maker, node: &SyntaxNode) {
        self.words.take(node);
        self.hoisted.push(maker.range(node));
    }

    fn take_statement(&mut self, maker: &Maker, node: &SyntaxNode) {
        self.words.take(node);
        self.has_statements = true;
        self.is_async |= waits(node);
        self.assigned
            .extend(node.descendants().filter_map(ast::BinExpr::cast).filter_map(assigned));
        self.relative_paths.extend(maker.relative_paths(node));
    }

    /// Takes a call of a macro that makes items as items, all else as a statement; whether it was a
    /// statement.
    fn macro_or_statement(
        &mut self,
        maker: &Maker,
        call: Option<ast::MacroCall>,
        node: &SyntaxNode,
        rules: Rules,
        room: Room,
    ) -> bool {
        let path = call.as_ref().and_then(syntax::macro_path);
        if let (Some(call), Some(path)) = (call, path) {
            if item::MACROS_OF_ITEMS.contains(&syntax::last_segment(&path).as_str()) {
                self.hoist(maker, node);
                self.items.push(maker.macro_item(&call, node));
                return false;
            }
            if let Some(items) = self.expansion(maker, &call, node, &path, rules, room) {
                self.hoist(maker, node);
                self.items.extend(items);
                return false;
            }
        }
        self.take_statement(maker, node);
        true
    }

    /// The items that a macro's call expands to; none if it expands to something else.
    fn expansion(
        &mut self,
        maker: &Maker,
        call: &ast::MacroCall,
        node: &SyntaxNode,
        path: &str,
        rules: Rules,
        room: Room,
    ) -> Option<Vec<Item>> {
        let room = room.deeper()?;
        let (rules_of_call, path) = self.rules(path, rules)?;
        let code = expand(&rules_of_call, &syntax::inner_text(&call.token_tree()?))?;
        room.spend(&code)?;
        let range = maker.range(node);
        let source = Source::expansion(maker.source, range, code.clone());
        // A crate's macro may call the crate's others without saying whose they are.
        let of_crate = path.split_once("::").map(|(of_crate, _)| of_crate);
        let all_rules = |path: &str| {
            let others = || rules(&format!("{}::{path}", of_crate?));
            self.rules(path, rules).map(|(rules, _)| rules).or_else(others)
        };
        let cell = parse_within(&source, &code, &all_rules, room);
        let is_items = !cell.has_errors && !cell.has_statements && cell.attributes.is_empty();
        self.expands_crates |= is_items && (cell.expands_crates || of_crate.is_some());
        is_items.then_some(cell.items)
    }

    /// The rules of a macro, and its whole path: one that the cell defines, one that it imports, or
    /// any that is known.
    fn rules(&self, path: &str, rules: Rules) -> Option<(String, String)> {
        let known = |path: String| rules(&path).map(|rules| (rules, path));
        let is_called = |item: &&Item| matches!(&item.key, Key::Macro(name) if name == path);
        let mut own = self.items.iter().rev().filter(is_called);
        own.find_map(|item| Some((item.rules.clone()?, path.to_owned())))
            .or_else(|| self.items.iter().rev().find_map(|item| known(item.imported_path(path)?)))
            .or_else(|| known(path.to_owned()))
    }
}

/// `//!` comments of the cell's own: within a function, they could only stand at its start.
fn inner_comments(maker: &Maker, list: &SyntaxNode) -> Vec<Range<usize>> {
    syntax::tokens(list)
        .filter(|token| {
            let is_inner = ["//!", "/*!"].iter().any(|start| token.text().starts_with(start));
            token.kind() == SyntaxKind::COMMENT
                && is_inner
                && !token.parent_ancestors().take_while(|above| above != list).any(|above| {
                    matches!(above.kind(), SyntaxKind::STMT_LIST | SyntaxKind::ITEM_LIST)
                })
        })
        .map(|token| {
            let range = token.text_range();
            maker.offset(range.start())..maker.offset(range.end())
        })
        .collect()
}

/// The name of the function that an expression calls, if it is a call of a plain name.
fn called(value: &ast::Expr) -> Option<String> {
    let value = match value {
        ast::Expr::TryExpr(tried) => tried.expr()?,
        value => value.clone(),
    };
    let ast::Expr::CallExpr(call) = value else { return None };
    let ast::Expr::PathExpr(path) = call.expr()? else { return None };
    Some(path.path()?.segment()?.name_ref()?.text().to_string())
}

/// The variable that an assignment gives a new value, if it is one of a whole variable.
fn assigned(expression: ast::BinExpr) -> Option<String> {
    let is_assignment = matches!(expression.op_kind()?, ast::BinaryOp::Assignment { op: None });
    let ast::Expr::PathExpr(target) = expression.lhs()? else { return None };
    is_assignment.then(|| target.syntax().text().to_string())
}

fn bindings(pattern: &ast::Pat, made_by: &Option<String>) -> Vec<Binding> {
    pattern
        .syntax()
        .descendants()
        .filter_map(ast::IdentPat::cast)
        .filter_map(|found| {
            let name = ast::HasName::name(&found)?.text().to_string();
            Some(Binding {
                is_mutable: found.mut_token().is_some(),
                made_by: made_by.clone(),
                name,
            })
        })
        .collect()
}

/// Whether `.await` stands in the node, but not in a function or block of its own.
fn waits(node: &SyntaxNode) -> bool {
    node.descendants().filter(|found| found.kind() == SyntaxKind::AWAIT_EXPR).any(|found| {
        !found.ancestors().take_while(|above| above != node).any(|above| match above.kind() {
            SyntaxKind::FN | SyntaxKind::CLOSURE_EXPR => true,
            SyntaxKind::BLOCK_EXPR => {
                ast::BlockExpr::cast(above).is_some_and(|block| block.async_token().is_some())
            }
            _ => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(code: &str) -> Cell {
        parse(&Source::new(1, code), code, &|_| None)
    }

    #[test]
    fn a_cell_is_taken_apart() {
        let code = "use std::fmt;\nlet (A, mut b) = f()?;\nstruct S;\nprintln!(\"{b}\");\nA + b";
        let cell = parsed(code);
        let names: Vec<_> = cell.bindings.iter().map(|b| (b.name.as_str(), b.is_mutable)).collect();
        assert_eq!(names, [("A", false), ("b", true)]);
        assert_eq!(cell.bindings[0].made_by.as_deref(), Some("f"));
        assert_eq!(cell.items.len(), 2);
        assert_eq!(&code[cell.tail.clone().unwrap()], "A + b");
        assert!(!cell.has_errors && !cell.is_async && cell.has_statements);
    }

    #[test]
    fn errors_are_seen() {
        for code in ["let a = ;", "let y = 5 // none", "fn f() }", "1 }", "{"] {
            assert!(parsed(code).has_errors, "{code}");
        }
        for code in
            ["", "// nothing", "fn f() {}", "for i in 0..3 {}\n1", "if true { 1 } else { 2 }"]
        {
            assert!(!parsed(code).has_errors, "{code}");
        }
    }

    #[test]
    fn what_is_not_closed_ends_with_the_cell() {
        for code in ["fn f( { [", "use a::{", "1 + (", "mod a { fn f() {"] {
            let cell = parsed(code);
            let items = cell.items.iter().map(|item| &item.range);
            assert!(items.chain(&cell.tail).all(|range| range.end <= code.len()), "{cell:?}");
        }
    }

    #[test]
    fn waiting_is_seen_at_the_top_only() {
        assert!(parsed("job.await?").is_async);
        assert!(parsed("for x in y { x.await; }").is_async);
        assert!(!parsed("let f = async { x.await };").is_async);
        assert!(!parsed("async fn f() { x.await }").is_async);
    }

    #[test]
    fn macros_that_make_items_are_items() {
        let cell = parsed("thread_local! { static H: u8 = 1; }\nfn hit() {}\nhit()");
        assert_eq!(cell.items.len(), 2);
        assert!(cell.tail.is_some());
        let cell = parsed(
            "macro_rules! inner { ($n:ident) => { static $n: u8 = 1; fn f() {} } }\n\
             macro_rules! outer { ($n:ident) => { inner!($n); } }\nouter!(N);\ninner!(M);",
        );
        let statics: Vec<_> = cell.items.iter().flat_map(|item| &item.statics).collect();
        assert_eq!(statics.len(), 2);
        let cell = parsed("macro_rules! twice { ($e:expr) => { $e * 2 } }\ntwice!(4)");
        assert!(cell.items.len() == 1 && cell.tail.is_some());
    }

    #[test]
    fn macros_without_end_are_left_to_rustc() {
        for rules in ["() => { m!(); m!(); }", "($($t:tt)*) => { m!($($t)* $($t)*); }"] {
            let cell = parsed(&format!("macro_rules! m {{ {rules} }}\nm!(a b);\nm!();"));
            assert!(cell.items.len() == 1 && cell.has_statements, "{rules}: {:?}", cell.items);
        }
    }
}
