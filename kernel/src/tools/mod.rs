//! `cargo`, `rustc` and `rustup` as the analyser's evcxr sees them.
//!
//! evcxr and its rust-analyzer ask cargo, rustc and rustup a dozen questions whose answers do not
//! change while the library does not. This program, called by those names, answers them from memory.
//! All other calls go to the real tools.

mod answers;
mod compile;
mod extra_crates;

use crate::library::Library;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the file with the [`Setup`]; set in kernels and analysers only.
pub const SETUP_ENV: &str = "NEURAL_COMPOSER_KERNEL_SETUP";
/// The tools this program stands in for.
pub const NAMES: [&str; 3] = ["cargo", "rustc", "rustup"];
/// The library's package, which cells depend on.
const LIBRARY: &str = "neural-composer";

/// What the stand-ins know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    pub toolchain: Toolchain,
    pub library: Option<Library>,
    /// The package evcxr writes cells into.
    pub cells: PathBuf,
    /// The folder the stand-ins are in.
    pub tools: PathBuf,
    /// `PATH` and `CARGO_HOME` as they were.
    pub path: String,
    pub cargo_home: Option<String>,
}

/// Runs as the tool this program was called by, if it was called by a tool's name.
pub fn run_if_called() {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(tool) = NAMES.into_iter().find(|tool| *tool == name) else { return };
    let arguments: Vec<String> = arguments.collect();
    let answer = Setup::load().and_then(|setup| setup.answer(tool, &arguments));
    let code = answer.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        101
    });
    std::process::exit(code)
}

impl Setup {
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    fn load() -> Result<Self> {
        let path = std::env::var_os(SETUP_ENV).context("called outside of a kernel")?;
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    fn answer(&self, tool: &str, arguments: &[String]) -> Result<i32> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (tool, words.as_slice()) {
            ("rustup", ["which", "cargo"]) => println!("{}", self.tools.join("cargo").display()),
            ("rustup", ["which", "rustc"]) => println!("{}", self.toolchain.rustc.display()),
            // The analyser would install a component that is missing, without asking anyone.
            ("rustup", ["component", ..]) => return Ok(1),
            ("cargo", words) if words.contains(&"build") => return self.build_cell(),
            ("cargo", ["metadata", "--format-version=1"]) => return self.validate_dependency(),
            ("cargo", ["metadata", "--format-version", "1"]) => println!("{}", self.libraries()?),
            _ if self.knows_nothing()? => return self.answer_minimally(tool, &words),
            _ => return self.answer_from_record(tool, arguments),
        }
        Ok(0)
    }

    /// Whether the analyser that asks is to know nothing but the cells: before it depends on the
    /// library, or it would load twice.
    fn knows_nothing(&self) -> Result<bool> {
        Ok(self.library.is_some() && self.dependencies()?.is_empty())
    }

    /// The real tool, in the environment that the kernel was started in.
    fn real(&self, tool: &str) -> Command {
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

    /// The dependencies of the cells' package, by name: what evcxr wrote behind the equals sign.
    fn dependencies(&self) -> Result<Vec<(String, String)>> {
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

    /// evcxr asks whether a dependency exists; ours do.
    fn validate_dependency(&self) -> Result<i32> {
        let known = |name: &String| {
            self.library
                .as_ref()
                .is_some_and(|library| name == LIBRARY || library.shared_crates.contains_key(name))
        };
        if self.dependencies()?.iter().all(|(name, _)| known(name)) {
            return Ok(0);
        }
        let mut cargo = self.real("cargo");
        Err(cargo.args(["metadata", "--format-version=1"]).exec().into())
    }
}
