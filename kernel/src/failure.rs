//! What a failed cell shows: rustc's errors with their lines, panics, deaths.

use crate::cells::diagnostic::{Diagnostic, Label};
use crate::cells::positions::Position;
use crate::cells::source::Source;
use std::sync::Arc;

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

    /// rustc's errors, each with the lines of the cells it is about.
    pub fn of_compilation(errors: &[Diagnostic]) -> Self {
        let traceback = errors.iter().map(|error| harmless(&render(error))).collect();
        let name = errors.first().and_then(|error| error.code.as_deref()).unwrap_or("error");
        let values: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        Failure { name: name.to_owned(), value: harmless(&values.join("\n")), traceback }
    }

    /// A panic or an error by `?`, with the line of a cell that it happened in.
    pub fn at(name: &str, value: &str, position: &Position) -> Self {
        let Position { source, line, .. } = position;
        let place = format!("in line {line} of cell [{}]", source.cell);
        let mut failure = Failure::told(name, format!("{value}\n  {place}"));
        let text = source.code.lines().nth(line - 1).unwrap_or_default();
        failure.add_line(&format!("  {BLUE}|{PLAIN} {}", text.trim_end()));
        failure
    }

    /// Adds words behind the value.
    pub fn and(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.value += &harmless(words);
            self.add_line(words.trim_start_matches('\n'));
        }
        self
    }

    fn add_line(&mut self, line: &str) {
        if let Some(last) = self.traceback.last_mut() {
            *last += &format!("\n{}", harmless(line));
        }
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

/// A label's lines and columns, counted from 1.
struct Mark<'a> {
    label: &'a Label,
    line: usize,
    columns: std::ops::Range<usize>,
}

impl<'a> Mark<'a> {
    fn of(label: &'a Label) -> Self {
        let start = Position::of(&label.source, label.range.start);
        let end = Position::of(&label.source, label.range.end);
        let text = label.source.code.lines().nth(start.line - 1).unwrap_or_default();
        // A range over several lines is shown to the end of its first.
        let last = if end.line == start.line { end.column } else { text.chars().count() + 1 };
        Mark { label, line: start.line, columns: start.column..last.max(start.column + 1) }
    }
}

fn render(error: &Diagnostic) -> String {
    let mut out = match &error.code {
        Some(id) => format!("{RED}error[{id}]{PLAIN}{BOLD}: {}{PLAIN}\n", error.message),
        None => format!("{RED}error{PLAIN}{BOLD}: {}{PLAIN}\n", error.message),
    };
    let mut marks: Vec<Mark> = error.labels.iter().map(Mark::of).collect();
    marks.sort_by_key(|mark| (mark.line, !mark.label.is_primary, mark.columns.start));
    let mut sources: Vec<Arc<Source>> = Vec::new();
    let first = marks.iter().filter(|mark| mark.label.is_primary).chain(&marks);
    for mark in first {
        if !sources.iter().any(|known| Arc::ptr_eq(known, &mark.label.source)) {
            sources.push(mark.label.source.clone());
        }
    }
    let gutter = marks.iter().map(|mark| mark.line.to_string().len()).max().unwrap_or(1);
    for source in &sources {
        let marks: Vec<&Mark> =
            marks.iter().filter(|mark| Arc::ptr_eq(&mark.label.source, source)).collect();
        out += &excerpt(source, &marks, gutter);
    }
    for note in &error.notes {
        let colour = if note.level == "help" { GREEN } else { BOLD };
        let mut lines = note.message.lines();
        let first = lines.next().unwrap_or_default();
        out += &format!("{:gutter$} {BLUE}={PLAIN} {colour}{}{PLAIN}: {first}\n", "", note.level);
        for line in lines {
            out += &format!("{:gutter$}         {line}\n", "");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The lines of one cell that an error points at, with what it says of them.
fn excerpt(source: &Source, marks: &[&Mark], gutter: usize) -> String {
    let mut out = String::new();
    if let Some(first) = marks.iter().find(|mark| mark.label.is_primary).or(marks.first()) {
        let place = format!("cell [{}]:{}:{}", source.cell, first.line, first.columns.start);
        out += &format!("{:gutter$}{BLUE}-->{PLAIN} {place}\n", "");
        out += &format!("{:gutter$} {BLUE}|{PLAIN}\n", "");
    }
    let mut previous = None;
    for (at, mark) in marks.iter().enumerate() {
        let text = source.code.lines().nth(mark.line - 1).unwrap_or_default();
        if previous != Some(mark.line) {
            if previous.is_some_and(|previous| mark.line > previous + 1) {
                out += &format!("{BLUE}...{PLAIN}\n");
            }
            out += &format!("{BLUE}{:>gutter$} |{PLAIN} {text}\n", mark.line);
        }
        previous = Some(mark.line);
        let is_told = marks[..at].iter().any(|other| {
            other.line == mark.line
                && other.columns == mark.columns
                && (other.label.text == mark.label.text || mark.label.text.is_empty())
        });
        if is_told {
            continue;
        }
        let (colour, sign) = if mark.label.is_primary { (RED, "^") } else { (BLUE, "-") };
        let before: String = text
            .chars()
            .take(mark.columns.start - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let signs = sign.repeat(mark.columns.len().max(1));
        out += &format!("{:gutter$} {BLUE}|{PLAIN} {before}", "");
        out += &format!("{colour}{signs} {}{PLAIN}\n", mark.label.text);
    }
    out
}
