//! A song: sound, and what its file says of it.

use super::{Audio, Decoder, Tags};
use crate::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A song from a file: its samples and what the file says about it.
///
/// Cloning is cheap: the samples are shared. The whole song is in memory (10 MB a minute in
/// stereo at 44.1 kHz); for hours of audio use [`Decoder`].
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("quiet.wav");
/// # neural_composer::audio::Audio::mono(vec![0.0; 8000], 8000)?.save(&path)?;
/// use neural_composer::audio::Song;
/// let song = Song::open(&path)?;
/// assert_eq!(song.title(), "quiet");
/// assert_eq!(song.audio().duration_seconds(), 1.0);
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone)]
pub struct Song {
    details: Arc<Details>,
    audio: Audio,
}

struct Details {
    path: PathBuf,
    title: String,
    tags: Tags,
    codec: String,
    warnings: Vec<String>,
}

impl Song {
    /// Decodes a file of a kind that [`SONG_EXTENSIONS`](super::SONG_EXTENSIONS) names; what is inside
    /// decides, not the name.
    ///
    /// A damaged or truncated file gives what could be decoded, and [`Song::warnings`] says so.
    ///
    /// # Errors
    /// [`crate::Error::Io`] for a file that is missing or may not be read, [`crate::Error::Audio`]
    /// for one that is empty, not audio, of an unknown kind or without a single usable sample,
    /// [`crate::Error::Interrupted`] when it was stopped.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::decoded(path.as_ref())
    }

    fn decoded(path: &Path) -> Result<Self> {
        let mut decoder = Decoder::open(path)?;
        let audio = decoder.read_all()?;
        let details = Details {
            path: decoder.path().to_path_buf(),
            title: decoder.title(),
            tags: decoder.tags().clone(),
            codec: decoder.codec().to_owned(),
            warnings: decoder.warnings(),
        };
        Ok(Self { details: Arc::new(details), audio })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.details.path
    }

    /// The title tag, else the file's name without its ending.
    pub fn title(&self) -> &str {
        &self.details.title
    }

    /// Title, artist, album and so on.
    pub fn tags(&self) -> &Tags {
        &self.details.tags
    }

    /// The samples, all channels, at the file's own rate.
    pub fn audio(&self) -> &Audio {
        &self.audio
    }

    /// How the file is coded, for example `"MP3"` or `"FLAC"`.
    pub fn codec(&self) -> &str {
        &self.details.codec
    }

    /// What was wrong with the file, one sentence each; empty for a sound file.
    pub fn warnings(&self) -> &[String] {
        &self.details.warnings
    }
}

impl std::fmt::Debug for Song {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Song({:?}, {}, {:?})", self.title(), self.codec(), self.audio)
    }
}
