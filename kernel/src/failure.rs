//! What a failed cell shows: rustc's errors with their lines, panics, deaths.

use crate::engine::Cell;
use evcxr::CompilationError;

/// The content of Jupyter's `error` message.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub name: String,
    pub value: String,
    pub traceback: Vec<String>,
}

const RED: &str = "\x1b[1;31m";
const BLUE: &str = "\x1b[1;34m";
const GREEN: &str = "\x1b[1;32m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

impl Failure {
    /// A failure told in plain words.
    pub fn told(name: &str, value: impl Into<String>) -> Self {
        let value = harmless(&value.into());
        let traceback = vec![format!("{RED}{name}{PLAIN}: {value}")];
        Failure { name: name.to_owned(), value, traceback }
    }

    /// rustc's errors, each with the lines of the cell it is about.
    pub fn of_compilation(errors: &[CompilationError], cell: &Cell) -> Self {
        let traceback = errors.iter().map(|error| harmless(&render(error, cell))).collect();
        let name = errors.first().and_then(|error| error.code()).unwrap_or("error");
        let values: Vec<String> = errors.iter().map(CompilationError::message).collect();
        Failure { name: name.to_owned(), value: harmless(&values.join("\n")), traceback }
    }
}

/// Names in a message may come from files. What would control the console or turn the reading
/// direction becomes `�`; colours stay.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = colour_length(rest).unwrap_or(c.len_utf8());
        let controls = c.is_control() && !matches!(c, '\n' | '\t') && length == c.len_utf8();
        let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        out.push_str(if controls || turns { "\u{fffd}" } else { &rest[..length] });
        rest = &rest[length..];
    }
    out
}

/// The bytes of the colour sequence (`ESC [ numbers m`) that the text starts with.
fn colour_length(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\x1b[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then_some(end + 3)
}

/// One place in the cell, its lines and columns counted from 1.
struct Label {
    line: usize,
    columns: std::ops::Range<usize>,
    text: String,
    is_primary: bool,
}

fn render(error: &CompilationError, cell: &Cell) -> String {
    let mut out = match error.code() {
        Some(id) => format!("{RED}error[{id}]{PLAIN}{BOLD}: {}{PLAIN}\n", error.message()),
        None => format!("{RED}error{PLAIN}{BOLD}: {}{PLAIN}\n", error.message()),
    };
    let labels = labels(error, cell);
    let last_line = labels.iter().map(|label| label.line).max().unwrap_or(0);
    let gutter = last_line.to_string().len();
    if let Some(first) = labels.iter().find(|label| label.is_primary).or(labels.first()) {
        let place = format!("cell [{}]:{}:{}", cell.number, first.line, first.columns.start);
        out += &format!("{:gutter$}{BLUE}-->{PLAIN} {place}\n", "");
        out += &format!("{:gutter$} {BLUE}|{PLAIN}\n", "");
    }
    let lines: Vec<&str> = cell.code.lines().collect();
    let mut shown: Vec<usize> = labels.iter().map(|label| label.line).collect();
    shown.sort_unstable();
    shown.dedup();
    let mut previous = None;
    for line in shown {
        if previous.is_some_and(|previous| line > previous + 1) {
            out += &format!("{BLUE}...{PLAIN}\n");
        }
        previous = Some(line);
        let text = lines.get(line - 1).copied().unwrap_or_default();
        out += &format!("{BLUE}{line:>gutter$} |{PLAIN} {text}\n");
        for label in labels.iter().filter(|label| label.line == line) {
            let (colour, mark) = if label.is_primary { (RED, "^") } else { (BLUE, "-") };
            let before: String = text
                .chars()
                .take(label.columns.start - 1)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            let marks = mark.repeat(label.columns.len().max(1));
            out += &format!("{:gutter$} {BLUE}|{PLAIN} {before}", "");
            out += &format!("{colour}{marks} {}{PLAIN}\n", label.text);
        }
    }
    if labels.is_empty() {
        out += &error.rendered();
    }
    for help in error.help() {
        let mut lines = help.lines();
        let first = lines.next().unwrap_or_default();
        out += &format!("{:gutter$} {BLUE}={PLAIN} {GREEN}help{PLAIN}: {first}\n", "");
        for line in lines {
            out += &format!("{:gutter$}         {line}\n", "");
        }
    }
    if let Some(hint) = error.evcxr_extra_hint() {
        out += &format!("{:gutter$} {BLUE}={PLAIN} {GREEN}note{PLAIN}: {hint}\n", "");
    }
    out.truncate(out.trim_end().len());
    out
}

fn labels(error: &CompilationError, cell: &Cell) -> Vec<Label> {
    let own = error.spanned_messages().iter().map(|message| (message, true));
    let helps = error.help_spanned().iter().map(|message| (message, false));
    let mut labels: Vec<Label> = own
        .chain(helps)
        .filter_map(|(message, is_own)| {
            let span = message.span?;
            let line = cell.code.lines().nth(span.start_line.checked_sub(1)?)?;
            let width = line.chars().count();
            let typed = |column| cell.edited.typed_column(span.start_line, column);
            let start = typed(span.start_column).clamp(1, width + 1);
            // A span over several lines is shown to the end of its first.
            let is_single = span.end_line == span.start_line;
            let end = if is_single { typed(span.end_column) } else { width + 1 };
            Some(Label {
                line: span.start_line,
                columns: start..end.max(start + 1),
                text: message.label.clone(),
                is_primary: is_own && message.is_primary,
            })
        })
        .collect();
    labels.sort_by_key(|label| (label.line, !label.is_primary, label.columns.start));
    labels.dedup_by(|a, b| a.line == b.line && a.columns == b.columns && a.text == b.text);
    labels
}
