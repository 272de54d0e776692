//! A cell's text, and the lines in it that are commands.

use ra_ap_syntax::{Edition, SourceFile, SyntaxKind};
use std::ops::Range;
use std::sync::Arc;

/// A cell as it was typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Its execution count.
    pub cell: i64,
    pub code: String,
    /// For what a macro expands to: the macro's call.
    pub expanded_from: Option<(Arc<Source>, Range<usize>)>,
}

impl Source {
    pub fn new(cell: i64, code: &str) -> Arc<Self> {
        Arc::new(Source { cell, code: code.to_owned(), expanded_from: None })
    }

    /// What a macro's call in `source` expands to.
    pub fn expansion(source: &Arc<Self>, call: Range<usize>, code: String) -> Arc<Self> {
        Arc::new(Source { cell: source.cell, code, expanded_from: Some((source.clone(), call)) })
    }
}

/// One line of a cell that is no Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `:name arguments`
    Named { name: String, arguments: String },
    /// `!shell line`
    Shell(String),
}

/// A command, and where it stands in the cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub command: Command,
    pub range: Range<usize>,
    /// It stands behind some of the cell's Rust.
    pub is_behind_rust: bool,
}

/// Tells commands from Rust: the commands, and the cell with blanks in their place.
///
/// A command starts a line where a statement could start. `!word` is Rust if `word` means something
/// there: `is_known` says which names the notebook has.
pub fn split(code: &str, is_known: &dyn Fn(&str) -> bool) -> (Vec<CommandLine>, String) {
    let mut rust = String::with_capacity(code.len());
    let mut commands = Vec::new();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let text = line.trim_end_matches(['\n', '\r']);
        let command = match text.trim_start().chars().next() {
            // A shebang line; `#![...]` is an attribute.
            Some('#') if at == 0 && text.starts_with("#!") && !is_attribute(text) => {
                blank(&mut rust, line);
                at += line.len();
                continue;
            }
            Some(':' | '!') => command(text.trim_start(), &rust, is_known),
            _ => None,
        };
        match command {
            Some(command) => {
                let start = at + text.len() - text.trim_start().len();
                commands.push(CommandLine {
                    command,
                    range: start..at + text.len(),
                    is_behind_rust: !rust.trim().is_empty(),
                });
                blank(&mut rust, line);
            }
            None => rust.push_str(line),
        }
        at += line.len();
    }
    (commands, rust)
}

/// The cell with blanks where its commands are: everything else stays where it is.
pub fn without_commands(code: &str, is_known: &dyn Fn(&str) -> bool) -> String {
    split(code, is_known).1
}

fn is_attribute(line: &str) -> bool {
    line[2..].trim_start().starts_with('[')
}

/// Puts blanks for a line: as many bytes, so that what follows stays where it was.
fn blank(rust: &mut String, line: &str) {
    let text = line.trim_end_matches(['\n', '\r']);
    rust.extend(std::iter::repeat_n(' ', text.len()));
    rust.push_str(&line[text.len()..]);
}

fn command(line: &str, before: &str, is_known: &dyn Fn(&str) -> bool) -> Option<Command> {
    let rest = &line[1..];
    let word: String = rest.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect();
    if line.starts_with(':') {
        if word.is_empty() || rest.starts_with("::") || !can_start_statement(before) {
            return None;
        }
        let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return Some(Command::Named {
            name: name.to_owned(),
            arguments: arguments.trim().to_owned(),
        });
    }
    let is_rust = is_negation(rest, &word, before, is_known);
    (!is_rust && can_start_statement(before)).then(|| Command::Shell(rest.trim().to_owned()))
}

/// Whether what stands behind `!` is what Rust negates.
fn is_negation(rest: &str, word: &str, before: &str, is_known: &dyn Fn(&str) -> bool) -> bool {
    const MEANINGFUL: [&str; 16] = [
        "true", "false", "self", "Self", "crate", "super", "std", "core", "alloc", "if", "match",
        "unsafe", "loop", "u8", "i32", "f32",
    ];
    let trimmed = rest.trim_start();
    if trimmed.is_empty() || trimmed.starts_with(['(', '!', '*', '&', '{', '"', '-', '<']) {
        return true;
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return true;
    }
    let behind = &rest[word.len()..];
    let is_path_or_call = ["::", "(", "!(", "![", "!{"].iter().any(|mark| behind.starts_with(mark));
    !word.is_empty()
        && (MEANINGFUL.contains(&word) || is_path_or_call || is_known(word) || names(before, word))
}

/// Whether the code binds or defines the name.
fn names(code: &str, name: &str) -> bool {
    let parsed = SourceFile::parse(&format!("fn cell() {{\n{code}\n}}"), Edition::CURRENT);
    parsed
        .syntax_node()
        .descendants()
        .any(|node| node.kind() == SyntaxKind::NAME && node.text() == name)
}

/// Whether a statement could start behind this code: nothing is open, and what precedes is whole.
fn can_start_statement(code: &str) -> bool {
    if code.trim().is_empty() {
        return true;
    }
    let parsed = SourceFile::parse(code, Edition::CURRENT);
    let mut depth = 0i32;
    let mut last = SyntaxKind::SEMICOLON;
    let tokens = parsed.syntax_node().descendants_with_tokens();
    for token in tokens.filter_map(|element| element.into_token()) {
        match token.kind() {
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK | SyntaxKind::L_CURLY => depth += 1,
            SyntaxKind::R_PAREN | SyntaxKind::R_BRACK | SyntaxKind::R_CURLY => depth -= 1,
            SyntaxKind::WHITESPACE => continue,
            SyntaxKind::COMMENT => {
                let text = token.text();
                if text.starts_with("/*") && text.matches("/*").count() > text.matches("*/").count()
                {
                    return false;
                }
                continue;
            }
            SyntaxKind::STRING | SyntaxKind::BYTE_STRING | SyntaxKind::C_STRING
                if !crate::completeness::is_terminated(token.text()) =>
            {
                return false;
            }
            _ => {}
        }
        last = token.kind();
    }
    depth <= 0 && matches!(last, SyntaxKind::SEMICOLON | SyntaxKind::R_CURLY | SyntaxKind::R_BRACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(code: &str) -> Vec<Command> {
        let known = |name: &str| name == "quiet";
        split(code, &known).0.into_iter().map(|line| line.command).collect()
    }

    #[test]
    fn commands_stand_where_statements_start() {
        let named = |name: &str, arguments: &str| Command::Named {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        assert_eq!(commands(":dep a = \"1\"\nlet x = 1;"), [named("dep", "a = \"1\"")]);
        assert_eq!(commands("let x = 1;\n:vars"), [named("vars", "")]);
        assert_eq!(commands("!ls | wc"), [Command::Shell("ls | wc".to_owned())]);
        assert_eq!(commands("!./run.sh a"), [Command::Shell("./run.sh a".to_owned())]);
        assert_eq!(commands("let x\n    : u8 = 1;"), []);
        assert_eq!(commands("let s = \"\n:vars\n\";"), []);
        assert_eq!(commands("/*\n:vars\n*/"), []);
        assert_eq!(commands("f(\n:x)"), []);
        assert_eq!(commands("::std::process::id()"), []);
    }

    #[test]
    fn negations_are_rust() {
        for code in [
            "let m =\n    !names.contains(&1);\nm",
            "!quiet",
            "!quiet && true",
            "!(quiet)",
            "let later = true;\n!later",
            "!true",
            "!std::path::Path::new(\"x\").exists()",
            "!vec![1].is_empty()",
            "!0u8",
            "!!quiet",
        ] {
            assert_eq!(commands(code), [], "{code}");
        }
    }

    #[test]
    fn everything_stays_in_its_place() {
        let code = "#!/usr/bin/env run\n:vars é\n1 + 1 // ♪";
        let (_, rust) = split(code, &|_| false);
        assert_eq!(rust.len(), code.len());
        assert_eq!(rust.find("1 + 1"), code.find("1 + 1"));
        assert_eq!(rust.trim(), "1 + 1 // ♪");
    }
}
