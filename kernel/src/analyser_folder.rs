//! The analyser's own folder: the cells' package, the stand-in tools, the starting command.

use crate::library::LibraryInUse;
use crate::library_metadata;
use crate::toolchain::Toolchain;
use crate::tools::{self, SETUP_ENV, Setup};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Marks the analyser's process.
const ANALYSER_ENV: &str = "NEURAL_COMPOSER_KERNEL_ANALYSER";

/// The analyser's own folder, with a package of its own.
#[derive(Debug, Clone)]
pub struct AnalyserFolder {
    folder: PathBuf,
}

impl AnalyserFolder {
    pub fn new(folder: PathBuf) -> Self {
        AnalyserFolder { folder }
    }

    fn cells(&self) -> PathBuf {
        self.folder.join("cells")
    }

    /// The manifest of the cells' package.
    pub fn manifest(&self) -> PathBuf {
        self.cells().join("Cargo.toml")
    }

    /// The package's only file, whose text comes with each question.
    pub fn source(&self) -> PathBuf {
        self.cells().join("src").join("lib.rs")
    }

    /// The folders of the library's checkout that hold none of its source: songs, builds, Python's
    /// packages. rust-analyzer would look for source in all of them before its first answer.
    pub fn left_out(&self) -> Vec<String> {
        let library = Setup::read(&self.setup_file()).ok().and_then(|setup| setup.library);
        let Some(Ok(entries)) = library.map(|library| std::fs::read_dir(library.home)) else {
            return Vec::new();
        };
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        folders
            .filter(|folder| !folder.ends_with(library_metadata::SOURCE_FOLDER))
            // Another name than in UTF-8 cannot be told.
            .filter_map(|folder| folder.into_os_string().into_string().ok())
            .collect()
    }

    fn setup_file(&self) -> PathBuf {
        self.folder.join("setup.json")
    }

    /// Stand-ins for cargo, rustc and rustup, which rust-analyzer calls.
    fn tools(&self) -> PathBuf {
        self.folder.join("tools")
    }

    fn dependency_file(&self) -> PathBuf {
        self.folder.join("dependency")
    }

    /// Makes everything that the analyser finds when it starts.
    pub fn prepare(
        &self,
        home: Option<&Path>,
        library: Option<&LibraryInUse>,
        toolchain: &Toolchain,
    ) -> Result<()> {
        std::fs::create_dir_all(self.cells().join("src"))?;
        std::fs::write(self.source(), "")?;
        let bin = self.tools().join("bin");
        std::fs::create_dir_all(&bin)?;
        let program = std::env::current_exe()?;
        for tool in tools::NAMES {
            let link = bin.join(tool);
            // The session may be prepared a second time, after a failure.
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&program, link)?;
        }
        let setup = Setup {
            toolchain: toolchain.clone(),
            library: library.map(|in_use| in_use.library.clone()),
            cells: self.cells(),
            tools: bin,
            path: std::env::var("PATH").unwrap_or_default(),
            cargo_home: std::env::var("CARGO_HOME").ok(),
        };
        setup.write(&self.setup_file())?;
        let dependency = match (home, library) {
            (Some(home), Some(in_use)) => {
                library_metadata::dependency_line(home, in_use.library.features.as_deref())
            }
            _ => String::new(),
        };
        std::fs::write(self.dependency_file(), dependency)?;
        self.write_manifest(&[])
    }

    /// Makes the cells' package depend on the library and on these lines of a manifest.
    pub fn write_manifest(&self, dependencies: &[String]) -> Result<()> {
        let library = std::fs::read_to_string(self.dependency_file())?;
        let library = library.trim().strip_prefix(":dep ");
        let lines: Vec<&str> =
            library.into_iter().chain(dependencies.iter().map(String::as_str)).collect();
        let text = format!(
            "[package]\nname = \"ctx\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [lib]\ncrate-type = [\"cdylib\"]\npath = \"src/lib.rs\"\n[dependencies]\n{}\n",
            lines.join("\n")
        );
        Ok(std::fs::write(self.manifest(), text)?)
    }

    /// The command that starts the analyser, once the session is prepared.
    pub fn command(&self) -> Result<Command> {
        let toolchain = Setup::read(&self.setup_file())?.toolchain;
        // Where there is none, cells work, and completion knows names only.
        let program = toolchain
            .analyser()
            .context("there is no rust-analyzer: `rustup component add rust-analyzer`")?;
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path);
        let first = std::iter::once(self.tools().join("bin"));
        // A folder with a colon in its name cannot be on the path; then there is no analyser.
        let path = std::env::join_paths(first.chain(folders))?;
        command
            .env("PATH", path)
            .env("CARGO_HOME", self.tools())
            .env(ANALYSER_ENV, "1")
            // glibc's heap for each thread would hold a seventh more.
            .env("MALLOC_ARENA_MAX", "2")
            .env(SETUP_ENV, self.setup_file())
            .current_dir(&self.folder);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_library_s_checkout_only_the_source_is_read() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        for folder in ["src", "datasets", ".lab"] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        std::fs::write(home.join("Cargo.toml"), "").unwrap();
        let folder = AnalyserFolder::new(place.path().to_owned());
        assert!(folder.left_out().is_empty());
        Setup::below(place.path()).write(&folder.setup_file()).unwrap();
        let mut found = folder.left_out();
        found.sort();
        assert_eq!(found, [".lab", "datasets"].map(|name| format!("{}/{name}", home.display())));
    }
}
