//! One kernel's own folder, and what is prepared in it before the first cell.

use crate::analyser_folder::AnalyserFolder;
use crate::cells::compile::Compiler;
use crate::library::{self, LibraryInUse};
use crate::runner::Recipe;
use crate::support::{self, Support};
use crate::toolchain::Toolchain;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The library's checkout, set by the kernelspec.
pub const HOME_ENV: &str = "NEURAL_COMPOSER_HOME";
/// Tells the library that display lines are understood.
const KERNEL_ENV: &str = "NEURAL_COMPOSER_KERNEL";
/// Candle's own threads: see `main.rs` of the library.
const CANDLE_ENV: &str = "CANDLE_NUM_THREADS";

/// The folders of a kernel.
#[derive(Clone)]
pub struct Session {
    folder: PathBuf,
    notebook_folder: PathBuf,
    home: Option<PathBuf>,
}

/// A session whose library and toolchain are known.
pub struct PreparedSession {
    session: Session,
    toolchain: Toolchain,
    library: Option<LibraryInUse>,
    support: Support,
}

impl Session {
    /// Makes the folders.
    pub fn new(folder: &Path) -> Result<Self> {
        let notebook_folder = std::env::current_dir().context("the notebook's folder is gone")?;
        let home = std::env::var_os(HOME_ENV).filter(|home| !home.is_empty()).map(PathBuf::from);
        let session = Session { folder: folder.to_owned(), notebook_folder, home };
        std::fs::create_dir_all(session.cells())?;
        Ok(session)
    }

    pub fn notebook_folder(&self) -> PathBuf {
        self.notebook_folder.clone()
    }

    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Where cells are compiled.
    fn cells(&self) -> PathBuf {
        self.folder.join("cells")
    }

    /// Where crates of `:dep` are compiled.
    pub fn crates(&self) -> PathBuf {
        self.folder.join("crates")
    }

    /// Where the analyser works.
    pub fn analyser_folder(&self) -> AnalyserFolder {
        AnalyserFolder::new(self.folder.join("analyser"))
    }

    /// Finds the library's build, or builds it, telling `progress` each step.
    pub fn prepare(self, progress: &mut dyn FnMut(&str)) -> Result<PreparedSession> {
        let library = match &self.home {
            Some(home) => Some(library::provide(home, progress)?),
            None => None,
        };
        let toolchain = match &library {
            Some(in_use) => in_use.library.toolchain.clone(),
            None => Toolchain::discover(&self.notebook_folder)?,
        };
        let support = match &library {
            Some(in_use) => in_use.library.support.clone(),
            None => support::compile(&toolchain, &self.folder)?,
        };
        self.analyser_folder().prepare(self.home.as_deref(), library.as_ref(), &toolchain)?;
        Ok(PreparedSession { session: self, toolchain, library, support })
    }
}

impl PreparedSession {
    /// What compiles the cells.
    pub fn compiler(&self) -> Result<Compiler> {
        let compiler = Compiler {
            toolchain: self.toolchain.clone(),
            library: self.library.as_ref().map(|in_use| in_use.library.clone()),
            folder: self.session.cells(),
            notebook_folder: self.session.notebook_folder.clone(),
        };
        compiler.prepare(&self.support.object)?;
        if let Some(shim) = &self.support.shim {
            compiler.link(shim)?;
        }
        Ok(compiler)
    }

    /// How evaluators are started.
    pub fn evaluator(&self) -> Recipe {
        let name =
            |file: &PathBuf| file.file_name().map(|name| name.to_string_lossy().into_owned());
        let library = self.library.iter().map(|in_use| in_use.library.shared_object.clone());
        let objects = self.session.cells();
        let preload = std::iter::once(self.support.object.clone()).chain(library);
        let preload = preload.filter_map(|object| Some(objects.join(object.file_name()?)));
        Recipe {
            folder: self.session.notebook_folder.clone(),
            preload: preload.collect(),
            shim: self.support.shim.as_ref().and_then(name),
            environment: environment(),
            objects_folder: objects,
        }
    }

    /// Where crates of `:dep` are compiled.
    pub fn crates(&self) -> PathBuf {
        self.session.crates()
    }

    /// What the notebook should know of before its first cell.
    pub fn warning(&self) -> Option<String> {
        let source = (!self.toolchain.has_source()).then_some("rust-src");
        let analyser = self.toolchain.analyser().is_none().then_some("rust-analyzer");
        let missing: Vec<&str> = source.into_iter().chain(analyser).collect();
        (!missing.is_empty()).then(|| {
            format!(
                "Completion and descriptions want more of Rust: run\n  \
                 rustup component add {}\nin a terminal and restart this kernel.\n",
                missing.join(" ")
            )
        })
    }
}

/// What an evaluator's environment has besides the kernel's own.
fn environment() -> Vec<(&'static str, String)> {
    let threads = std::env::var_os(CANDLE_ENV).is_none().then(|| (CANDLE_ENV, "1".to_owned()));
    std::iter::once((KERNEL_ENV, "1".to_owned())).chain(threads).collect()
}
