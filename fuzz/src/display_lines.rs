//! Display lines: what is read can be written, and is read back as the same.

use neural_composer::display::protocol::{Event, LONGEST_LINE, PREFIX};

/// Reads every line, with the tag in front if it has none.
pub fn read(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.split('\n') {
        check(line);
        check(&format!("{PREFIX}{line}"));
    }
}

fn check(line: &str) {
    let Some(event) = Event::from_line(line) else { return };
    let written = event.to_line();
    assert!(written.len() <= LONGEST_LINE && written.ends_with('\n'));
    assert_eq!(written.matches('\n').count(), 1, "{written:?}");
    assert_eq!(Event::from_line(&written), Some(event));
}
