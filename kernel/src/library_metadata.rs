//! `cargo metadata` of the library, as the analyser and cells need it.

use crate::toolchain::{Toolchain, output};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library's package.
pub const PACKAGE: &str = "neural-composer";
/// Where the library's source is in its checkout.
pub const SOURCE_FOLDER: &str = "src";
/// Stands for the folder of a kernel's cells in recorded files.
pub const CELLS_PLACEHOLDER: &str = "@NEURAL_COMPOSER_CELLS@";

/// A crate of the library's own that cells may name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharedCrate {
    pub file: PathBuf,
    pub version: String,
}

/// The line that makes a cell depend on the library.
pub fn dependency_line(home: &Path, features: Option<&str>) -> String {
    let path = home.display().to_string();
    let Some(features) = features else { return format!(":dep {PACKAGE} = {{ path = {path:?} }}") };
    let features: Vec<&str> = features.split(',').filter(|name| !name.is_empty()).collect();
    format!(
        ":dep {PACKAGE} = {{ path = {path:?}, default-features = false, features = {features:?} }}"
    )
}

/// `cargo metadata` of a package like the one evcxr makes, in a folder called
/// [`CELLS_PLACEHOLDER`].
pub fn cell_metadata(
    home: &Path,
    toolchain: &Toolchain,
    features: Option<&str>,
    folder: &Path,
) -> Result<Value> {
    let cells = folder.join("cells");
    std::fs::create_dir_all(cells.join("src"))?;
    std::fs::write(cells.join("src/lib.rs"), "")?;
    let dependency = dependency_line(home, features);
    let dependency = dependency.trim_start_matches(":dep ");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"ctx\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"cdylib\"]\npath = \"src/lib.rs\"\n[dependencies]\n{dependency}\n"
    );
    std::fs::write(cells.join("Cargo.toml"), manifest)?;
    // The same versions as the library was built with.
    let _ = std::fs::copy(home.join("Cargo.lock"), cells.join("Cargo.lock"));
    let metadata = output(
        toolchain
            .choose(&mut Command::new(&toolchain.cargo))
            .current_dir(&cells)
            .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
            .arg(&toolchain.host),
    )?;
    let metadata = metadata.replace(&cells.display().to_string(), CELLS_PLACEHOLDER);
    std::fs::remove_dir_all(cells)?;
    Ok(serde_json::from_str(&metadata)?)
}

/// Leaves the cells' package, the library and what it depends on directly: what a cell can name,
/// and a fifth of what the analyser would have to load.
pub fn without_distant_packages(metadata: &Value) -> Value {
    let mut metadata = metadata.clone();
    let nodes = metadata["resolve"]["nodes"].as_array().cloned().unwrap_or_default();
    let root = &metadata["resolve"]["root"];
    let dependencies = |id: &Value| -> Vec<Value> {
        let node = nodes.iter().find(|node| node["id"] == *id);
        node.and_then(|node| node["dependencies"].as_array().cloned()).unwrap_or_default()
    };
    let mut kept = vec![root.clone()];
    for library in dependencies(root) {
        kept.extend(dependencies(&library));
        kept.push(library);
    }
    let is_kept = |id: &Value| kept.contains(id);
    for (list, id) in [("/packages", "id"), ("/resolve/nodes", "id")] {
        if let Some(list) = metadata.pointer_mut(list).and_then(Value::as_array_mut) {
            list.retain(|entry| is_kept(&entry[id]));
        }
    }
    let nodes = metadata.pointer_mut("/resolve/nodes").and_then(Value::as_array_mut);
    for node in nodes.into_iter().flatten() {
        if let Some(ids) = node["dependencies"].as_array_mut() {
            ids.retain(is_kept);
        }
        if let Some(dependencies) = node["deps"].as_array_mut() {
            dependencies.retain(|dependency| is_kept(&dependency["pkg"]));
        }
    }
    metadata
}

/// The library's own direct dependencies, which cells share with it when they name them.
pub fn shared_crates(
    metadata: &Value,
    crates: &BTreeMap<String, PathBuf>,
) -> BTreeMap<String, SharedCrate> {
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    let direct: Vec<&Value> = packages()
        .filter(|package| package["name"] == PACKAGE)
        .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| &dependency["name"])
        .collect();
    packages()
        .filter(|package| direct.contains(&&package["name"]))
        .filter_map(|package| {
            let name = package["name"].as_str()?.to_owned();
            let file = crates.get(package["id"].as_str()?)?.clone();
            Some((name, SharedCrate { file, version: package["version"].as_str()?.to_owned() }))
        })
        .collect()
}
