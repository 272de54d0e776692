//! Positions in generated sources, said as positions in cells.

use super::generated::{Builds, Generated};
use super::source::Source;
use std::sync::{Arc, PoisonError};

/// A line and a column of a cell, both counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub source: Arc<Source>,
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The position of a byte in a cell.
    pub fn of(source: &Arc<Source>, offset: usize) -> Self {
        let before = &source.code[..offset.min(source.code.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Position { source: source.clone(), line, column }
    }
}

/// Reads `cell_5.rs:12:9`; nothing if it is no position in code that somebody typed.
pub fn read(place: &str, builds: &Builds) -> Option<Position> {
    let (build, rest) = place.strip_prefix("cell_")?.split_once(".rs:")?;
    let (line, column) = rest.split_once(':')?;
    let builds = builds.lock().unwrap_or_else(PoisonError::into_inner);
    let generated: &Generated = builds.get(&build.parse().ok()?)?;
    let offset = generated.offset_of(line.parse().ok()?, column.parse().ok()?)?;
    let (source, range) = generated.place(offset..offset + 1)?;
    // What the kernel defines for itself is nobody's cell.
    (source.cell > 0).then(|| Position::of(&source, range.start))
}

/// The text with every position in a generated source said as one in a cell: `cell [3]:2:5`.
pub fn in_cells(text: &str, builds: &Builds) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("cell_") {
        let place = &rest[at..];
        let length = place_length(place);
        let Some(position) = length.and_then(|length| read(&place[..length], builds)) else {
            out += &rest[..at + 5];
            rest = &rest[at + 5..];
            continue;
        };
        out += &rest[..at];
        let Position { source, line, column } = position;
        out += &format!("cell [{}]:{line}:{column}", source.cell);
        rest = &place[length.unwrap_or(0)..];
    }
    out + rest
}

/// The length of `cell_5.rs:12:9` at the start of a text.
fn place_length(text: &str) -> Option<usize> {
    let digits = |text: &str| match text.bytes().take_while(u8::is_ascii_digit).count() {
        0 => None,
        length => Some(length),
    };
    let mut length = "cell_".len();
    for mark in [".rs:", ":", ""] {
        length += digits(text.get(length..)?)?;
        if !text[length..].starts_with(mark) {
            return None;
        }
        length += mark.len();
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_cells() {
        let source = Source::new(3, "let a = 1;\nlet b = é;");
        let builds = Builds::default();
        let generated = Generated::wrapping(&source, &source.code);
        builds.lock().unwrap().insert(7, Arc::new(generated));
        assert_eq!(in_cells("[cell_7.rs:4:5] b = 2", &builds), "[cell [3]:2:5] b = 2");
        for same in ["cell_", "cell_7.rs", "cell_8.rs:1:1", "cell_7.rs:1:1", "a cell_7.rs:x"] {
            assert_eq!(in_cells(same, &builds), same);
        }
    }
}
