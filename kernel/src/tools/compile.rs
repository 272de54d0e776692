//! Compiling a cell: one call of rustc.

use super::{Purpose, Setup};
use crate::cell_types;
use crate::evaluator::SOCKET_ENV;
use crate::output_stream::EVALUATOR_TAG;
use anyhow::{Context, Result, bail};
use rustix::process::{Signal, getpid, kill_current_process_group, setpgid};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name evcxr gives every cell's crate.
const CELL_CRATE: &str = "ctx";

/// Where the types that a check found are left: question number → type, as JSON.
pub fn types_file(cells: &Path) -> PathBuf {
    cells.join("types.json")
}

impl Setup {
    /// Makes the shared object that the evaluator loads.
    pub(super) fn build_cell(&self) -> Result<i32> {
        let admission = self.ask_admission()?;
        let source = self.cells.join("src/lib.rs");
        let code = std::fs::read_to_string(&source)?;
        if let Some(marked) = mark_question_errors(&code) {
            std::fs::write(&source, marked)?;
        }
        // evcxr looks for the shared object where cargo would put it.
        let folder = self.cells.join("target").join(&self.toolchain.host).join("debug/deps");
        std::fs::create_dir_all(&folder)?;
        let mut rustc = self.rustc(&source, admission.as_ref())?;
        rustc.args(["--emit=link", "-C", "opt-level=3", "-C", "codegen-units=4"]);
        rustc.arg("--out-dir").arg(&folder);
        let status = run(&mut rustc)?;
        if status == 0 {
            let file = folder.join(format!(
                "{}{CELL_CRATE}{}",
                std::env::consts::DLL_PREFIX,
                std::env::consts::DLL_SUFFIX
            ));
            let artifact = json!({
                "reason": "compiler-artifact",
                "target": { "name": CELL_CRATE },
                "filenames": [file],
            });
            println!("{artifact}");
        }
        Ok(status)
    }

    /// Looks for errors, and for the types that the cell asks for.
    pub(super) fn check_cell(&self) -> Result<i32> {
        let admission = self.ask_admission()?;
        let code = std::fs::read_to_string(self.cells.join("src/lib.rs"))?;
        // A file of its own by the same name: errors are told apart by it.
        let folder = self.cells.join("check");
        std::fs::create_dir_all(&folder)?;
        let source = folder.join("lib.rs");
        std::fs::write(&source, cell_types::question_source(&code))?;
        let mir = folder.join("cell.mir");
        let mut rustc = self.rustc(&source, admission.as_ref())?;
        rustc.arg(format!("--emit=mir={}", mir.display())).args(["-C", "opt-level=0"]);
        // Types by their whole paths, which stable compilers shorten in a way that a cell might not
        // resolve; nothing compiled with this is ever run.
        rustc.arg("-Ztrim-diagnostic-paths=no").env("RUSTC_BOOTSTRAP", "1");
        let status = run(&mut rustc)?;
        if status == 0 {
            let types = cell_types::answers(&std::fs::read_to_string(&mir)?);
            std::fs::write(types_file(&self.cells), serde_json::to_vec(&types)?)?;
        }
        Ok(status)
    }

    /// rustc on a cell, with all crates it may name.
    fn rustc(&self, source: &Path, admission: Option<&UnixStream>) -> Result<Command> {
        let mut rustc = Command::new(&self.toolchain.rustc);
        rustc
            .current_dir(&self.cells)
            .env("PATH", &self.path)
            .args(["--crate-name", CELL_CRATE, "--edition", "2024", "--crate-type", "cdylib"])
            .args(["--error-format", "json"])
            .args(["-C", "prefer-dynamic", "-C", "strip=debuginfo"])
            // The same for every cell: a type defined in one is the same type in the next.
            .args(["-C", "metadata=neural-composer-cell"])
            .arg(format!("-Clink-arg=-Wl,-rpath,{}", self.toolchain.library_folder().display()));
        if let Some(library) = &self.library {
            let folder = library.shared_object.parent().context("the library is in no folder")?;
            rustc
                .arg(format!("-Ldependency={}", library.dependencies.display()))
                .arg(format!("--extern=neural_composer={}", library.shared_object.display()))
                .arg(format!("-Clink-arg=-Wl,-rpath,{}", folder.display()));
        }
        self.name_extra_crates(&mut rustc, admission)?;
        rustc.arg(source);
        Ok(rustc)
    }

    /// Asks the kernel whether the cell still wants to be compiled, as a process group of our own
    /// that the stop button can end. The stream carries what is being built.
    fn ask_admission(&self) -> Result<Option<UnixStream>> {
        if self.purpose == Purpose::Analysis {
            return Ok(None);
        }
        let _ = setpgid(None, None);
        let path = std::env::var_os(SOCKET_ENV).context("the kernel's socket is not named")?;
        let mut link = UnixStream::connect(path)?;
        link.write_all(format!("compiler {}\n", getpid().as_raw_pid()).as_bytes())?;
        let mut answer = [0; 3];
        link.read_exact(&mut answer)?;
        if &answer != b"go\n" {
            bail!("the cell was interrupted");
        }
        let kernel = link.try_clone()?;
        std::thread::spawn(move || end_with_kernel(kernel));
        Ok(Some(link))
    }
}

/// The kernel says nothing more: anything read means that it is gone. A compilation may take minutes,
/// and nobody would use it.
fn end_with_kernel(mut link: UnixStream) {
    let _ = link.read(&mut [0; 1]);
    let _ = kill_current_process_group(Signal::KILL);
}

/// Runs rustc and hands on what it complains of, without its warnings, which evcxr would take for
/// errors.
fn run(rustc: &mut Command) -> Result<i32> {
    let mut rustc = rustc
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not run rustc")?;
    let stderr = rustc.stderr.take().context("rustc has no error output")?;
    let mut out = std::io::stderr().lock();
    for line in BufReader::new(stderr).split(b'\n') {
        let line = line?;
        let message: Option<Value> = serde_json::from_slice(&line).ok();
        if !message.is_some_and(|message| message["level"] == "warning") {
            out.write_all(&line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(rustc.wait()?.code().unwrap_or(130))
}

/// Makes the code that evcxr generates for `?` tell the kernel of the error, which can then be the
/// cell's error instead of a line of text. Lines stay where they are.
fn mark_question_errors(code: &str) -> Option<String> {
    let generated = "eprintln!(\"{}\", error);";
    if !code.contains("EvcxrUserCodeError") || !code.contains(generated) {
        return None;
    }
    let marked = format!(
        "eprintln!(\"{}error {{}}\", error.to_string().replace('\\n', \"\\u{{1f}}\"));",
        EVALUATOR_TAG.escape_unicode()
    );
    Some(code.replacen(generated, &marked, 1))
}
