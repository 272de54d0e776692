//! The variables of a notebook: their types, and how a cell keeps them.

/// A variable in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub ty: String,
    pub is_mutable: bool,
    /// See `Definitions::fingerprint`.
    pub fingerprint: u64,
}

/// How a new variable is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    Inferred,
    /// As this type, into which its own can be turned.
    As(String),
    /// Not at all: it ends with the cell.
    Local,
}
