//! What in a cell's output is no text: how it begins and ends, byte by byte.

/// The library's own file: what its display lines are made of is said once.
#[path = "../../src/display/protocol/terms.rs"]
mod display_terms;

pub use display_terms::{LONGEST_LINE, Operation};

use display_terms::PREFIX;
pub const DISPLAY_TAG: &[u8] = PREFIX.as_bytes();
pub const CONTENT_BEGIN: &[u8] = b"EVCXR_BEGIN_CONTENT ";
pub const CONTENT_END: &[u8] = b"EVCXR_END_CONTENT";
/// How the crate `evcxr_input` announces that it will read a line: with a prompt.
const INPUT_PROMPTS: [(&[u8], bool); 2] =
    [(evcxr_input::GET_CMD_PASSWORD.as_bytes(), true), (evcxr_input::GET_CMD.as_bytes(), false)];

/// Where in a line something other than text may start.
pub fn special_start(line: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(offset) = line[from..].iter().position(|&byte| byte == 0x1e || byte == b'E') {
        let at = from + offset;
        let rest = &line[at..];
        if tags().any(|tag| rest.starts_with(tag)) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn tags() -> impl Iterator<Item = &'static [u8]> {
    let prompts = INPUT_PROMPTS.into_iter().map(|(tag, _)| tag);
    [DISPLAY_TAG, CONTENT_BEGIN].into_iter().chain(prompts)
}

pub fn prompt(line: &[u8]) -> Option<(String, bool)> {
    INPUT_PROMPTS.into_iter().find_map(|(tag, is_password)| {
        let prompt = line.strip_prefix(tag)?.strip_prefix(b":")?;
        Some((String::from_utf8_lossy(prompt).into_owned(), is_password))
    })
}

/// The MIME type that a block begins with, if it is one.
pub fn content_type(rest: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(rest).ok()?;
    let mime = text.split(' ').next()?;
    let (kind, name) = mime.split_once('/')?;
    let is_token = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_".contains(c))
    };
    (is_token(kind) && is_token(name)).then(|| mime.to_owned())
}

/// How many bytes at the end may be the beginning of a tag that has not arrived whole.
pub fn unfinished_marker_length(bytes: &[u8]) -> usize {
    let longest = tags().map(<[u8]>::len).max().unwrap_or(0);
    let from = bytes.len().saturating_sub(longest);
    for at in from..bytes.len() {
        let rest = &bytes[at..];
        if tags().any(|tag| tag.starts_with(rest)) {
            return rest.len();
        }
    }
    0
}

/// How many bytes at the end are the beginning of a UTF-8 character that has not arrived whole.
pub fn unfinished_character_length(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => 0,
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        Err(_) => {
            // Something invalid earlier; only a short tail can still be completed.
            let tail = bytes.len().saturating_sub(3);
            (tail..bytes.len())
                .find(|&at| {
                    std::str::from_utf8(&bytes[at..])
                        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
                })
                .map_or(0, |at| bytes.len() - at)
        }
    }
}
