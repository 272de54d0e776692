//! How the names of files, counts and numbers are said in sentences.

use std::fmt::{self, Write};
use std::path::Path;

/// How the names of temporary files and folders begin.
pub(crate) const TEMPORARY: &str = ".neural-composer-";
/// The names of files that stand for a stream of the process.
pub(crate) const STREAMS: [&str; 2] = ["standard input", "standard output"];

/// A number and what it counts: "1 packet", "2 packets", "3 batches".
///
/// ```
/// use neural_composer::words::counted;
/// assert_eq!(counted(1, "channel"), "1 channel");
/// assert_eq!(counted(0, "batch"), "0 batches");
/// ```
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with("tch") || noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

/// A path as people read it, in one line.
///
/// Line breaks and characters that control a console or turn the reading direction are escapes, bytes
/// that are no text `�`; a file that stands for standard input or output is called that.
///
/// ```
/// use neural_composer::words::shown;
/// assert_eq!(shown("two\nlines.wav").to_string(), "two\\nlines.wav");
/// ```
pub fn shown(path: &(impl AsRef<Path> + ?Sized)) -> Shown<'_> {
    Shown(path.as_ref())
}

/// What [`shown`] gives.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = stream(self.0) {
            return f.write_str(stream);
        }
        for c in self.0.to_string_lossy().chars() {
            match controls(c) {
                true => write!(f, "{}", c.escape_default())?,
                false => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Text without line breaks and tabs, which become escapes.
pub(crate) fn one_line(text: &str) -> String {
    let breaks = |c| matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let escaped = text.chars().map(|c| match breaks(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    escaped.collect()
}

/// Whether a character controls how others are shown.
pub(crate) fn controls(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The stream that a file stands for: "standard input" or "standard output".
pub fn stream(path: &Path) -> Option<&'static str> {
    let folder = path.parent()?.file_name()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    STREAMS.into_iter().find(|stream| folder.starts_with(TEMPORARY) && *stream == stem)
}

/// What a user gave, without the hundreds of digits that some numbers have.
pub(crate) fn brief(found: String) -> String {
    const MOST: usize = 24;
    match found.parse::<f64>() {
        Ok(number) if found.len() > MOST => format!("{number:e}"),
        _ => found,
    }
}
