//! Cells as anybody types them: parts that lie within the cell, whatever it holds.

use crate::cells::parse;
use crate::cells::source::{Source, split};
use crate::completeness;

/// Tells commands from Rust and takes the Rust apart.
pub fn read(data: &[u8]) {
    let code = &*String::from_utf8_lossy(data);
    let _ = completeness::of(code);
    // What the engine refuses.
    if !completeness::is_shallow(code) {
        return;
    }
    let (commands, rust) = split(code, &|name| name == "known");
    assert_eq!(rust.len(), code.len(), "everything stays in its place");
    let newlines = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(newlines(&rust), newlines(code));
    assert!(commands.iter().all(|line| code.get(line.range.clone()).is_some()));
    let cell = parse::parse(&Source::new(1, code), &rust, &|_| None);
    let ranges = cell.attributes.iter().chain(&cell.hoisted).chain(&cell.tail);
    for range in ranges {
        assert!(rust.get(range.clone()).is_some(), "{range:?} of {rust:?}");
    }
    for item in &cell.items {
        let text = &item.source.code;
        assert!(text.get(item.range.clone()).is_some(), "{:?} of {text:?}", item.range);
        let inner = item.private_places.iter().chain(&item.relative_paths);
        assert!(inner.clone().all(|&at| text.is_char_boundary(at)), "{inner:?} of {text:?}");
    }
    assert!(cell.relative_paths.iter().all(|&at| rust.is_char_boundary(at)));
}

#[cfg(test)]
#[test]
fn the_corpus_and_what_is_made_of_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/cell_splitting");
    crate::replay::corpus(folder.as_ref(), 200, &read);
}
