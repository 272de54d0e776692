//! What a server has not read, though it says that it is ready.

use super::completions;
use lsp_types::CompletionItemKind;
use serde_json::Value;
use std::path::Path;

/// Whether the server's message tells that it could not read what this package depends on. Of the
/// standard library it tells, too; most of that is known all the same, and stays unread for good where
/// there is no network.
pub fn misses_crates(message: &str, manifest: &Path) -> bool {
    let manifest = format!("for `{}`", manifest.display());
    message.lines().any(|line| line.contains(&manifest))
}

/// Whether completions hold a method: those of a text do, unless no crate is known. The server builds
/// the graph of crates a second time once their files are read, and where it has not, says nothing.
pub fn has_methods(completions: Option<&Value>) -> bool {
    let items = completions.and_then(|found| serde_json::from_value(found.clone()).ok());
    items.is_some_and(|found| {
        completions::items(found).iter().any(|item| item.kind == Some(CompletionItemKind::METHOD))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_are_missing_are_told_from_those_of_the_standard_library() {
        let manifest = Path::new("/tmp/cells/Cargo.toml");
        let failed = "Failed to read Cargo metadata with dependencies for";
        for (of, expected) in [
            ("`/tmp/cells/Cargo.toml`: `cargo metadata` exited with an error", true),
            ("sysroot of `/tmp/cells/Cargo.toml`: `cargo metadata` exited with an error", false),
            ("`/tmp/other/Cargo.toml`: `cargo metadata` exited with an error", false),
        ] {
            assert_eq!(
                misses_crates(&format!("{failed} {of}\nand more"), manifest),
                expected,
                "{of}"
            );
        }
        assert!(!misses_crates("", manifest));
    }
}
