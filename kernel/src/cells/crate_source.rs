//! What the sources of a crate of `:dep` say: its macros, and the names that it may bring.

use super::globs::Brought;
use super::syntax;
use crate::walk::{Links, files_below};
use ra_ap_syntax::ast::{self, HasAttrs, HasName};
use ra_ap_syntax::{AstNode, Edition, SourceFile};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One crate, whose sources are read when a cell first depends on what they say.
#[derive(Debug, Clone)]
pub struct CrateSource {
    /// The crate's name in code.
    name: String,
    folder: PathBuf,
    said: OnceLock<Said>,
}

#[derive(Debug, Clone, Default)]
struct Said {
    /// Exported macros → rules.
    rules: BTreeMap<String, String>,
    brought: Brought,
}

impl CrateSource {
    pub fn new(name: &str, folder: &Path) -> Self {
        CrateSource { name: name.to_owned(), folder: folder.to_owned(), said: OnceLock::new() }
    }

    /// The rules of a `macro_rules!` with `#[macro_export]`, `$crate` replaced by the crate's name.
    pub fn rules(&self, macro_name: &str) -> Option<String> {
        self.said().rules.get(macro_name).cloned()
    }

    /// What an import of everything may bring.
    pub fn brought(&self) -> &Brought {
        &self.said().brought
    }

    fn said(&self) -> &Said {
        self.said.get_or_init(|| {
            let mut said = Said::default();
            for code in sources(&self.folder) {
                let code = SourceFile::parse(&code, Edition::CURRENT).tree();
                said.rules.extend(exported(&code, &self.name));
                said.brought.take(code.syntax());
            }
            said
        })
    }
}

/// The text of every Rust file in a folder.
fn sources(folder: &Path) -> impl Iterator<Item = String> {
    let files = files_below(folder, Links::Followed, &|_| true).into_iter().flatten();
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
}

fn exported(code: &SourceFile, crate_name: &str) -> Vec<(String, String)> {
    let macros = code.syntax().descendants().filter_map(ast::MacroRules::cast);
    macros
        .filter(|found| {
            found
                .attrs()
                .any(|attribute| attribute.syntax().text().to_string().contains("macro_export"))
        })
        .filter_map(|found| {
            let rules = syntax::inner_text(&found.token_tree()?);
            let rules = rules.replace("$crate", &format!("::{crate_name}"));
            Some((found.name()?.text().to_string(), rules))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_exported_is_seen() {
        let code = "#[macro_export]\nmacro_rules! made { () => { $crate::inner!{} } }\n\
                    mod m { #[doc(hidden)] #[macro_export(local_inner_macros)]\n\
                    macro_rules! inner { () => {} } }\nmacro_rules! hidden { () => {} }";
        let code = SourceFile::parse(code, Edition::CURRENT).tree();
        let names = exported(&code, "c");
        assert_eq!(names.len(), 2);
        assert_eq!(names[0].1.trim(), "() => { ::c::inner!{} }");
    }
}
