//! A cell's source text: its shape, its positions, its lines.

use ra_ap_syntax::ast::{HasModuleItem, Item};
use ra_ap_syntax::{Edition, SourceFile};

/// Whether the cell's last statement is an expression, whose value is the cell's result.
pub fn ends_in_expression(code: &str) -> bool {
    let body = without_commands(code);
    let parsed = SourceFile::parse(&format!("fn cell() {{\n{body}\n}}"), Edition::CURRENT);
    let Some(Item::Fn(function)) = parsed.tree().items().next() else { return false };
    function
        .body()
        .and_then(|body| body.stmt_list())
        .is_some_and(|statements| statements.tail_expr().is_some())
}

/// The cell with spaces where evcxr's commands are: everything else stays where it is.
pub fn without_commands(code: &str) -> String {
    code.split_inclusive('\n')
        .map(|line| {
            if !is_command(line) {
                return line.to_owned();
            }
            let length = line.trim_end_matches('\n').len();
            " ".repeat(length) + &line[length..]
        })
        .collect()
}

/// evcxr's commands (`:vars`) and shell lines (`!ls`) stand alone on their lines.
pub fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    let starts_word = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    line.strip_prefix('!').is_some_and(starts_word)
        || line.strip_prefix(':').is_some_and(starts_word)
}

/// The byte offset of a cursor that Jupyter counts in characters.
pub fn byte_offset(code: &str, characters: usize) -> usize {
    code.char_indices().nth(characters).map_or(code.len(), |(offset, _)| offset)
}

/// The character a byte offset stands at, or after.
pub fn character_offset(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(offset, _)| *offset < bytes).count()
}

/// The cell's line (counted from 1) that reads like this line of the generated source, if one does.
pub fn line_like(code: &str, generated: &str) -> Option<usize> {
    let mut lines = code.lines().enumerate().filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && generated.contains(line)
    });
    let (at, _) = lines.next()?;
    lines.next().is_none().then_some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_trailing_expressions() {
        assert!(ends_in_expression("let a = 1;\na + 1"));
        assert!(ends_in_expression(":dep x = \"1\"\nfoo(\")\")"));
        assert!(!ends_in_expression("let a = 1;"));
        assert!(!ends_in_expression("a();"));
        assert!(!ends_in_expression("fn f() {}"));
        assert!(!ends_in_expression(""));
        assert!(!ends_in_expression(":vars"));
    }

    #[test]
    fn offsets_count_characters() {
        let code = "aé♪z";
        for (characters, bytes) in [(0, 0), (1, 1), (2, 3), (3, 6), (4, 7), (9, 7)] {
            assert_eq!(byte_offset(code, characters), bytes);
        }
        assert_eq!(character_offset(code, 6), 3);
        assert_eq!(character_offset(code, 7), 4);
    }

    #[test]
    fn generated_lines_are_found_in_the_cell() {
        assert_eq!(line_like("let a = 1;\npanic!(\"x\")", "(panic!(\"x\")).show();"), Some(2));
        assert_eq!(line_like("f();\nf();", "f();"), None);
    }
}
