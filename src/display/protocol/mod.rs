//! The lines that carry displays from the evaluator to our own kernel.
//!
//! One event is one line: U+001E, the tag `neural-composer/1 `, a JSON object, a newline. The object
//! holds `op` (an [`Operation`]), `id` where the display is to be updated later, `data` (MIME type to
//! text, or to base64 for binary types) and `metadata`, as Jupyter's `display_data` has them. A line
//! is at most [`LONGEST_LINE`] bytes long.

mod terms;

pub use terms::{LONGEST_LINE, Operation, PREFIX};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What to do.
    pub op: Operation,
    /// Which display; required for `Update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// MIME type to content.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// As Jupyter's.
    #[serde(default)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Event {
    /// The event as one line with its newline.
    ///
    /// What makes the line longer than [`LONGEST_LINE`] is left out, the largest item first, and
    /// the plain text says so.
    pub fn to_line(&self) -> String {
        let mut event = self.clone();
        loop {
            // Maps of strings always have a JSON form.
            let json = serde_json::to_string(&event).unwrap_or_default();
            let line = format!("{PREFIX}{json}\n");
            if line.len() <= LONGEST_LINE || !event.drop_largest() {
                return line;
            }
        }
    }

    fn drop_largest(&mut self) -> bool {
        let Some(mime) = self.data.iter().max_by_key(|(_, v)| v.len()).map(|(k, _)| k.clone())
        else {
            return false;
        };
        let size = self.data.remove(&mime).map_or(0, |v| v.len() as u64);
        let note = format!(
            "[{mime} left out: {} do not fit into one display of {}]",
            super::plain::size(size),
            super::plain::size(LONGEST_LINE as u64)
        );
        let plain = self.data.entry("text/plain".into()).or_default();
        // Plain text that was itself too long is gone by now; notes are short.
        if mime != "text/plain" && !plain.is_empty() {
            plain.push('\n');
        }
        plain.push_str(&note);
        true
    }

    /// Reads a line back, with or without its newline; nothing when it is not such a line.
    pub fn from_line(line: &str) -> Option<Self> {
        let json = line.trim_end_matches(['\n', '\r']).strip_prefix(PREFIX)?;
        let event: Self = serde_json::from_str(json).ok()?;
        (event.op != Operation::Update || event.id.is_some()).then_some(event)
    }
}
