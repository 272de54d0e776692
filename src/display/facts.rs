//! A list of names and values.

use super::html::isolated;
use std::fmt::Write as _;

/// Names and what they stand for, one below the other: what is known of a song or a model. Both may be
/// text from a file.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    entries: Vec<(String, String)>,
    notes: Vec<String>,
}

impl Facts {
    /// Adds a fact; an empty one is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.entries.push((name.to_owned(), value));
        }
        self
    }

    /// Adds something to mind, as a sentence.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// As HTML, escaped.
    pub fn html(&self) -> String {
        let mut html = String::new();
        if !self.entries.is_empty() {
            html += "<dl class=\"nc-facts\">";
            for (name, value) in &self.entries {
                let (name, value) = (isolated(name), isolated(value));
                let _ = write!(html, "<div><dt>{name}</dt><dd>{value}</dd></div>");
            }
            html += "</dl>";
        }
        for note in &self.notes {
            let _ = write!(html, "<p class=\"nc-mind\" role=\"note\">{}</p>", isolated(note));
        }
        html
    }

    /// As lines of text.
    pub fn plain(&self) -> String {
        let width = self.entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.entries {
            let _ = writeln!(text, "{name:width$}  {value}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}
