//! What replies to Tab and Shift-Tab hold.

use crate::analysis::Completion;
use serde_json::{Value, json};

/// Completions of the cell's bytes from `start` to `end`.
pub fn completed(code: &str, start: usize, end: usize, completions: Vec<Completion>) -> Value {
    let (start, end) = (character_offset(code, start), character_offset(code, end));
    let kinds: Vec<Value> = completions
        .iter()
        .map(|Completion { code, kind, signature }| {
            json!({
                "text": code, "type": kind, "start": start, "end": end, "signature": signature,
            })
        })
        .collect();
    let matches: Vec<String> = completions.into_iter().map(|completion| completion.code).collect();
    json!({
        "status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end,
        "metadata": { "_jupyter_types_experimental": kinds },
    })
}

/// Nothing to complete at this character.
pub fn no_completions(cursor: usize) -> Value {
    json!({
        "status": "ok", "matches": [], "cursor_start": cursor, "cursor_end": cursor, "metadata": {},
    })
}

/// A description in plain text and in HTML.
pub fn described_as(plain: &str, html: &str) -> Value {
    json!({
        "status": "ok", "found": true,
        "data": { "text/plain": plain, "text/html": html }, "metadata": {},
    })
}

/// Nothing is known of what stands there.
pub fn not_found() -> Value {
    json!({ "status": "ok", "found": false, "data": {}, "metadata": {} })
}

/// Text as HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The cell of a request, and its cursor in characters, the end if there is none.
pub fn code_and_cursor(asked: &Value) -> (String, usize) {
    let code = asked["code"].as_str().unwrap_or_default().to_owned();
    let end = code.chars().count();
    let cursor = asked["cursor_pos"].as_u64().and_then(|cursor| usize::try_from(cursor).ok());
    (code, cursor.unwrap_or(end).min(end))
}

/// The byte offset of a cursor that Jupyter counts in characters.
pub fn byte_offset(code: &str, characters: usize) -> usize {
    code.char_indices().nth(characters).map_or(code.len(), |(offset, _)| offset)
}

/// The character a byte offset stands at, or after.
fn character_offset(code: &str, bytes: usize) -> usize {
    code.char_indices().take_while(|(offset, _)| *offset < bytes).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_characters() {
        let code = "aé♪z";
        for (characters, bytes) in [(0, 0), (1, 1), (2, 3), (3, 6), (4, 7), (9, 7)] {
            assert_eq!(byte_offset(code, characters), bytes);
        }
        assert_eq!(character_offset(code, 6), 3);
        assert_eq!(character_offset(code, 7), 4);
    }
}
