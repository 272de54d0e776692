//! The rows of a song: in memory, or in a file.

use super::prepared::PreparedRows;
use crate::Result;
use crate::features::Normaliser;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Where the rows of a song are.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    /// Normalised, in memory.
    Memory(Arc<[f32]>),
    /// As they were computed, in a file.
    File(Arc<PreparedRows>),
}

impl Rows {
    /// How many rows of `width` numbers.
    pub fn count(&self, width: usize) -> usize {
        match self {
            Self::Memory(rows) => rows.len() / width,
            Self::File(rows) => rows.count(),
        }
    }

    /// What tells the song from others, where its rows are in a file.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Memory(_) => None,
            Self::File(rows) => rows.key(),
        }
    }

    /// The normalised rows `rows`, `width` numbers each, as far as there are that many.
    pub fn get(&self, rows: Range<usize>, normaliser: &Normaliser) -> Result<Cow<'_, [f32]>> {
        let width = normaliser.width();
        let end = rows.end.min(self.count(width));
        let start = rows.start.min(end);
        match self {
            Self::Memory(rows) => Ok(Cow::Borrowed(&rows[start * width..end * width])),
            Self::File(file) => {
                let mut rows = file.read(start..end)?;
                normaliser.apply(&mut rows)?;
                Ok(Cow::Owned(rows))
            }
        }
    }
}
