//! One way to learn, whatever a model composes from.

use super::{BlockLearning, CodeComposer, CodeLearning, GrainComposer, GrainLearning, Model, Seed};
use crate::Result;
use crate::dataset::{Skipped, SongSource};
use crate::train::{History, Observer};
use crate::words::{counted, shown};

/// How a [`Model`] learns from songs.
pub enum Learning {
    /// Block after block: the course's method.
    Blocks(BlockLearning),
    /// The songs' own grains in a new order.
    Grains(GrainLearning),
    /// Codes of overlapping spectra along the beat.
    Codes(CodeLearning),
}

/// A model that has learned, and how that went.
#[derive(Debug)]
pub struct Learned {
    /// What composes now.
    pub model: Model,
    /// The losses.
    pub history: History,
    /// The songs that it learned from.
    pub songs: Vec<SongSource>,
    /// For blocks: a sequence of the songs to begin a piece with.
    pub start: Option<Seed>,
    /// Songs that could not be used, and what was put up with in those that were, as sentences.
    pub notes: Vec<String>,
}

impl Model {
    /// Learns from songs as told by `learning`; `observer` is told how that goes.
    ///
    /// Blocks learn from all songs. Grains and codes are in memory: of corpora longer than an hour they
    /// are made of an hour of songs, which the seed draws, and the notes say so.
    ///
    /// A request to stop ([`interrupt`](crate::interrupt)) while it trains leaves the model as it is
    /// then.
    ///
    /// ```no_run
    /// use neural_composer::dataset::SongSource;
    /// use neural_composer::generate::{CodeLearning, Learning, Model, Options};
    /// use neural_composer::train::Silent;
    /// let songs = [SongSource::File("prelude.mp3".into())];
    /// let learning = Learning::Codes(CodeLearning::seeded(1));
    /// let learned = Model::learn(&songs, &learning, &mut Silent)?;
    /// let options = Options { start: learned.start, ..Options::default() };
    /// let piece = learned.model.compose(20.0, 1, &options, &mut |_, _| ())?;
    /// piece.audio().save("new.wav")?;
    /// # Ok::<(), neural_composer::Error>(())
    /// ```
    ///
    /// # Errors
    /// What [`BlockLearning::learn`], [`GrainComposer::learn`] and [`CodeComposer::learn`] report.
    pub fn learn(
        songs: &[SongSource],
        learning: &Learning,
        observer: &mut dyn Observer,
    ) -> Result<Learned> {
        match learning {
            Learning::Blocks(learning) => {
                let (network, data, history) = learning.learn(songs, observer)?;
                let start = Some(Seed::training(&data, learning.seed)?);
                let mut notes = Skipped::notes(data.skipped());
                for song in data.songs() {
                    let path = song.path.as_ref().map(|path| shown(path).to_string());
                    let (name, warnings) = (path.unwrap_or(song.title.clone()), &song.warnings);
                    notes.extend(warnings.iter().map(|warning| format!("{name}: {warning}")));
                }
                let songs = used(songs, data.skipped());
                Ok(Learned { model: Self::Blocks(network), history, songs, start, notes })
            }
            Learning::Grains(learning) => {
                let some = SomeSongs::of(songs, learning.training.descent.seed);
                let composer = GrainComposer::learn(&some.songs, learning, observer)?;
                let history = composer.history().clone();
                Ok(Learned::drawn(Self::Grains(composer), history, some))
            }
            Learning::Codes(learning) => {
                let some = SomeSongs::of(songs, learning.training.descent.seed);
                let composer = CodeComposer::learn(&some.songs, learning, observer)?;
                let history = composer.history().clone();
                Ok(Learned::drawn(Self::Codes(composer), history, some))
            }
        }
    }
}

impl Learned {
    fn drawn(model: Model, history: History, some: SomeSongs) -> Self {
        let songs = used(&some.songs, model.skipped());
        let notes = some.note.into_iter().chain(model.notes()).collect();
        Self { model, history, songs, start: None, notes }
    }
}

/// How much of corpora a model of grains or codes is made of: it is in memory.
const CORPUS_SECONDS: f64 = 3_600.0;

/// The songs that a model of grains or codes is made of.
struct SomeSongs {
    songs: Vec<SongSource>,
    /// That they are not all.
    note: Option<String>,
}

impl SomeSongs {
    fn of(all: &[SongSource], seed: u64) -> Self {
        let songs = SongSource::some_of(all, CORPUS_SECONDS, seed);
        let note = (songs.len() < all.len()).then(|| {
            format!(
                "made of {} of {}, an hour of them drawn by seed {seed}: another seed draws others",
                songs.len(),
                counted(all.len(), "song")
            )
        });
        Self { songs, note }
    }
}

/// The songs that were not skipped.
fn used(songs: &[SongSource], skipped: &[Skipped]) -> Vec<SongSource> {
    let is_used = |song: &&SongSource| {
        let path = song.place();
        path.is_none_or(|path| skipped.iter().all(|skipped| skipped.path != path))
    };
    songs.iter().filter(is_used).cloned().collect()
}
