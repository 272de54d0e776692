//! The library, built once for all notebooks: a shared object that every cell links to.
//!
//! One build is one folder below `target/notebook`, named by everything it depends on, complete
//! before it appears and never changed after: any number of kernels use it at once. Linking to a
//! shared object, rather than the library's code into every cell, keeps cells small and gives them
//! one copy of the library's global state: the stop flag, the thread pools.

use crate::library_metadata::{
    PACKAGE, SOURCE_FOLDER, SharedCrate, cell_metadata, shared_crates, without_distant_packages,
};
use crate::support::{self, Support};
use crate::toolchain::Toolchain;
use crate::walk::{Links, files_below};
use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

const CRATE: &str = "neural_composer";
const DESCRIPTION: &str = "library.json";
/// Held (shared) by every kernel that uses the build.
const USE_LOCK: &str = "in-use";
/// Features to build the library with, separated by commas; its default ones if this is not set.
pub const FEATURES_ENV: &str = "NEURAL_COMPOSER_FEATURES";

/// The process group of the cargo that builds the library, or 0.
static BUILDING: AtomicI32 = AtomicI32::new(0);

/// A finished build, as its folder describes itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Library {
    pub home: PathBuf,
    pub toolchain: Toolchain,
    /// See [`FEATURES_ENV`].
    pub features: Option<String>,
    /// The shared object that cells link to.
    pub shared_object: PathBuf,
    pub support: Support,
    /// The crates the library is made of.
    pub dependencies: PathBuf,
    /// Crates that a cell may name by `:dep` and share with the library: name → file and version.
    pub shared_crates: BTreeMap<String, SharedCrate>,
    /// `cargo metadata` of a cell that depends on the library.
    pub metadata: PathBuf,
    /// Where all of it is.
    pub folder: PathBuf,
}

/// A build in use; others may not delete it meanwhile.
pub struct LibraryInUse {
    pub library: Library,
    _lock: File,
}

/// Where builds of the checkout at `home` are kept.
fn builds_folder(home: &Path) -> PathBuf {
    target_folder(home).join("notebook")
}

fn target_folder(home: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| home.join("target"), |dir| home.join(dir))
}

fn wanted_features() -> Option<String> {
    std::env::var(FEATURES_ENV).ok()
}

/// The library as `home` stands now, built if it has to be. `progress` is told each step.
pub fn provide(home: &Path, progress: &mut dyn FnMut(&str)) -> Result<LibraryInUse> {
    let builds = builds_folder(home);
    if let Some(library) = current(home) {
        return Ok(library);
    }
    std::fs::create_dir_all(&builds)
        .with_context(|| format!("could not make the folder {}", builds.display()))?;
    let lock = File::create(builds.join("lock"))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        progress("another kernel is building the library");
        flock(&lock, FlockOperation::LockExclusive)?;
    }
    // Another kernel may have built it meanwhile.
    if let Some(library) = current(home) {
        return Ok(library);
    }
    let toolchain = Toolchain::discover(home)?;
    let features = wanted_features();
    let fingerprint = fingerprint(home, &toolchain, features.as_deref())?;
    build(home, &builds, toolchain, features, &fingerprint, progress)?;
    remember(&builds, &fingerprint)?;
    let library = current(home)
        .context("the library's sources changed while they were compiled: start again")?;
    remove_unused(&builds, &fingerprint);
    Ok(library)
}

/// The build that was made last, if it still is what would be built.
pub fn current(home: &Path) -> Option<LibraryInUse> {
    let builds = builds_folder(home);
    let name = std::fs::read_to_string(builds.join("current")).ok()?;
    let folder = builds.join(name.trim());
    let lock = File::open(folder.join(USE_LOCK)).ok()?;
    flock(&lock, FlockOperation::NonBlockingLockShared).ok()?;
    let library: Library =
        serde_json::from_slice(&std::fs::read(folder.join(DESCRIPTION)).ok()?).ok()?;
    let features = wanted_features();
    let now = fingerprint(home, &library.toolchain, features.as_deref()).ok()?;
    (library.home == home && now == name.trim()).then_some(LibraryInUse { library, _lock: lock })
}

fn remember(builds: &Path, fingerprint: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new_in(builds)?;
    std::fs::write(file.path(), fingerprint)?;
    file.persist(builds.join("current"))?;
    Ok(())
}

/// Names everything a build depends on.
fn fingerprint(home: &Path, toolchain: &Toolchain, features: Option<&str>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    toolchain.stamp()?.hash(&mut hasher);
    std::env::var_os("RUSTUP_TOOLCHAIN").hash(&mut hasher);
    features.hash(&mut hasher);
    home.hash(&mut hasher);
    include_str!("evaluator_support.rs").hash(&mut hasher);
    include_str!("stream_shim.rs").hash(&mut hasher);
    let mut files: Vec<_> = ["Cargo.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml"]
        .into_iter()
        .map(|name| home.join(name))
        .filter(|path| path.is_file())
        .collect();
    for file in files_below(&home.join(SOURCE_FOLDER), Links::Followed, &|_| true) {
        let is_no_checkout = || format!("{} is not a checkout of {PACKAGE}", home.display());
        files.push(file.with_context(is_no_checkout)?);
    }
    files.sort();
    for file in files {
        let mut content = Vec::new();
        File::open(&file)?.read_to_end(&mut content)?;
        (file.strip_prefix(home).unwrap_or(&file), content).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn build(
    home: &Path,
    builds: &Path,
    toolchain: Toolchain,
    features: Option<String>,
    fingerprint: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("building-").tempdir_in(builds)?;
    let final_folder = builds.join(fingerprint);
    let artifacts = compile(home, &toolchain, features.as_deref(), progress)?;
    progress("preparing the notebooks' build");
    let dependencies = folder.path().join("dependencies");
    std::fs::create_dir(&dependencies)?;
    let mut shared_object = None;
    let mut crates = BTreeMap::new();
    for artifact in &artifacts {
        for file in artifact["filenames"].as_array().into_iter().flatten() {
            let Some(file) = file.as_str().map(PathBuf::from) else { continue };
            let Some(name) = file.file_name() else { continue };
            if !is_crate(&file) {
                continue;
            }
            if artifact["target"]["name"] == CRATE && is_shared_object(&file) {
                // Copied: the next build may write over it.
                std::fs::copy(&file, folder.path().join(name))?;
                shared_object = Some(final_folder.join(name));
                continue;
            }
            link_or_copy(&file, &dependencies.join(name))?;
            if file.extension().is_some_and(|extension| extension == "rlib") {
                let package = artifact["package_id"].as_str().unwrap_or_default().to_owned();
                crates.insert(package, final_folder.join("dependencies").join(name));
            }
        }
    }
    let shared_object = shared_object.context("cargo did not make the library's shared object")?;
    let support = support::compile(&toolchain, folder.path())?;
    let metadata = cell_metadata(home, &toolchain, features.as_deref(), folder.path())?;
    let shared_crates = shared_crates(&metadata, &crates);
    let metadata = without_distant_packages(&metadata);
    std::fs::write(folder.path().join("metadata.json"), serde_json::to_vec(&metadata)?)?;
    File::create(folder.path().join(USE_LOCK))?;
    let library = Library {
        home: home.to_owned(),
        toolchain,
        features,
        shared_object,
        support: support.in_folder(&final_folder),
        dependencies: final_folder.join("dependencies"),
        shared_crates,
        metadata: final_folder.join("metadata.json"),
        folder: final_folder.clone(),
    };
    std::fs::write(folder.path().join(DESCRIPTION), serde_json::to_vec_pretty(&library)?)?;
    // A folder of this name is a build that was not finished or whose sources came back.
    let _ = std::fs::remove_dir_all(&final_folder);
    std::fs::rename(folder.keep(), &final_folder)?;
    Ok(())
}

/// Runs cargo; returns what it made.
fn compile(
    home: &Path,
    toolchain: &Toolchain,
    features: Option<&str>,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Value>> {
    if target_folder(home) != home.join("target") {
        forget_other_checkouts(home, toolchain)?;
    }
    let rpath = toolchain.library_folder();
    let mut cargo = Command::new(&toolchain.cargo);
    let mut cargo = toolchain
        .choose(&mut cargo)
        .current_dir(home)
        .args(["rustc", "--release", "--lib", "--package", PACKAGE, "--crate-type", "dylib"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(
            features
                .map(|list| ["--no-default-features", "--features", list])
                .into_iter()
                .flatten(),
        )
        .arg("--target-dir")
        .arg(target_folder(home))
        .args(["--", "-C", "prefer-dynamic"])
        .arg(format!("-Clink-arg=-Wl,-rpath,{}", rpath.display()))
        .process_group(0)
        .env("CARGO_TERM_PROGRESS_WHEN", "always")
        .env("CARGO_TERM_PROGRESS_WIDTH", "100")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not run cargo")?;
    // Ends with whoever waits for it, and its compilers with it.
    let group = i32::try_from(cargo.id()).ok().and_then(Pid::from_raw);
    BUILDING.store(group.map_or(0, Pid::as_raw_pid), Ordering::Relaxed);
    let stdout = cargo.stdout.take().context("cargo has no output")?;
    let reader = std::thread::spawn(move || {
        let lines = std::io::BufRead::lines(BufReader::new(stdout));
        let artifact = |line: String| {
            let value: Value = serde_json::from_str(&line).ok()?;
            (value["reason"] == "compiler-artifact").then_some(value)
        };
        lines.map_while(std::io::Result::ok).filter_map(artifact).collect::<Vec<_>>()
    });
    let stderr = cargo.stderr.take().context("cargo has no error output")?;
    let mut complaint = String::new();
    let mut line = Vec::new();
    for byte in BufReader::new(stderr).bytes() {
        match byte? {
            b'\r' | b'\n' => {
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                match step(&text) {
                    Some(step) => progress(&step),
                    None if text.trim_start().starts_with("Compiling") => {}
                    None => complaint.push_str(&format!("{text}\n")),
                }
            }
            byte => line.push(byte),
        }
    }
    let status = cargo.wait()?;
    BUILDING.store(0, Ordering::Relaxed);
    let artifacts = reader.join().unwrap_or_default();
    if !status.success() {
        bail!("the library does not compile:\n{}", complaint.trim());
    }
    Ok(artifacts)
}

/// Removes the library's own crate from a target folder that other checkouts may use, too. Cargo goes
/// by the time stamps of sources and does not ask whose they are: what another checkout compiled
/// later than these were written would pass for these.
fn forget_other_checkouts(home: &Path, toolchain: &Toolchain) -> Result<()> {
    let mut cargo = Command::new(&toolchain.cargo);
    let cargo = toolchain.choose(&mut cargo).current_dir(home);
    let cargo = cargo.args(["clean", "--quiet", "--release", "--package", PACKAGE, "--target-dir"]);
    let status = cargo.arg(target_folder(home)).stdin(Stdio::null()).status();
    status.context("could not run cargo")?;
    Ok(())
}

/// Ends a build that is going on in this process, if one is.
pub fn stop_building() {
    if let Some(group) = Pid::from_raw(BUILDING.load(Ordering::Relaxed)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// `Building [=> ] 12/213: candle-core` in cargo's words, or none.
fn step(line: &str) -> Option<String> {
    let (_, counted) = line.split_once("Building [")?.1.split_once(']')?;
    let (count, what) = counted.trim().split_once(':')?;
    Some(format!("building the library for notebooks: {count},{what}"))
}

/// Whether rustc may ask for this file; build scripts, for one, are programs.
fn is_crate(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rlib" || extension == "rmeta")
        || is_shared_object(path)
}

/// Makes `target` a second name of `source`, or a copy where the file system has no such thing.
fn link_or_copy(source: &Path, target: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(source, target) {
        // A copy would be written into the file of another crate, in cargo's own folder.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => std::fs::copy(source, target).map(|_| ()),
        Ok(()) => Ok(()),
    }
}

fn is_shared_object(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so" || extension == "dylib")
}

/// Deletes builds that no kernel uses any more.
fn remove_unused(builds: &Path, keep: &str) {
    let Ok(entries) = std::fs::read_dir(builds) else { return };
    for folder in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if folder.file_name().is_some_and(|name| name == keep) {
            continue;
        }
        if let Ok(lock) = File::open(folder.join(USE_LOCK))
            && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two files of one name, such as the programs `build-script-build` of two crates: the second
    /// must not be written into the first, which cargo goes on using.
    #[test]
    fn what_is_linked_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, target] = ["first", "second", "target"].map(|n| folder.path().join(n));
        std::fs::write(&first, "first").unwrap();
        std::fs::write(&second, "second").unwrap();
        link_or_copy(&first, &target).unwrap();
        assert!(link_or_copy(&second, &target).is_err());
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "first");
    }

    #[test]
    fn build_scripts_are_no_crates() {
        for (name, expected) in [
            ("build/x-1f/build-script-build", false),
            ("deps/libserde-1f.rlib", true),
            ("deps/libserde-1f.rmeta", true),
            ("deps/libserde_derive-1f.so", true),
        ] {
            assert_eq!(is_crate(Path::new(name)), expected, "{name}");
        }
    }
}
