//! The cells' package as rust-analyzer sees it: the crates it depends on, and their files.

use crate::walk::{Links, files_below};
use anyhow::{Context, Result};
use ra_ap_hir::ChangeWithProcMacros;
use ra_ap_ide::{FileId, SourceRoot};
use ra_ap_paths::{AbsPath, AbsPathBuf};
use ra_ap_project_model::{
    CargoConfig, PackageRoot, ProjectManifest, ProjectWorkspace, RustLibSource,
};
use ra_ap_vfs::file_set::FileSetConfig;
use ra_ap_vfs::{Change, Vfs, VfsPath};
use std::ffi::OsStr;
use std::path::Path;

/// Files that rust-analyzer knows, by number.
pub struct Project {
    folder: AbsPathBuf,
    library: Option<String>,
    files: Vfs,
    /// The cells' only file, whose text comes with each question.
    file: FileId,
}

impl Project {
    pub fn new(folder: &Path, library: Option<String>) -> Result<Self> {
        let folder = folder.to_str().context("the folder's name is not UTF-8")?;
        let folder = AbsPathBuf::try_from(folder)
            .map_err(|path| anyhow::anyhow!("the folder {path} is not an absolute path"))?;
        std::fs::create_dir_all(folder.join("src"))?;
        std::fs::write(folder.join("src/lib.rs"), "")?;
        let source = VfsPath::from(folder.join("src/lib.rs"));
        let mut files = Vfs::default();
        files.set_file_contents(source.clone(), Some(Vec::new()));
        let (file, _) = files.file_id(&source).context("the cells' file has no number")?;
        Ok(Project { folder, library, files, file })
    }

    pub fn file(&self) -> FileId {
        self.file
    }

    /// Reads the sources of all crates that a cell with these dependencies can name.
    pub fn load(&mut self, dependencies: &[String]) -> Result<ChangeWithProcMacros> {
        let manifest = self.folder.join("Cargo.toml");
        let lines: Vec<&str> =
            self.library.iter().chain(dependencies).map(String::as_str).collect();
        let text = format!(
            "[package]\nname = \"ctx\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[workspace]\n\
             [lib]\ncrate-type = [\"cdylib\"]\npath = \"src/lib.rs\"\n[dependencies]\n{}\n",
            lines.join("\n")
        );
        std::fs::write(&manifest, text)?;
        let config = CargoConfig { sysroot: Some(RustLibSource::Discover), ..Default::default() };
        let manifest = ProjectManifest::from_manifest_file(manifest)?;
        let workspace = ProjectWorkspace::load(manifest, &config, &|_| {})?;
        for PackageRoot { include, exclude, .. } in workspace.to_roots() {
            for folder in &include {
                self.read(folder, &include, &exclude);
            }
        }
        let mut change = ChangeWithProcMacros::default();
        for (file, changed) in self.files.take_changes() {
            // The cells' text is not a file's.
            if file == self.file {
                change.change_file(file, Some(String::new()));
                continue;
            }
            if let Change::Create(bytes, _) | Change::Modify(bytes, _) = changed.change {
                change.change_file(file, String::from_utf8(bytes).ok());
            }
        }
        change.set_roots(self.roots());
        let files = &self.files;
        let mut number = |path: &AbsPath| {
            files.file_id(&VfsPath::from(path.to_path_buf())).map(|(number, _)| number)
        };
        let (crates, _) = workspace.to_crate_graph(&mut number, &Default::default());
        change.set_crate_graph(crates);
        Ok(change)
    }

    /// The cells, which change with each question, and all that does not.
    fn roots(&self) -> Vec<SourceRoot> {
        let mut config = FileSetConfig::builder();
        config.add_file_set(vec![VfsPath::from(self.folder.clone())]);
        let mut sets = config.build().partition(&self.files).into_iter();
        let cells = sets.next().map(SourceRoot::new_local);
        cells.into_iter().chain(sets.map(SourceRoot::new_library)).collect()
    }

    /// Reads the Rust files of one package in a folder, not those of others.
    fn read(&mut self, folder: &AbsPath, include: &[AbsPathBuf], exclude: &[AbsPathBuf]) {
        let is_elsewhere = |path: &Path| {
            include.iter().chain(exclude).any(|known| AsRef::<Path>::as_ref(known) == path)
        };
        let is_hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
        let files = files_below(folder.as_ref(), Links::Listed, &|entry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            !is_folder || !is_hidden(&entry.file_name()) && !is_elsewhere(&entry.path())
        });
        for path in files.into_iter().flatten() {
            let Some(Ok(path)) = path.to_str().map(AbsPathBuf::try_from) else { continue };
            if path.extension() == Some("rs")
                && path != self.folder.join("src/lib.rs")
                && let Ok(bytes) = std::fs::read(&path)
            {
                self.files.set_file_contents(VfsPath::from(path), Some(bytes));
            }
        }
    }
}
