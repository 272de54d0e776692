//! What a `:dep` asks for.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

/// One `:dep`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As in `Cargo.toml`, in front of the equals sign.
    pub key: String,
    /// Behind the equals sign, paths made absolute.
    pub value: String,
}

impl Requirement {
    /// Reads what stands behind `:dep`: `name`, `name = "1"`, `name = { ... }` or a folder.
    pub fn read(arguments: &str, folder: &Path) -> Result<Self> {
        let (key, value) = match arguments.split_once('=') {
            Some((key, value)) if is_name(key.trim()) => (key.trim(), value.trim().to_owned()),
            _ if is_name(arguments) && !folder.join(arguments).join("Cargo.toml").is_file() => {
                (arguments, "\"*\"".to_owned())
            }
            _ if arguments.is_empty() => bail!("expected `:dep name = \"version\"`"),
            _ => return Self::of_folder(arguments.trim_matches('"'), folder),
        };
        let table: toml::Table = toml::from_str(&format!("value = {value}"))
            .map_err(|error| anyhow::anyhow!("`{value}` is no TOML: {}", error.message()))?;
        let mut value = table["value"].clone();
        if let Some(path) = value.get("path").and_then(toml::Value::as_str) {
            let path = folder.join(path);
            if !path.join("Cargo.toml").is_file() {
                bail!("there is no crate in {}: expected a Cargo.toml there", path.display());
            }
            let path = path.canonicalize()?.display().to_string();
            if let Some(table) = value.as_table_mut() {
                table.insert("path".to_owned(), path.into());
            }
        }
        Ok(Requirement { key: key.to_owned(), value: value.to_string() })
    }

    fn of_folder(path: &str, folder: &Path) -> Result<Self> {
        let manifest = folder.join(path).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("there is no crate in {}", folder.join(path).display()))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{}: {}", manifest.display(), error.message()))?;
        let name = table.get("package").and_then(|package| package.get("name"));
        let name = name.and_then(toml::Value::as_str).context("the crate has no name")?;
        let value = toml::Value::String(path.to_owned());
        Self::read(&format!("{name} = {{ path = {value} }}"), folder)
    }

    pub fn path(&self) -> Option<PathBuf> {
        let table: toml::Table = toml::from_str(&format!("value = {}", self.value)).ok()?;
        Some(table["value"].get("path")?.as_str()?.into())
    }

    pub fn package(&self) -> String {
        let table: Option<toml::Table> = toml::from_str(&format!("value = {}", self.value)).ok();
        let package = table.as_ref().and_then(|table| table["value"].get("package"));
        package.and_then(toml::Value::as_str).unwrap_or(&self.key).to_owned()
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Whether cargo would take `version` for the requirement `wanted` (a caret requirement).
pub fn compatible(wanted: &str, version: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    let (Some(wanted), Some(version)) = (numbers(wanted), numbers(version)) else { return false };
    // All numbers up to the first that is not zero have to agree.
    let leading = wanted.iter().position(|&number| number > 0).unwrap_or(wanted.len());
    let fixed = (leading + 1).min(wanted.len());
    version.len() >= wanted.len() && version[..fixed] == wanted[..fixed] && version >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_requirements() {
        assert!(compatible("0.11", "0.11.1"));
        assert!(compatible("1", "1.0.228"));
        assert!(compatible("1.2.3", "1.3.0"));
        assert!(!compatible("0.11.2", "0.11.1"));
        assert!(!compatible("0.10", "0.11.1"));
        assert!(!compatible("2", "1.9.9"));
    }

    #[test]
    fn requirements_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::create_dir(here.join("my, crate")).unwrap();
        let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\n";
        std::fs::write(here.join("my, crate/Cargo.toml"), manifest).unwrap();
        let read = |text: &str| Requirement::read(text, here);
        assert_eq!(read("rand").unwrap().value, "\"*\"");
        assert_eq!(read("rand = \"0.9\"").unwrap().value, "\"0.9\"");
        assert_eq!(
            read("short = { package = \"tiny\", path = \"my, crate\" }").unwrap().package(),
            "tiny"
        );
        let by_folder = read("my, crate").unwrap();
        assert_eq!(by_folder.key, "tiny");
        assert_eq!(by_folder.path(), Some(here.join("my, crate").canonicalize().unwrap()));
        for wrong in ["", "rand = ", "rand = { path = \"nowhere\" }", "rand = 1 2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
