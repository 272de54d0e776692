//! The model file of a grain composer: the network, and which songs it learned from.

use super::composer::GrainComposer;
use crate::corpus::Corpus;
use crate::dataset::SongSource;
use crate::dataset::grains::{GrainPool, GrainSettings, PoolSong};
use crate::model::{
    Device, FORMAT_VERSION, GRAINS, GrainNetwork, GrainNetworkConfig, ModelFile, ModelKind,
};
use crate::train::{GrainTraining, History};
use crate::words::shown;
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the file's metadata says.
#[derive(Serialize, Deserialize)]
struct Description {
    format_version: u32,
    kind: String,
    library_version: String,
    network: GrainNetworkConfig,
    grains: GrainSettings,
    training: GrainTraining,
    songs: Vec<SongReference>,
}

/// A song that grains are taken from.
#[derive(Serialize, Deserialize)]
struct SongReference {
    #[serde(with = "path")]
    path: PathBuf,
    title: String,
    /// In hexadecimal: JSON's numbers are too small.
    fingerprint: String,
    /// What was put up with in it.
    #[serde(default)]
    warnings: Vec<String>,
    /// Its key, where `path` is a corpus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl SongReference {
    fn of(song: &PoolSong) -> Result<Self> {
        let in_corpus = song.source.in_corpus();
        let folder = in_corpus.map(|song| song.corpus().folder());
        let Some(path) = folder.or(song.source.path()) else {
            let expected = "songs that were opened from files";
            let found = format!("\"{}\", which is in memory only: save it as a song", song.title);
            return Err(Error::argument("songs", expected, found));
        };
        Ok(Self {
            path: std::path::absolute(path).map_err(Error::io(path, "find"))?,
            title: song.title.clone(),
            fingerprint: format!("{:016x}", song.fingerprint),
            warnings: song.warnings.clone(),
            key: in_corpus.map(|song| song.key().to_owned()),
        })
    }

    /// The file or corpus: where it was, or beside the model.
    fn place(&self, model: &Path) -> Option<PathBuf> {
        let beside = model.parent()?.join(self.path.file_name()?);
        [self.path.clone(), beside].into_iter().find(|path| match self.key {
            Some(_) => Corpus::is_at(path),
            None => path.is_file(),
        })
    }

    /// The song, if it is there; `corpora` are those that are open already.
    fn find(&self, model: &Path, corpora: &mut Corpora) -> Option<SongSource> {
        let place = self.place(model)?;
        let Some(key) = &self.key else { return Some(SongSource::File(place)) };
        let songs = match corpora.entry(place) {
            Entry::Occupied(songs) => songs.into_mut(),
            Entry::Vacant(vacant) => {
                let corpus = Corpus::open(vacant.key()).ok()?;
                vacant.insert(SongSource::of_corpus(&corpus))
            }
        };
        let is_it = |song: &&SongSource| song.in_corpus().is_some_and(|song| song.key() == key);
        songs.iter().find(is_it).cloned()
    }
}

/// The songs of corpora, by their folders.
type Corpora = HashMap<PathBuf, Vec<SongSource>>;

/// A path as text, or, where its name is none, as bytes.
mod path {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(PathBuf),
        Bytes(Vec<u8>),
    }

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => text.serialize(serializer),
            None => path.as_os_str().as_encoded_bytes().serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(path) => path,
            Written::Bytes(bytes) => os_string(bytes).into(),
        })
    }

    #[cfg(unix)]
    fn os_string(bytes: Vec<u8>) -> OsString {
        std::os::unix::ffi::OsStringExt::from_vec(bytes)
    }

    #[cfg(not(unix))]
    fn os_string(bytes: Vec<u8>) -> OsString {
        String::from_utf8_lossy(&bytes).into_owned().into()
    }
}

/// What a model file says without its songs.
pub(crate) struct Described {
    pub network: String,
    pub parameters: usize,
    /// Titles; of a missing song, where it was.
    pub songs: Vec<String>,
    /// What was put up with in the songs.
    pub notes: Vec<String>,
    /// The songs' files, and corpora, that are there.
    pub found: Vec<PathBuf>,
}

impl GrainComposer {
    /// Writes the network, and where the songs are, to `path`, whole or not at all. The songs
    /// themselves are not in the file: they have to be there when it is [loaded](Self::load). A guest
    /// is not kept.
    ///
    /// # Errors
    /// [`Error::Argument`] when a song is not in a file of its own; [`Error::Io`] when the file cannot
    /// be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<()> {
        let songs: Result<_> = self.pool.own_songs().iter().map(SongReference::of).collect();
        let description = Description {
            format_version: FORMAT_VERSION,
            kind: GRAINS.into(),
            library_version: env!("CARGO_PKG_VERSION").into(),
            network: self.network.config().clone(),
            grains: self.pool.settings().clone(),
            training: self.training.clone(),
            songs: songs?,
        };
        ModelFile::write(path, &description, &ModelFile::tensors_of(self.network.variables()))
    }

    /// Reads what [`save`](Self::save) wrote, and cuts the songs into grains again. A song that is no
    /// longer where it was is looked for beside the model.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version or kind, or when a song is gone or is another one now.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path.as_ref())
    }

    fn read(path: &Path) -> Result<Self> {
        Self::from_file(ModelFile::read(path)?, path).map_err(|error| error.in_model(path))
    }

    /// What a model file says, without its songs: the network, its parameters, and the songs.
    pub(crate) fn described(file: ModelFile, path: &Path) -> Result<Described> {
        file.expect(ModelKind::Grains, path)?;
        let description: Description = file.description(path)?;
        let network = network_of(description.network, file.tensors, path)?;
        let mut corpora = Corpora::new();
        let title = |song: &SongReference| match song.find(path, &mut corpora) {
            Some(_) => song.title.clone(),
            None => format!("{} (missing: {})", song.title, shown(&song.path)),
        };
        let notes = description.songs.iter().flat_map(|song| {
            song.warnings.iter().map(|warning| format!("{}: {warning}", song.title))
        });
        Ok(Described {
            notes: notes.collect(),
            network: network.to_string(),
            parameters: network.parameter_count(),
            songs: description.songs.iter().map(title).collect(),
            found: description.songs.iter().filter_map(|song| song.place(path)).collect(),
        })
    }

    /// The composer in a model file that is read already.
    pub(crate) fn from_file(file: ModelFile, path: &Path) -> Result<Self> {
        file.expect(ModelKind::Grains, path)?;
        let description: Description = file.description(path)?;
        let (mut sources, mut corpora) = (Vec::new(), Corpora::new());
        for song in &description.songs {
            let found = song.find(path, &mut corpora).ok_or_else(|| {
                let problem = format!(
                    "needs the song \"{}\", which is neither at {} nor beside the model: put it there",
                    song.title,
                    shown(&song.path)
                );
                Error::model(path, problem)
            })?;
            sources.push(found);
        }
        let pool = GrainPool::of(&sources, description.grains, &mut |_, _| ())?;
        if let Some(problem) = pool.skipped().first() {
            return Err(Error::model(path, format!("needs a song that cannot be used: {problem}")));
        }
        for (song, known) in pool.songs().iter().zip(&description.songs) {
            if format!("{:016x}", song.fingerprint) != known.fingerprint {
                let problem = format!(
                    "learned from another recording of \"{}\" than is there now ({}): bring that one \
                     back, or compose anew",
                    known.title,
                    song.source.name()
                );
                return Err(Error::model(path, problem));
            }
        }
        let network = network_of(description.network, file.tensors, path)?;
        if network.config().width != pool.width() {
            let problem = format!(
                "does not fit together: grains of {} numbers, a network for {}",
                pool.width(),
                network.config().width
            );
            return Err(Error::model(path, problem));
        }
        Ok(Self {
            pool: Arc::new(pool),
            network: Arc::new(network),
            training: description.training,
            history: History::empty(&Device::cpu()),
        })
    }
}

fn network_of(
    config: GrainNetworkConfig,
    tensors: BTreeMap<String, Tensor>,
    path: &Path,
) -> Result<GrainNetwork> {
    GrainNetwork::from_tensors(config, tensors, &Device::cpu())
        .map_err(|error| Error::model(path, error.to_string()))
}
