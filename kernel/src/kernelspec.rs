//! Tells Jupyter about this kernel, and takes it back.

use crate::library::FEATURES_ENV;
use crate::library_metadata::PACKAGE;
use crate::session::HOME_ENV;
use crate::toolchain::output;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder's and the kernel's name.
pub const NAME: &str = "neural-composer";
const DISPLAY_NAME: &str = "Rust (NeuralComposer)";
const SPEC: &str = "kernel.json";
/// Pictures for front ends, under the names that Jupyter asks for; `logo/draw.py` draws them.
const LOGOS: [(&str, &[u8]); 3] = [
    ("logo-32x32.png", include_bytes!("../logo/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("../logo/logo-64x64.png")),
    ("logo-svg.svg", include_bytes!("../logo/logo-svg.svg")),
];

/// The Jupyter that is told: the user's own unless another is named.
#[derive(Args)]
#[group(multiple = false)]
pub struct Place {
    /// For every Jupyter of this user; so it is where nothing else is said.
    #[arg(long)]
    user: bool,
    /// For the environment of the python3 in PATH, such as an active venv or conda environment.
    #[arg(long)]
    sys_prefix: bool,
    /// For the Python installation or environment at this folder.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
}

#[derive(Args)]
pub struct Install {
    #[command(flatten)]
    place: Place,
    /// The checkout of the library that notebooks use; without it cells are plain Rust.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// The features to build the library with, separated by commas, instead of its default ones.
    #[arg(long, value_name = "LIST", requires = "home")]
    features: Option<String>,
}

impl Install {
    pub fn run(&self) -> Result<()> {
        let home = self.home.as_deref().map(checkout).transpose()?;
        let folder = self.place.folder()?;
        install(&folder, home.as_deref(), self.features.as_deref())?;
        println!("Installed the kernel in {}.", folder.display());
        match home {
            Some(home) => println!("Its notebooks have the library of {}.", home.display()),
            None => println!(
                "Its notebooks are plain Rust: with --home CHECKOUT they have the library, too."
            ),
        }
        Ok(())
    }
}

/// Takes back what `install` has written at that place, and nothing else.
pub fn uninstall(place: &Place) -> Result<()> {
    let folder = place.folder()?;
    let spec = folder.join(SPEC);
    let text = match std::fs::read(&spec) {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "expected a kernel in {}, found none: nothing was removed. `jupyter kernelspec list` \
             tells where it is; name that place with --user, --sys-prefix or --prefix",
            folder.display()
        ),
        read => read.with_context(|| format!("could not read {}", spec.display()))?,
    };
    if !is_ours(&text) {
        bail!("expected this kernel in {}, found another: nothing was removed", folder.display());
    }
    for name in LOGOS.iter().map(|(name, _)| *name).chain([SPEC]) {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| not_allowed("remove", &folder.join(name)));
            }
            _ => {}
        }
    }
    match std::fs::remove_dir(&folder) {
        Ok(()) => println!("Removed the kernel from {}.", folder.display()),
        Err(_) => println!(
            "Removed the kernel; {} stays, as it holds what this program did not write.",
            folder.display()
        ),
    }
    Ok(())
}

/// Whether the text is a kernel.json that `install` wrote.
fn is_ours(text: &[u8]) -> bool {
    serde_json::from_slice(text).is_ok_and(|spec: Value| spec["display_name"] == DISPLAY_NAME)
}

impl Place {
    /// The kernel's folder at this place.
    fn folder(&self) -> Result<PathBuf> {
        debug_assert!(!(self.user && self.sys_prefix), "clap takes one of them");
        let data = if self.sys_prefix {
            below(&sys_prefix()?)
        } else if let Some(prefix) = &self.prefix {
            below(&std::path::absolute(prefix).context("--prefix names no folder")?)
        } else {
            user_data_folder()?
        };
        Ok(data.join("kernels").join(NAME))
    }
}

fn install(folder: &Path, home: Option<&Path>, features: Option<&str>) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| not_allowed("make the folder", folder))?;
    let program = std::env::current_exe().context("this program has no path")?;
    let mut env = json!({});
    if let Some(home) = home {
        env[HOME_ENV] = home.display().to_string().into();
    }
    if let Some(features) = features {
        env[FEATURES_ENV] = features.into();
    }
    let spec = json!({
        "argv": [program.display().to_string(), "run", "--connection-file", "{connection_file}"],
        "display_name": DISPLAY_NAME,
        "language": "rust",
        "interrupt_mode": "message",
        "kernel_protocol_version": crate::publisher::PROTOCOL_VERSION,
        "env": env,
        "metadata": { "debugger": false },
    });
    for (name, content) in LOGOS {
        write(folder, name, content)?;
    }
    // The last one: with it the kernel is there.
    write(folder, SPEC, &serde_json::to_vec_pretty(&spec)?)
}

/// Writes a file that everybody may read, whole or not at all.
fn write(folder: &Path, name: &str, content: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    let written = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644))?;
        file.persist(&path)?;
        Ok(())
    };
    written().with_context(|| not_allowed("write", &path))
}

fn not_allowed(what: &str, path: &Path) -> String {
    format!(
        "could not {what} {}: name a place that you may write to with --user, --sys-prefix or \
         --prefix DIR",
        path.display()
    )
}

/// The whole path of the library's checkout that the caller means.
fn checkout(home: &Path) -> Result<PathBuf> {
    let found = home.canonicalize().with_context(|| {
        format!("--home: expected a checkout of {PACKAGE}, found no folder {}", home.display())
    })?;
    let manifest = std::fs::read_to_string(found.join("Cargo.toml")).unwrap_or_default();
    if !manifest.lines().any(|line| line == format!("name = \"{PACKAGE}\"")) {
        bail!(
            "--home: expected a checkout of {PACKAGE}, found no Cargo.toml of it in {}",
            found.display()
        );
    }
    Ok(found)
}

/// Jupyter's data folder below an installation prefix.
fn below(prefix: &Path) -> PathBuf {
    prefix.join("share").join("jupyter")
}

/// Where the python3 that is first in PATH is installed.
fn sys_prefix() -> Result<PathBuf> {
    let question = ["-c", "import sys; print(sys.prefix)"];
    let answer = output(Command::new("python3").args(question)).context(
        "--sys-prefix: expected a python3 in PATH that tells where it is installed; \
         --prefix DIR names the folder itself",
    )?;
    Ok(answer.trim().into())
}

/// Jupyter's data folder of the user.
fn user_data_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("JUPYTER_DATA_DIR").filter(|f| !f.is_empty()) {
        return std::path::absolute(folder).context("JUPYTER_DATA_DIR names no folder");
    }
    let home =
        std::env::home_dir().context("the home folder is not known: set JUPYTER_DATA_DIR")?;
    if cfg!(target_os = "macos") {
        return Ok(home.join("Library").join("Jupyter"));
    }
    // A relative path is none, by the specification.
    let shared = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|f| f.is_absolute());
    Ok(shared.unwrap_or_else(|| home.join(".local").join("share")).join("jupyter"))
}
