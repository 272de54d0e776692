//! The types of a cell's variables, asked of rustc.
//!
//! evcxr stores each variable under its type's name, and asks rust-analyzer for that name. The
//! analyser takes 5 to 7 seconds to load and does not always know. rustc always knows, and says so
//! in some 50 milliseconds: a call `type_of::<7, _>(&song)` behind `let song = ...;` appears in
//! rustc's MIR as `type_of::<7, Song>(...)`. The cell is then given to evcxr with every type
//! written out.

use crate::cell_source::without_commands;
use ra_ap_syntax::ast::{self, HasModuleItem, HasName};
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind};
use std::collections::BTreeMap;
use std::ops::Range;

/// Appended to the source that is asked about; takes the place of evcxr's own probe.
pub const PROBE: &str = "neural_composer_type_of";
/// A macro that the kernel defines: its contents, unseen by evcxr.
pub const CELL_LOCAL: &str = "neural_composer_cell_local";

/// One `let` on the cell's top level.
#[derive(Debug)]
struct Let {
    statement: Range<usize>,
    pattern_end: usize,
    /// The type as written, if it is.
    written: Option<Range<usize>>,
    is_complete: bool,
    is_single_name: bool,
    variables: Vec<Variable>,
}

#[derive(Debug)]
struct Variable {
    name: String,
    is_mutable: bool,
}

/// A cell's top-level `let` statements whose types evcxr would have to find out.
#[derive(Debug)]
pub struct OpenTypes<'a> {
    code: &'a str,
    lets: Vec<Let>,
}

/// A cell with something written into it, and where.
#[derive(Debug, Default)]
pub struct Edited {
    pub code: String,
    /// Variables whose type has no name: they end with the cell.
    pub local_variables: Vec<String>,
    edits: Vec<Edit>,
}

/// Characters put into a line in place of others; lines and columns count from 1.
#[derive(Debug)]
struct Edit {
    line: usize,
    column: usize,
    removed: usize,
    inserted: usize,
}

impl<'a> OpenTypes<'a> {
    pub fn of(code: &'a str) -> Self {
        let prelude = "fn cell() {\n";
        let source = format!("{prelude}{}\n}}", without_commands(code));
        let parsed = SourceFile::parse(&source, Edition::CURRENT);
        let at = |offset: ra_ap_syntax::TextSize| usize::from(offset) - prelude.len();
        let range = |node: &ra_ap_syntax::SyntaxNode| {
            at(node.text_range().start())..at(node.text_range().end())
        };
        let mut lets = Vec::new();
        if parsed.errors().is_empty()
            && let Some(ast::Item::Fn(function)) = parsed.tree().items().next()
            && let Some(body) = function.body()
        {
            for statement in body.statements() {
                let ast::Stmt::LetStmt(statement) = statement else { continue };
                let Some(pattern) = statement.pat() else { continue };
                // A variable without a value has no type to ask for yet.
                if statement.initializer().is_none() {
                    continue;
                }
                let written = statement.ty();
                let is_open = |node: &ra_ap_syntax::SyntaxNode| {
                    node.descendants().any(|node| node.kind() == SyntaxKind::INFER_TYPE)
                };
                let is_complete = written.as_ref().is_some_and(|ty| !is_open(ty.syntax()));
                lets.push(Let {
                    statement: range(statement.syntax()),
                    pattern_end: range(pattern.syntax()).end,
                    written: written.map(|ty| range(ty.syntax())),
                    is_complete,
                    is_single_name: matches!(&pattern, ast::Pat::IdentPat(name)
                        if name.pat().is_none() && name.ref_token().is_none()),
                    variables: variables(&pattern),
                });
            }
        }
        lets.retain(|found| {
            let is_known = found.is_complete && found.is_single_name;
            !found.variables.is_empty() && !is_known
        });
        OpenTypes { code, lets }
    }

    pub fn is_empty(&self) -> bool {
        self.lets.is_empty()
    }

    /// The cell with a question behind each `let`.
    pub fn question(&self) -> Edited {
        let mut number = 0;
        self.edit(|found, edits| {
            let mut questions = String::new();
            for variable in &found.variables {
                questions += &format!(" {PROBE}::<{number}, _>(&{});", variable.name);
                number += 1;
            }
            edits.push((found.statement.end..found.statement.end, questions));
        })
    }

    /// The cell with the types that rustc answered, by the question's number.
    pub fn answered(&self, types: &BTreeMap<usize, String>) -> Edited {
        let mut number = 0;
        let mut local = Vec::new();
        let mut edited = self.edit(|found, edits| {
            let numbers = number..number + found.variables.len();
            number = numbers.end;
            let names: Option<Vec<Type>> =
                numbers.map(|number| types.get(&number).map(|name| Type::of(name))).collect();
            let Some(names) = names else { return };
            if names.contains(&Type::Nameless) {
                local.extend(found.variables.iter().map(|variable| variable.name.clone()));
                let Range { start, end } = found.statement;
                edits.push((start..start, format!("{CELL_LOCAL}! {{ ")));
                edits.push((end..end, " }".to_owned()));
            } else if let ([Type::Named(name)], true) = (names.as_slice(), found.is_single_name) {
                match &found.written {
                    Some(written) => edits.push((written.clone(), name.clone())),
                    None => {
                        edits.push((found.pattern_end..found.pattern_end, format!(": {name}")));
                    }
                }
            } else {
                // The parts of a pattern, bound once more with their types.
                let mut again = String::new();
                for (variable, ty) in found.variables.iter().zip(&names) {
                    if let Type::Named(ty) = ty {
                        let (keyword, name) =
                            (if variable.is_mutable { "mut " } else { "" }, &variable.name);
                        again += &format!(" let {keyword}{name}: {ty} = {name};");
                    }
                }
                edits.push((found.statement.end..found.statement.end, again));
            }
        });
        edited.local_variables = local;
        edited
    }

    fn edit(&self, mut each: impl FnMut(&Let, &mut Vec<(Range<usize>, String)>)) -> Edited {
        let mut changes = Vec::new();
        for found in &self.lets {
            each(found, &mut changes);
        }
        let mut edited = Edited::default();
        let mut copied = 0;
        for (range, text) in changes {
            let before = &self.code[..range.start];
            edited.edits.push(Edit {
                line: before.matches('\n').count() + 1,
                column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
                removed: self.code[range.clone()].chars().count(),
                inserted: text.chars().count(),
            });
            edited.code += &self.code[copied..range.start];
            edited.code += &text;
            copied = range.end;
        }
        edited.code += &self.code[copied..];
        edited
    }
}

impl Edited {
    pub fn unchanged(code: &str) -> Self {
        Edited { code: code.to_owned(), ..Edited::default() }
    }

    /// The column of the cell as it was typed that a column of the edited cell stands for.
    pub fn typed_column(&self, line: usize, column: usize) -> usize {
        let mut shift = 0;
        for edit in self.edits.iter().filter(|edit| edit.line == line) {
            let start = edit.column + shift;
            if column < start {
                break;
            }
            if column < start + edit.inserted {
                return edit.column;
            }
            shift += edit.inserted;
            shift -= edit.removed.min(shift);
        }
        column - shift
    }
}

fn variables(pattern: &ast::Pat) -> Vec<Variable> {
    pattern
        .syntax()
        .descendants()
        .filter_map(ast::IdentPat::cast)
        .filter_map(|found| {
            let name = found.name()?.text().to_string();
            let is_mutable = found.mut_token().is_some();
            // `None` and the like look like names to the parser.
            name.starts_with(|c: char| !c.is_uppercase()).then_some(Variable { name, is_mutable })
        })
        .collect()
}

#[derive(Debug, PartialEq)]
enum Type {
    Named(String),
    /// A closure, or something made of one.
    Nameless,
}

impl Type {
    /// Reads a type as MIR writes it.
    fn of(written: &str) -> Self {
        // A function's own type, `fn(i32) -> i32 {path}`, is used as the pointer it coerces to.
        let written = match (
            written.starts_with("fn(") || written.starts_with("unsafe fn("),
            written.rsplit_once(" {"),
        ) {
            (true, Some((pointer, _))) => pointer,
            _ => written,
        };
        let is_nameless = ["{closure", "{async", "{coroutine", "{gen", "impl ", " {"]
            .iter()
            .any(|part| written.contains(part));
        if is_nameless { Type::Nameless } else { Type::Named(written.to_owned()) }
    }
}

/// Turns evcxr's source of a check into the question: its own probes, which would move the
/// variables, go, and ours is defined. Lines stay where they are.
pub fn question_source(source: &str) -> String {
    let own_probe = "evcxr_variable_store(";
    let mut asked: String = source
        .lines()
        .map(|line| {
            let is_probe = line
                .strip_prefix(own_probe)
                .and_then(|rest| rest.strip_suffix(");"))
                .is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || "_#".contains(c)));
            if is_probe { "\n".to_owned() } else { format!("{line}\n") }
        })
        .collect();
    asked += &format!("fn {PROBE}<const NUMBER: usize, T>(_: &T) {{}}\n");
    asked
}

/// The answers in rustc's MIR: question number → type.
pub fn answers(mir: &str) -> BTreeMap<usize, String> {
    let call = format!("{PROBE}::<");
    mir.match_indices(&call)
        .filter_map(|(at, _)| {
            let rest = &mir[at + call.len()..];
            let (number, rest) = rest.split_once(',')?;
            let number = number.trim_end_matches("_usize").parse().ok()?;
            let mut depth = 1;
            let mut previous = ' ';
            for (offset, c) in rest.char_indices() {
                match c {
                    '<' => depth += 1,
                    // The arrow of a function's type closes nothing.
                    '>' if previous != '-' => depth -= 1,
                    '\n' => return None,
                    _ => {}
                }
                if depth == 0 {
                    return Some((number, rest[..offset].trim().to_owned()));
                }
                previous = c;
            }
            None
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, types: &[&str]) -> String {
        let types = types.iter().map(|ty| (*ty).to_owned()).enumerate().collect();
        OpenTypes::of(code).answered(&types).code
    }

    #[test]
    fn only_open_types_are_asked_for() {
        let cell =
            ":dep x = \"1\"\nlet a: u8 = 1; let b = 2;\nfor i in 0..3 { let c = i; }\nlet d;";
        assert_eq!(
            OpenTypes::of(cell).question().code,
            ":dep x = \"1\"\nlet a: u8 = 1; let b = 2; neural_composer_type_of::<0, _>(&b);\n\
             for i in 0..3 { let c = i; }\nlet d;"
        );
        assert!(OpenTypes::of("1 + 1").is_empty());
        assert!(OpenTypes::of("let a = ;").is_empty());
    }

    #[test]
    fn answers_are_written_into_the_cell() {
        assert_eq!(answered("let mut a = f();", &["u8"]), "let mut a: u8 = f();");
        assert_eq!(answered("let a: Vec<_> = f();", &["Vec<u8>"]), "let a: Vec<u8> = f();");
        assert_eq!(
            answered("let (a, mut b) = f();\na", &["u8", "f32"]),
            "let (a, mut b) = f(); let a: u8 = a; let mut b: f32 = b;\na"
        );
        assert_eq!(
            answered("let f = |x| x;", &["{closure@src/lib.rs:1:9: 1:12}"]),
            "neural_composer_cell_local! { let f = |x| x; }"
        );
        assert_eq!(
            answered("let f = max;", &["fn(i32) -> i32 {std::cmp::max}"]),
            "let f: fn(i32) -> i32 = max;"
        );
        assert_eq!(answered("let a = f();", &[]), "let a = f();");
    }

    #[test]
    fn mir_answers() {
        let mir = "_5 = neural_composer_type_of::<0, std::vec::Vec<f32>>(copy _6) -> [return: bb1];\n\
                   _7 = neural_composer_type_of::<12, std::boxed::Box<dyn Fn(i32) -> i32>>(move _8)";
        let answers = answers(mir);
        assert_eq!(answers[&0], "std::vec::Vec<f32>");
        assert_eq!(answers[&12], "std::boxed::Box<dyn Fn(i32) -> i32>");
    }

    #[test]
    fn columns_lead_back_to_the_typed_cell() {
        let code = "let é = f(); g(é);";
        let edited = OpenTypes::of(code).answered(&BTreeMap::from([(0, "u8".to_owned())]));
        assert_eq!(edited.code, "let é: u8 = f(); g(é);");
        let column =
            |text: &str, part: &str| text[..text.find(part).expect("is there")].chars().count() + 1;
        let shifted = column(&edited.code, "g(");
        assert_eq!(edited.typed_column(1, shifted), column(code, "g("));
        assert_eq!(edited.typed_column(1, 2), 2);
        assert_eq!(edited.typed_column(2, 30), 30);
    }

    #[test]
    fn evcxrs_own_probes_are_taken_out_line_by_line() {
        let source = "fn a() {\nlet x = 1;\nevcxr_variable_store(x);\n}\n";
        let asked = question_source(source);
        assert_eq!(asked.lines().nth(2), Some(""));
        assert_eq!(asked.lines().nth(3), Some("}"));
    }
}
