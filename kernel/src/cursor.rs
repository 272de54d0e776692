//! What a cursor in a cell stands in: what a Tab there is asked for.

use crate::cells::source::{split, without_commands};
use crate::completeness::is_unterminated;
use ra_ap_parser::LexedStr;
use ra_ap_syntax::{Edition, SyntaxKind};

/// Commands whose argument is a variable.
const ABOUT_VARIABLES: [&str; 2] = [":type", ":t"];

/// Where the cursor stands; `start` is where what was typed begins, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a command's name, its colon included.
    Command { start: usize },
    /// In the argument of a command about a variable.
    Variable { start: usize },
    /// In a string literal, or in quotes of a command's line.
    Text { start: usize, is_raw: bool },
    /// In a name that stands by itself.
    Name { start: usize },
    /// In a name behind a dot, or behind two colons.
    Member,
    /// In a comment or a character: nothing can be completed.
    Nothing,
}

/// The place of the cursor at byte `cursor`.
pub fn place(code: &str, cursor: usize, is_known: &dyn Fn(&str) -> bool) -> Place {
    let line_start = code[..cursor].rfind('\n').map_or(0, |at| at + 1);
    let line = &code[line_start..cursor];
    let is_command = line.trim_start().starts_with(':') && !line.trim_start().starts_with("::");
    if is_command && may_start_command(&code[..line_start], is_known) {
        return in_command(line, line_start);
    }
    let rust = without_commands(code, is_known);
    let lexed = LexedStr::new(Edition::CURRENT, &rust);
    let Some(at) = (0..lexed.len()).take_while(|&at| lexed.text_start(at) < cursor).last() else {
        return Place::Name { start: cursor };
    };
    let (start, end) = (lexed.text_start(at), lexed.text_start(at) + lexed.text_len(at));
    match lexed.kind(at) {
        SyntaxKind::STRING | SyntaxKind::BYTE_STRING | SyntaxKind::C_STRING
            if cursor < end || is_unterminated(&lexed, at) =>
        {
            let literal = lexed.text(at);
            let quote = literal.find('"').unwrap_or_default();
            let start = start + quote + 1;
            // Before the quote: in its prefix.
            if start > cursor {
                return Place::Nothing;
            }
            Place::Text { start, is_raw: literal[..quote].contains('r') }
        }
        SyntaxKind::COMMENT
            if cursor < end || lexed.text(at).starts_with("//") || is_unterminated(&lexed, at) =>
        {
            Place::Nothing
        }
        SyntaxKind::CHAR | SyntaxKind::BYTE if cursor < end => Place::Nothing,
        SyntaxKind::INT_NUMBER | SyntaxKind::FLOAT_NUMBER => Place::Nothing,
        kind if kind == SyntaxKind::IDENT || kind.is_keyword(Edition::CURRENT) => {
            in_name(&lexed, at, start)
        }
        _ => in_name(&lexed, at + 1, cursor),
    }
}

/// Whether a command could stand behind this code, on a line of its own.
fn may_start_command(before: &str, is_known: &dyn Fn(&str) -> bool) -> bool {
    let (commands, _) = split(&format!("{before}:help"), is_known);
    commands.last().is_some_and(|command| command.range.start >= before.len())
}

/// The cursor is in the name that is, or would be, the token `at`.
fn in_name(lexed: &LexedStr, at: usize, start: usize) -> Place {
    let before = (0..at)
        .rev()
        .map(|at| lexed.kind(at))
        .find(|kind| !matches!(kind, SyntaxKind::WHITESPACE | SyntaxKind::COMMENT));
    match before {
        Some(SyntaxKind::DOT | SyntaxKind::COLON2) => Place::Member,
        // Two colons are two tokens to the lexer.
        Some(SyntaxKind::COLON)
            if at >= 2
                && lexed.kind(at - 1) == SyntaxKind::COLON
                && lexed.kind(at - 2) == SyntaxKind::COLON =>
        {
            Place::Member
        }
        _ => Place::Name { start },
    }
}

fn in_command(line: &str, line_start: usize) -> Place {
    let start = line_start + (line.len() - line.trim_start().len());
    let command = line.trim_start();
    let Some((name, rest)) = command.split_once(char::is_whitespace) else {
        return Place::Command { start };
    };
    if let Some(quote) = rest.rfind('"')
        && rest.matches('"').count() % 2 == 1
    {
        return Place::Text { start: start + name.len() + 1 + quote + 1, is_raw: false };
    }
    if ABOUT_VARIABLES.contains(&name) {
        let typed = rest.trim_start().len();
        return Place::Variable { start: line_start + line.len() - typed };
    }
    Place::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place of `|`.
    fn at(code: &str) -> Place {
        let cursor = code.find('|').expect("a cursor");
        place(&code.replacen('|', "", 1), cursor, &|_| false)
    }

    #[test]
    fn names_and_members() {
        assert_eq!(at("|"), Place::Name { start: 0 });
        assert_eq!(at("let a = so|"), Place::Name { start: 8 });
        assert_eq!(at("let a = so|ng.gain"), Place::Name { start: 8 });
        assert_eq!(at("let a = f(|)"), Place::Name { start: 10 });
        assert_eq!(at("le|"), Place::Name { start: 0 });
        assert_eq!(at("if|"), Place::Name { start: 0 });
        assert_eq!(at("song.|"), Place::Member);
        assert_eq!(at("song.ga|"), Place::Member);
        assert_eq!(at("song\n    .ga|"), Place::Member);
        assert_eq!(at("std::mem::|"), Place::Member);
        assert_eq!(at("std::mem::sw|"), Place::Member);
        assert_eq!(at("let a: f|"), Place::Name { start: 7 });
        assert_eq!(at(":vars\nso|"), Place::Name { start: 6 });
    }

    #[test]
    fn texts_comments_and_characters() {
        assert_eq!(at("open(\"../da|\")"), Place::Text { start: 6, is_raw: false });
        assert_eq!(at("open(\"|\")"), Place::Text { start: 6, is_raw: false });
        assert_eq!(at("open(\"../da|"), Place::Text { start: 6, is_raw: false });
        assert_eq!(at("open(r#\"../da|\"#)"), Place::Text { start: 8, is_raw: true });
        assert_eq!(at("let c = '\"'; so|"), Place::Name { start: 13 });
        assert_eq!(at("\"a\".le|"), Place::Member);
        assert_eq!(at("// so|"), Place::Nothing);
        assert_eq!(at("/* so|"), Place::Nothing);
        assert_eq!(at("/* a */so|"), Place::Name { start: 7 });
        assert_eq!(at("'a|'"), Place::Nothing);
        assert_eq!(at("1|"), Place::Nothing);
    }

    #[test]
    fn commands() {
        assert_eq!(at(":|"), Place::Command { start: 0 });
        assert_eq!(at("let a = 1;\n  :d|"), Place::Command { start: 13 });
        assert_eq!(at(":type so|"), Place::Variable { start: 6 });
        assert_eq!(at(":t |"), Place::Variable { start: 3 });
        assert_eq!(at(":dep a = { path = \"ti|\" }"), Place::Text { start: 19, is_raw: false });
        assert_eq!(at(":dep ra|"), Place::Nothing);
        assert_eq!(at("let a\n    :u|"), Place::Name { start: 11 });
        assert_eq!(at("::st|"), Place::Member);
    }
}
