//! The crate and the shim that the evaluator loads before the first cell.

use crate::toolchain::{Toolchain, output, shared_object_name};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate that every cell links; see `evaluator_support.rs`.
pub const SUPPORT_CRATE: &str = "neural_cells";

/// What the evaluator loads before the first cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Support {
    /// The crate that every cell links; see `evaluator_support.rs`.
    pub object: PathBuf,
    /// See `stream_shim.rs`; none where the loader takes no list of what comes first.
    pub shim: Option<PathBuf>,
}

impl Support {
    /// The same files in another folder.
    pub fn in_folder(&self, folder: &Path) -> Self {
        let moved = |file: &PathBuf| folder.join(file.file_name().unwrap_or_default());
        Support { object: moved(&self.object), shim: self.shim.as_ref().map(moved) }
    }
}

/// Compiles the evaluator's support into `folder`.
pub fn compile(toolchain: &Toolchain, folder: &Path) -> Result<Support> {
    let compile = |stem: &str, text: &str, options: &[&str]| {
        let source = format!("{stem}.rs");
        std::fs::write(folder.join(&source), text)?;
        // Names without the folder: what passes them on may not bear every path.
        let mut rustc = Command::new(&toolchain.rustc);
        rustc.current_dir(folder).args(["--edition", "2024", "-O", "--crate-name", stem]);
        let object = shared_object_name(stem);
        output(rustc.args(options).arg("-o").arg(&object).arg(source))?;
        anyhow::Ok(folder.join(object))
    };
    let object = compile(
        SUPPORT_CRATE,
        include_str!("evaluator_support.rs"),
        &[
            "--crate-type=dylib",
            "-Cprefer-dynamic",
            "-Clink-arg=-Xlinker",
            "-Clink-arg=-rpath",
            "-Clink-arg=-Xlinker",
            "-Clink-arg=$ORIGIN",
        ],
    )?;
    let shim = if cfg!(target_os = "linux") {
        let options = ["--crate-type=cdylib", "-Cpanic=abort"];
        Some(compile("neural_streams", include_str!("stream_shim.rs"), &options)?)
    } else {
        None
    };
    Ok(Support { object, shim })
}
