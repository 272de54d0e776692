//! What a cell's standard output and standard error are made of, told apart byte by byte.
//!
//! One pipe carries three kinds of things in order: the cell's own text, the library's display lines
//! (U+001E `neural-composer/1 ` and one JSON object) and content blocks as evcxr knows them
//! (`EVCXR_BEGIN_CONTENT` ... `EVCXR_END_CONTENT`). Anything that only looks like one of the last two
//! is text, so that a malformed line is shown and never obeyed. All of it is a cell's to write: what
//! the kernel must rely on comes over a socket (`link.rs`).

#[cfg(test)]
#[path = "../../fuzz/src/hostile_output_stream.rs"]
mod hostile;

pub use crate::stream_marks::Operation;

use crate::stream_marks::{
    CONTENT_BEGIN, CONTENT_END, DISPLAY_TAG, LONGEST_LINE, content_type, prompt, special_start,
    unfinished_character_length, unfinished_marker_length,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest display line obeyed, in bytes: somewhat more than the library writes.
const DISPLAY_LIMIT_BYTES: usize = LONGEST_LINE + (1 << 20);
/// Longest content block obeyed, in bytes: a cell may begin one and never end it.
const CONTENT_LIMIT_BYTES: usize = 64 << 20;
/// How much of an over-long line is shown as text.
const EXCERPT_BYTES: usize = 1000;

/// One display line: the library's, or a cell's own, whose data may be any JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DisplayLine {
    pub op: Operation,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub data: Map<String, Value>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// For `clear`: wait for the next output before clearing.
    #[serde(default)]
    pub wait: bool,
}

/// One piece of a stream, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    Display(DisplayLine),
    /// One MIME type of a content block.
    Content {
        mime: String,
        text: String,
    },
    /// The next read of standard input is to be asked with these words.
    Prompt {
        prompt: String,
        is_password: bool,
    },
}

/// Splits a byte stream into [`Piece`]s; feed it whatever a read returned.
#[derive(Default)]
pub struct StreamSplitter {
    pending: Vec<u8>,
    /// How much of `pending` is known to hold no newline.
    scanned: usize,
    /// The rest of an over-long display line is being dropped.
    dropping: bool,
    /// The content block that has begun and not ended.
    content: Option<Block>,
}

/// A content block so far.
struct Block {
    mime: String,
    /// The line that it began with, as it stands.
    begin: String,
    /// The lines behind it, each behind a newline.
    lines: String,
}

impl Block {
    fn push(&mut self, line: &[u8]) {
        self.lines.push('\n');
        self.lines.push_str(&lossy(line));
    }

    /// It never ended, or is too long, so it was no content.
    fn into_text(self) -> Piece {
        Piece::Text(self.begin + &self.lines + "\n")
    }

    fn into_content(self) -> Piece {
        let text = self.lines.trim_start_matches('\n').to_owned();
        Piece::Content { mime: self.mime, text }
    }
}

impl StreamSplitter {
    /// Takes `bytes` and returns the pieces they complete. Text is handed out at once, whole lines
    /// or not, unless it may turn out to be the start of something else.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let bytes = self.after_drop(bytes);
        self.pending.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        let pending = std::mem::take(&mut self.pending);
        let (mut start, mut from) = (0, self.scanned);
        while let Some(offset) = pending[from..].iter().position(|&byte| byte == b'\n') {
            self.take_line(&pending[start..from + offset], &mut pieces);
            start = from + offset + 1;
            from = start;
        }
        self.pending = pending;
        self.pending.drain(..start);
        self.take_unfinished_line(&mut pieces);
        self.scanned = self.pending.len();
        merge_text(pieces)
    }

    /// Whatever is left when the stream ends.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        pieces.extend(self.content.take().map(Block::into_text));
        self.scanned = 0;
        self.dropping = false;
        let rest = std::mem::take(&mut self.pending);
        push_text(&mut pieces, &rest, false);
        pieces
    }

    /// What is left of `bytes` behind the line that is being dropped.
    fn after_drop<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.dropping {
            return bytes;
        }
        match bytes.iter().position(|&byte| byte == b'\n') {
            Some(at) => {
                self.dropping = false;
                &bytes[at + 1..]
            }
            None => &[],
        }
    }

    fn take_line(&mut self, line: &[u8], pieces: &mut Vec<Piece>) {
        if let Some(mut block) = self.content.take() {
            if line == CONTENT_END {
                pieces.push(block.into_content());
                return;
            }
            block.push(line);
            if block.lines.len() > CONTENT_LIMIT_BYTES {
                pieces.push(block.into_text());
            } else {
                self.content = Some(block);
            }
            return;
        }
        let Some(at) = special_start(line) else {
            push_text(pieces, line, true);
            return;
        };
        let (before, special) = line.split_at(at);
        if let Some(json) = special.strip_prefix(DISPLAY_TAG) {
            match serde_json::from_slice::<DisplayLine>(json) {
                Ok(display) if display.is_sound() => {
                    push_text(pieces, before, false);
                    pieces.push(Piece::Display(display));
                }
                _ => push_text(pieces, line, true),
            }
        } else if let Some(mime) = special.strip_prefix(CONTENT_BEGIN).and_then(content_type) {
            push_text(pieces, before, false);
            self.content = Some(Block { mime, begin: lossy(special), lines: String::new() });
        } else if let Some((prompt, is_password)) = prompt(special) {
            push_text(pieces, before, false);
            pieces.push(Piece::Prompt { prompt, is_password });
        } else {
            push_text(pieces, line, true);
        }
    }

    /// Hands out the part of an unfinished line that can only be text.
    fn take_unfinished_line(&mut self, pieces: &mut Vec<Piece>) {
        if let Some(block) = &self.content {
            if block.lines.len() + self.pending.len() <= CONTENT_LIMIT_BYTES {
                return;
            }
            pieces.extend(self.content.take().map(Block::into_text));
        }
        if self.pending.is_empty() {
            return;
        }
        let text_length = match special_start(&self.pending) {
            Some(at) if self.pending.len() - at > DISPLAY_LIMIT_BYTES => {
                let excerpt = &self.pending[at..at + EXCERPT_BYTES];
                let note = format!(
                    "{}… (a display line of more than {} MiB was dropped)\n",
                    lossy(excerpt),
                    DISPLAY_LIMIT_BYTES >> 20
                );
                pieces.push(Piece::Text(note));
                self.pending.clear();
                self.dropping = true;
                return;
            }
            Some(at) => at,
            None => self.pending.len() - unfinished_marker_length(&self.pending),
        };
        let text_length = text_length - unfinished_character_length(&self.pending[..text_length]);
        let text: Vec<u8> = self.pending.drain(..text_length).collect();
        push_text(pieces, &text, false);
    }
}

impl DisplayLine {
    /// Whether the line has what its `op` needs.
    fn is_sound(&self) -> bool {
        match self.op {
            Operation::Display => !self.data.is_empty(),
            Operation::Update => self.id.is_some() && !self.data.is_empty(),
            Operation::Clear => true,
            Operation::Resume => self.data.get("text/plain").is_some_and(Value::is_string),
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn push_text(pieces: &mut Vec<Piece>, bytes: &[u8], newline: bool) {
    if bytes.is_empty() && !newline {
        return;
    }
    let mut text = lossy(bytes);
    if newline {
        text.push('\n');
    }
    pieces.push(Piece::Text(text));
}

fn merge_text(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (merged.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => merged.push(piece),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn feed_all(input: &[u8], chunk: usize) -> Vec<Piece> {
        let mut splitter = StreamSplitter::default();
        let mut pieces = Vec::new();
        for bytes in input.chunks(chunk) {
            pieces.extend(splitter.feed(bytes));
        }
        pieces.extend(splitter.finish());
        merge_text(pieces)
    }

    #[test]
    fn unfinished_lines_are_text_at_once() {
        let mut splitter = StreamSplitter::default();
        assert_eq!(splitter.feed(b"\r 50 %"), [text("\r 50 %")]);
        assert_eq!(splitter.feed(b"\r100 %\n"), [text("\r100 %\n")]);
    }

    #[test]
    fn display_lines_keep_their_place_between_text() {
        let input = "before\n\u{1e}neural-composer/1 {\"op\":\"display\",\"id\":\"a\",\
                     \"data\":{\"text/plain\":\"x\"}}\nafter\n";
        for chunk in [1, 2, 3, 7, 1000] {
            let pieces = feed_all(input.as_bytes(), chunk);
            assert_eq!(pieces.len(), 3, "{pieces:?}");
            assert_eq!(pieces[0], text("before\n"));
            let Piece::Display(display) = &pieces[1] else { panic!("{pieces:?}") };
            assert_eq!(display.op, Operation::Display);
            assert_eq!(display.id.as_deref(), Some("a"));
            assert_eq!(pieces[2], text("after\n"));
        }
    }

    #[test]
    fn malformed_display_lines_are_text() {
        for line in [
            "\u{1e}neural-composer/1 {\"op\":\"launch\"}\n",
            "\u{1e}neural-composer/1 {\"op\":\"update\",\"data\":{\"text/plain\":\"no id\"}}\n",
            "\u{1e}neural-composer/1 not json\n",
            "\u{1e}neural-composer/2 {\"op\":\"clear\"}\n",
        ] {
            assert_eq!(feed_all(line.as_bytes(), 5), [text(line)]);
        }
    }

    #[test]
    fn any_number_of_content_blocks() {
        let input = b"EVCXR_BEGIN_CONTENT image/png\nAAAA\nEVCXR_END_CONTENT\n\
                      EVCXR_BEGIN_CONTENT image/png\nBB\nCC\nEVCXR_END_CONTENT\n";
        for chunk in [1, 9, 4096] {
            let mime = || "image/png".to_owned();
            assert_eq!(
                feed_all(input, chunk),
                [
                    Piece::Content { mime: mime(), text: "AAAA".to_owned() },
                    Piece::Content { mime: mime(), text: "BB\nCC".to_owned() }
                ]
            );
        }
    }

    #[test]
    fn blocks_without_an_end_are_text() {
        for text_behind in ["", "more\n", "one\ntwo\n"] {
            let written = format!("EVCXR_BEGIN_CONTENT x/y\n{text_behind}");
            assert_eq!(feed_all(written.as_bytes(), 7), [text(&written)]);
        }
        let with_more = "a EVCXR_BEGIN_CONTENT x/y more of it\n\n\nb\n";
        assert_eq!(feed_all(with_more.as_bytes(), 7), [text(with_more)]);
        let no_type = "EVCXR_BEGIN_CONTENT nothing\nEVCXR_END_CONTENT\n";
        assert_eq!(feed_all(no_type.as_bytes(), 7), [text(no_type)]);
    }

    #[test]
    fn prompts_are_not_text() {
        let prompt = Piece::Prompt { prompt: "Name: ".to_owned(), is_password: false };
        assert_eq!(feed_all(b"a\nEVCXR_INPUT_REQUEST:Name: \n", 4), [text("a\n"), prompt]);
    }

    #[test]
    fn split_characters_and_invalid_bytes_survive() {
        let music = "♪ Größe\n";
        for chunk in 1..music.len() {
            assert_eq!(feed_all(music.as_bytes(), chunk), [text(music)]);
        }
        assert_eq!(feed_all(b"a\xffb\n", 1), [text("a\u{fffd}b\n")]);
    }

    #[test]
    fn endless_display_lines_do_not_fill_the_memory() {
        let mut splitter = StreamSplitter::default();
        splitter.feed("\u{1e}neural-composer/1 {".as_bytes());
        let block = vec![b'x'; 1 << 20];
        let mut shown: Vec<Piece> = (0..12).flat_map(|_| splitter.feed(&block)).collect();
        shown.extend(splitter.feed(b"the end\nnext\n"));
        assert_eq!(shown.len(), 2);
        let Piece::Text(note) = &shown[0] else { panic!() };
        assert!(note.contains("dropped") && note.len() < 2000, "{note}");
        assert_eq!(shown[1], text("next\n"));
    }

    #[test]
    fn endless_blocks_do_not_fill_the_memory() {
        for block in [vec![b'x'; 1 << 20], b"a line\n".repeat(1 << 17)] {
            let mut splitter = StreamSplitter::default();
            let mut shown = splitter.feed(b"EVCXR_BEGIN_CONTENT image/png\n");
            let blocks = (CONTENT_LIMIT_BYTES / block.len()) + 3;
            shown.extend((0..blocks).flat_map(|_| splitter.feed(&block)));
            assert!(shown.iter().all(|piece| matches!(piece, Piece::Text(_))) && !shown.is_empty());
            assert_eq!(splitter.feed(b"next\n"), [text("next\n")]);
        }
    }
}
