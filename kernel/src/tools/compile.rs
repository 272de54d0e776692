//! Compiling what the analyser's evcxr runs when it starts: one call of rustc.

use super::Setup;
use anyhow::{Context, Result};
use serde_json::json;
use std::process::{Command, Stdio};

/// The name evcxr gives every cell's crate.
const CELL_CRATE: &str = "ctx";

impl Setup {
    /// Makes the shared object that the analyser's evcxr asks for.
    pub(super) fn build_cell(&self) -> Result<i32> {
        // evcxr looks for the shared object where cargo would put it.
        let folder = self.cells.join("target").join(&self.toolchain.host).join("debug/deps");
        std::fs::create_dir_all(&folder)?;
        let mut rustc = Command::new(&self.toolchain.rustc);
        rustc
            .current_dir(&self.cells)
            .env("PATH", &self.path)
            .args(["--crate-name", CELL_CRATE, "--edition", "2024", "--crate-type", "cdylib"])
            .args(["--error-format", "json", "--cap-lints", "allow", "-C", "prefer-dynamic"]);
        if let Some(library) = &self.library {
            rustc
                .arg(format!("-Ldependency={}", library.dependencies.display()))
                .arg(format!("--extern=neural_composer={}", library.shared_object.display()));
        }
        self.name_extra_crates(&mut rustc)?;
        let status = rustc
            .arg("--out-dir")
            .arg(&folder)
            .arg(self.cells.join("src/lib.rs"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context("could not run rustc")?;
        if status.success() {
            let file = folder.join(format!(
                "{}{CELL_CRATE}{}",
                std::env::consts::DLL_PREFIX,
                std::env::consts::DLL_SUFFIX
            ));
            let target = json!({ "name": CELL_CRATE });
            println!(
                "{}",
                json!({ "reason": "compiler-artifact", "target": target, "filenames": [file] })
            );
        }
        Ok(status.code().unwrap_or(130))
    }
}
