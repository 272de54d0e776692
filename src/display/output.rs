//! Where displays go, and the one place that writes them.

use std::io::{IsTerminal, Write};

/// Who reads the program's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Our own kernel, which takes display events at any time.
    OwnKernel,
    /// A stock evcxr kernel or console: text lines while a cell runs, and one item per MIME type
    /// when it has ended.
    Evcxr,
    /// A person at a terminal.
    Terminal,
    /// A file or another program.
    File,
}

impl Destination {
    /// Looks at the environment: our kernel sets `NEURAL_COMPOSER_KERNEL=1`, evcxr sets
    /// `EVCXR_IS_RUNTIME` for the process that runs cells.
    pub fn detect() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|v| v == "1");
        Self::from(set("NEURAL_COMPOSER_KERNEL"), set("EVCXR_IS_RUNTIME"))
    }

    fn from(own_kernel: bool, evcxr: bool) -> Self {
        // Both kernels read through a pipe. A terminal means that the variables were inherited.
        match (std::io::stdout().is_terminal(), own_kernel, evcxr) {
            (true, _, _) => Self::Terminal,
            (false, true, _) => Self::OwnKernel,
            (false, false, true) => Self::Evcxr,
            (false, false, false) => Self::File,
        }
    }
}

/// A destination and the stream that leads there.
pub struct Output {
    destination: Destination,
    stream: Box<dyn Write + Send>,
}

impl Output {
    /// Standard output and whoever reads it.
    pub fn new() -> Self {
        Self::to(Destination::detect(), Box::new(std::io::stdout()))
    }

    /// Standard error, for a program that keeps standard output for its result: a bar on a
    /// terminal, lines otherwise.
    pub fn for_progress() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let destination = if terminal { Destination::Terminal } else { Destination::File };
        Self::to(destination, Box::new(std::io::stderr()))
    }

    /// Another stream, or a destination known otherwise.
    pub fn to(destination: Destination, stream: Box<dyn Write + Send>) -> Self {
        Self { destination, stream }
    }

    /// Who reads.
    pub fn destination(&self) -> Destination {
        self.destination
    }

    /// Writes whole lines in one piece. A reader that went away is no reason to stop computing, so
    /// errors are ignored.
    pub(crate) fn write(&mut self, lines: &str) {
        let _ = self.stream.write_all(lines.as_bytes()).and_then(|()| self.stream.flush());
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}
