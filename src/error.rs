//! The one error type of the crate.

use crate::words::{brief, shown};
use std::io;
use std::path::{Path, PathBuf};

/// Everything that can go wrong, said so that the reader knows what to do next.
///
/// Each message names the file or argument, what was expected, what was found and, where it is not
/// obvious, the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: could not {action}: {source}", shown(path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as a verb phrase: "read the file", "create the folder".
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not the audio it should be, or is damaged beyond use.
    #[error("{}: {problem}", shown(path))]
    Audio {
        /// The audio file.
        path: PathBuf,
        /// What was expected, what was found, what to do.
        problem: String,
    },
    /// An argument lies outside what is possible.
    #[error("{name}: expected {expected}, found {found}")]
    Argument {
        /// The argument's or option's name.
        name: &'static str,
        /// What would have been accepted.
        expected: String,
        /// What was given.
        found: String,
    },
    /// There is not enough usable material to make a dataset, a seed or a comparison.
    #[error("{0}")]
    Data(String),
    /// A model file is damaged, of another version, or does not fit the data it meets.
    #[error("{}: {problem}", shown(path))]
    Model {
        /// The model file.
        path: PathBuf,
        /// What was expected, what was found, what to do.
        problem: String,
    },
    /// A corpus is damaged, in use, of another version, or no corpus at all.
    #[error("{}: {problem}", shown(path))]
    Corpus {
        /// The corpus's folder or a file in it.
        path: PathBuf,
        /// What was expected, what was found, what to do.
        problem: String,
    },
    /// A sweep's plan, one of its runs or its table is not what it should be.
    #[error("{}: {problem}", shown(path))]
    Sweep {
        /// The plan, the sweep's folder or a file in it.
        path: PathBuf,
        /// What was expected, what was found, what to do.
        problem: String,
    },
    /// A job that would not fit into memory, told before it starts.
    #[error("{0}")]
    Memory(String),
    /// A device that is not there, or that this build cannot use.
    #[error("{0}")]
    Device(String),
    /// Playing through the speakers failed, most often because the machine has none.
    #[error("{0}")]
    Playback(String),
    /// A picture could not be drawn.
    #[error("the picture could not be drawn: {0}")]
    Picture(String),
    /// Processes that do a job together cannot go on: one of them was lost, or they do not have the same.
    #[error("{0}")]
    Processes(String),
    /// The user asked to stop before there was anything to return.
    #[error("stopped by the user: {0}")]
    Interrupted(String),
    /// The tensor library failed; most often two shapes do not fit or memory ran out. Inside is a
    /// [`candle_core::Error`]; boxed, since notebooks' cells compile how an error is dropped.
    #[error("tensor computation failed: {}", without_backtrace(&**.0))]
    Tensor(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Candle's words; with RUST_BACKTRACE set it adds all the functions that it was in.
fn without_backtrace(error: &dyn std::error::Error) -> String {
    let words = error.to_string();
    words.split("\n   0: ").next().unwrap_or_default().trim_end().to_owned()
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(Box::new(error))
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on file operations: `File::open(p).map_err(Error::io(p, "open the file"))`.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, action, source }
    }

    /// An [`Error::Audio`] about `path`.
    pub fn audio(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Audio { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Model`] about `path`.
    pub fn model(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Model { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Corpus`] about `path`.
    pub fn corpus(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Corpus { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Sweep`] about `path`.
    pub fn sweep(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Sweep { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// An [`Error::Argument`]: `Error::argument("seconds", "a positive number", -3.0)`.
    pub fn argument(
        name: &'static str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Argument { name, expected: expected.into(), found: brief(found.to_string()) }
    }

    /// The same about what is in the model file `path`, which the words then name.
    pub(crate) fn in_model(self, path: &Path) -> Self {
        match self {
            Self::Argument { .. } | Self::Data(_) | Self::Tensor(_) | Self::Memory(_) => {
                Self::model(path, self.to_string())
            }
            named => named,
        }
    }

    /// Refuses counts that have to be at least 1.
    pub(crate) fn refuse_zero(
        counts: impl IntoIterator<Item = (&'static str, usize)>,
    ) -> Result<()> {
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(Self::argument(name, "at least 1", 0)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_computation_is_told_without_the_functions_it_was_in() {
        let inner = Box::new(candle_core::Error::Msg("shapes do not fit".into()));
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let error = Error::from(candle_core::Error::WithBacktrace { inner, backtrace });
        assert_eq!(error.to_string(), "tensor computation failed: shapes do not fit");
    }
}
