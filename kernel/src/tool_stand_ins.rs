//! `cargo`, `rustc` and `rustup` as evcxr and its analyser see them.
//!
//! evcxr runs cargo for every cell, and its analyser asks cargo, rustc and rustup some ten questions
//! whose answers do not change while the library does not. This program, called by those names,
//! answers them from the library's finished build and compiles a cell by calling rustc itself, which
//! halves the time a cell takes. All other calls go to the real tools.

use crate::evaluator::SOCKET_ENV;
use crate::library::{CELLS_PLACEHOLDER, Library};
use crate::output_stream::EVALUATOR_TAG;
use crate::toolchain::Toolchain;
use anyhow::{Context, Result, bail};
use rustix::process::{getpid, setpgid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the file with the [`Setup`]; set in kernels only.
pub const SETUP_ENV: &str = "NEURAL_COMPOSER_KERNEL_SETUP";
/// The tools this program stands in for.
pub const TOOLS: [&str; 3] = ["cargo", "rustc", "rustup"];
/// The name evcxr gives every cell's crate.
const CELL_CRATE: &str = "ctx";

/// What the stand-ins know.
#[derive(Serialize, Deserialize)]
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

/// Runs as the tool this program was called by, if it was called by a tool's name in a kernel.
pub fn run_if_called() {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(tool) = TOOLS.into_iter().find(|tool| *tool == name) else { return };
    let arguments: Vec<String> = arguments.collect();
    let code = Setup::load().and_then(|setup| setup.answer(tool, &arguments)).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        101
    });
    std::process::exit(code)
}

impl Setup {
    fn load() -> Result<Self> {
        let path = std::env::var_os(SETUP_ENV).context("called outside of a kernel")?;
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    fn answer(&self, tool: &str, arguments: &[String]) -> Result<i32> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (tool, words.as_slice()) {
            ("rustup", ["which", tool]) => println!("{}", self.stand_in(tool).display()),
            ("rustc", ["--print", "sysroot"]) => println!("{}", self.toolchain.sysroot.display()),
            ("cargo", words) if words.contains(&"build") && self.is_plain_cell()? => {
                return self.compile_cell(&["--emit=link"]);
            }
            ("cargo", words) if words.contains(&"check") && self.is_plain_cell()? => {
                return self.compile_cell(&["--emit=metadata"]);
            }
            ("cargo", words) if words.contains(&"metadata") => {
                match self.recorded_metadata(words)? {
                    Some(metadata) => print!("{metadata}"),
                    None => return Err(self.real(tool, arguments).exec().into()),
                }
            }
            _ => return Err(self.real(tool, arguments).exec().into()),
        }
        Ok(0)
    }

    /// What `rustup which` says: the stand-in for cargo, the real rustc.
    fn stand_in(&self, tool: &str) -> PathBuf {
        match tool {
            "rustc" => self.toolchain.rustc.clone(),
            "cargo" => self.tools.join("cargo"),
            tool => self.toolchain.sysroot.join("bin").join(tool),
        }
    }

    /// The real tool, in the environment that the kernel was started in.
    fn real(&self, tool: &str, arguments: &[String]) -> Command {
        let program = match tool {
            "cargo" => self.toolchain.cargo.clone(),
            "rustc" => self.toolchain.rustc.clone(),
            tool => tool.into(),
        };
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", &self.path);
        match &self.cargo_home {
            Some(home) => command.env("CARGO_HOME", home),
            None => command.env_remove("CARGO_HOME"),
        };
        command
    }

    /// Whether the cells' package depends on nothing but the library.
    fn is_plain_cell(&self) -> Result<bool> {
        let dependencies = self.dependencies(&self.cells.join("Cargo.toml"))?;
        let library = self.library.as_ref().map(|_| "neural-composer");
        Ok(dependencies.iter().all(|(name, _)| Some(name.as_str()) == library))
    }

    /// The `[dependencies]` lines of a manifest that evcxr wrote: one `name = value` a line.
    fn dependencies(&self, manifest: &Path) -> Result<Vec<(String, String)>> {
        let manifest = std::fs::read_to_string(manifest)
            .with_context(|| format!("could not read {}", manifest.display()))?;
        let (_, lines) = manifest.split_once("[dependencies]").unwrap_or_default();
        Ok(lines
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect())
    }

    /// `cargo metadata` of the cells' package, or of one that only checks the library's name.
    fn recorded_metadata(&self, words: &[&str]) -> Result<Option<String>> {
        let Some(library) = &self.library else { return Ok(None) };
        let manifest = words
            .iter()
            .position(|word| *word == "--manifest-path")
            .and_then(|at| words.get(at + 1))
            .map_or_else(|| self.cells.join("Cargo.toml"), PathBuf::from);
        if manifest.parent() != Some(&self.cells) || !self.is_plain_cell()? {
            return Ok(None);
        }
        let metadata = std::fs::read_to_string(&library.metadata)?;
        Ok(Some(metadata.replace(CELLS_PLACEHOLDER, &self.cells.display().to_string())))
    }

    fn compile_cell(&self, emit: &[&str]) -> Result<i32> {
        // Its own process group, so that the stop button ends it and the linker with it.
        let _ = setpgid(None, None);
        let _admission = ask_admission()?;
        let source = self.cells.join("src/lib.rs");
        mark_question_errors(&source)?;
        let out = self.cells.join("target").join(&self.toolchain.host).join("debug/deps");
        std::fs::create_dir_all(&out)?;
        let mut rustc = Command::new(&self.toolchain.rustc);
        rustc
            .current_dir(&self.cells)
            .args(["--crate-name", CELL_CRATE, "--edition", "2024", "--crate-type", "cdylib"])
            .args(["--error-format", "json", "--json", "diagnostic-short"])
            .args(emit)
            .args(["-C", "opt-level=3", "-C", "codegen-units=16", "-C", "prefer-dynamic"])
            .args(["-C", "metadata=neural-composer-cell", "-C", "strip=debuginfo"])
            .arg(format!("-Clink-arg=-Wl,-rpath,{}", self.toolchain.library_folder().display()))
            .arg("--out-dir")
            .arg(&out);
        if let Some(library) = &self.library {
            let folder = library.shared_object.parent().context("the library is in no folder")?;
            rustc
                .arg("-L")
                .arg(format!("dependency={}", library.dependencies.display()))
                .arg("--extern")
                .arg(format!("neural_composer={}", library.shared_object.display()))
                .arg(format!("-Clink-arg=-Wl,-rpath,{}", folder.display()));
        }
        let mut compiler = rustc
            .arg("src/lib.rs")
            .env("PATH", &self.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not run rustc")?;
        let stderr = compiler.stderr.take().context("rustc has no error output")?;
        relay_errors(stderr)?;
        let status = compiler.wait()?;
        if status.success() && emit.contains(&"--emit=link") {
            let file = out.join(format!("lib{CELL_CRATE}.so"));
            let artifact = json!({
                "reason": "compiler-artifact",
                "target": { "name": CELL_CRATE },
                "filenames": [file],
            });
            println!("{artifact}");
        }
        Ok(status.code().unwrap_or(130))
    }
}

/// Hands on what rustc complains of, without its warnings, which evcxr would take for errors.
fn relay_errors(stderr: impl Read) -> Result<()> {
    let mut out = std::io::stderr().lock();
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line?;
        let message: Option<Value> = serde_json::from_slice(&line).ok();
        let is_warning = message.as_ref().is_some_and(|message| message["level"] == "warning");
        if !is_warning {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Asks the kernel whether the cell still wants to be compiled; the answer holds while the stream
/// is open.
fn ask_admission() -> Result<UnixStream> {
    let path = std::env::var_os(SOCKET_ENV).context("the kernel's socket is not named")?;
    let mut link = UnixStream::connect(path)?;
    link.write_all(format!("compiler {}\n", getpid().as_raw_pid()).as_bytes())?;
    let mut answer = [0; 3];
    link.read_exact(&mut answer)?;
    if &answer != b"go\n" {
        bail!("the cell was interrupted");
    }
    Ok(link)
}

/// Makes the code that evcxr generates for `?` tell the kernel of the error, which can then be the
/// cell's error instead of a line of text. Keeps the lines of the source where they are.
fn mark_question_errors(source: &Path) -> Result<()> {
    let code = std::fs::read_to_string(source)?;
    let generated = "eprintln!(\"{}\", error);";
    let marked = format!(
        "eprintln!(\"{}error {{}}\", error.to_string().replace('\\n', \"\\u{{1f}}\"));",
        EVALUATOR_TAG.escape_unicode()
    );
    if code.contains(generated) && code.contains("EvcxrUserCodeError") {
        std::fs::write(source, code.replacen(generated, &marked, 1))?;
    }
    Ok(())
}
