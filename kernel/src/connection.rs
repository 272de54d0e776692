//! The connection file: where the sockets are, and the key that messages are signed with.

use anyhow::{Context, Result};
use jupyter_protocol::ConnectionInfo;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a connection file says, and what is to be told about it.
pub struct Connection {
    pub info: ConnectionInfo,
    /// What lets others in who should not be, a sentence each.
    pub warnings: Vec<String>,
}

/// Reads Jupyter's connection file.
///
/// One that is open to others, or without a key, is used all the same, as some containers and file
/// systems leave no choice; but that is said.
pub fn read(path: &Path) -> Result<Connection> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let info: ConnectionInfo = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a connection file", path.display()))?;
    let mut warnings = Vec::new();
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 && !info.key.is_empty() {
        warnings.push(format!(
            "{} holds the key to this kernel and is open to other users (mode {:03o}, expected 600): \
             who reads it can run code here; take their rights away and restart the kernel",
            path.display(),
            mode & 0o777
        ));
    }
    if info.key.is_empty() {
        warnings.push(format!(
            "{} has no key, so messages are not signed: whoever reaches the kernel's ports can run \
             code here; set c.Session.key, or leave it to Jupyter, which makes one",
            path.display()
        ));
    }
    Ok(Connection { info, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The warnings about a file with this key and mode.
    fn warnings(key: &str, mode: u32) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = serde_json::json!({
            "ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2,
            "stdin_port": 3, "control_port": 4, "hb_port": 5, "key": key,
            "signature_scheme": "hmac-sha256",
        });
        std::fs::write(file.path(), text.to_string()).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let read = read(file.path()).unwrap();
        assert_eq!(read.info.key, key);
        read.warnings
    }

    #[test]
    fn a_private_file_with_a_key_needs_no_words() {
        assert!(warnings("secret", 0o600).is_empty());
        assert!(warnings("secret", 0o400).is_empty());
    }

    #[test]
    fn a_key_that_others_can_read_is_told_and_not_shown() {
        for mode in [0o640, 0o644, 0o604, 0o666] {
            let told = warnings("secret", mode);
            assert!(told.len() == 1 && told[0].contains(&format!("mode {mode:o}")), "{told:?}");
            assert!(!told[0].contains("secret"));
        }
    }

    #[test]
    fn messages_without_signatures_are_told() {
        let told = warnings("", 0o644);
        assert!(told.len() == 1 && told[0].contains("not signed"), "{told:?}");
    }

    #[test]
    fn what_is_no_connection_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = read(file.path()).err().unwrap();
        assert!(error.to_string().contains("is not a connection file"), "{error}");
        let error = read(Path::new("/no/such.json")).err().unwrap();
        assert!(error.to_string().contains("could not read /no/such.json"), "{error}");
    }
}
