//! The cells run so far, for consoles that ask.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of this kernel's only session.
const SESSION: i64 = 1;

/// The history as the cells' thread writes it and the shell's thread reads it.
#[derive(Clone, Default)]
pub struct SharedHistory(Arc<Mutex<History>>);

impl SharedHistory {
    pub fn lock(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Inputs and plain results, in order.
#[derive(Default)]
pub struct History {
    entries: Vec<Entry>,
}

struct Entry {
    line: i64,
    input: String,
    output: Option<String>,
}

impl History {
    /// Notes the cell with this execution count.
    pub fn push(&mut self, line: i64, input: &str) {
        self.entries.push(Entry { line, input: input.to_owned(), output: None });
    }

    /// The plain text of the last cell's result.
    pub fn set_output(&mut self, output: &str) {
        if let Some(entry) = self.entries.last_mut() {
            entry.output = Some(output.to_owned());
        }
    }

    /// The content of a `history_reply` to this request's content.
    pub fn reply(&self, request: &Value) -> Value {
        let with_output = request["output"].as_bool().unwrap_or(false);
        let number = |field: &str| request[field].as_i64();
        let found: Vec<&Entry> = match request["hist_access_type"].as_str() {
            Some("range") => {
                // 0 is this session, negative numbers are earlier ones, which are not kept.
                let mine = matches!(number("session"), None | Some(0 | SESSION));
                let start = number("start").unwrap_or(0);
                let stop = number("stop").unwrap_or(i64::MAX);
                let within = |entry: &&Entry| mine && entry.line >= start && entry.line < stop;
                self.entries.iter().filter(within).collect()
            }
            Some("search") => {
                let pattern = request["pattern"].as_str().unwrap_or("*");
                let mut found: Vec<&Entry> =
                    self.entries.iter().filter(|entry| matches(pattern, &entry.input)).collect();
                if request["unique"].as_bool().unwrap_or(false) {
                    found.retain(|entry| self.is_last_of_its_text(entry));
                }
                tail(found, number("n"))
            }
            _ => tail(self.entries.iter().collect(), number("n")),
        };
        let rows: Vec<Value> = found
            .into_iter()
            .map(|entry| {
                if with_output {
                    json!([SESSION, entry.line, [entry.input, entry.output]])
                } else {
                    json!([SESSION, entry.line, entry.input])
                }
            })
            .collect();
        json!({ "status": "ok", "history": rows })
    }

    fn is_last_of_its_text(&self, entry: &Entry) -> bool {
        !self.entries.iter().any(|other| other.line > entry.line && other.input == entry.input)
    }
}

fn tail(mut entries: Vec<&Entry>, count: Option<i64>) -> Vec<&Entry> {
    let keep = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(0));
    entries.split_off(entries.len().saturating_sub(keep))
}

/// Shell-style matching of the whole text: `*` is any text, `?` any character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_whole_inputs() {
        assert!(matches("*", ""));
        assert!(matches("let*= ?;", "let x = 1;"));
        assert!(matches("*a*b*", "xxaxxbxx"));
        assert!(!matches("let", "let x"));
        assert!(!matches("?", ""));
    }
}
