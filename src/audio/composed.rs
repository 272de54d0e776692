//! Pieces are known again: their WAV files say who composed them.

use super::riff_chunks::{chunks, read_at};
use super::{Audio, Tags, wav};
use crate::{Error, Result, atomic_file};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// What the tag `encoder` of a composed piece begins with.
const COMPOSED_BY: &str = "composed by neural-composer";

impl Audio {
    /// Writes a 16-bit WAV file as [`save`](Self::save) does, with a tag by which [`is_composed`] knows it.
    ///
    /// # Errors
    /// Those of [`save`](Self::save).
    pub fn save_composed(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_composed_to(path.as_ref())
    }

    fn save_composed_to(&self, path: &Path) -> Result<()> {
        atomic_file::write(path, |file| {
            wav::write_all(file, path, self)?;
            tag(file).map_err(Error::io(path, "write the file"))
        })
    }
}

/// Appends the tag to a WAV file of fewer than 4 GB.
fn tag(file: &mut (impl Write + Seek)) -> io::Result<()> {
    let mut text = format!("{COMPOSED_BY} {}\0", env!("CARGO_PKG_VERSION")).into_bytes();
    let length = text.len() as u32;
    text.resize(text.len().next_multiple_of(2), 0);
    let end = file.seek(SeekFrom::End(0))?;
    let mut chunk = vec![0; (end % 2) as usize];
    chunk.extend(b"LIST");
    chunk.extend((12 + text.len() as u32).to_le_bytes());
    chunk.extend(b"INFOISFT");
    chunk.extend(length.to_le_bytes());
    chunk.extend(text);
    file.write_all(&chunk)?;
    let whole = end + chunk.len() as u64 - 8;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&u32::try_from(whole).unwrap_or(u32::MAX).to_le_bytes())?;
    file.seek(SeekFrom::End(0)).map(drop)
}

/// Whether the file is a piece that neural-composer composed, by what [`Audio::save_composed`] wrote.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("piece.wav");
/// use neural_composer::audio::{Audio, is_composed};
/// let audio = Audio::mono(vec![0.5; 100], 8000)?;
/// audio.save_composed(&path)?;
/// assert!(is_composed(&path));
/// audio.save(&path)?;
/// assert!(!is_composed(&path));
/// # Ok::<(), neural_composer::Error>(())
/// ```
pub fn is_composed(path: impl AsRef<Path>) -> bool {
    says_composed(path.as_ref()).unwrap_or(false)
}

fn says_composed(path: &Path) -> io::Result<bool> {
    /// Ours has a tenth of that.
    const LOOKED_AT: u64 = 4096;
    // Who opens a FIFO waits.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    let mut tags = Tags::default();
    for list in chunks(&mut file)?.iter().flatten().filter(|chunk| &chunk.name == b"LIST") {
        tags.merge_riff_list(&read_at(&mut file, list.at, list.bytes.min(LOOKED_AT))?);
    }
    Ok(tags.get("encoder").is_some_and(|encoder| encoder.starts_with(COMPOSED_BY)))
}
