//! Tells Jupyter about this kernel.

use crate::library::FEATURES_ENV;
use crate::session::HOME_ENV;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The folder's and the kernel's name.
pub const NAME: &str = "neural-composer";
const DISPLAY_NAME: &str = "Rust (NeuralComposer)";

/// Writes `kernel.json` below `data`, Jupyter's data folder; returns the folder it is in.
pub fn install(data: &Path, home: Option<&Path>, features: Option<&str>) -> Result<PathBuf> {
    let folder = data.join("kernels").join(NAME);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("could not make the folder {}", folder.display()))?;
    let program = std::env::current_exe().context("this program has no path")?;
    let mut env = json!({});
    if let Some(home) = home {
        let home = home
            .canonicalize()
            .with_context(|| format!("there is no checkout at {}", home.display()))?;
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
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    serde_json::to_writer_pretty(&mut file, &spec)?;
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644))?;
    file.persist(folder.join("kernel.json"))?;
    Ok(folder)
}

/// Jupyter's data folder below an installation prefix, or the user's own.
pub fn data_folder(prefix: Option<&Path>) -> Result<PathBuf> {
    if let Some(prefix) = prefix {
        return Ok(prefix.join("share").join("jupyter"));
    }
    if let Some(folder) = std::env::var_os("JUPYTER_DATA_DIR") {
        return Ok(folder.into());
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
