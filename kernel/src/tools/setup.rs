//! What the stand-ins know: the kernel's file for them, and the real tools.

use crate::library::Library;
#[cfg(test)]
use crate::support::Support;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the file with the [`Setup`]; set in kernels and analysers only.
pub const SETUP_ENV: &str = "NEURAL_COMPOSER_KERNEL_SETUP";

/// What the stand-ins know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    pub toolchain: Toolchain,
    pub library: Option<Library>,
    /// The package that stands for the cells.
    pub cells: PathBuf,
    /// The folder the stand-ins are in.
    pub tools: PathBuf,
    /// `PATH` and `CARGO_HOME` as they were.
    pub path: String,
    pub cargo_home: Option<String>,
}

impl Setup {
    /// Writes the file that [`SETUP_ENV`] names.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    /// Reads the file that [`SETUP_ENV`] names.
    pub fn load() -> Result<Self> {
        let path = std::env::var_os(SETUP_ENV).context("called outside of a kernel")?;
        Self::read(Path::new(&path))
    }

    pub fn read(path: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// Whether the analyser that asks is to know nothing but the cells: before it depends on the
    /// library, or it would load twice.
    pub fn knows_nothing(&self) -> Result<bool> {
        Ok(self.library.is_some() && self.dependencies()?.is_empty())
    }

    /// The real tool, in the environment that the kernel was started in.
    pub fn real(&self, tool: &str) -> Command {
        let program = match tool {
            "cargo" => self.toolchain.cargo.clone(),
            "rustc" => self.toolchain.rustc.clone(),
            tool => tool.into(),
        };
        let mut command = Command::new(program);
        self.toolchain.choose(command.env("PATH", &self.path));
        match &self.cargo_home {
            Some(home) => command.env("CARGO_HOME", home),
            None => command.env_remove("CARGO_HOME"),
        };
        command
    }

    /// The dependencies of the cells' package, by name: what stands behind the equals sign.
    pub fn dependencies(&self) -> Result<Vec<(String, String)>> {
        let manifest = self.cells.join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest)
            .with_context(|| format!("could not read {}", manifest.display()))?;
        let (_, lines) = manifest.split_once("[dependencies]").unwrap_or_default();
        let mut dependencies: Vec<(String, String)> = lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        dependencies.sort();
        Ok(dependencies)
    }
}

#[cfg(test)]
impl Setup {
    /// One whose library, tools and cells are below this folder; the tools are a shell.
    pub fn below(place: &Path) -> Self {
        let cells = place.join("cells");
        let manifest = "[dependencies]\nneural-composer = {}\n";
        std::fs::create_dir_all(&cells).unwrap();
        std::fs::write(cells.join("Cargo.toml"), manifest).unwrap();
        let toolchain = Toolchain {
            cargo: "/bin/sh".into(),
            rustc: "/bin/sh".into(),
            sysroot: place.to_owned(),
            host: String::new(),
            version: String::new(),
        };
        let build = place.join("build");
        let library = Library {
            home: place.join("home"),
            toolchain: toolchain.clone(),
            features: None,
            shared_object: build.join("library.so"),
            support: Support { object: build.join("support.so"), shim: None },
            dependencies: build.join("dependencies"),
            shared_crates: Default::default(),
            metadata: build.join("metadata.json"),
            folder: build,
        };
        let (tools, path) = (place.join("tools"), std::env::var("PATH").unwrap_or_default());
        Setup { toolchain, library: Some(library), cells, tools, path, cargo_home: None }
    }
}
