//! Whether a cell is finished: what a console asks before it runs what was typed.

use crate::cells::source::without_commands;
use ra_ap_syntax::{Edition, SourceFile, SyntaxKind, TextSize};

/// The answer to an `is_complete_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    /// More lines are needed, the next of which starts this many levels deep.
    Incomplete {
        depth: usize,
    },
    Invalid,
}

const INDENT: &str = "    ";

impl Completeness {
    pub fn status(self) -> &'static str {
        match self {
            Completeness::Complete => "complete",
            Completeness::Incomplete { .. } => "incomplete",
            Completeness::Invalid => "invalid",
        }
    }

    pub fn indent(self) -> String {
        match self {
            Completeness::Incomplete { depth } => INDENT.repeat(depth),
            _ => String::new(),
        }
    }
}

/// Parses `code` as the inside of a function, as evcxr does.
pub fn of(code: &str) -> Completeness {
    let code = without_commands(code, &|_| false);
    let code = code.trim_end();
    if code.is_empty() {
        return Completeness::Complete;
    }
    match open_delimiters(code) {
        Err(()) => return Completeness::Invalid,
        Ok(depth) if depth > 0 => return Completeness::Incomplete { depth },
        Ok(_) => {}
    }
    let (prelude, coda) = ("fn cell() {\n", "\n}");
    let parsed = SourceFile::parse(&format!("{prelude}{code}{coda}"), Edition::CURRENT);
    let end = TextSize::try_from(prelude.len() + code.len()).unwrap_or_default();
    match parsed.errors().first() {
        None if ends_in_attribute(code) => Completeness::Incomplete { depth: 0 },
        None => Completeness::Complete,
        // Something is missing where the code ends: it may still come.
        Some(error) if error.range().start() >= end => Completeness::Incomplete { depth: 0 },
        Some(_) => Completeness::Invalid,
    }
}

fn ends_in_attribute(code: &str) -> bool {
    code.lines().last().is_some_and(|line| {
        let line = line.trim();
        line.starts_with("#[") && line.ends_with(']')
    })
}

/// How many delimiters (and at most one string or comment) are open at the end; an error where one
/// is closed that was not opened.
fn open_delimiters(code: &str) -> Result<usize, ()> {
    let lexed = ra_ap_syntax::SourceFile::parse(code, Edition::CURRENT);
    let mut stack = Vec::new();
    let mut last = (SyntaxKind::WHITESPACE, String::new());
    for token in
        lexed.syntax_node().descendants_with_tokens().filter_map(|element| element.into_token())
    {
        let kind = token.kind();
        match kind {
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK | SyntaxKind::L_CURLY => stack.push(kind),
            SyntaxKind::R_PAREN => close(&mut stack, SyntaxKind::L_PAREN)?,
            SyntaxKind::R_BRACK => close(&mut stack, SyntaxKind::L_BRACK)?,
            SyntaxKind::R_CURLY => close(&mut stack, SyntaxKind::L_CURLY)?,
            _ => {}
        }
        last = (kind, token.text().to_owned());
    }
    let open_token = usize::from(is_unterminated(last.0, &last.1));
    Ok(stack.len() + open_token)
}

fn close(stack: &mut Vec<SyntaxKind>, opened: SyntaxKind) -> Result<(), ()> {
    if stack.pop() == Some(opened) { Ok(()) } else { Err(()) }
}

/// Whether a string literal has its end.
pub fn is_terminated(text: &str) -> bool {
    !is_unterminated(SyntaxKind::STRING, text)
}

/// Whether the last token is a string or block comment that goes on.
fn is_unterminated(kind: SyntaxKind, text: &str) -> bool {
    match kind {
        SyntaxKind::COMMENT => {
            text.starts_with("/*") && text.matches("/*").count() > text.matches("*/").count()
        }
        SyntaxKind::STRING | SyntaxKind::BYTE_STRING | SyntaxKind::C_STRING => {
            let body = text.find('"').map_or("", |at| &text[at + 1..]);
            let Some(body) = body.strip_suffix('"') else {
                return !text.trim_end_matches('#').ends_with('"') || body.is_empty();
            };
            // A quote behind an odd number of backslashes belongs to the string.
            !text.starts_with('r') && (body.len() - body.trim_end_matches('\\').len()) % 2 == 1
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &str) -> &'static str {
        of(code).status()
    }

    #[test]
    fn complete_cells() {
        for code in [
            "",
            "1 + 1",
            "let x = 5;",
            "fn f() {}",
            "println!(\"{}\", 1)",
            ":vars",
            ":dep rand = \"0.9\"\nlet a = \"}\";",
            "// only a comment",
            "/* done */",
            "let s = r#\"a \"quoted\" word\"#;",
            "let c = '\"';",
            "x\n    .iter()\n    .sum::<f32>()",
            "use std::fmt;",
        ] {
            assert_eq!(status(code), "complete", "{code:?}");
        }
    }

    #[test]
    fn incomplete_cells() {
        for code in [
            "fn f() {",
            "let x = (1,",
            "let x =",
            "1 +",
            "println!(\"a",
            "/* open",
            "let s = r#\"open \"",
            "#[derive(Debug)]",
            "match x { 1 => [",
            "impl Foo for Bar",
        ] {
            assert_eq!(status(code), "incomplete", "{code:?}");
        }
        assert_eq!(of("fn f() {\n    if x {").indent(), " ".repeat(8));
    }

    #[test]
    fn invalid_cells() {
        for code in ["let x = );", "fn f() }", "(1]", "let = 5;"] {
            assert_eq!(status(code), "invalid", "{code:?}");
        }
    }
}
