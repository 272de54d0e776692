//! The walk over a folder of sources: all files in it, however deep.

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

/// What a link to a folder is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The folder: its files belong to the walk.
    Followed,
    /// A file.
    Listed,
}

/// The files below a folder; what cannot be read is an error among them.
///
/// What is not wanted is left out, a folder with all that it holds. The order is that of names,
/// whatever the file system's own.
pub fn files_below(
    folder: &Path,
    links: Links,
    is_wanted: &dyn Fn(&DirEntry) -> bool,
) -> Vec<io::Result<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                found.push(Err(error));
                continue;
            }
        };
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries.into_iter().filter(is_wanted) {
            let path = entry.path();
            let is_folder = match links {
                Links::Followed => path.is_dir(),
                Links::Listed => entry.file_type().is_ok_and(|kind| kind.is_dir()),
            };
            if is_folder {
                open.push(path);
            } else {
                found.push(Ok(path));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_however_deep() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in ["a/b/deep.rs", "a/target/made.rs", "top.rs", "elsewhere/linked.rs"] {
            std::fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("../elsewhere", folder.join("a/link")).unwrap();
        let names = |below: &str, links, left_out: &str| -> Vec<String> {
            let below = folder.join(below);
            let found = files_below(&below, links, &|entry| entry.file_name() != left_out);
            let paths = found.into_iter().map(Result::unwrap);
            paths.map(|path| path.strip_prefix(&below).unwrap().display().to_string()).collect()
        };
        let all = ["top.rs", "elsewhere/linked.rs", "a/link", "a/target/made.rs", "a/b/deep.rs"];
        assert_eq!(names(".", Links::Listed, ""), all);
        assert_eq!(names("a", Links::Followed, "target"), ["link/linked.rs", "b/deep.rs"]);
        assert!(files_below(&folder.join("none"), Links::Listed, &|_| true)[0].is_err());
    }
}
