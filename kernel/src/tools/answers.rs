//! Answers about the cells' package and the toolchain.

use super::setup::Setup;
use crate::library_metadata::{CELLS_PLACEHOLDER, PACKAGE};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The status of a tool that a signal ended, or that is to have failed.
const FAILED: i32 = 1;

/// What a real tool once said.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: i32,
    output: String,
}

impl Setup {
    /// Prints the answer; returns the status that the tool ends with.
    pub fn answer(&self, tool: &str, arguments: &[String]) -> Result<i32> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match (tool, words.as_slice()) {
            ("rustup", ["which", "cargo"]) => println!("{}", self.tools.join("cargo").display()),
            ("rustup", ["which", "rustc"]) => println!("{}", self.toolchain.rustc.display()),
            // The analyser would install a component that is missing, without asking anyone.
            ("rustup", ["component", ..]) => return Ok(1),
            // Without this answer rust-analyzer puts the standard library together itself where the whole
            // one fails, as without a network; with it, it would know of no crate that std is made of.
            ("cargo", words) if words.contains(&"--no-deps") && self.is_of_standard(words) => {
                return Ok(FAILED);
            }
            _ if self.knows_nothing()? => return self.answer_minimally(tool, &words),
            _ => return self.answer_from_record(tool, arguments),
        }
        Ok(0)
    }

    /// Whether these words name a file of the standard library's source.
    fn is_of_standard(&self, words: &[&str]) -> bool {
        let source = self.toolchain.source();
        words.iter().any(|word| Path::new(word).starts_with(&source))
    }

    /// What an analyser needs to start that will know of no crate but the cell's own.
    fn answer_minimally(&self, tool: &str, words: &[&str]) -> Result<i32> {
        let cargo = |word| tool == "cargo" && words.contains(&word);
        if tool == "rustc" && words == ["--print", "sysroot"] {
            // A folder without the standard library's source, or with anything else.
            println!("{}", self.tools.display());
        } else if cargo("--version") {
            println!("cargo {}", self.toolchain.version);
        } else if cargo("locate-project") {
            println!("{}", json!({ "root": self.cells.join("Cargo.toml") }));
        } else if cargo("metadata") {
            println!("{}", self.lone_package());
        } else if words.contains(&"cfg") {
            println!("debug_assertions\nunix\ntarget_os=\"linux\"\ntarget_pointer_width=\"64\"");
        } else {
            return Ok(1);
        }
        Ok(0)
    }

    /// `cargo metadata` of the cells' package as if it depended on nothing.
    fn lone_package(&self) -> Value {
        let folder = self.cells.display();
        let id = format!("path+file://{folder}#ctx@1.0.0");
        json!({
            "packages": [{
                "name": "ctx", "version": "1.0.0", "id": id, "edition": "2024",
                "manifest_path": format!("{folder}/Cargo.toml"),
                "license": null, "license_file": null, "description": null, "source": null,
                "dependencies": [], "features": {}, "metadata": null, "publish": null,
                "authors": [], "categories": [], "keywords": [], "readme": null,
                "repository": null, "homepage": null, "documentation": null, "links": null,
                "default_run": null, "rust_version": null,
                "targets": [{
                    "kind": ["cdylib"], "crate_types": ["cdylib"], "name": "ctx",
                    "src_path": format!("{folder}/src/lib.rs"), "edition": "2024",
                    "doc": true, "doctest": false, "test": true,
                }],
            }],
            "workspace_members": [id], "workspace_default_members": [id],
            "resolve": {
                "root": id,
                "nodes": [{ "id": id, "dependencies": [], "deps": [], "features": [] }],
            },
            "target_directory": format!("{folder}/target"),
            "build_directory": format!("{folder}/target"),
            "workspace_root": folder.to_string(), "version": 1, "metadata": null,
        })
    }

    /// What the real tool says, or said when it was last asked about this build of the library.
    fn answer_from_record(&self, tool: &str, arguments: &[String]) -> Result<i32> {
        if let Some(metadata) = self.recorded_metadata(arguments)? {
            print!("{metadata}");
            return Ok(0);
        }
        let cells = self.cells.display().to_string();
        let record = self.record_file(tool, arguments, &cells)?;
        let recorded = record.as_ref().and_then(|path| std::fs::read(path).ok());
        let recorded = recorded.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
        let answer = match recorded {
            Some(answer) => answer,
            None => {
                let output = self.real(tool).args(arguments).output()?;
                let answer = Answer {
                    status: output.status.code().unwrap_or(FAILED),
                    output: String::from_utf8_lossy(&output.stdout)
                        .replace(&cells, CELLS_PLACEHOLDER),
                };
                // What failed may succeed the next time: a lock, a network, a signal.
                if let Some(path) = record.as_ref().filter(|_| answer.status == 0) {
                    write_whole(path, &serde_json::to_vec(&answer)?)?;
                }
                answer
            }
        };
        print!("{}", answer.output.replace(CELLS_PLACEHOLDER, &cells));
        Ok(answer.status)
    }

    /// Where this question's answer is kept, as long as the library's build is; nowhere if there is
    /// no library.
    fn record_file(
        &self,
        tool: &str,
        arguments: &[String],
        cells: &str,
    ) -> Result<Option<PathBuf>> {
        let Some(library) = &self.library else { return Ok(None) };
        let folder = library.metadata.parent().context("the library is in no folder")?;
        let mut hasher = DefaultHasher::new();
        tool.hash(&mut hasher);
        for argument in arguments {
            argument.replace(cells, CELLS_PLACEHOLDER).hash(&mut hasher);
        }
        self.dependencies()?.hash(&mut hasher);
        Ok(Some(folder.join("answers").join(format!("{:016x}.json", hasher.finish()))))
    }

    /// `cargo metadata` of the cells' package, if it depends on the library alone.
    fn recorded_metadata(&self, arguments: &[String]) -> Result<Option<String>> {
        let has = |word: &str| arguments.iter().any(|argument| argument == word);
        let Some(library) = &self.library else { return Ok(None) };
        let manifest = self.cells.join("Cargo.toml").display().to_string();
        let dependencies = self.dependencies()?;
        let is_ours = dependencies.len() == 1 && dependencies[0].0 == PACKAGE;
        if !has("metadata") || has("--no-deps") || !has(&manifest) || !is_ours {
            return Ok(None);
        }
        let metadata = std::fs::read_to_string(&library.metadata)?;
        Ok(Some(metadata.replace(CELLS_PLACEHOLDER, &self.cells.display().to_string())))
    }
}

/// Writes a file that others may read at any moment.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file in no folder")?;
    std::fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(file.path(), bytes)?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure that was kept would leave every later analyser of this build without an answer.
    #[test]
    fn what_failed_is_asked_again_and_what_was_said_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let setup = Setup::below(place.path());
        let tried = place.path().join("tried");
        let script = format!("[ -e {0} ] && exit 0; touch {0}; exit 3", tried.display());
        let arguments = ["-c".to_owned(), script];
        assert_eq!(setup.answer("rustc", &arguments).unwrap(), 3);
        assert_eq!(setup.answer("rustc", &arguments).unwrap(), 0);
        std::fs::remove_file(tried).unwrap();
        assert_eq!(setup.answer("rustc", &arguments).unwrap(), 0);
    }

    #[test]
    fn a_tool_that_was_killed_has_failed() {
        let place = tempfile::tempdir().unwrap();
        let setup = Setup::below(place.path());
        let arguments = ["-c".to_owned(), "kill -9 $$".to_owned()];
        assert_eq!(setup.answer("cargo", &arguments).unwrap(), FAILED);
        assert!(!place.path().join("build/answers").exists());
    }

    #[test]
    fn the_standard_library_is_answered_for_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let setup = Setup::below(place.path());
        let manifest = setup.toolchain.source().join("Cargo.toml").display().to_string();
        let ask = |manifest: &str| {
            let words = ["-c", "true", "metadata", "--no-deps", "--manifest-path", manifest];
            setup.answer("cargo", &words.map(str::to_owned)).unwrap()
        };
        assert_eq!(ask(&manifest), FAILED);
        assert_eq!(ask("/elsewhere/Cargo.toml"), 0);
    }
}
