//! The value of a setting.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of a setting, as a plan has it.
///
/// ```
/// use neural_composer::sweep::Value;
/// assert_eq!(Value::Real(1e-3).to_string(), "0.001");
/// assert_eq!(Value::from("gru:64").number(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Whether something is done.
    Flag(bool),
    /// A whole number: a count, a seed.
    Whole(i64),
    /// Any number.
    Real(f64),
    /// A name, or something written as a word: `gru:64`.
    Text(String),
}

impl Value {
    /// As a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Flag(_) | Self::Text(_) => None,
        }
    }

    /// As a plan has it: words in quotation marks.
    pub(super) fn in_plan(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            // TOML tells numbers with a point from whole ones.
            Self::Real(number) => format!("{number:?}"),
            other => other.to_string(),
        }
    }
}

/// Text as a plan has it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Real(number) if *number != 0.0 && !(1e-4..1e9).contains(&number.abs()) => {
                write!(f, "{number:e}")
            }
            Self::Real(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
