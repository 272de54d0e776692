//! `-` on the command line: standard input as a file that is read, standard output as one that is
//! written.

use super::given::Given;
use super::report::Report;
use neural_composer::stream_file::StreamFile;
use neural_composer::{Error, Result};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// What stands for standard input or output; a file of that name is `./-`.
pub const STREAM: &str = "-";

/// Whether a name stands for a standard stream.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new(STREAM)
}

/// Standard input among the files that are read.
#[derive(Default)]
pub struct Input {
    /// There as long as it is read.
    _file: Option<StreamFile>,
}

impl Input {
    /// Refuses standard input where it cannot be: twice, or from a terminal.
    pub fn check<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
        match paths.into_iter().filter(|path| is_stream(path)).count() {
            0 => Ok(()),
            1 if !io::stdin().is_terminal() => Ok(()),
            1 => {
                let expected = "a file, or something piped into standard input";
                Err(Error::argument(STREAM, expected, "a terminal"))
            }
            times => {
                let found = format!("it {times} times");
                Err(Error::argument(STREAM, "standard input once", found))
            }
        }
    }

    /// Reads standard input where `paths` have it, and puts its file there.
    pub fn read<'a>(paths: impl IntoIterator<Item = &'a mut PathBuf>) -> Result<Self> {
        let Some(path) = paths.into_iter().find(|path| is_stream(path)) else {
            return Ok(Self::default());
        };
        let file = StreamFile::read()?;
        *path = file.path().to_path_buf();
        Ok(Self { _file: Some(file) })
    }

    /// Whether standard input is among `paths`.
    pub fn is_among(paths: &[PathBuf]) -> bool {
        paths.iter().any(|path| is_stream(path))
    }
}

/// A file that is written, or standard output.
pub struct Target {
    pub path: PathBuf,
    stream: Option<StreamFile>,
}

impl Target {
    /// What `option` names; `inputs` are not written into through standard output either.
    pub fn of(option: &'static str, path: &Path, given: &Given) -> Result<Self> {
        if !is_stream(path) {
            return Ok(Self { path: path.to_path_buf(), stream: None });
        }
        if given.json() {
            let found = "standard output, where --json prints";
            return Err(Error::argument(option, "a file", found));
        }
        if io::stdout().is_terminal() {
            let expected = "a file, or standard output that leads into a file or a pipe";
            return Err(Error::argument(option, expected, "a terminal"));
        }
        let stream = StreamFile::to_write()?;
        Ok(Self { path: stream.path().to_path_buf(), stream: Some(stream) })
    }

    /// Whether it is standard output.
    pub fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Gives out what was written, if it is for standard output; `report` then goes to standard error.
    pub fn deliver(self, report: Report) -> Result<Report> {
        match self.stream {
            Some(stream) => stream.deliver().map(|()| report.on_standard_error()),
            None => Ok(report),
        }
    }
}
