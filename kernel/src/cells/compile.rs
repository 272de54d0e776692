//! Compiling a generated crate: one call of rustc, which the stop button can end.

use super::compose::file_name;
use super::crate_set::CrateSet;
use super::diagnostic::{self, Diagnostic};
use super::generated::Generated;
use super::types::{self, Type};
use crate::activity::Activity;
use crate::library::Library;
use crate::support::SUPPORT_CRATE;
use crate::toolchain::{Toolchain, shared_object_name};
use anyhow::{Context, Result};
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of every cell's crate: a type of the same definition is the same type in every cell.
const CRATE: &str = "cell";

/// What compiles cells, and where.
pub struct Compiler {
    pub toolchain: Toolchain,
    pub library: Option<Library>,
    /// Holds the sources, and everything that a compiled cell is linked to.
    pub folder: PathBuf,
    pub notebook_folder: PathBuf,
}

/// How a compilation ended.
pub enum Compiled {
    /// The shared object, and the types of what it keeps.
    Object(PathBuf, BTreeMap<usize, Type>),
    Errors(Vec<Diagnostic>),
    Stopped,
}

/// What a compilation makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A shared object.
    Object { opt_level: &'a str, has_checks: bool },
    /// Errors alone.
    Check,
}

impl Compiler {
    /// Makes the folder hold what compiled cells are linked to, so that `$ORIGIN` finds all of it:
    /// paths with any character in them stay out of the linker's lists.
    pub fn prepare(&self, support: &Path) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut objects = vec![support.to_owned()];
        objects.extend(self.library.iter().map(|library| library.shared_object.clone()));
        for entry in std::fs::read_dir(self.toolchain.library_folder())? {
            let path = entry?.path();
            let is_std =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libstd-"));
            if is_std
                && path.extension().is_some_and(|kind| kind == std::env::consts::DLL_EXTENSION)
            {
                objects.push(path);
            }
        }
        for object in objects {
            self.link(&object)?;
        }
        Ok(())
    }

    /// Gives a shared object a second name in the folder.
    pub fn link(&self, object: &Path) -> Result<()> {
        let name = object.file_name().context("a shared object without a name")?;
        let target = self.folder.join(name);
        if target != object && !target.exists() {
            std::os::unix::fs::symlink(object, &target)
                .with_context(|| format!("could not link {}", object.display()))?;
        }
        Ok(())
    }

    pub fn compile(
        &self,
        generated: &Generated,
        build: u32,
        crates: &CrateSet,
        wanted: Wanted,
        activity: &Activity,
    ) -> Result<Compiled> {
        let source = self.folder.join(file_name(build));
        std::fs::write(&source, &generated.text)
            .with_context(|| format!("could not write {}", source.display()))?;
        let mut rustc = self.rustc(build, crates);
        // Names without the folder, which rustc works in: lists that hold them split at some characters.
        let mir = format!("cell_{build}.mir");
        let object = self.folder.join(object_name(build));
        match wanted {
            Wanted::Object { opt_level, has_checks } => {
                rustc.args(["-C", &format!("opt-level={opt_level}"), "-C", "codegen-units=4"]);
                rustc.arg(format!("-Coverflow-checks={}", if has_checks { "on" } else { "off" }));
                rustc.arg(format!("--emit=link={},mir={mir}", object_name(build)));
                for other in &generated.imports_from {
                    rustc.arg(format!("-ldylib=cell_{other}"));
                }
            }
            Wanted::Check => {
                rustc.arg(format!("--emit=metadata=cell_{build}.rmeta"));
            }
        }
        let ended = run(&mut rustc, generated, activity)?;
        let mir = self.folder.join(mir);
        let types = match &ended {
            Ended::Well => std::fs::read_to_string(&mir).map(|mir| types::answers(&mir)),
            _ => Ok(BTreeMap::new()),
        };
        let _ = std::fs::remove_file(&mir);
        Ok(match ended {
            Ended::Well => Compiled::Object(object, types.unwrap_or_default()),
            Ended::Stopped => Compiled::Stopped,
            Ended::Badly(errors) => Compiled::Errors(errors),
        })
    }

    /// rustc on a cell, with all crates it may name.
    fn rustc(&self, build: u32, crates: &CrateSet) -> Command {
        let mut rustc = Command::new(&self.toolchain.rustc);
        rustc
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.notebook_folder)
            // For the options that begin with `-Z`.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["--crate-name", CRATE, "--edition", "2024", "--crate-type", "cdylib"])
            .args(["--error-format", "json"])
            .args(["-C", "prefer-dynamic", "-C", "debuginfo=line-tables-only"])
            .args(["-C", "metadata=neural-composer-cell"])
            .args(["-C", "link-arg=-Xlinker", "-C", "link-arg=-rpath"])
            .args(["-C", "link-arg=-Xlinker", "-C", "link-arg=$ORIGIN"])
            // Types by their whole paths, which a later cell resolves.
            .arg("-Ztrim-diagnostic-paths=no")
            .arg("-L.")
            .arg(format!("--extern={SUPPORT_CRATE}={}", shared_object_name(SUPPORT_CRATE)));
        if let Some(library) = &self.library {
            rustc.arg(format!("-Ldependency={}", library.dependencies.display()));
            rustc.arg(format!("--extern=neural_composer={}", library.shared_object.display()));
            for (name, shared) in &library.shared_crates {
                let name = name.replace('-', "_");
                if !crates.names.contains_key(&name) {
                    rustc.arg(format!("--extern={name}={}", shared.file.display()));
                }
            }
        }
        for folder in &crates.dependencies {
            rustc.arg(format!("-Ldependency={}", folder.display()));
        }
        for (name, file) in crates.names.iter().chain(&crates.linked) {
            rustc.arg(format!("--extern={name}={}", file.display()));
        }
        // The last, so that errors are about a file by a short name.
        rustc.arg(file_name(build));
        rustc
    }
}

/// The file of a compiled cell.
pub fn object_name(build: u32) -> String {
    shared_object_name(&format!("cell_{build}"))
}

enum Ended {
    Well,
    Badly(Vec<Diagnostic>),
    Stopped,
}

fn run(rustc: &mut Command, generated: &Generated, activity: &Activity) -> Result<Ended> {
    let process = rustc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = process.process_group(0).spawn().context("could not run rustc")?;
    let group = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    let group = group.context("rustc has no process id")?;
    activity.compiler_started(group);
    let stderr = process.stderr.take().context("rustc has no error output")?;
    let mut errors = Vec::new();
    let mut said = String::new();
    for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
        match diagnostic::read(&line, generated) {
            Some(error) => errors.push(error),
            None if !line.starts_with('{') => said = said + &line + "\n",
            None => {}
        }
    }
    let status = process.wait()?;
    activity.compiler_ended(group);
    if activity.interrupts() > 0 {
        return Ok(Ended::Stopped);
    }
    if status.success() {
        return Ok(Ended::Well);
    }
    if errors.is_empty() {
        let message = format!("rustc failed ({status}): {}", said.trim());
        errors.push(Diagnostic { message, ..Diagnostic::default() });
    }
    Ok(Ended::Badly(errors))
}
