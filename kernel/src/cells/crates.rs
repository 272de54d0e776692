//! Crates that a notebook adds with `:dep`: compiled by cargo, loaded once as shared objects.
//!
//! What the library depends on itself is shared with it if the version fits. All others are built
//! into the kernel's own folder and linked into one shared object, which every cell then uses: the
//! crates' global state is one. Crates that come later are linked into a further object, on top of
//! the ones before.

use super::crate_build::{self, Workshop};
use super::crate_set::CrateSet;
use super::requirement::{Requirement, compatible};
use crate::library::Library;
use crate::library_metadata::{PACKAGE, SharedCrate};
use anyhow::{Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

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
                crate_build::stamp(folder).hash(&mut hasher);
            }
            let stamp = wanted.path().map_or(0, |path| crate_build::stamp(&path) ^ hasher.finish());
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
            if library.is_some() && wanted.package() == PACKAGE {
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
        let artifacts = crate_build::compile(workshop)?;
        let (names, sources) = crate_build::names(workshop)?;
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
                    let root = artifact["target"]["src_path"].as_str().map(Path::new);
                    if let Some(source) = root.and_then(Path::parent) {
                        set.add_source(name, source);
                    }
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
            match crate_build::link(workshop, &name, &set.dependencies, &crates, &below) {
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
