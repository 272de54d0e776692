//! Which lines of a cell are commands (`:vars`) or go to the shell (`!ls`), and not Rust.

use crate::completeness::{self, Completeness};
use ra_ap_parser::LexedStr;
use ra_ap_syntax::ast::{self, HasName};
use ra_ap_syntax::{AstNode, Edition, SourceFile, SyntaxKind};

/// The cell with spaces where its commands are: everything else stays where it is.
///
/// `is_value` knows the notebook's variables and constants, which `!` may stand before in Rust.
pub fn without_commands(code: &str, is_value: &dyn Fn(&str) -> bool) -> String {
    let mut rust = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        if is_command(&rust, line, is_value) {
            let text = line.trim_end_matches('\n');
            rust.extend(std::iter::repeat_n(' ', text.len()));
            rust.push_str(&line[text.len()..]);
        } else {
            rust.push_str(line);
        }
    }
    rust
}

/// Whether `line`, behind `before` (whose own commands are blanked), is a command.
pub fn is_command(before: &str, line: &str, is_value: &dyn Fn(&str) -> bool) -> bool {
    let line = line.trim();
    let starts_word = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let (Some(rest), is_shell) =
        (line.strip_prefix([':', '!']).filter(|rest| starts_word(rest)), line.starts_with('!'))
    else {
        return false;
    };
    may_start(before) && !(is_shell && negates(before, rest, is_value))
}

/// Whether a command or statement may start behind this Rust: nothing is open or unfinished.
pub fn may_start(before: &str) -> bool {
    if matches!(completeness::of(before), Completeness::Incomplete { .. }) {
        return false;
    }
    let lexed = LexedStr::new(Edition::CURRENT, before);
    let is_trivia =
        |kind: &SyntaxKind| matches!(kind, SyntaxKind::WHITESPACE | SyntaxKind::COMMENT);
    let last = (0..lexed.len()).rev().map(|at| lexed.kind(at)).find(|kind| !is_trivia(kind));
    // These are whole by themselves, too, but nobody would write a command behind them.
    !matches!(last, Some(SyntaxKind::RETURN_KW | SyntaxKind::BREAK_KW | SyntaxKind::DOT2))
}

/// Whether `!rest` is a Rust expression rather than a shell's words.
fn negates(before: &str, rest: &str, is_value: &dyn Fn(&str) -> bool) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name_length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    let path_length = rest.find(|c| !is_name(c) && c != '.' && c != ':').unwrap_or(rest.len());
    let is_called = rest[path_length..].starts_with(['(', '[']);
    let name = &rest[..name_length];
    is_called || matches!(name, "true" | "false") || is_value(name) || binds(before, name)
}

/// Whether the code binds `name` to a value.
fn binds(code: &str, name: &str) -> bool {
    let source = format!("fn cell() {{\n{code}\n}}");
    let tree = SourceFile::parse(&source, Edition::CURRENT).tree();
    tree.syntax().descendants().any(|node| {
        let found = if let Some(pattern) = ast::IdentPat::cast(node.clone()) {
            pattern.name()
        } else if let Some(item) = ast::Const::cast(node.clone()) {
            item.name()
        } else {
            ast::Static::cast(node).and_then(|item| item.name())
        };
        found.is_some_and(|found| found.text() == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(code: &str) -> String {
        without_commands(code, &|name| name == "quiet")
    }

    fn is_rust(code: &str) -> bool {
        rust(code) == code
    }

    #[test]
    fn commands_stand_where_a_statement_could() {
        assert_eq!(rust(":vars"), "     ");
        let blanked = format!("   \nlet a = 1;\n{}\n", " ".repeat("  :dep x = \"é\"".len()));
        assert_eq!(rust("!ls\nlet a = 1;\n  :dep x = \"é\"\n"), blanked);
        assert!(!is_rust("f()\n!ls"));
        assert!(!is_rust("fn f() {}\n!ls -l | wc"));
        assert!(!is_rust("// a comment's end\n!echo it's"));
        assert!(!is_rust("!make && ./run"));
        assert!(!is_rust("let = ;\n!ls"));
    }

    #[test]
    fn negations_are_rust() {
        for code in [
            "!quiet",
            "!(quiet)",
            "!quiet && true",
            "!!quiet",
            "!true",
            "!names.contains(&x)",
            "!f(1)",
            "!std::path::Path::new(\"a\").exists()",
            "let missing =\n    !names.contains(&x);",
            "let a =\n    !b;",
            "let loud = false;\n!loud",
            "const LOUD: bool = true;\n!LOUD",
            "let (a, Some(loud)) = f() else { g() };\n!loud && a",
            "if a {\n    !b\n}",
            "f(\n    !b,\n    !c\n)",
            "a &&\n!b",
            "match a {\n    1 =>\n        !b,\n    _ => c\n}",
            "return\n!b",
            "let text = \"\n!ls\n\";",
            "/*\n!ls\n*/",
        ] {
            assert!(is_rust(code), "{code}");
        }
    }

    #[test]
    fn colons_are_rust_within_statements() {
        for code in [
            "let a\n    :u8 = 1;",
            "fn f<T>(a: T) where T\n:Copy {}",
            "::std::mem::drop(1)",
            "r\"\n:vars\n\"",
        ] {
            assert!(is_rust(code), "{code}");
        }
    }
}
