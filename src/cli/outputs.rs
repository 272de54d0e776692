//! The files that a subcommand writes, checked before it works.
//!
//! No output is one of the inputs, by whatever name or link, nor another output; none is a folder, a
//! device, a FIFO or write-protected; and what the user did not name is not replaced.

use super::streams::STREAM;
use clap::Args;
use neural_composer::audio::SONG_EXTENSIONS;
use neural_composer::model::ModelKind;
use neural_composer::train::History;
use neural_composer::words::{shown, stream};
use neural_composer::{Error, Result, atomic_file};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What may be replaced.
#[derive(Args, Clone)]
pub struct Replacing {
    /// Replace files beside the output, too, that neural-composer did not make
    #[arg(long)]
    pub force: bool,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A WAV file.
    Sound,
    /// A safetensors file.
    Model,
    /// SVG or PNG, by its ending.
    Picture,
}

/// A file that is written.
#[derive(Debug)]
pub struct Output<'a> {
    option: &'static str,
    path: &'a Path,
    kind: Kind,
    named: bool,
}

impl<'a> Output<'a> {
    /// A file that the user named with `option`.
    pub fn named(option: &'static str, path: &'a Path, kind: Kind) -> Self {
        Self { option, path, kind, named: true }
    }

    /// A file beside the one that the user named with `option`.
    pub fn beside(option: &'static str, path: &'a Path, kind: Kind) -> Self {
        Self { option, path, kind, named: false }
    }

    fn refused(&self, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::argument(self.option, expected, found.into())
    }
}

/// Endings of files that are neither sound nor models nor pictures of ours.
const OTHER_ENDINGS: [&str; 13] =
    ["amr", "gif", "ipynb", "jpeg", "jpg", "json", "md", "pdf", "pt", "py", "rs", "txt", "wma"];

impl Kind {
    /// What there is to say of a file name that promises something else.
    fn expected(self, ending: &str) -> Option<&'static str> {
        let sound = SONG_EXTENSIONS.contains(&ending);
        let other = OTHER_ENDINGS.contains(&ending);
        match self {
            Self::Sound if matches!(ending, "wav" | "wave") => None,
            Self::Sound => (sound || other || matches!(ending, "safetensors" | "svg" | "png"))
                .then_some("a name that ends in .wav, which is what is written"),
            Self::Model => (sound || other || matches!(ending, "svg" | "png"))
                .then_some("a name that ends in .safetensors, which is what is written"),
            Self::Picture if matches!(ending, "svg" | "png" | "") => None,
            Self::Picture => Some("a name that ends in .png or .svg"),
        }
    }
}

/// Refuses `outputs` that would destroy something, or could not be written.
///
/// # Errors
/// [`Error::Argument`] with the option.
pub fn check(outputs: &[Output<'_>], inputs: &[PathBuf], force: bool) -> Result<()> {
    let files = inputs.iter().filter(|path| **path != Path::new(STREAM));
    let read: HashSet<Identity> = files.map(|path| Identity::of(path)).collect();
    let mut written = HashSet::new();
    for output in outputs {
        let path = output.path;
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if output.named
            && let Some(expected) = output.kind.expected(&ending)
        {
            return Err(output.refused(expected, shown(path).to_string()));
        }
        atomic_file::check(path).map_err(|error| match error {
            Error::Io { source, .. } => {
                let found = format!("{}: {source}", shown(path));
                output.refused("a file that can be written", found)
            }
            error => error,
        })?;
        let identity = match stream(path).and_then(|_| standard_output()) {
            Some(file) => Identity::of(&file),
            None => Identity::of(path),
        };
        if read.contains(&identity) {
            let found = format!("{}, which is read", shown(path));
            return Err(output.refused("a file that is not one of the inputs", found));
        }
        if !written.insert(identity) {
            let found = format!("{} twice", shown(path));
            return Err(output.refused("a file of its own for each result", found));
        }
        if !output.named && !force && path.exists() && !is_ours(path, output.kind) {
            let found = format!(
                "{}, which would be written beside it and was not made by neural-composer: move \
                 it, name another output, or give --force",
                shown(path)
            );
            return Err(output.refused("a name with nothing in the way", found));
        }
    }
    Ok(())
}

/// The file that standard output leads into.
fn standard_output() -> Option<PathBuf> {
    let path = PathBuf::from("/dev/stdout");
    path.is_file().then_some(path)
}

/// What makes two names the same file.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// Device and number.
    #[cfg(unix)]
    Node(u64, u64),
    /// Of a file that is not there yet.
    Path(PathBuf),
}

impl Identity {
    fn of(path: &Path) -> Self {
        #[cfg(unix)]
        if let Ok(metadata) = std::fs::metadata(path) {
            use std::os::unix::fs::MetadataExt;
            return Self::Node(metadata.dev(), metadata.ino());
        }
        if let Ok(whole) = std::fs::canonicalize(path) {
            return Self::Path(whole);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = std::fs::canonicalize(folder.unwrap_or(Path::new(".")));
        let name = path.file_name().unwrap_or_default();
        Self::Path(folder.map_or_else(|_| path.to_path_buf(), |folder| folder.join(name)))
    }
}

/// Whether an earlier run made it.
fn is_ours(path: &Path, kind: Kind) -> bool {
    match kind {
        Kind::Model => ModelKind::of(path).is_ok(),
        // Charts say who drew them.
        Kind::Picture => std::fs::read_to_string(path).is_ok_and(|svg| svg.contains(MADE_BY)),
        Kind::Sound => false,
    }
}

/// The end of a chart, by which it is known again.
const MADE_BY: &str = "<!-- drawn by neural-composer -->";

/// Writes the chart of `history` as an SVG file.
pub fn save_chart(history: &History, path: &Path) -> Result<()> {
    let picture = history.chart().picture()?;
    atomic_file::write(path, |file| {
        writeln!(file, "{}\n{MADE_BY}", picture.svg()).map_err(Error::io(path, "write the chart"))
    })
}

/// `out.wav` → `out.loss.svg`, `take.1` → `take.1.loss.svg`: the name of a file beside the result.
pub fn beside(output: &Path, extension: &str) -> PathBuf {
    let ending = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if matches!(&*ending, "wav" | "wave" | "safetensors") {
        return output.with_extension(extension);
    }
    let mut name = output.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}
