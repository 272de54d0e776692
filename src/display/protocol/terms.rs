//! The terms of the protocol: the tag of its lines, their length, the operations.
//!
//! The library writes by them and the kernel reads by them: the kernel compiles this very file.

use serde::{Deserialize, Serialize};

/// What every line starts with.
pub const PREFIX: &str = "\u{1e}neural-composer/1 ";

/// Bytes in a line, newline included.
pub const LONGEST_LINE: usize = 8 << 20;

/// What is to be done with a display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Show something new.
    Display,
    /// Replace what an earlier `Display` with the same id shows.
    Update,
    /// Remove the output of the cell so far.
    Clear,
    /// Show nothing; the plain text tells how to go on should the cell's process die.
    Resume,
}
