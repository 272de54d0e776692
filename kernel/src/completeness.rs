//! Whether a cell is finished: what a console asks before it runs what was typed.

use ra_ap_parser::LexedStr;
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
    /// Too long or too deep to be looked into.
    Unknown,
}

const INDENT: &str = "    ";
/// The parser recurses: what is deeper, or longer, than a person writes is left to rustc.
const MOST_LEVELS: usize = 256;
const MOST_TOKENS: usize = 20_000;

impl Completeness {
    pub fn status(self) -> &'static str {
        match self {
            Completeness::Complete => "complete",
            Completeness::Incomplete { .. } => "incomplete",
            Completeness::Invalid => "invalid",
            Completeness::Unknown => "unknown",
        }
    }

    pub fn indent(self) -> String {
        match self {
            Completeness::Incomplete { depth } => INDENT.repeat(depth.min(MOST_LEVELS)),
            _ => String::new(),
        }
    }
}

/// The stack of the thread that takes cells apart.
pub const ENGINE_STACK_BYTES: usize = 64 << 20;
/// Operators, keywords and angle brackets of one expression: the parser recurses for them, too.
const MOST_OPERATORS: usize = 2_000;

/// Whether code is short and shallow enough for a parser that recurses.
pub fn is_parseable(code: &str) -> bool {
    let lexed = LexedStr::new(Edition::CURRENT, code);
    is_shallow_to(&lexed, MOST_LEVELS) && lexed.len() <= MOST_TOKENS
}

/// Whether a cell, however long, is shallow enough to be taken apart.
pub fn is_shallow(code: &str) -> bool {
    /// More than rustc follows; on the engine's stack there is room for it.
    const MOST_LEVELS_OF_A_CELL: usize = 1_000;
    is_shallow_to(&LexedStr::new(Edition::CURRENT, code), MOST_LEVELS_OF_A_CELL)
}

/// What stands in an open delimiter, as far as the parser may still go deeper behind it.
#[derive(Default)]
struct Level {
    /// Since the last comma or semicolon.
    operators: usize,
    /// Of this statement: `else`, whose blocks are no ends, and angle brackets.
    chained: usize,
    /// A block has just ended, and with it the statement, if another one begins.
    is_behind_block: bool,
}

fn is_shallow_to(lexed: &LexedStr, most_levels: usize) -> bool {
    let (mut levels, mut level): (Vec<Level>, Level) = Default::default();
    // Of the levels around this one.
    let mut outer = 0;
    for token in (0..lexed.len()).filter(|&token| !lexed.kind(token).is_trivia()) {
        let kind = lexed.kind(token);
        if std::mem::take(&mut level.is_behind_block) && begins_statement(kind) {
            level = Level::default();
        }
        match kind {
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK | SyntaxKind::L_CURLY => {
                outer += level.operators + level.chained;
                levels.push(std::mem::take(&mut level));
            }
            SyntaxKind::R_PAREN | SyntaxKind::R_BRACK | SyntaxKind::R_CURLY => {
                level = levels.pop().unwrap_or_default();
                outer -= (level.operators + level.chained).min(outer);
                level.is_behind_block = kind == SyntaxKind::R_CURLY;
            }
            SyntaxKind::COMMA => level.operators = 0,
            SyntaxKind::SEMICOLON => level = Level::default(),
            SyntaxKind::L_ANGLE | SyntaxKind::ELSE_KW => level.chained += 1,
            SyntaxKind::R_ANGLE => level.chained = level.chained.saturating_sub(1),
            kind if is_operator(kind) => level.operators += 1,
            _ => {}
        }
        if levels.len() > most_levels || outer + level.operators + level.chained > MOST_OPERATORS {
            return false;
        }
    }
    true
}

/// Whether such a token behind a block is the next statement's, not one that goes on with the block.
fn begins_statement(kind: SyntaxKind) -> bool {
    let goes_on = matches!(kind, SyntaxKind::ELSE_KW | SyntaxKind::AS_KW);
    kind == SyntaxKind::IDENT || kind.is_keyword(Edition::CURRENT) && !goes_on
}

fn is_operator(kind: SyntaxKind) -> bool {
    use SyntaxKind::{AMP, BANG, DOT, EQ, MINUS, PIPE, PLUS, STAR};
    matches!(kind, AMP | BANG | DOT | EQ | MINUS | PIPE | PLUS | STAR)
        || kind.is_keyword(Edition::CURRENT)
}

/// Parses Rust without commands as the inside of a function, as a cell is.
pub fn of(code: &str) -> Completeness {
    let code = code.trim_end();
    if code.is_empty() {
        return Completeness::Complete;
    }
    let lexed = LexedStr::new(Edition::CURRENT, code);
    match open_delimiters(&lexed) {
        Err(()) => return Completeness::Invalid,
        Ok(depth) if depth > 0 => return Completeness::Incomplete { depth },
        Ok(_) if lexed.len() > MOST_TOKENS || !is_shallow_to(&lexed, MOST_LEVELS) => {
            return Completeness::Unknown;
        }
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

/// How many delimiters are open at the end, an open string or comment among them; an error where one is
/// closed that was not opened.
fn open_delimiters(lexed: &LexedStr) -> Result<usize, ()> {
    let mut stack = Vec::new();
    for token in 0..lexed.len() {
        let kind = lexed.kind(token);
        match kind {
            SyntaxKind::L_PAREN | SyntaxKind::L_BRACK | SyntaxKind::L_CURLY => stack.push(kind),
            SyntaxKind::R_PAREN => close(&mut stack, SyntaxKind::L_PAREN)?,
            SyntaxKind::R_BRACK => close(&mut stack, SyntaxKind::L_BRACK)?,
            SyntaxKind::R_CURLY => close(&mut stack, SyntaxKind::L_CURLY)?,
            _ => {}
        }
    }
    let is_open = lexed.len().checked_sub(1).is_some_and(|last| is_unterminated(lexed, last));
    Ok(stack.len() + usize::from(is_open))
}

fn close(stack: &mut Vec<SyntaxKind>, opened: SyntaxKind) -> Result<(), ()> {
    if stack.pop() == Some(opened) { Ok(()) } else { Err(()) }
}

/// Whether a token is a string or block comment that goes on behind the end of the code.
pub fn is_unterminated(lexed: &LexedStr, token: usize) -> bool {
    match lexed.kind(token) {
        SyntaxKind::COMMENT => lexed.error(token).is_some(),
        SyntaxKind::STRING | SyntaxKind::BYTE_STRING | SyntaxKind::C_STRING => {
            is_open_string(lexed.text(token))
        }
        _ => false,
    }
}

/// Whether a string literal has its end.
pub fn is_terminated(literal: &str) -> bool {
    !is_open_string(literal)
}

/// Whether a string literal's closing quote is missing.
fn is_open_string(literal: &str) -> bool {
    let prefix = literal.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_raw = literal[..literal.len() - prefix.len()].contains('r');
    let Some((hashes, body)) = prefix.split_once('"') else { return true };
    if is_raw {
        return !body.contains(&format!("\"{hashes}"));
    }
    let mut is_escaped = false;
    for c in body.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return false,
            _ => {}
        }
    }
    true
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
            "// only a comment",
            "// it's \"one\" {",
            "/* done */",
            "/* a /* nested */ comment */",
            "let s = r#\"a \"quoted\" word\"#;",
            "x\n    .iter()\n    .sum::<f32>()",
            "use std::fmt;",
            "fn first<'a>(s: &'a str) -> &'a str { s }",
            "'outer: loop { break 'outer; }",
            "let a =\n    !b;",
            "let a = b\n    && !c;",
        ] {
            assert_eq!(status(code), "complete", "{code:?}");
        }
    }

    #[test]
    fn complete_literals() {
        for literal in [
            r#"br"C:\""#,
            r#"r"C:\""#,
            r#"cr"C:\""#,
            r#""C:\\""#,
            r#""a\"b""#,
            r#"b"\"""#,
            r#"c"\"""#,
            "r#\"C:\\\"#",
            "br##\"a\"#b\"##",
            "cr#\"\"\"#",
            "r\"\"",
            "\"\"",
            "\"two\nlines\"",
            "'\"'",
            r"'\''",
            r"'\\'",
            "b'\"'",
            r"b'\''",
            "'{'",
            "'/'",
            "\"/* no comment\"",
            "\"// neither\"",
        ] {
            assert_eq!(status(literal), "complete", "{literal}");
            assert_eq!(status(&format!("let a = f({literal});")), "complete", "{literal}");
        }
    }

    #[test]
    fn incomplete_cells() {
        for code in [
            "fn f() {",
            "let x = (1,",
            "let x =",
            "1 +",
            "let a =\n    !",
            "println!(\"a",
            "/* open",
            "/* open /* closed */",
            "\"C:\\\"",
            "r#\"C:\"",
            "br##\"a\"#",
            "let s = r#\"open \"",
            "let s = \"",
            "let s = b\"a\\\"",
            "let c = f('\"', \"",
            "#[derive(Debug)]",
            "match x { 1 => [",
            "impl Foo for Bar",
            "fn first<'a>(s: &'a str",
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

    #[test]
    fn nothing_is_too_deep_or_too_long() {
        assert_eq!(status(&"(".repeat(1_000_000)), "incomplete");
        assert_eq!(status(&("(".repeat(100_000) + &")".repeat(100_000))), "unknown");
        assert_eq!(status(&"!".repeat(1_000_000)), "unknown");
        assert_eq!(status(&"a+".repeat(500_000)), "unknown");
        assert_eq!(status(&"let a = 1;\n".repeat(100)), "complete");
    }

    /// Code that nests this often, in every way in which the parser recurses.
    fn nested(times: usize) -> Vec<String> {
        let again = |text: &str| text.repeat(times);
        vec![
            again("("),
            again("[") + &again("]"),
            again("mod a {"),
            again("!") + "x",
            format!("let {}x = y;", again("&")),
            format!("let x: {}", again("A<")),
            again("a = ") + "1",
            again("|x| ") + "x",
            again("1 + ") + "1",
            format!("x{}", again(".b")),
            again("return ") + "1",
            again("if a {} else ") + "{}",
            format!("x{}", again(" as u8")),
            format!("let f: {}()", again("fn() -> ")),
        ]
    }

    #[test]
    fn what_nests_without_end_is_told_from_what_is_long() {
        for code in nested(100_000) {
            assert!(!is_shallow(&code), "{}", &code[..40]);
        }
        for (part, times) in [
            ("-1.5, ", 50_000),
            ("pub fn f(a: &mut Vec<Option<u8>>) -> Result<u8> { a.len()?; Ok(!1) }\n", 5_000),
            ("let x = a + b * -c;\n", 5_000),
            ("if a < b { c() } else { d() }\n", 1_500),
            ("(1, -2), ", 20_000),
        ] {
            assert!(is_shallow(&format!("[{}]", part.repeat(times))), "{part}");
        }
    }

    #[test]
    fn what_is_shallow_fits_on_the_stack() {
        for most in [900, 1_900] {
            for code in nested(most).into_iter().filter(|code| is_shallow(code)) {
                let thread = std::thread::Builder::new().stack_size(ENGINE_STACK_BYTES);
                let parse = move || {
                    let code = format!("fn cell() {{\n{code}\n}}");
                    SourceFile::parse(&code, Edition::CURRENT).syntax_node().descendants().count()
                };
                assert!(thread.spawn(parse).unwrap().join().unwrap() > 0);
            }
        }
    }
}
