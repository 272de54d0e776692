//! What rustc says of a cell, led back to the cells that its words are about.

use super::generated::{Generated, Origin};
use super::item::Item;
use super::source::Source;
use super::types;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// One error.
#[derive(Debug, Clone, Default)]
pub struct Diagnostic {
    pub code: Option<String>,
    pub message: String,
    pub labels: Vec<Label>,
    /// Notes and helps, with what a help would have one write.
    pub notes: Vec<Note>,
    /// Variables whose keeping it is about, and whether it is its main point.
    pub kept: Vec<(String, bool)>,
    /// The same for variables that go back into the store, and for those taken out of it.
    pub returned: Vec<(String, bool)>,
    pub loaded: Vec<String>,
    /// Variables that are ended early.
    pub dropped: Vec<String>,
    /// Definitions it points at, and whether that is its main point.
    pub items: Vec<(Arc<Item>, bool)>,
}

/// A place in a cell, and what is said of it.
#[derive(Debug, Clone)]
pub struct Label {
    pub source: Arc<Source>,
    pub range: Range<usize>,
    pub text: String,
    pub is_primary: bool,
}

#[derive(Debug, Clone)]
pub struct Note {
    pub level: String,
    pub message: String,
}

impl Diagnostic {
    /// Whether it is about code that somebody typed.
    pub fn is_about_cells(&self) -> bool {
        self.labels.iter().any(|label| label.is_primary)
    }

    /// Whether it says that the last expression has no type that could be shown, as one that never
    /// returns.
    pub fn is_about_display_of_nothing(&self) -> bool {
        matches!(self.code.as_deref(), Some("E0282" | "E0283" | "E0284"))
            && !self.is_about_cells()
            && self.kept.is_empty()
            && self.loaded.is_empty()
    }

    /// Whether it says that a macro at the cell's end makes statements or items, and no value.
    pub fn is_about_statement_macro(&self) -> bool {
        let says = |words: &str| self.notes.iter().any(|note| note.message.contains(words));
        says("is likely invalid in expression context") || says("it can expand to a statement")
    }

    /// Whether an error is that something waits outside of an async function.
    pub fn is_about_waiting(&self) -> bool {
        self.code.as_deref() == Some("E0728")
    }

    /// Whether an error is that `?` found an error without `Display`.
    pub fn is_about_display(&self) -> bool {
        self.code.as_deref() == Some("E0277")
            && (self.message.contains("Display") || self.message.contains("the cell's error"))
    }

    /// Says in a cell's terms what rustc says of the function around it.
    pub fn plainer(mut self) -> Self {
        if self.message.starts_with("expected `;`, found") {
            self.message = "missing a semicolon: expected `;` here".to_owned();
        } else if self.message.contains("this file contains an unclosed delimiter") {
            self.message = "an unclosed delimiter: something was opened and not closed".to_owned();
        }
        self.message = self.message.replace(", found `}`", ", found the end of the cell");
        self
    }

    fn points_at_keeping(&self) -> bool {
        !self.kept.is_empty() || !self.returned.is_empty()
    }

    /// Whether it says only that variables cannot be kept.
    pub fn is_about_keeping(&self) -> bool {
        const OWNERSHIP: [&str; 14] = [
            "E0381", "E0382", "E0505", "E0597", "E0716", "E0373", "E0521", "E0503", "E0506",
            "E0499", "E0502", "E0310", "E0515", "E0700",
        ];
        let is_main = self.kept.iter().chain(&self.returned).any(|(_, is_main)| *is_main);
        let is_ownership = self.code.as_deref().is_some_and(|code| OWNERSHIP.contains(&code));
        self.points_at_keeping() && (is_main || is_ownership)
    }
}

/// Reads one line of `--error-format json`; nothing if it is no error.
pub fn read(line: &str, generated: &Generated) -> Option<Diagnostic> {
    let json: Value = serde_json::from_str(line).ok()?;
    if !json["level"].as_str()?.starts_with("error") {
        return None;
    }
    let message = json["message"].as_str()?;
    if ["aborting due to", "could not compile", "For more information"]
        .iter()
        .any(|start| message.starts_with(start))
    {
        return None;
    }
    let mut out = Diagnostic {
        code: json["code"]["code"].as_str().map(str::to_owned),
        message: harmless_words(message),
        ..Diagnostic::default()
    };
    for span in json["spans"].as_array().into_iter().flatten() {
        out.take_span(span, generated, false);
    }
    for child in json["children"].as_array().into_iter().flatten() {
        out.take_child(child, generated);
    }
    Some(out)
}

impl Diagnostic {
    fn take_span(&mut self, span: &Value, generated: &Generated, is_note: bool) {
        let is_primary = span["is_primary"].as_bool().unwrap_or(false) && !is_note;
        let label = span["label"].as_str().unwrap_or_default();
        let Some(range) = own_range(span) else { return };
        if let Some((item, is_main)) = generated.item_at(range.start).map(|item| (item, is_primary))
        {
            self.items.push((item.clone(), is_main));
        }
        match generated.chunk_at(range.start).map(|chunk| &chunk.origin) {
            Some(Origin::Keep(name)) => {
                let demands = ["requires", "outlive", "'static", "borrow later used"];
                let is_main =
                    is_primary || is_note || demands.iter().any(|part| label.contains(part));
                self.kept.push((name.clone(), is_main));
            }
            Some(Origin::Return(name)) => self.returned.push((name.clone(), is_primary)),
            Some(Origin::Load(name)) => self.loaded.push(name.clone()),
            Some(Origin::Drop(name)) => self.dropped.push(name.clone()),
            _ => {
                if let Some((source, range)) = generated.place(range) {
                    let text = harmless_words(label);
                    let is_empty = is_note && text.is_empty();
                    if !is_empty {
                        self.labels.push(Label { source, range, text, is_primary });
                    }
                }
            }
        }
    }

    fn take_child(&mut self, child: &Value, generated: &Generated) {
        let message = child["message"].as_str().unwrap_or_default();
        let level = child["level"].as_str().unwrap_or("note");
        let mut suggestions = Vec::new();
        let mut is_foreign = false;
        for span in child["spans"].as_array().into_iter().flatten() {
            match (span["suggested_replacement"].as_str(), own_range(span)) {
                (Some(text), Some(range)) => match generated.place(range) {
                    Some((source, range)) => suggestions.push((source, range, text.to_owned())),
                    None => is_foreign = true,
                },
                (None, Some(_)) => self.take_span(span, generated, true),
                (_, None) => {}
            }
        }
        if is_foreign || message.is_empty() {
            return;
        }
        let mut message = harmless_words(message);
        if message.contains("neural_") || message.contains("evcxr_") {
            return;
        }
        if let Some(line) = suggested_line(&suggestions) {
            message += &format!("\n{line}");
        }
        let note = Note { level: level.to_owned(), message };
        if !self.notes.iter().any(|known| known.message == note.message) {
            self.notes.push(note);
        }
    }
}

/// The line of the cell as it would read with the suggestions.
fn suggested_line(suggestions: &[(Arc<Source>, Range<usize>, String)]) -> Option<String> {
    let (source, first, _) = suggestions.first()?;
    let code = &source.code;
    let start = code[..first.start].rfind('\n').map_or(0, |at| at + 1);
    let end = code[first.start..].find('\n').map_or(code.len(), |at| first.start + at);
    let mut parts: Vec<_> = suggestions.iter().collect();
    parts.sort_by_key(|(_, range, _)| range.start);
    let mut line = String::new();
    let mut at = start;
    for (_, range, text) in parts {
        if range.start < at || range.end > end {
            return None;
        }
        line += &code[at..range.start];
        line += text;
        at = range.end;
    }
    Some(line + &code[at..end])
}

/// The bytes of the generated source that a span, or the macro's call it is in, stands for.
fn own_range(span: &Value) -> Option<Range<usize>> {
    let number = |name: &str| span[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let is_own = span["file_name"].as_str().is_some_and(|name| name.starts_with("cell_"));
    if is_own {
        return Some(number("byte_start")?..number("byte_end")?);
    }
    match &span["expansion"]["span"] {
        Value::Null => None,
        outer => own_range(outer),
    }
}

/// The words without names of what the kernel writes around a cell.
fn harmless_words(text: &str) -> String {
    let text = types::readable(text)
        .replace("::neural_cells::", "")
        .replace("neural_cells::", "")
        .replace("DebugCellError", "the cell's error")
        .replace("CellError", "the cell's error");
    types::without_versions(&text)
}
