//! What a subcommand says at its end.

use neural_composer::display::plain;
use neural_composer::generate::{Part, Piece};
use neural_composer::words::{counted, shown, stream};
use neural_composer::{Error, interrupt};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::Path;

/// Says something beside the result; who does not listen keeps no command from its work.
pub fn tell(words: &str) {
    let _ = writeln!(io::stderr(), "{}", plain::clean(words));
}

/// Prints facts for machines.
pub fn print_json(value: &Value) -> io::Result<()> {
    printed(writeln!(io::stdout(), "{value}"))
}

/// A reader that went away (`| head`) is no failure.
fn printed(written: io::Result<()>) -> io::Result<()> {
    match written.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// How the program ends with an error.
pub fn status_of(error: &Error) -> u8 {
    match error {
        Error::Interrupted(_) => stopped(),
        Error::Argument { .. } => 2,
        _ => 1,
    }
}

/// Ended by a signal, as shells report it.
fn stopped() -> u8 {
    u8::try_from(interrupt::exit_status()).unwrap_or(u8::MAX)
}

/// A file's name for machines, as it is; bytes that are no text become `�`.
pub fn path(path: &Path) -> Value {
    stream(path).map_or_else(|| path.to_string_lossy().into(), Value::from)
}

/// "44100 Hz, 2 channels".
fn shape(piece: &Piece) -> String {
    let (rate, channels) = (piece.audio().sample_rate_hz(), piece.audio().channel_count());
    format!("{rate} Hz, {}", counted(channels, "channel"))
}

/// What a subcommand has to say at its end: lines for people, the same facts for machines.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    facts: Map<String, Value>,
    warnings: Vec<String>,
    interrupted: bool,
    on_standard_error: bool,
    is_unsaid: bool,
    status: u8,
}

impl Report {
    /// What there is to say of a piece that was written to `output`.
    pub fn of_piece(piece: &Piece, output: &Path) -> Self {
        let part = |part: &Part| json!({ "letter": part.letter.to_string(), "start_seconds": part.start_seconds });
        let parts: Vec<Value> = piece.parts().iter().map(part).collect();
        Self::default()
            .line(format!("{}: {piece}, {}", shown(output), shape(piece)))
            .fact("output", path(output))
            .fact("seconds", piece.audio().duration_seconds())
            .fact("sample_rate_hz", piece.audio().sample_rate_hz())
            .fact("channels", piece.audio().channel_count())
            .fact("seed_from", piece.seed())
            .fact("parts", parts)
            .warn(piece.notes().iter().cloned())
            .interrupted(piece.was_interrupted())
    }

    /// Adds a line for people.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds a fact for machines.
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.into(), value.into());
        self
    }

    /// Adds things that were put up with.
    pub fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Marks the result as partial, because the user pressed Ctrl-C.
    pub fn interrupted(mut self, interrupted: bool) -> Self {
        self.interrupted |= interrupted;
        self
    }

    /// Marks that something of what was asked for failed, and is told.
    pub fn failed(mut self, failed: bool) -> Self {
        self.status = if failed { 1 } else { self.status };
        self
    }

    /// Prints to standard error, because the result is on standard output.
    pub fn on_standard_error(mut self) -> Self {
        self.on_standard_error = true;
        self
    }

    /// Keeps quiet, because another process tells it.
    pub fn unsaid(mut self, unsaid: bool) -> Self {
        self.is_unsaid = unsaid;
        self
    }

    /// How the program ends where it was not interrupted.
    pub fn ending_with(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    pub fn is_unsaid(&self) -> bool {
        self.is_unsaid
    }

    /// How the program ends.
    pub fn status(&self) -> u8 {
        if self.interrupted { stopped() } else { self.status }
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Prints to standard output.
    ///
    /// # Errors
    /// What the system reports, of a full disk for example.
    pub fn print(&self, json: bool) -> io::Result<()> {
        if json {
            let mut facts = self.facts.clone();
            facts.insert("warnings".into(), self.warnings.clone().into());
            facts.insert("interrupted".into(), self.interrupted.into());
            return print_json(&Value::Object(facts));
        }
        if self.on_standard_error {
            self.lines.iter().for_each(|line| tell(line));
            return Ok(());
        }
        let mut lines = self.lines.iter();
        printed(lines.try_for_each(|line| writeln!(io::stdout(), "{}", plain::clean(line))))
    }
}
