//! One kernel's own folder, and how evcxr is made to work in it.

use crate::analyser;
use crate::environment;
use crate::evaluator;
use crate::library::{self, LibraryInUse};
use crate::toolchain::Toolchain;
use crate::tools::{self, Purpose, SETUP_ENV, Setup};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library's checkout, set by the kernelspec.
pub const HOME_ENV: &str = "NEURAL_COMPOSER_HOME";
/// Tells the library that display lines are understood.
const KERNEL_ENV: &str = "NEURAL_COMPOSER_KERNEL";

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
    /// See `evaluator_support.rs`.
    support: PathBuf,
}

impl Session {
    /// Makes the folders, and makes evcxr find our stand-ins for its tools.
    ///
    /// # Safety
    ///
    /// No other thread may exist yet; see [`environment::redirect`].
    pub unsafe fn new(folder: &Path) -> Result<Self> {
        let notebook_folder = std::env::current_dir().context("the notebook's folder is gone")?;
        let home = std::env::var_os(HOME_ENV).filter(|home| !home.is_empty()).map(PathBuf::from);
        let session = Session { folder: folder.to_owned(), notebook_folder, home };
        let bin = session.tools().join("bin");
        std::fs::create_dir_all(&bin)?;
        std::fs::create_dir_all(session.cells())?;
        let program = std::env::current_exe()?;
        for tool in tools::NAMES {
            std::os::unix::fs::symlink(&program, bin.join(tool))?;
        }
        write_settings(folder, &session.cells())?;
        let variables =
            [(evaluator::SOCKET_ENV, session.socket()), (SETUP_ENV, session.setup_file())];
        // SAFETY: the caller vouches for it.
        unsafe { environment::redirect(&session.tools(), &variables) };
        Ok(session)
    }

    pub fn notebook_folder(&self) -> PathBuf {
        self.notebook_folder.clone()
    }

    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn tools(&self) -> PathBuf {
        self.folder.join("tools")
    }

    fn setup_file(&self) -> PathBuf {
        self.folder.join("setup.json")
    }

    /// The package that cells are compiled in.
    fn cells(&self) -> PathBuf {
        self.folder.join("cells")
    }

    /// Where the analyser works.
    pub fn analyser_folder(&self) -> AnalyserFolder {
        AnalyserFolder { folder: self.folder.join("analyser") }
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
            None => library::compile_support(&toolchain, &self.folder)?,
        };
        let analyser = self.analyser_folder();
        analyser.prepare(self.home.as_deref(), library.as_ref())?;
        let (path, cargo_home) = environment::original();
        let setup = |purpose, cells| Setup {
            purpose,
            toolchain: toolchain.clone(),
            library: library.as_ref().map(|in_use| in_use.library.clone()),
            cells,
            tools: self.tools().join("bin"),
            path: path.clone(),
            cargo_home: cargo_home.clone(),
        };
        setup(Purpose::Evaluation, self.cells()).write(&self.setup_file())?;
        setup(Purpose::Analysis, analyser.cells()).write(&analyser.setup_file())?;
        Ok(PreparedSession { session: self, toolchain, library, support })
    }
}

impl PreparedSession {
    pub fn notebook_folder(&self) -> &Path {
        &self.session.notebook_folder
    }

    /// The command that evcxr starts whenever it needs an evaluator.
    pub fn evaluator_command(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        environment::restore(&mut command)
            .env(KERNEL_ENV, "1")
            .env_remove(SETUP_ENV)
            .current_dir(&self.session.notebook_folder);
        let mut preload = self.support.display().to_string();
        if let Some(in_use) = &self.library {
            preload += &format!(":{}", in_use.library.shared_object.display());
        }
        command.env(evaluator::PRELOAD_ENV, preload);
        Ok(command)
    }

    /// What runs before the notebook's first cell.
    pub fn first_cell(&self) -> String {
        let mut cell = ":efmt {}\n".to_owned();
        if let (Some(home), Some(in_use)) = (&self.session.home, &self.library) {
            cell += &library::dependency_line(home, in_use.library.features.as_deref());
        }
        cell + "\n" + include_str!("first_cell.rs")
    }

    /// Where the types that a check found are left.
    pub fn types_file(&self) -> PathBuf {
        tools::types_file(&self.session.cells())
    }

    /// What the notebook should know of before its first cell.
    pub fn warning(&self) -> Option<String> {
        (!self.toolchain.has_source()).then(|| {
            "The types of variables cannot be found without the standard library's source: run\n  \
             rustup component add rust-src\nin a terminal and restart this kernel.\n"
                .to_owned()
        })
    }

    /// Runs `start` in the folder with evcxr's settings, which it reads from the current folder.
    pub fn with_settings<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        std::env::set_current_dir(&self.session.folder)?;
        let started = start();
        std::env::set_current_dir(&self.session.notebook_folder)?;
        Ok(started)
    }
}

/// Makes the evcxr that starts in `folder` put its package into `cells`.
fn write_settings(folder: &Path, cells: &Path) -> Result<()> {
    let cells = cells.display().to_string();
    let settings = format!("[evcxr]\ntmpdir = {cells:?}\nopt_level = \"3\"\n");
    Ok(std::fs::write(folder.join("evcxr.toml"), settings)?)
}

/// The analyser's own folder, with a package and settings of its own.
#[derive(Debug, Clone)]
pub struct AnalyserFolder {
    folder: PathBuf,
}

impl AnalyserFolder {
    fn cells(&self) -> PathBuf {
        self.folder.join("cells")
    }

    fn setup_file(&self) -> PathBuf {
        self.folder.join("setup.json")
    }

    fn dependency_file(&self) -> PathBuf {
        self.folder.join("dependency")
    }

    fn prepare(&self, home: Option<&Path>, library: Option<&LibraryInUse>) -> Result<()> {
        std::fs::create_dir_all(self.cells())?;
        write_settings(&self.folder, &self.cells())?;
        let dependency = match (home, library) {
            (Some(home), Some(in_use)) => {
                library::dependency_line(home, in_use.library.features.as_deref())
            }
            _ => String::new(),
        };
        Ok(std::fs::write(self.dependency_file(), dependency)?)
    }

    /// The command that starts the analyser, once the session is prepared.
    pub fn command(&self) -> Result<Command> {
        let dependency = std::fs::read_to_string(self.dependency_file())?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env(analyser::DEPENDENCY_ENV, dependency)
            .env(SETUP_ENV, self.setup_file())
            .env_remove(evaluator::SOCKET_ENV)
            .current_dir(&self.folder);
        Ok(command)
    }
}
