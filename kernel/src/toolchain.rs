//! The Rust toolchain that compiles cells.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Toolchain {
    pub cargo: PathBuf,
    pub rustc: PathBuf,
    pub sysroot: PathBuf,
    /// The platform it runs on and compiles for.
    pub host: String,
    pub version: String,
}

impl Toolchain {
    /// The toolchain that rustup chooses in `folder`, or else the one on the search path.
    pub fn discover(folder: &Path) -> Result<Self> {
        let (cargo, rustc) = (find("cargo", folder)?, find("rustc", folder)?);
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?.trim().into();
        let about = output(Command::new(&rustc).arg("-vV"))?;
        let field = |name: &str| {
            let line = about.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.trim().to_owned())
                .with_context(|| format!("`rustc -vV` did not say {name:?}"))
        };
        Ok(Toolchain { host: field("host:")?, version: field("release:")?, cargo, rustc, sysroot })
    }

    /// Makes every tool that `command` starts one of this toolchain: a folder of a dependency may
    /// ask rustup for another one.
    pub fn choose<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // Not `RUSTC`: build scripts that watch it would all run again, and with them half the crates
        // that the command line is built from as well.
        command.env("RUSTUP_TOOLCHAIN", &self.sysroot)
    }

    /// Where programs find the standard library's shared object.
    pub fn library_folder(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host).join("lib")
    }

    /// Whether the standard library's source is there, which variables' types are found with.
    pub fn has_source(&self) -> bool {
        self.source().join("core").is_dir()
    }

    /// Where the standard library's source is, if it is there.
    pub fn source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    /// rust-analyzer: the toolchain's own, which knows this very compiler, or else one on the path.
    pub fn analyser(&self) -> Option<PathBuf> {
        let own = self.sysroot.join("bin").join("rust-analyzer");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let others = std::env::split_paths(&path).map(|folder| folder.join("rust-analyzer"));
        std::iter::once(own)
            .chain(others.filter(|program| !is_rustup(program)))
            .find(|it| it.is_file())
    }

    /// What tells this compiler from its next version at the same place.
    pub fn stamp(&self) -> Result<String> {
        let file = std::fs::metadata(&self.rustc)
            .with_context(|| format!("there is no compiler at {}", self.rustc.display()))?;
        Ok(format!("{:?} {:?} {}", self.rustc, file.modified()?, file.len()))
    }
}

fn find(tool: &str, folder: &Path) -> Result<PathBuf> {
    let mut rustup = Command::new("rustup");
    let rustup = rustup.args(["which", tool]).current_dir(folder);
    if let Ok(path) = output(rustup) {
        return Ok(path.trim().into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::home_dir().map(|home| home.join(".cargo/bin"));
    std::env::split_paths(&path)
        .chain(home)
        .map(|folder| folder.join(tool))
        .find(|path| path.is_file())
        .with_context(|| format!("`{tool}` was not found: install Rust from https://rustup.rs"))
}

/// Whether it is rustup under another name, which would ask for the component that is missing.
fn is_rustup(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let rustup = program.with_file_name("rustup");
    let aim = std::fs::canonicalize(program).unwrap_or_default();
    aim.file_name() == Some("rustup".as_ref())
        || of(program).is_some() && of(program) == of(&rustup)
}

/// The file name of a shared object on this platform.
pub fn shared_object_name(stem: &str) -> String {
    format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// What a command prints, or an error with what it complained of.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("could not run `{}`", command.get_program().display()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("`{}` failed: {complaint}", command.get_program().display());
    }
    String::from_utf8(output.stdout).context("a tool's output is not text")
}

#[cfg(test)]
mod tests {
    use super::{Toolchain, is_rustup};

    #[test]
    fn the_toolchain_s_own_analyser_comes_first() {
        let place = tempfile::tempdir().unwrap();
        let toolchain = Toolchain {
            cargo: "cargo".into(),
            rustc: "rustc".into(),
            sysroot: place.path().to_owned(),
            host: String::new(),
            version: String::new(),
        };
        let own = place.path().join("bin/rust-analyzer");
        assert_ne!(toolchain.analyser(), Some(own.clone()));
        std::fs::create_dir(place.path().join("bin")).unwrap();
        std::fs::write(&own, "").unwrap();
        assert_eq!(toolchain.analyser(), Some(own));
    }

    #[test]
    fn rustup_s_other_names_are_known() {
        let place = tempfile::tempdir().unwrap();
        let [rustup, linked, same, other] =
            ["rustup", "linked", "same", "other"].map(|name| place.path().join(name));
        std::fs::write(&rustup, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&rustup, &linked).unwrap();
        std::fs::hard_link(&rustup, &same).unwrap();
        assert_eq!([&linked, &same, &other].map(|path| is_rustup(path)), [true, true, false]);
    }
}
