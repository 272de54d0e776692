//! Crates that a notebook adds with `:dep`: compiled by cargo, loaded once as shared objects.
//!
//! What the library depends on itself is shared with it if the version fits. All others are built
//! into the kernel's own folder and linked into one shared object, which every cell then uses: the
//! crates' global state is one. Crates that come later are linked into a further object, on top of
//! the ones before.

use super::compile::Compiler;
use crate::activity::Activity;
use crate::library::{Library, SharedCrate};
use crate::publisher::Publisher;
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

/// The library's package, which cells depend on.
const LIBRARY: &str = "neural-composer";

/// The crates that a cell may name, compiled.
#[derive(Debug, Clone, Default)]
pub struct CrateSet {
    /// Name in code → file.
    pub names: BTreeMap<String, PathBuf>,
    /// Shared objects that hold them: name → file. The evaluator loads them.
    pub linked: BTreeMap<String, PathBuf>,
    /// Where the crates are that these depend on.
    pub dependencies: Vec<PathBuf>,
    /// Crates whose source is in a folder, and what it was when they were compiled.
    pub stamps: BTreeMap<String, u64>,
}

/// One `:dep`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As in `Cargo.toml`, in front of the equals sign.
    pub key: String,
    /// Behind the equals sign, paths made absolute.
    pub value: String,
}

impl Requirement {
    /// Reads what stands behind `:dep`: `name`, `name = "1"`, `name = { ... }` or a folder.
    pub fn read(arguments: &str, folder: &Path) -> Result<Self> {
        let (key, value) = match arguments.split_once('=') {
            Some((key, value)) if is_name(key.trim()) => (key.trim(), value.trim().to_owned()),
            _ if is_name(arguments) && !folder.join(arguments).join("Cargo.toml").is_file() => {
                (arguments, "\"*\"".to_owned())
            }
            _ if arguments.is_empty() => bail!("expected `:dep name = \"version\"`"),
            _ => return Self::of_folder(arguments.trim_matches('"'), folder),
        };
        let table: toml::Table = toml::from_str(&format!("value = {value}"))
            .map_err(|error| anyhow::anyhow!("`{value}` is no TOML: {}", error.message()))?;
        let mut value = table["value"].clone();
        if let Some(path) = value.get("path").and_then(toml::Value::as_str) {
            let path = folder.join(path);
            if !path.join("Cargo.toml").is_file() {
                bail!("there is no crate in {}: expected a Cargo.toml there", path.display());
            }
            let path = path.canonicalize()?.display().to_string();
            if let Some(table) = value.as_table_mut() {
                table.insert("path".to_owned(), path.into());
            }
        }
        Ok(Requirement { key: key.to_owned(), value: value.to_string() })
    }

    fn of_folder(path: &str, folder: &Path) -> Result<Self> {
        let manifest = folder.join(path).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("there is no crate in {}", folder.join(path).display()))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{}: {}", manifest.display(), error.message()))?;
        let name = table.get("package").and_then(|package| package.get("name"));
        let name = name.and_then(toml::Value::as_str).context("the crate has no name")?;
        let value = toml::Value::String(path.to_owned());
        Self::read(&format!("{name} = {{ path = {value} }}"), folder)
    }

    fn path(&self) -> Option<PathBuf> {
        let table: toml::Table = toml::from_str(&format!("value = {}", self.value)).ok()?;
        Some(table["value"].get("path")?.as_str()?.into())
    }

    fn package(&self) -> String {
        let table: Option<toml::Table> = toml::from_str(&format!("value = {}", self.value)).ok();
        let package = table.as_ref().and_then(|table| table["value"].get("package"));
        package.and_then(toml::Value::as_str).unwrap_or(&self.key).to_owned()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// All crates of the notebook.
#[derive(Debug, Default)]
pub struct Crates {
    pub requirements: Vec<Requirement>,
    set: CrateSet,
    /// What the set was made from.
    built: Vec<(Requirement, u64)>,
    /// Folders with sources of the set: those asked for, and those that they depend on.
    sources: Vec<PathBuf>,
    /// The sources there were when a crate was last compiled: what it depends on is among them.
    known_sources: BTreeMap<String, Vec<PathBuf>>,
    objects: u32,
}

/// What compiling crates needs.
pub struct Workshop<'a> {
    pub compiler: &'a Compiler,
    pub activity: &'a Activity,
    pub publisher: &'a Publisher,
    /// Where the crates are compiled.
    pub folder: &'a Path,
}

impl Crates {
    /// Adds a crate; whether that changes anything.
    pub fn require(&mut self, wanted: Requirement) -> bool {
        if self.requirements.contains(&wanted) {
            return false;
        }
        self.requirements.retain(|known| known.key != wanted.key);
        self.requirements.push(wanted);
        true
    }

    /// Whether the notebook asked for tokio with a runtime.
    pub fn has_runtime(&self) -> bool {
        self.requirements.iter().any(|wanted| {
            let has_it = ["full", "rt-multi-thread"].iter().any(|name| wanted.value.contains(name));
            wanted.key == "tokio" && has_it
        })
    }

    pub fn set(&self) -> &CrateSet {
        &self.set
    }

    /// The crates as they stand now, compiled if they have to be; says whether their global state
    /// starts afresh.
    pub fn provide(&mut self, workshop: &Workshop) -> Result<bool> {
        let now = self.stamped();
        if now == self.built {
            return Ok(false);
        }
        let had_objects = !self.set.linked.is_empty();
        let keeps_old = self.built.iter().all(|known| now.contains(known));
        let set = match self.build(workshop, &now, keeps_old) {
            Ok(set) => set,
            Err(error) => {
                self.forget_failed(workshop, now, &error);
                return Err(error);
            }
        };
        let starts_afresh =
            had_objects && !self.set.linked.keys().all(|name| set.linked.contains_key(name));
        self.set = set;
        // An edited crate may depend on other folders than before.
        for (wanted, _) in now.iter().filter(|known| !self.built.contains(known)) {
            self.known_sources.insert(wanted.key.clone(), self.sources.clone());
        }
        self.built = self.stamped();
        for (wanted, stamp) in self.built.iter().filter(|(_, stamp)| *stamp != 0) {
            self.set.stamps.insert(wanted.key.replace('-', "_"), *stamp);
        }
        Ok(starts_afresh)
    }

    /// The requirements with what their sources are now; those of a registry do not change.
    fn stamped(&self) -> Vec<(Requirement, u64)> {
        let stamps = self.requirements.iter().map(|wanted| {
            let mut hasher = DefaultHasher::new();
            for folder in self.known_sources.get(&wanted.key).into_iter().flatten() {
                stamp(folder).hash(&mut hasher);
            }
            let stamp = wanted.path().map_or(0, |path| stamp(&path) ^ hasher.finish());
            (wanted.clone(), stamp)
        });
        stamps.collect()
    }

    /// What could not be compiled is not asked for again by every cell: new requirements are dropped,
    /// and of a crate whose source was edited the last good build stays in use.
    fn forget_failed(
        &mut self,
        workshop: &Workshop,
        now: Vec<(Requirement, u64)>,
        error: &anyhow::Error,
    ) {
        let is_known = |wanted: &Requirement| self.built.iter().any(|(known, _)| known == wanted);
        if now.iter().all(|(wanted, _)| is_known(wanted)) {
            let note =
                format!("An edited crate does not compile, its last build is used: {error:#}\n");
            workshop.publisher.text("stderr", &note);
            self.built = now;
            return;
        }
        self.requirements = self.built.iter().map(|(wanted, _)| wanted.clone()).collect();
    }

    fn build(
        &mut self,
        workshop: &Workshop,
        wanted: &[(Requirement, u64)],
        keeps_old: bool,
    ) -> Result<CrateSet> {
        let library = workshop.compiler.library.as_ref();
        let mut set = CrateSet::default();
        let mut others = Vec::new();
        for (wanted, _) in wanted {
            if library.is_some() && wanted.package() == LIBRARY {
                continue;
            }
            match library.and_then(|library| shared_crate(library, wanted)) {
                Some(shared) => {
                    set.names.insert(wanted.key.replace('-', "_"), shared.file.clone());
                }
                None => others.push(wanted.clone()),
            }
        }
        if others.is_empty() {
            return Ok(set);
        }
        let folder = workshop.folder;
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("lib.rs"), "")?;
        let lines: Vec<String> =
            others.iter().map(|wanted| format!("{} = {}", wanted.key, wanted.value)).collect();
        let manifest = format!(
            "[package]\nname = \"notebook-crates\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [lib]\npath = \"lib.rs\"\n[workspace]\n[dependencies]\n{}\n",
            lines.join("\n")
        );
        std::fs::write(folder.join("Cargo.toml"), manifest)?;
        let artifacts = compile(workshop)?;
        let (names, sources) = names(workshop, folder)?;
        let mut all = Vec::new();
        for artifact in &artifacts {
            let files = artifact["filenames"].as_array().into_iter().flatten();
            let file = files.filter_map(Value::as_str).map(PathBuf::from).find(|file| {
                file.extension()
                    .is_some_and(|kind| kind == "rlib" || kind == std::env::consts::DLL_EXTENSION)
            });
            let (Some(file), Some(package)) = (file, artifact["package_id"].as_str()) else {
                continue;
            };
            if let Some(parent) = file.parent().map(Path::to_owned)
                && !set.dependencies.contains(&parent)
            {
                set.dependencies.push(parent);
            }
            for (name, _) in names.iter().filter(|(_, id)| id == package) {
                let is_library = artifact["target"]["kind"].as_array().is_some_and(|kinds| {
                    kinds.iter().any(|kind| kind != "custom-build" && kind != "bin")
                });
                if is_library {
                    set.names.insert(name.clone(), file.clone());
                    all.push((name.clone(), file.clone()));
                }
            }
        }
        self.sources = sources;
        self.link(workshop, &mut set, &all, keeps_old)?;
        Ok(set)
    }

    /// Links the compiled crates into a shared object; on top of the earlier ones if these stay.
    fn link(
        &mut self,
        workshop: &Workshop,
        set: &mut CrateSet,
        crates: &[(String, PathBuf)],
        keeps_old: bool,
    ) -> Result<()> {
        let is_rlib = |file: &Path| file.extension().is_some_and(|kind| kind == "rlib");
        let crates: Vec<_> = crates.iter().filter(|(_, file)| is_rlib(file)).collect();
        if crates.is_empty() {
            return Ok(());
        }
        self.objects += 1;
        let name = format!("notebook_crates_{}", self.objects);
        let attempts: &[bool] =
            if keeps_old && !self.set.linked.is_empty() { &[true, false] } else { &[false] };
        let mut complaint = String::new();
        for &on_top in attempts {
            let below = if on_top { self.set.linked.clone() } else { BTreeMap::new() };
            match link_object(workshop, &name, set, &crates, &below) {
                Ok(object) => {
                    set.linked = below;
                    set.linked.insert(name, object);
                    return Ok(());
                }
                Err(error) => complaint = format!("{error:#}"),
            }
            if workshop.activity.interrupts() > 0 {
                bail!("stopped while the crates were linked");
            }
        }
        // Some crates cannot be in a shared object; then each cell has its own copy of their state.
        let note = format!(
            "The crates of :dep could not be made a shared object, so each cell has their global state anew: {}\n",
            complaint.lines().next().unwrap_or_default()
        );
        workshop.publisher.text("stderr", &note);
        Ok(())
    }
}

fn link_object(
    workshop: &Workshop,
    name: &str,
    set: &CrateSet,
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
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
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
    for folder in &set.dependencies {
        rustc.arg(format!("-Ldependency={}", folder.display()));
    }
    for (name, file) in below.iter().chain(crates.iter().map(|pair| (&pair.0, &pair.1))) {
        rustc.arg(format!("--extern={name}={}", file.display()));
    }
    crate::toolchain::output(&mut rustc)?;
    Ok(compiler.folder.join(file))
}

/// The library's own crate of this name, if its version will do: a tensor made by the library is
/// then the tensor that the cell names.
fn shared_crate<'a>(library: &'a Library, wanted: &Requirement) -> Option<&'a SharedCrate> {
    let shared = library.shared_crates.get(&wanted.key)?;
    let version = wanted.value.trim_matches('"');
    let is_plain = !version.contains(['{', '=', '<', '>', '~', ',']);
    let fits =
        version == "*" || is_plain && compatible(version.trim_start_matches('^'), &shared.version);
    fits.then_some(shared)
}

/// Runs cargo, showing each crate that it compiles; returns what it made.
fn compile(workshop: &Workshop) -> Result<Vec<Value>> {
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
type NamedPackage = (String, String);

/// What the notebook depends on directly; and the folders with sources of all that is in folders.
fn names(workshop: &Workshop, folder: &Path) -> Result<(Vec<NamedPackage>, Vec<PathBuf>)> {
    let toolchain = &workshop.compiler.toolchain;
    let metadata = crate::toolchain::output(
        toolchain
            .choose(&mut Command::new(&toolchain.cargo))
            .current_dir(folder)
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
fn stamp(folder: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    1u8.hash(&mut hasher);
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if name == "target" || name == ".git" {
                continue;
            }
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                open.push(entry.path());
            } else {
                let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                (name, about.len(), changed).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

/// Whether cargo would take `version` for the requirement `wanted` (a caret requirement).
fn compatible(wanted: &str, version: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    let (Some(wanted), Some(version)) = (numbers(wanted), numbers(version)) else { return false };
    // All numbers up to the first that is not zero have to agree.
    let leading = wanted.iter().position(|&number| number > 0).unwrap_or(wanted.len());
    let fixed = (leading + 1).min(wanted.len());
    version.len() >= wanted.len() && version[..fixed] == wanted[..fixed] && version >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_requirements() {
        assert!(compatible("0.11", "0.11.1"));
        assert!(compatible("1", "1.0.228"));
        assert!(compatible("1.2.3", "1.3.0"));
        assert!(!compatible("0.11.2", "0.11.1"));
        assert!(!compatible("0.10", "0.11.1"));
        assert!(!compatible("2", "1.9.9"));
    }

    #[test]
    fn requirements_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::create_dir(here.join("my, crate")).unwrap();
        let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\n";
        std::fs::write(here.join("my, crate/Cargo.toml"), manifest).unwrap();
        let read = |text: &str| Requirement::read(text, here);
        assert_eq!(read("rand").unwrap().value, "\"*\"");
        assert_eq!(read("rand = \"0.9\"").unwrap().value, "\"0.9\"");
        assert_eq!(
            read("short = { package = \"tiny\", path = \"my, crate\" }").unwrap().package(),
            "tiny"
        );
        let by_folder = read("my, crate").unwrap();
        assert_eq!(by_folder.key, "tiny");
        assert_eq!(by_folder.path(), Some(here.join("my, crate").canonicalize().unwrap()));
        for wrong in ["", "rand = ", "rand = { path = \"nowhere\" }", "rand = 1 2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
