//! Places in a text as the protocol counts them: lines, and bytes within a line.

use lsp_types::Position;

/// The line and the byte within it of a byte of the text.
pub fn position(text: &str, offset: usize) -> Position {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position { line: number(line), character: number(before.len() - start) }
}

/// The byte of the text at a line and a byte within it; none where the text has no such line.
pub fn offset(text: &str, position: Position) -> Option<usize> {
    let mut start = 0;
    for _ in 0..position.line {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let offset = start + usize::try_from(position.character).ok()?;
    text.is_char_boundary(offset).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::{offset, position};

    #[test]
    fn each_byte_has_its_position() {
        let text = "fn a() {\n  \"é♪\"\n}\n\n";
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            assert_eq!(offset(text, position(text, at)), Some(at));
        }
        assert_eq!((position(text, 14).line, position(text, 14).character), (1, 5));
    }

    #[test]
    fn places_outside_have_none() {
        let place = |line, character| lsp_types::Position { line, character };
        assert_eq!(offset("a\nb", place(2, 0)), None);
        assert_eq!(offset("a\nb", place(1, 2)), None);
        assert_eq!(offset("é", place(0, 1)), None);
    }
}
