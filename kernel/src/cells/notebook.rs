//! A notebook as the compiler sees it: names, crates, and how a cell joins them.

use super::attempt::{Attempt, outdated_items};
use super::compile::{Compiled, Compiler, Wanted};
use super::compose::{self, Plan, RUNTIME_DEFINITION};
use super::crate_build::Workshop;
use super::crates::Crates;
use super::definitions::Definitions;
use super::diagnostic::Diagnostic;
use super::generated::{Builds, Generated};
use super::item::{Item, Key};
use super::namespace::Namespace;
use super::parse::{self, Cell};
use super::ready::{Build, Ready};
use super::requirement::Requirement;
use super::settings::Settings;
use super::source::Source;
use super::types::OPEN_CRATES;
use crate::activity::Activity;
use crate::publisher::Publisher;
use anyhow::Result;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// How often a cell is compiled with what the last attempt taught.
const ATTEMPTS: u32 = 12;

/// Why a cell was not compiled.
pub enum Refusal {
    Errors(Vec<Diagnostic>),
    Stopped,
    Other(String),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Refusal::Other(format!("{error:#}"))
    }
}

/// All that a notebook has: what compiles it, its crates, settings, builds and names.
pub struct Notebook {
    pub compiler: Compiler,
    pub crates: Crates,
    pub settings: Settings,
    pub builds: Builds,
    pub namespace: Namespace,
    last_build: u32,
    crates_folder: PathBuf,
    activity: Arc<Activity>,
    publisher: Publisher,
}

impl Notebook {
    pub fn new(
        compiler: Compiler,
        crates_folder: PathBuf,
        activity: Arc<Activity>,
        publisher: Publisher,
    ) -> Self {
        Notebook {
            compiler,
            crates: Crates::default(),
            settings: Settings::default(),
            builds: Builds::default(),
            namespace: Namespace::default(),
            last_build: 0,
            crates_folder,
            activity,
            publisher,
        }
    }

    /// Forgets everything but the settings and the compiled crates.
    pub fn clear(&mut self) {
        self.namespace = Namespace::default();
        self.crates.requirements.clear();
    }

    /// A cell's code has begun to run.
    pub fn begun(&mut self, ready: &Ready) {
        self.namespace.begun(ready, self.crates.set(), &self.publisher);
    }

    pub fn require(&mut self, arguments: &str) -> Result<()> {
        let wanted = Requirement::read(arguments, &self.compiler.notebook_folder)?;
        self.crates.require(wanted);
        Ok(())
    }

    /// Compiles what `:dep` asks for, as far as that is not done.
    pub fn provide_crates(&mut self) -> Result<()> {
        let workshop = Workshop {
            compiler: &self.compiler,
            activity: &self.activity,
            publisher: &self.publisher,
            folder: &self.crates_folder,
        };
        if self.crates.provide(&workshop)? {
            let note = "The crates of :dep were compiled anew: their global state starts afresh.\n";
            self.publisher.text("stderr", note);
        }
        Ok(())
    }

    /// Compiles a cell; the notebook changes only when it has begun to run.
    pub fn compile(&mut self, source: &Arc<Source>, rust: &str) -> Result<Ready, Refusal> {
        let mut cell = parse::parse(source, rust, &|path| self.rules(path));
        if cell.has_errors
            && let Some(errors) = self.syntax_errors(source, rust)?
        {
            return Err(Refusal::Errors(errors));
        }
        if cell.is_async && !self.crates.requirements.iter().any(|known| known.key == "tokio") {
            self.require(
                "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }",
            )?;
        }
        self.provide_crates()?;
        if self.crates.set().exports_macros() {
            // What a new crate's macros make of the cell is known only now.
            cell = parse::parse(source, rust, &|path| self.rules(path));
        }
        let expands_crates = cell.expands_crates;
        match self.compile_parsed(source, rust, cell) {
            // rustc expands all macros, though it keeps what they make to the cell; and its words are
            // about what was typed.
            Err(Refusal::Errors(_)) if expands_crates => {
                let cell =
                    parse::parse(source, rust, &|path| self.namespace.definitions.rules(path));
                self.compile_parsed(source, rust, cell)
            }
            compiled => compiled,
        }
    }

    fn compile_parsed(
        &mut self,
        source: &Arc<Source>,
        rust: &str,
        mut cell: Cell,
    ) -> Result<Ready, Refusal> {
        let mut definitions = self.namespace.definitions.clone();
        definitions.add(cell.items.iter().cloned());
        self.add_foreign_crates(&cell)?;
        let mut attributes = self.namespace.attributes.clone();
        attributes.extend(cell.attributes.iter().map(|range| (source.clone(), range.clone())));
        let lost = self.namespace.changed(&definitions, self.crates.set());
        let has_debug = self.settings.debug_errors;
        let mut attempt =
            Attempt::first(&cell, definitions, &self.namespace.variables, &lost, has_debug);
        attempt.names_crates |= !self.crates.set().names.is_empty();
        if !cell.has_statements && cell.items.is_empty() && cell.attributes.is_empty() {
            return Ok(self.ready(&cell, Build::default(), attempt, attributes, lost));
        }
        cell.enters_runtime = self.crates.has_runtime() && cell.words.has("tokio");
        for _ in 0..ATTEMPTS {
            if cell.is_async || cell.enters_runtime {
                self.provide_runtime(&mut attempt.definitions)?;
            }
            let number = self.last_build + 1;
            self.last_build = number;
            let generated = self.generate(&cell, rust, number, &attempt, &attributes);
            let wanted = Wanted::Object {
                opt_level: &self.settings.opt_level,
                has_checks: self.settings.has_checks,
            };
            let set = self.crates.set();
            let compiled =
                self.compiler.compile(&generated, number, set, wanted, &self.activity)?;
            match compiled {
                Compiled::Stopped => return Err(Refusal::Stopped),
                Compiled::Object(object, types) => {
                    if attempt.needs_crates(&types, &self.crate_names())
                        || attempt.needs_other_types(&types)
                    {
                        continue;
                    }
                    let exports = generated.exports.clone();
                    self.lock_builds().insert(number, Arc::new(generated));
                    let build = Build { number, object, exports, types };
                    return Ok(self.ready(&cell, build, attempt, attributes, lost));
                }
                // Within a macro's arguments, `.await` is not seen before.
                Compiled::Errors(errors)
                    if !cell.is_async && errors.iter().any(Diagnostic::is_about_waiting) =>
                {
                    cell.is_async = true;
                }
                Compiled::Errors(errors) => {
                    let learnt = self.learn(&cell, &mut attempt, errors);
                    // Only where it knows all crates does the compiler name all types as users do.
                    if learnt.is_err() && !attempt.names_crates {
                        attempt.names_crates = true;
                        attempt.debug_errors = has_debug;
                    } else if let Err(errors) = learnt {
                        return Err(Refusal::Errors(self.namespace.explained(errors)));
                    }
                }
            }
        }
        let words = "the cell could not be compiled in a dozen attempts; please report it";
        Err(Refusal::Other(words.to_owned()))
    }

    fn ready(
        &self,
        cell: &Cell,
        build: Build,
        attempt: Attempt,
        attributes: Vec<(Arc<Source>, Range<usize>)>,
        lost: Vec<String>,
    ) -> Ready {
        Ready::new(cell, build, attempt, attributes, lost, self.crates.set(), &self.publisher)
    }

    /// The rules of a macro: the notebook's own, one that it imported, or a crate's by its path.
    fn rules(&self, path: &str) -> Option<String> {
        let known = &self.namespace.definitions;
        let of_crate = |path: String| self.crates.set().macro_rules(&path);
        let imported = || known.iter().rev().find_map(|item| of_crate(item.imported_path(path)?));
        known.rules(path).or_else(imported).or_else(|| of_crate(path.to_owned()))
    }

    fn lock_builds(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<Generated>>> {
        self.builds.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Makes sure that there is a runtime for cells that wait.
    fn provide_runtime(&mut self, definitions: &mut Definitions) -> Result<()> {
        if !self.crates.requirements.iter().any(|known| known.key == "tokio") {
            self.require(
                "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"time\"] }",
            )?;
            self.provide_crates()?;
        }
        if !definitions.has_name(compose::RUNTIME) {
            let source = Source::new(0, RUNTIME_DEFINITION);
            definitions.add(parse::parse(&source, RUNTIME_DEFINITION, &|_| None).items);
        }
        Ok(())
    }

    /// `extern crate name;` asks for a crate that no `:dep` named.
    fn add_foreign_crates(&mut self, cell: &Cell) -> Result<()> {
        let mut is_new = false;
        for item in &cell.items {
            let Key::Text(text) = &item.key else { continue };
            let Some(name) = text.strip_prefix("extern crate ") else { continue };
            let name = name.split([' ', ';']).next().unwrap_or_default();
            let is_known = OPEN_CRATES.contains(&name)
                || ["self", "proc_macro", "test"].contains(&name)
                || self.crates.set().names.contains_key(name)
                || self.compiler.library.as_ref().is_some_and(|library| {
                    library.shared_crates.keys().any(|known| known.replace('-', "_") == name)
                });
            if !is_known {
                self.require(name)?;
                is_new = true;
            }
        }
        if is_new { self.provide_crates() } else { Ok(()) }
    }

    /// What rustc says of a cell that does not parse; nothing if it does, by rustc's account.
    fn syntax_errors(
        &mut self,
        source: &Arc<Source>,
        rust: &str,
    ) -> Result<Option<Vec<Diagnostic>>, Refusal> {
        self.last_build += 1;
        let generated = Generated::wrapping(source, rust);
        let set = self.crates.set();
        let compiled = self.compiler.compile(
            &generated,
            self.last_build,
            set,
            Wanted::Check,
            &self.activity,
        )?;
        match compiled {
            Compiled::Stopped => Err(Refusal::Stopped),
            Compiled::Object(..) => Ok(None),
            Compiled::Errors(errors) => {
                // Names mean nothing in this check.
                let is_syntax = |error: &Diagnostic| error.code.is_none();
                let mut errors: Vec<_> =
                    errors.into_iter().filter(is_syntax).map(Diagnostic::plainer).collect();
                errors.dedup_by(|a, b| a.message == b.message);
                Ok((!errors.is_empty()).then_some(errors))
            }
        }
    }

    /// The crates that a cell may name, beside the library.
    fn crate_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.crates.set().names.keys().cloned().collect();
        if let Some(library) = &self.compiler.library {
            names.extend(library.shared_crates.keys().map(|name| name.replace('-', "_")));
        }
        names.sort();
        names.dedup();
        names
    }

    fn generate(
        &self,
        cell: &Cell,
        rust: &str,
        build: u32,
        attempt: &Attempt,
        attributes: &[(Arc<Source>, Range<usize>)],
    ) -> Generated {
        let set = self.crates.set();
        let crates = if attempt.names_crates { self.crate_names() } else { Vec::new() };
        let linked: Vec<String> = set.linked.keys().cloned().collect();
        Plan {
            cell,
            rust,
            build,
            definitions: &attempt.definitions,
            attributes,
            loaded: &attempt.loaded,
            moved: &attempt.moved,
            renewed: &attempt.renewed,
            kept: &attempt.kept,
            dropped: &attempt.dropped,
            exported: &self.namespace.exported,
            first_identities: &self.namespace.first_identities,
            crate_set: set,
            crates: &crates,
            linked_crates: &linked,
            has_library: self.compiler.library.is_some(),
            debug_errors: attempt.debug_errors,
            shows_tail: attempt.shows_tail,
            format: &self.settings.format,
            notebook_folder: &self.compiler.notebook_folder,
        }
        .generate()
    }

    /// Changes the attempt by what the errors teach, or gives back those that are the user's.
    fn learn(
        &mut self,
        cell: &Cell,
        attempt: &mut Attempt,
        errors: Vec<Diagnostic>,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut own = Vec::new();
        let mut has_learnt = false;
        let mut gone: Vec<Arc<Item>> = Vec::new();
        for error in errors {
            let outdated = outdated_items(&error, cell);
            if !error.dropped.is_empty() && !error.is_about_cells() {
                has_learnt |= attempt.learn_dropping(&error);
            } else if error.is_about_keeping() {
                has_learnt |= attempt.learn_keeping(&error, cell);
            } else if !outdated.is_empty() {
                gone.extend(outdated);
            } else if attempt.shows_tail
                && (error.is_about_display_of_nothing() || error.is_about_statement_macro())
            {
                attempt.shows_tail = false;
                has_learnt = true;
            } else if !error.is_about_cells() && !error.loaded.is_empty() {
                for name in &error.loaded {
                    attempt.loaded.retain(|(known, _)| known != name);
                    self.namespace
                        .lose_variable(name, "its type has no name that a later cell could use");
                    has_learnt = true;
                }
            } else if !error.is_about_cells() && !error.kept.is_empty() {
                // Of a pattern that binds nothing, or a type that is not known.
                for (name, _) in &error.kept {
                    has_learnt |= attempt.make_local(name);
                }
            } else {
                own.push(error);
            }
        }
        if own.iter().any(Diagnostic::is_about_display) && !attempt.debug_errors {
            attempt.debug_errors = true;
            attempt.display_errors = Some(own);
            return Ok(());
        }
        if !own.is_empty() {
            return Err(attempt.display_errors.take().unwrap_or(own));
        }
        has_learnt |= !gone.is_empty();
        attempt.definitions.remove(&gone);
        self.namespace.lose_definitions(&gone, cell.source.cell, &self.publisher);
        if has_learnt {
            return Ok(());
        }
        let words = "the cell's surroundings could not be compiled; please report it";
        Err(vec![Diagnostic { message: words.to_owned(), ..Diagnostic::default() }])
    }
}
