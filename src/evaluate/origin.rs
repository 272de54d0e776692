//! Which places of its songs a piece jumps between.

/// A place of a song.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// Which of the songs, counted from 0.
    pub song: usize,
    /// Where in it, in seconds.
    pub seconds: f64,
}

/// A jump from one place of the songs to another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Join {
    /// When it is, in seconds of the piece.
    pub seconds: f64,
    /// Where the songs would have gone on.
    pub before: Origin,
    /// Where the piece goes on.
    pub after: Origin,
}
