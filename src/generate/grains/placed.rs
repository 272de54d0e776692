//! A grain and its place in a piece.

/// A grain of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Which candidate of the pool.
    pub candidate: usize,
    /// Where it begins in the piece.
    pub at_seconds: f64,
}
