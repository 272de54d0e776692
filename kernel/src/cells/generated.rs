//! A generated crate, every byte of which knows which byte of which cell it came from.

use super::item::Item;
use super::source::Source;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The sources of all builds: what a position in one of them stands for.
pub type Builds = Arc<Mutex<HashMap<u32, Arc<Generated>>>>;

/// A part of the generated text.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub start: usize,
    pub end: usize,
    pub origin: Origin,
}

/// Where a part of the generated text comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    Generated,
    /// Copied from a cell, byte by byte.
    Copied(Arc<Source>, usize),
    /// Stands for a range of a cell.
    For(Arc<Source>, Range<usize>),
    /// Takes a variable out of the store.
    Load(String),
    /// Keeps a variable that the cell binds.
    Keep(String),
    /// Puts a variable back into the store.
    Return(String),
    /// Ends a variable that borrows from others, so that these can be kept.
    Drop(String),
}

/// A generated crate.
#[derive(Debug, Clone, Default)]
pub struct Generated {
    pub text: String,
    pub chunks: Vec<Chunk>,
    /// Where each definition stands.
    pub items: Vec<(Range<usize>, Arc<Item>)>,
    /// Symbols that are exported for the first time.
    pub exports: Vec<String>,
    /// Builds that the cell must be linked to, for what they export.
    pub imports_from: Vec<u32>,
}

impl Generated {
    /// A cell that does not parse, in a function of its own: for the compiler's errors.
    pub fn wrapping(source: &Arc<Source>, rust: &str) -> Self {
        let mut out = Generated::default();
        out.add("#![allow(warnings)]\nasync fn cell() {\n");
        out.copy_rust(source, rust, 0..rust.len(), Vec::new());
        out.add("\n}\n");
        out
    }

    pub fn push(&mut self, text: &str, origin: Origin) {
        if text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.chunks.push(Chunk { start, end: self.text.len(), origin });
    }

    pub fn add(&mut self, text: &str) {
        self.push(text, Origin::Generated);
    }

    pub fn copy(&mut self, source: &Arc<Source>, range: Range<usize>) {
        let text = source.code[range.clone()].to_owned();
        self.push(&text, Origin::Copied(source.clone(), range.start));
    }

    pub fn copy_edited(
        &mut self,
        source: &Arc<Source>,
        range: Range<usize>,
        edits: Vec<(Range<usize>, String)>,
    ) {
        self.copy_rust(source, &source.clone().code, range, edits);
    }

    /// Copies a range of `code`, which is the source's but for blanks, with some of it replaced.
    pub fn copy_rust(
        &mut self,
        source: &Arc<Source>,
        code: &str,
        range: Range<usize>,
        mut edits: Vec<(Range<usize>, String)>,
    ) {
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut at = range.start;
        for (replaced, text) in edits {
            // Inside of what is replaced already.
            if replaced.start < at || replaced.end > range.end {
                continue;
            }
            self.push(&code[at..replaced.start], Origin::Copied(source.clone(), at));
            let origin = if replaced.is_empty() {
                Origin::Generated
            } else {
                Origin::For(source.clone(), replaced.clone())
            };
            self.push(&text, origin);
            at = replaced.end;
        }
        self.push(&code[at..range.end], Origin::Copied(source.clone(), at));
    }

    /// The part that a byte of the generated text belongs to.
    pub fn chunk_at(&self, offset: usize) -> Option<&Chunk> {
        let at = self.chunks.partition_point(|chunk| chunk.end <= offset);
        self.chunks.get(at).filter(|chunk| chunk.start <= offset)
    }

    /// The place in a cell that a range of the generated text comes from; what a macro has made comes
    /// from its call.
    pub fn place(&self, range: Range<usize>) -> Option<(Arc<Source>, Range<usize>)> {
        let (mut source, mut range) = self.copied_from(range)?;
        while let Some((outer, call)) = &source.expanded_from {
            (source, range) = (outer.clone(), call.clone());
        }
        Some((source, range))
    }

    pub fn copied_from(&self, range: Range<usize>) -> Option<(Arc<Source>, Range<usize>)> {
        let first = self.chunk_at(range.start)?;
        match &first.origin {
            Origin::For(source, range) => Some((source.clone(), range.clone())),
            Origin::Copied(source, start) => {
                let begin = start + range.start - first.start;
                let last = self.chunk_at(range.end.saturating_sub(1).max(range.start));
                let end = match last.map(|chunk| (&chunk.origin, chunk)) {
                    Some((Origin::Copied(same, start), chunk)) if Arc::ptr_eq(same, source) => {
                        start + range.end.max(chunk.start) - chunk.start
                    }
                    Some((Origin::For(same, replaced), _)) if Arc::ptr_eq(same, source) => {
                        replaced.end
                    }
                    _ => start + first.end - first.start,
                };
                Some((source.clone(), begin..end.clamp(begin, source.code.len())))
            }
            _ => None,
        }
    }

    /// The definition that a byte of the generated text belongs to.
    pub fn item_at(&self, offset: usize) -> Option<&Arc<Item>> {
        let found = self.items.iter().find(|(range, _)| range.contains(&offset));
        found.map(|(_, item)| item)
    }

    /// The byte of a line and a column, both counted from 1.
    pub fn offset_of(&self, line: usize, column: usize) -> Option<usize> {
        let mut lines = self.text.split_inclusive('\n');
        let start: usize = lines.by_ref().take(line.checked_sub(1)?).map(str::len).sum();
        let text = lines.next()?;
        let within =
            text.char_indices().nth(column.checked_sub(1)?).map_or(text.len(), |(at, _)| at);
        Some(start + within)
    }
}
