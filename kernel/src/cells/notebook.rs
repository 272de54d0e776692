//! A notebook as the compiler sees it: definitions, variables, crates, and how a cell joins them.

use super::compile::{Compiled, Compiler, Wanted};
use super::compose::{self, Generated, Keeping, Plan, RUNTIME_DEFINITION, Variable};
use super::crates::{Crates, Requirement, Workshop};
use super::definitions::Definitions;
use super::diagnostic::Diagnostic;
use super::item::{Item, Key};
use super::parse::{self, Cell};
use super::source::Source;
use super::types::Type;
use crate::activity::Activity;
use crate::publisher::Publisher;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// How often a cell is compiled with what the last attempt taught.
const ATTEMPTS: u32 = 12;

/// The sources of all builds: what a position in one of them stands for.
pub type Builds = Arc<Mutex<HashMap<u32, Arc<Generated>>>>;

/// What commands change.
#[derive(Debug, Clone)]
pub struct Settings {
    pub opt_level: String,
    /// How results without a display of their own are written.
    pub format: String,
    /// `?` carries the words of an error's `Debug` instead of its `Display`.
    pub debug_errors: bool,
    /// Arithmetic that overflows panics.
    pub has_checks: bool,
    pub shows_timing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let (opt_level, format) = ("3".to_owned(), "{:?}".to_owned());
        Settings { opt_level, format, debug_errors: false, has_checks: true, shows_timing: false }
    }
}

/// A cell, compiled and not yet run.
pub struct Ready {
    pub build: u32,
    pub object: PathBuf,
    pub is_empty: bool,
    /// It ends in an expression, whose value is its result.
    pub has_result: bool,
    /// Variables to drop before the cell runs, since their types changed.
    pub lost: Vec<String>,
    /// Variables that the cell ends with.
    pub local: Vec<String>,
    kept: Vec<(String, Variable)>,
    moved: Vec<String>,
    renewed: Vec<String>,
    definitions: Definitions,
    attributes: Vec<(Arc<Source>, Range<usize>)>,
    exports: Vec<String>,
    cell: i64,
}

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

pub struct Notebook {
    pub compiler: Compiler,
    pub crates: Crates,
    pub settings: Settings,
    pub builds: Builds,
    definitions: Definitions,
    attributes: Vec<(Arc<Source>, Range<usize>)>,
    variables: BTreeMap<String, Variable>,
    /// Names that meant something, and why they no longer do.
    gone: HashMap<String, String>,
    exported: HashMap<String, u32>,
    first_identities: HashMap<String, u64>,
    last_build: u32,
    crates_folder: PathBuf,
    activity: Arc<Activity>,
    publisher: Publisher,
}

/// What an attempt to compile a cell is made with.
struct Attempt {
    definitions: Definitions,
    loaded: Vec<(String, Variable)>,
    moved: Vec<String>,
    /// Moved, and given a new value behind that.
    renewed: Vec<String>,
    kept: Vec<(String, Keeping)>,
    /// Bound by the cell, and moved by it.
    spent: Vec<String>,
    /// They borrow from other variables.
    borrowing: Vec<String>,
    /// Of these, those that end early; and those that cannot, since the cell moves them.
    dropped: Vec<String>,
    not_dropped: Vec<String>,
    nameless: Vec<String>,
    debug_errors: bool,
    /// The last expression has a type that can be shown.
    shows_tail: bool,
    /// What `?` could not carry before the errors' `Debug` was tried.
    display_errors: Option<Vec<Diagnostic>>,
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
            definitions: Definitions::default(),
            attributes: Vec::new(),
            variables: BTreeMap::new(),
            gone: HashMap::new(),
            exported: HashMap::new(),
            first_identities: HashMap::new(),
            last_build: 0,
            crates_folder,
            activity,
            publisher,
        }
    }

    pub fn variables(&self) -> &BTreeMap<String, Variable> {
        &self.variables
    }

    /// Whether a name means something in the notebook.
    pub fn knows(&self, name: &str) -> bool {
        self.variables.contains_key(name) || self.definitions.has_name(name)
    }

    /// Forgets everything but the settings and the compiled crates.
    pub fn clear(&mut self) {
        self.definitions = Definitions::default();
        self.attributes.clear();
        self.crates.requirements.clear();
        self.exported.clear();
        self.first_identities.clear();
        self.lose_variables("they were cleared");
        self.gone.clear();
    }

    /// The evaluator is gone, and every variable with it.
    pub fn lose_variables(&mut self, why: &str) {
        for name in std::mem::take(&mut self.variables).into_keys() {
            self.gone.insert(name, why.to_owned());
        }
    }

    pub fn lose_variable(&mut self, name: &str, why: &str) {
        if self.variables.remove(name).is_some() {
            self.gone.insert(name.to_owned(), why.to_owned());
        }
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
        let mut cell = parse::parse(source, rust, &|name| self.definitions.rules(name));
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
        let mut definitions = self.definitions.clone();
        definitions.add(cell.items.iter().cloned());
        self.add_foreign_crates(&cell)?;
        let mut attributes = self.attributes.clone();
        attributes.extend(cell.attributes.iter().map(|range| (source.clone(), range.clone())));
        let lost = self.changed(&definitions);
        let mut attempt = self.first_attempt(&cell, definitions, &lost);
        if !cell.has_statements && cell.items.is_empty() && cell.attributes.is_empty() {
            return Ok(self.ready(
                &cell,
                0,
                PathBuf::new(),
                attempt,
                attributes,
                &[],
                lost,
                &BTreeMap::new(),
            ));
        }
        cell.enters_runtime = self.crates.has_runtime() && cell.words.has("tokio");
        for _ in 0..ATTEMPTS {
            if cell.is_async || cell.enters_runtime {
                self.provide_runtime(&mut attempt.definitions)?;
            }
            let build = self.last_build + 1;
            self.last_build = build;
            let generated = self.generate(&cell, rust, build, &attempt, &attributes);
            let wanted = Wanted::Object {
                opt_level: &self.settings.opt_level,
                has_checks: self.settings.has_checks,
            };
            let set = self.crates.set();
            let compiled = self.compiler.compile(&generated, build, set, wanted, &self.activity)?;
            match compiled {
                Compiled::Stopped => return Err(Refusal::Stopped),
                Compiled::Object(object, types) => {
                    if attempt.needs_other_types(&types) {
                        continue;
                    }
                    let exports = generated.exports.clone();
                    self.lock_builds().insert(build, Arc::new(generated));
                    return Ok(self
                        .ready(&cell, build, object, attempt, attributes, &exports, lost, &types));
                }
                // Within a macro's arguments, `.await` is not seen before.
                Compiled::Errors(errors) if !cell.is_async && errors.iter().any(waits) => {
                    cell.is_async = true;
                }
                Compiled::Errors(errors) => {
                    if let Err(errors) = self.learn(&cell, &mut attempt, errors) {
                        return Err(Refusal::Errors(self.explained(errors)));
                    }
                }
            }
        }
        let words = "the cell could not be compiled in a dozen attempts; please report it";
        Err(Refusal::Other(words.to_owned()))
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
            let is_known =
                ["std", "core", "alloc", "self", "proc_macro", "test", "neural_composer"]
                    .contains(&name)
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
                    errors.into_iter().filter(is_syntax).map(plainer).collect();
                errors.dedup_by(|a, b| a.message == b.message);
                Ok((!errors.is_empty()).then_some(errors))
            }
        }
    }

    /// The variables that a cell's definitions give another meaning.
    fn changed(&self, definitions: &Definitions) -> Vec<String> {
        let stamps = &self.crates.set().stamps;
        let variables = self.variables.iter();
        variables
            .filter(|(_, known)| definitions.fingerprint(&known.ty, stamps) != known.fingerprint)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn first_attempt(&self, cell: &Cell, definitions: Definitions, lost: &[String]) -> Attempt {
        let loaded = self
            .variables
            .iter()
            .filter(|(name, _)| cell.words.has(name) && !lost.contains(name))
            .map(|(name, variable)| (name.clone(), variable.clone()))
            .collect();
        let mut kept: Vec<(String, Keeping)> = Vec::new();
        let mut nameless = Vec::new();
        for binding in &cell.bindings {
            // A constant or a unit struct in a pattern binds nothing.
            if binding.name.starts_with(char::is_uppercase) && definitions.has_name(&binding.name) {
                continue;
            }
            kept.retain(|(name, _)| *name != binding.name);
            let hides = binding.made_by.as_ref().is_some_and(|maker| definitions.hides_type(maker));
            if hides {
                nameless.push(binding.name.clone());
            }
            let keeping = if hides { Keeping::Local } else { Keeping::Inferred };
            kept.push((binding.name.clone(), keeping));
        }
        Attempt {
            definitions,
            loaded,
            moved: Vec::new(),
            renewed: Vec::new(),
            kept,
            spent: Vec::new(),
            borrowing: Vec::new(),
            dropped: Vec::new(),
            not_dropped: Vec::new(),
            nameless,
            debug_errors: self.settings.debug_errors,
            shows_tail: true,
            display_errors: None,
        }
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
        let mut crates: Vec<String> = set.names.keys().cloned().collect();
        if let Some(library) = &self.compiler.library {
            crates.extend(library.shared_crates.keys().map(|name| name.replace('-', "_")));
        }
        crates.sort();
        crates.dedup();
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
            exported: &self.exported,
            first_identities: &self.first_identities,
            stamps: &set.stamps,
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
            } else if error.is_about_display_of_nothing() && attempt.shows_tail {
                attempt.shows_tail = false;
                has_learnt = true;
            } else if !error.is_about_cells() && !error.loaded.is_empty() {
                for name in &error.loaded {
                    attempt.loaded.retain(|(known, _)| known != name);
                    self.lose_variable(name, "its type has no name that a later cell could use");
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
        if own.iter().any(is_about_display) && !attempt.debug_errors {
            attempt.debug_errors = true;
            attempt.display_errors = Some(own);
            return Ok(());
        }
        if !own.is_empty() {
            return Err(attempt.display_errors.take().unwrap_or(own));
        }
        for item in &gone {
            let name = described(item);
            let why = format!("it no longer fits what cell [{}] defines", cell.source.cell);
            let note = format!("{name} of cell [{}] is gone: {why}.\n", item.source.cell);
            self.publisher.text("stderr", &note);
            if let Key::Value(name) | Key::Type(name) | Key::Import(name) = &item.key {
                self.gone.insert(name.clone(), why);
            }
        }
        has_learnt |= !gone.is_empty();
        attempt.definitions.remove(&gone);
        self.definitions.remove(&gone);
        if has_learnt {
            return Ok(());
        }
        let words = "the cell's surroundings could not be compiled; please report it";
        Err(vec![Diagnostic { message: words.to_owned(), ..Diagnostic::default() }])
    }

    /// Adds to "not found" what became of the name.
    fn explained(&self, errors: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let explain = |mut error: Diagnostic| {
            let is_unknown =
                matches!(error.code.as_deref(), Some("E0425" | "E0412" | "E0432" | "E0433"));
            let name = error.message.split('`').nth(1).unwrap_or_default().to_owned();
            if let (true, Some(why)) = (is_unknown, self.gone.get(&name)) {
                error.message = format!("`{name}` is not there any more: {why}");
                error.notes.retain(|note| note.level == "note");
            }
            error
        };
        errors.into_iter().map(explain).collect()
    }

    #[expect(clippy::too_many_arguments)]
    fn ready(
        &self,
        cell: &Cell,
        build: u32,
        object: PathBuf,
        attempt: Attempt,
        attributes: Vec<(Arc<Source>, Range<usize>)>,
        exports: &[String],
        lost: Vec<String>,
        types: &BTreeMap<usize, Type>,
    ) -> Ready {
        let stamps = &self.crates.set().stamps;
        let mut kept = Vec::new();
        let mut local = Vec::new();
        let (mut nameless, borrowing) = (attempt.nameless, attempt.borrowing);
        for (number, (name, keeping)) in attempt.kept.iter().enumerate() {
            let ty = match (keeping, types.get(&number)) {
                (Keeping::Local, _) => {
                    local.push(name.clone());
                    continue;
                }
                (_, None) => continue,
                (Keeping::As(ty), _) | (_, Some(Type::Named(ty) | Type::Function(ty))) => {
                    ty.clone()
                }
                (_, Some(Type::Nameless)) => {
                    nameless.push(name.clone());
                    local.push(name.clone());
                    continue;
                }
            };
            let is_mutable =
                cell.bindings.iter().any(|found| found.name == *name && found.is_mutable);
            let fingerprint = attempt.definitions.fingerprint(&ty, stamps);
            kept.push((name.clone(), Variable { ty, is_mutable, fingerprint }));
        }
        let pointers: Vec<&str> = kept
            .iter()
            .filter(|(_, it)| is_pointer(&it.ty))
            .map(|(name, _)| name.as_str())
            .collect();
        if !pointers.is_empty() {
            let note = format!(
                "Variables move between cells: a raw pointer to one points nowhere in the next cell: {}.\n",
                pointers.join(", ")
            );
            self.publisher.text("stderr", &note);
        }
        for (names, why) in [
            (nameless, "their types have no names"),
            (borrowing, "they borrow from other variables"),
        ] {
            if !names.is_empty() {
                let note = format!("Kept for this cell only, {why}: {}.\n", names.join(", "));
                self.publisher.text("stderr", &note);
            }
        }
        let mut moved = attempt.moved;
        moved.extend(attempt.spent);
        Ready {
            build,
            object,
            is_empty: build == 0,
            has_result: cell.tail.is_some(),
            lost,
            local,
            kept,
            moved,
            renewed: attempt.renewed,
            definitions: attempt.definitions,
            attributes,
            exports: exports.to_vec(),
            cell: cell.source.cell,
        }
    }

    /// The cell's code has begun to run: its definitions hold, whatever comes of it.
    pub fn begun(&mut self, ready: &Ready) {
        self.definitions = ready.definitions.clone();
        self.attributes.clone_from(&ready.attributes);
        for symbol in &ready.exports {
            self.exported.insert(symbol.clone(), ready.build);
        }
        for name in &ready.lost {
            let why = format!("its type was redefined by cell [{}], so it was lost", ready.cell);
            self.lose_variable(name, &why);
            let note =
                format!("The type of the variable `{name}` was redefined, so `{name}` was lost.\n");
            self.publisher.text("stderr", &note);
        }
        let stamps = &self.crates.set().stamps;
        let types = self.definitions.iter().filter(|item| item.has_identity);
        for item in types {
            if let Key::Type(name) = &item.key
                && !self.first_identities.contains_key(name)
            {
                let identity = self.definitions.fingerprint(name, stamps);
                self.first_identities.insert(name.clone(), identity);
            }
            if let Key::Type(name) | Key::Value(name) | Key::Import(name) = &item.key {
                self.gone.remove(name);
            }
        }
    }

    /// The cell's code has returned: by its end, or before it.
    pub fn returned(&mut self, ready: Ready, reached_its_end: bool) {
        let why = format!("moved by cell [{}]", ready.cell);
        let not_renewed = if reached_its_end { Vec::new() } else { ready.renewed };
        for name in ready.moved.into_iter().chain(not_renewed) {
            self.variables.remove(&name);
            self.gone.insert(name, why.clone());
        }
        if !reached_its_end {
            for (name, _) in ready.kept {
                if !self.variables.contains_key(&name) {
                    let why = format!("cell [{}] ended before it was kept", ready.cell);
                    self.gone.insert(name, why);
                }
            }
            return;
        }
        for name in ready.local {
            self.variables.remove(&name);
            self.gone.insert(name, format!("it was kept for cell [{}] only", ready.cell));
        }
        for (name, variable) in ready.kept {
            self.gone.remove(&name);
            self.variables.insert(name, variable);
        }
    }
}

impl Attempt {
    fn make_local(&mut self, name: &str) -> bool {
        let found =
            self.kept.iter_mut().find(|(known, how)| known == name && *how != Keeping::Local);
        found.map(|(_, how)| *how = Keeping::Local).is_some()
    }

    fn learn_keeping(&mut self, error: &Diagnostic, cell: &Cell) -> bool {
        let is_moved = matches!(error.code.as_deref(), Some("E0381" | "E0382"));
        let mut has_learnt = false;
        if is_moved {
            for (name, _) in error.kept.iter().filter(|(_, is_main)| *is_main) {
                if self.make_local(name) {
                    self.spent.push(name.clone());
                    has_learnt = true;
                }
            }
            for (name, _) in error.returned.iter().filter(|(_, is_main)| *is_main) {
                let is_assigned = cell.assigned.contains(name);
                if is_assigned && !self.renewed.contains(name) {
                    self.renewed.push(name.clone());
                    has_learnt = true;
                } else if !self.moved.contains(name) {
                    self.moved.push(name.clone());
                    has_learnt = true;
                }
            }
            return has_learnt;
        }
        // What is moved while something borrows from it is not at fault: the borrower is.
        let is_move = error.code.as_deref() == Some("E0505");
        let culprits = error.kept.iter().filter(|(_, is_main)| *is_main);
        let borrowers: Vec<&String> = if is_move {
            error
                .kept
                .iter()
                .skip(usize::from(error.returned.is_empty()))
                .map(|(name, _)| name)
                .collect()
        } else {
            culprits.map(|(name, _)| name).collect()
        };
        for name in borrowers {
            if self.make_local(name) {
                self.borrowing.push(name.clone());
                has_learnt = true;
            }
        }
        // What borrows and has a destructor is in the way until it ends.
        for name in self.borrowing.clone() {
            if !has_learnt && !self.dropped.contains(&name) && !self.not_dropped.contains(&name) {
                self.dropped.push(name);
                has_learnt = true;
            }
        }
        has_learnt
    }

    /// A variable cannot be ended: it is moved already.
    fn learn_dropping(&mut self, error: &Diagnostic) -> bool {
        let before = self.dropped.len();
        self.dropped.retain(|name| !error.dropped.contains(name));
        self.not_dropped.extend(error.dropped.iter().cloned());
        self.dropped.len() < before
    }

    /// Functions are kept as pointers, which takes another compilation.
    fn needs_other_types(&mut self, types: &BTreeMap<usize, Type>) -> bool {
        let mut needs = false;
        for (number, (_, keeping)) in self.kept.iter_mut().enumerate() {
            if let (Keeping::Inferred, Some(Type::Function(pointer))) =
                (&*keeping, types.get(&number))
            {
                *keeping = Keeping::As(pointer.clone());
                needs = true;
            }
        }
        needs
    }
}

/// Definitions of earlier cells that an error is about: they no longer fit.
fn outdated_items(error: &Diagnostic, cell: &Cell) -> Vec<Arc<Item>> {
    const CONFLICTS: [&str; 7] = ["E0119", "E0428", "E0255", "E0252", "E0592", "E0201", "E0254"];
    let is_older = |item: &Arc<Item>| {
        item.source.cell != cell.source.cell || !Arc::ptr_eq(&item.source, &cell.source)
    };
    let is_conflict = error.code.as_deref().is_some_and(|code| CONFLICTS.contains(&code));
    let is_in_this_cell = error
        .labels
        .iter()
        .any(|label| label.is_primary && Arc::ptr_eq(&label.source, &cell.source));
    if is_in_this_cell && !is_conflict {
        return Vec::new();
    }
    let older = error.items.iter().filter(|(item, is_main)| {
        is_older(item) && (*is_main || is_conflict) && !matches!(item.key, Key::Macro(_))
    });
    older.map(|(item, _)| item.clone()).collect()
}

fn is_pointer(ty: &str) -> bool {
    ty.starts_with("*const ") || ty.starts_with("*mut ") || ty.starts_with("std::ptr::NonNull<")
}

/// A definition in words: `fn area`, `impl Display for Note`.
fn described(item: &Item) -> String {
    match &item.key {
        Key::Impl { header, member } if member.is_empty() => format!("`{}`", header.trim()),
        Key::Impl { header, member } => format!("`{member}` in `{}`", header.trim()),
        Key::Macro(name) | Key::Type(name) | Key::Value(name) | Key::Import(name) => {
            format!("`{name}`")
        }
        Key::Text(text) => format!("`{}`", text.chars().take(60).collect::<String>().trim()),
    }
}

/// Whether an error is that something waits outside of an async function.
fn waits(error: &Diagnostic) -> bool {
    error.code.as_deref() == Some("E0728")
}

/// Whether an error is that `?` found an error without `Display`.
fn is_about_display(error: &Diagnostic) -> bool {
    error.code.as_deref() == Some("E0277")
        && (error.message.contains("Display") || error.message.contains("the cell's error"))
}

/// Says in a cell's terms what rustc says of the function around it.
fn plainer(mut error: Diagnostic) -> Diagnostic {
    if error.message.starts_with("expected `;`, found") {
        error.message = "missing a semicolon: expected `;` here".to_owned();
    } else if error.message.contains("this file contains an unclosed delimiter") {
        error.message = "an unclosed delimiter: something was opened and not closed".to_owned();
    }
    error.message = error.message.replace(", found `}`", ", found the end of the cell");
    error
}
