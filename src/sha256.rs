//! Hashes as people and files have them: SHA-256 in hexadecimal digits.

use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// Hexadecimal digits.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `text` is so many digits as [`hex`] writes them.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Length and hash of all that can be read.
pub(crate) fn of_all(file: &mut impl Read) -> io::Result<(u64, String)> {
    let (mut hash, mut buffer, mut size) = (Sha256::new(), vec![0; 1 << 17], 0);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((size, hex(hash.finalize())));
        }
        size += count as u64;
        hash.update(&buffer[..count]);
    }
}
