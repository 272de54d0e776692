//! Crates that a notebook adds with `:dep`, as the analyser knows them.

use super::{LIBRARY, Setup};
use crate::library::SharedCrate;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The crates of one set of dependencies, compiled.
#[derive(Serialize, Deserialize)]
struct ExtraCrates {
    /// Crate name → file.
    named: Vec<(String, PathBuf)>,
    dependencies: PathBuf,
}

impl Setup {
    /// Lets rustc know every crate that the cells' package depends on besides the library, built if
    /// need be.
    pub(super) fn name_extra_crates(&self, rustc: &mut Command) -> Result<()> {
        let mut extra = Vec::new();
        for (name, value) in self.dependencies()? {
            if name == LIBRARY && self.library.is_some() {
                continue;
            }
            match self.shared_crate(&name, &value) {
                Some(shared) => {
                    let name = name.replace('-', "_");
                    rustc.arg(format!("--extern={name}={}", shared.file.display()));
                }
                None => extra.push(format!("{name} = {value}")),
            }
        }
        if extra.is_empty() {
            return Ok(());
        }
        let crates = self.extra_crates(&extra)?;
        rustc.arg(format!("-Ldependency={}", crates.dependencies.display()));
        for (name, file) in crates.named {
            rustc.arg(format!("--extern={name}={}", file.display()));
        }
        Ok(())
    }

    /// The library's own crate of this name, if its version will do: a tensor made by the library is
    /// then the tensor that the cell names.
    fn shared_crate(&self, name: &str, value: &str) -> Option<&SharedCrate> {
        let shared = self.library.as_ref()?.shared_crates.get(name)?;
        let wanted = value.trim_matches('"');
        let is_plain = !wanted.contains(['{', '=', '<', '>', '~', ',']);
        let fits = wanted == "*"
            || is_plain
                && crate::cells::compatible(wanted.trim_start_matches('^'), &shared.version);
        fits.then_some(shared)
    }

    fn extra_crates(&self, extra: &[String]) -> Result<ExtraCrates> {
        let mut hasher = DefaultHasher::new();
        extra.hash(&mut hasher);
        let folder = self.cells.join("extra");
        let description = folder.join(format!("{:016x}.json", hasher.finish()));
        if let Ok(known) = std::fs::read(&description) {
            return Ok(serde_json::from_slice(&known)?);
        }
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("lib.rs"), "")?;
        let manifest = format!(
            "[package]\nname = \"extra\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n[workspace]\n[dependencies]\n{}\n",
            extra.join("\n")
        );
        std::fs::write(folder.join("Cargo.toml"), manifest)?;
        let crates = self.build(&folder, extra)?;
        std::fs::write(description, serde_json::to_vec(&crates)?)?;
        Ok(crates)
    }

    fn build(&self, folder: &Path, extra: &[String]) -> Result<ExtraCrates> {
        let mut cargo = self
            .real("cargo")
            .current_dir(folder)
            .args(["build", "--release", "--message-format", "json-render-diagnostics"])
            .arg("--target-dir")
            .arg(folder.join("target"))
            // Told apart from the library's own crates of the same name and version.
            .env("RUSTFLAGS", "--cfg=neural_composer_extra")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not run cargo")?;
        let stderr = cargo.stderr.take().context("cargo has no error output")?;
        let teller =
            std::thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        let stdout = cargo.stdout.take().context("cargo has no output")?;
        let mut named = Vec::new();
        let mut dependencies = None;
        for line in BufReader::new(stdout).lines() {
            let Ok(artifact) = serde_json::from_str::<Value>(&line?) else { continue };
            if artifact["reason"] != "compiler-artifact" {
                continue;
            }
            let files = artifact["filenames"].as_array().into_iter().flatten();
            let file = files
                .filter_map(Value::as_str)
                .map(PathBuf::from)
                .find(|file| file.extension().is_some_and(|kind| kind == "rlib" || kind == "so"));
            let (Some(file), Some(name)) = (file, artifact["target"]["name"].as_str()) else {
                continue;
            };
            dependencies = file.parent().map(Path::to_owned).or(dependencies);
            let is_wanted = extra.iter().any(|line| {
                line.split(' ')
                    .next()
                    .is_some_and(|wanted| wanted.replace('-', "_") == name.replace('-', "_"))
            });
            if is_wanted {
                named.push((name.replace('-', "_"), file));
            }
        }
        let status = cargo.wait()?;
        let complaint = teller.join().unwrap_or_default();
        if !status.success() {
            bail!("error: no matching package named or not compilable:\n{complaint}");
        }
        let dependencies = dependencies.unwrap_or_else(|| folder.join("target/release/deps"));
        Ok(ExtraCrates { named, dependencies })
    }
}
