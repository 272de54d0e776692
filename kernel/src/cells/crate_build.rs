//! Building the crates of `:dep`: cargo compiles them, rustc links them into one shared object.

use super::compile::Compiler;
use crate::activity::Activity;
use crate::publisher::Publisher;
use crate::toolchain::{output, shared_object_name};
use crate::walk::{Links, files_below};
use anyhow::{Context, Result, bail};
use rustix::process::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// What compiling crates needs.
pub struct Workshop<'a> {
    pub compiler: &'a Compiler,
    pub activity: &'a Activity,
    pub publisher: &'a Publisher,
    /// Where the crates are compiled.
    pub folder: &'a Path,
}

/// Runs cargo, showing each crate that it compiles; returns what it made.
pub fn compile(workshop: &Workshop) -> Result<Vec<Value>> {
    let compiler = workshop.compiler;
    let mut cargo = Command::new(&compiler.toolchain.cargo);
    let mut cargo = compiler
        .toolchain
        .choose(&mut cargo)
        .current_dir(workshop.folder)
        .args(["build", "--release", "--message-format", "json-render-diagnostics"])
        .arg("--target-dir")
        .arg(workshop.folder.join("target"))
        // Told apart from the library's own crates of the same name and version.
        .env("RUSTFLAGS", "--cfg=neural_composer_extra")
        .env_remove("RUSTC_WRAPPER")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("could not run cargo")?;
    let group = i32::try_from(cargo.id()).ok().and_then(Pid::from_raw);
    let group = group.context("cargo has no process id")?;
    workshop.activity.compiler_started(group);
    let stderr = cargo.stderr.take().context("cargo has no error output")?;
    let publisher = workshop.publisher.clone();
    let teller = std::thread::spawn(move || tell(stderr, &publisher));
    let stdout = cargo.stdout.take().context("cargo has no output")?;
    let lines = BufReader::new(stdout).lines().map_while(std::io::Result::ok);
    let artifacts = lines
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .collect();
    let status = cargo.wait()?;
    workshop.activity.compiler_ended(group);
    let complaint = teller.join().unwrap_or_default();
    if workshop.activity.interrupts() > 0 {
        bail!("stopped while crates were compiled");
    }
    if !status.success() {
        bail!("{}", complaint.trim());
    }
    Ok(artifacts)
}

/// A name in code and the package's id.
pub type NamedPackage = (String, String);

/// What the notebook depends on directly; and the folders with sources of all that is in folders.
pub fn names(workshop: &Workshop) -> Result<(Vec<NamedPackage>, Vec<PathBuf>)> {
    let toolchain = &workshop.compiler.toolchain;
    let metadata = output(
        toolchain
            .choose(&mut Command::new(&toolchain.cargo))
            .current_dir(workshop.folder)
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
            .arg(&toolchain.host),
    )?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let root = &metadata["resolve"]["root"];
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let direct = nodes.filter(|node| node["id"] == *root).flat_map(|node| {
        node["deps"].as_array().into_iter().flatten().filter_map(|dependency| {
            let (name, package) = (dependency["name"].as_str()?, dependency["pkg"].as_str()?);
            Some((name.to_owned(), package.to_owned()))
        })
    });
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let sources = packages
        .filter(|package| package["source"].is_null() && package["id"] != *root)
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .map(Path::to_owned);
    Ok((direct.collect(), sources.collect()))
}

/// Shows each crate that cargo compiles, in one line that is written over; returns all else.
fn tell(stderr: impl Read, publisher: &Publisher) -> String {
    let mut complaint = String::new();
    let mut width = 0;
    for line in BufReader::new(stderr).lines().map_while(std::io::Result::ok) {
        let is_step = ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Adding"]
            .iter()
            .any(|step| line.trim_start().starts_with(step));
        if is_step {
            let line = line.trim();
            publisher.text("stderr", &format!("\r{line:width$}"));
            width = width.max(line.chars().count());
        } else if !line.trim_start().starts_with("Finished") {
            complaint += &format!("{}\n", line.trim_end());
        }
    }
    if width > 0 {
        publisher.text("stderr", &format!("\r{:width$}\r", ""));
    }
    complaint
}

/// What the source in a folder is now: changes when any file of it does.
pub fn stamp(folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    1u8.hash(&mut hasher);
    // Links are not followed: this is asked before every cell, and they may lead to anything.
    let files = files_below(folder, Links::Listed, &|entry| {
        !["target", ".git"].iter().any(|name| entry.file_name() == *name)
    });
    for file in files.into_iter().flatten() {
        let Ok(about) = file.symlink_metadata() else { continue };
        let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        (file.file_name(), about.len(), changed).hash(&mut hasher);
    }
    hasher.finish()
}

/// Links crates into one shared object, on top of those `below`.
pub fn link(
    workshop: &Workshop,
    name: &str,
    dependencies: &[PathBuf],
    crates: &[&(String, PathBuf)],
    below: &BTreeMap<String, PathBuf>,
) -> Result<PathBuf> {
    let compiler = workshop.compiler;
    let source = workshop.folder.join(format!("{name}.rs"));
    let mut text = String::new();
    for name in below.keys().chain(crates.iter().map(|(name, _)| name)) {
        text += &format!("extern crate {name} as _;\n");
    }
    std::fs::write(&source, text)?;
    let file = shared_object_name(name);
    let mut rustc = Command::new(&compiler.toolchain.rustc);
    rustc
        .current_dir(&compiler.folder)
        .args(["--crate-name", name, "--edition", "2024", "--crate-type", "dylib"])
        .args(["-C", "prefer-dynamic", "-C", "link-arg=-Xlinker", "-C", "link-arg=-rpath"])
        .args(["-C", "link-arg=-Xlinker", "-C", "link-arg=$ORIGIN"])
        .arg("-o")
        .arg(&file)
        .arg(&source)
        .stdin(Stdio::null());
    for folder in dependencies {
        rustc.arg(format!("-Ldependency={}", folder.display()));
    }
    for (name, file) in below.iter().chain(crates.iter().map(|pair| (&pair.0, &pair.1))) {
        rustc.arg(format!("--extern={name}={}", file.display()));
    }
    output(&mut rustc)?;
    Ok(compiler.folder.join(file))
}
