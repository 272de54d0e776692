//! What a cell writes: the same pieces however it arrives, and nothing lost on the way.

use crate::output_stream::{Piece, StreamSplitter};

/// The first byte says in which pieces the others arrive.
pub fn read(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = pieces(stream, usize::MAX);
    let parts = pieces(stream, usize::from(*size) + 1);
    assert_eq!(whole, parts, "in parts of {}", usize::from(*size) + 1);
    if !whole.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
        let text: String = whole.iter().map(text_of).collect();
        assert_eq!(text, String::from_utf8_lossy(stream));
    }
}

fn text_of(piece: &Piece) -> &str {
    match piece {
        Piece::Text(text) => text,
        _ => "",
    }
}

fn pieces(stream: &[u8], size: usize) -> Vec<Piece> {
    let mut splitter = StreamSplitter::default();
    let mut found: Vec<Piece> = Vec::new();
    let mut take = |new: Vec<Piece>| {
        for piece in new {
            match (found.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => found.push(piece),
            }
        }
    };
    for part in stream.chunks(size.max(1)) {
        take(splitter.feed(part));
    }
    take(splitter.finish());
    found
}

#[cfg(test)]
#[test]
fn the_corpus_and_what_is_made_of_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/output_stream");
    crate::replay::corpus(folder.as_ref(), 300, &read);
}
