//! One way to every composer: opened from any model file, composing, telling what it is.

use super::{CodeComposer, CodeOptions, GrainComposer, GrainOptions, Piece, Seed, blocks};
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::dataset::{Skipped, SongSource};
use crate::model::{Device, ModelFile, ModelKind, Network};
use crate::train::InTraining;
use std::fmt;
use std::path::{Path, PathBuf};

/// A trained model that composes, whatever it composes from.
///
/// ```no_run
/// use neural_composer::generate::{Model, Options};
/// use neural_composer::model::Device;
/// let model = Model::load("out.safetensors", &Device::best())?;
/// let piece = model.compose(20.0, 1, &Options::default(), &mut |_, _| ())?;
/// piece.audio().save("another.wav")?;
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug)]
pub enum Model {
    /// Predicts block after block: the course's method.
    Blocks(Network),
    /// Puts the songs' own grains in a new order.
    Grains(GrainComposer),
    /// Draws codes of overlapping spectra along the beat.
    Codes(CodeComposer),
}

/// How to compose; each model heeds what is about it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// For blocks: what the network takes in before it goes on by itself. Without it, silence.
    pub start: Option<Seed>,
    /// For grains: how to walk through them.
    pub grains: GrainOptions,
    /// For grains: the recording or the tune that [`GrainOptions::opening`] speaks of.
    pub guest: Option<SongSource>,
    /// For codes: how to draw them.
    pub codes: CodeOptions,
}

impl Model {
    /// Opens a model file of any kind; a network of blocks is put on `device`, the others are small
    /// and stay on the processor.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version, not one of ours, or when a song that it needs is gone.
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self> {
        Self::read(path.as_ref(), device)
    }

    fn read(path: &Path, device: &Device) -> Result<Self> {
        let file = ModelFile::read(path)?;
        let model = match file.kind() {
            ModelKind::Blocks => Network::from_file(file, path, device).map(Self::Blocks),
            ModelKind::Grains => GrainComposer::from_file(file, path).map(Self::Grains),
            ModelKind::Codes => CodeComposer::from_file(file, path).map(Self::Codes),
        };
        model.map_err(|error| error.in_model(path))
    }

    /// What a model in training composes now, as [`compose`](Self::compose); `options` are those of the
    /// finished model.
    ///
    /// # Errors
    /// As [`compose`](Self::compose).
    pub fn sketch(
        model: InTraining<'_>,
        seconds: f64,
        seed: u64,
        options: &Options,
    ) -> Result<Piece> {
        let progress: &mut dyn FnMut(f64, f64) = &mut |_, _| ();
        match model {
            InTraining::Blocks(network) => {
                let start = options.start.as_ref().unwrap_or(&Seed::Silence);
                blocks(network, seconds, start, progress)
            }
            InTraining::Grains(network, pool, training) => {
                let composer = GrainComposer::in_training(network, pool, training)?;
                // One piece: a sketch is not worth a choice.
                let grains = GrainOptions { pieces: 1, ..options.grains.clone() };
                composer.compose(seconds, seed, &grains, progress)
            }
            InTraining::Codes(network, songs) => {
                let composer = CodeComposer::from_parts(songs.clone(), network)?;
                composer.compose(seconds, seed, &options.codes, progress)
            }
        }
    }

    /// Writes it to `path`, whole or not at all; [`load`](Self::load) reads it.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; for grains [`Error::Argument`] when a song is not
    /// in a file of its own.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        match self {
            Self::Blocks(network) => network.save(path),
            Self::Grains(composer) => composer.save(path),
            Self::Codes(composer) => composer.save(path),
        }
    }

    /// What it composes from.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Blocks(_) => ModelKind::Blocks,
            Self::Grains(_) => ModelKind::Grains,
            Self::Codes(_) => ModelKind::Codes,
        }
    }

    /// A piece of `seconds`; the same `seed` gives the same piece. `progress` is told (seconds done,
    /// seconds in all). What a network of blocks predicts depends on its start alone, not on `seed`.
    ///
    /// A request to stop ([`interrupt`](crate::interrupt)) ends it early: the piece is as long as what
    /// was done.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible length or impossible options; [`Error::Interrupted`] when
    /// it was stopped before there was anything to hear.
    pub fn compose(
        &self,
        seconds: f64,
        seed: u64,
        options: &Options,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        match self {
            Self::Blocks(network) => {
                let start = options.start.clone().unwrap_or(Seed::Silence);
                blocks(network, seconds, &start, progress)
            }
            Self::Grains(composer) => match &options.guest {
                Some(guest) => {
                    composer.with_guest(guest)?.compose(seconds, seed, &options.grains, progress)
                }
                None => composer.compose(seconds, seed, &options.grains, progress),
            },
            Self::Codes(composer) => composer.compose(seconds, seed, &options.codes, progress),
        }
    }

    /// How many numbers training adjusts.
    pub fn parameter_count(&self) -> usize {
        match self {
            Self::Blocks(network) => network.config().parameter_count(),
            Self::Grains(composer) => composer.network().parameter_count(),
            Self::Codes(composer) => composer.network().parameter_count(),
        }
    }

    /// What there is to mind about its songs, one sentence each: what could not be used, and what was put
    /// up with. A network of blocks knows nothing of its songs any more.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Skipped::notes(self.skipped());
        match self {
            Self::Blocks(_) => {}
            Self::Grains(composer) => {
                notes.extend(composer.pool().own_songs().iter().flat_map(|song| {
                    song.warnings.iter().map(|warning| format!("{}: {warning}", song.source.name()))
                }))
            }
            Self::Codes(composer) => {
                notes.extend(
                    composer.blocks().songs().iter().flat_map(|song| song.warnings()).cloned(),
                );
            }
        }
        notes
    }

    /// Songs that could not be used, as sentences.
    pub fn skipped(&self) -> &[Skipped] {
        match self {
            Self::Blocks(_) => &[],
            Self::Grains(composer) => composer.pool().skipped(),
            Self::Codes(composer) => composer.blocks().skipped(),
        }
    }
}

/// What a model file says of itself, without opening what it needs besides.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// What it composes from.
    pub kind: ModelKind,
    /// The network in words.
    pub network: String,
    /// How many numbers training adjusted.
    pub parameters: usize,
    /// The titles of the songs it learned from; of a song that is needed and gone, where it was.
    pub songs: Vec<String>,
    /// Files that it needs besides itself to compose: for grains the songs, where they are now.
    pub needs: Vec<PathBuf>,
    /// What was put up with in the songs, one sentence each; unknown of blocks.
    pub notes: Vec<String>,
    /// What there is to say of its kind alone; of blocks `layers`, `width`, `sample_rate_hz` and
    /// `updates`.
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl ModelCard {
    /// Of the model file `path`, of any kind.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is damaged, of another
    /// version, or not one of ours.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::read(path).map_err(|error| error.in_model(path))
    }

    fn read(path: &Path) -> Result<Self> {
        let file = ModelFile::read(path)?;
        let kind = file.kind();
        let mut details = serde_json::Map::new();
        let (mut needs, mut notes) = (Vec::new(), Vec::new());
        let (network, parameters, songs) = match kind {
            ModelKind::Blocks => {
                let network = Network::from_file(file, path, &Device::cpu())?;
                let config = network.config();
                details.insert("layers".into(), config.describe_layers().into());
                details.insert("width".into(), config.width.into());
                let rate = network.dataset_settings().blocks.sample_rate_hz;
                details.insert("sample_rate_hz".into(), rate.into());
                details.insert("updates".into(), network.updates().into());
                let trainings = network.provenance().trainings.iter();
                let mut songs = Vec::new();
                for song in trainings.flat_map(|training| &training.songs) {
                    if !songs.contains(song) {
                        songs.push(song.clone());
                    }
                }
                (network.to_string(), network.config().parameter_count(), songs)
            }
            ModelKind::Grains => {
                let described = GrainComposer::described(file, path)?;
                needs = described.found;
                notes = described.notes;
                (described.network, described.parameters, described.songs)
            }
            ModelKind::Codes => {
                let composer = CodeComposer::from_file(file, path)?;
                let songs = composer.blocks().songs().iter().map(|song| song.title.clone());
                let (songs, words) = (songs.collect(), composer.network().to_string());
                let model = Model::Codes(composer);
                notes = model.notes();
                (words, model.parameter_count(), songs)
            }
        };
        Ok(Self { kind, network, parameters, songs, needs, notes, details })
    }
}

/// Songs of a model that are told one by one.
const SONGS_TOLD: usize = 40;

impl fmt::Display for ModelCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a model of {}: {}", self.kind, self.network)?;
        match self.songs.as_slice() {
            [] => Ok(()),
            songs if songs.len() > SONGS_TOLD => {
                let (told, left) = songs.split_at(SONGS_TOLD);
                write!(f, "; learned from {} and {} more", told.join(", "), left.len())
            }
            songs => write!(f, "; learned from {}", songs.join(", ")),
        }
    }
}
