//! Options of the grain composer that `compose` and `generate` share.

use super::given::Given;
use super::report::Report;
use clap::Args;
use neural_composer::audio::{Decoder, Need};
use neural_composer::dataset::SongSource;
use neural_composer::dataset::grains::{GrainSettings, PoolSong};
use neural_composer::display::Output;
use neural_composer::generate::{GrainComposer, GrainOptions, Opening, Piece};
use neural_composer::words::counted;
use neural_composer::{Error, Result};
use serde_json::json;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

/// How a piece is made from grains.
#[derive(Args)]
pub struct GrainArgs {
    /// From 0, close to the songs' ways, to 1, far from them (grains)
    #[arg(long, default_value_t = 0.5)]
    adventurous: f64,
    /// Go on from this recording: it comes first, then so many seconds of new music (grains)
    #[arg(long, value_name = "AUDIO", conflicts_with = "tune")]
    r#continue: Option<PathBuf>,
    /// Begin with the notes of this tune, hummed or played, in the sounds of the songs (grains)
    #[arg(long, value_name = "AUDIO")]
    tune: Option<PathBuf>,
    /// How much of each song, in the order of the songs: 2,1 has twice as much of the first (grains)
    #[arg(long, value_delimiter = ',', value_name = "WEIGHTS")]
    blend: Vec<f64>,
    /// So many times as fast as the songs, at the same pitch, from 0.5 to 2 (grains)
    #[arg(long, default_value_t = 1.0, value_name = "TIMES")]
    tempo: f64,
    /// So many semitones higher than the songs, from -12 to 12 (grains)
    #[arg(long, default_value_t = 0, value_name = "SEMITONES", allow_negative_numbers = true)]
    transpose: i32,
    /// Never transpose single grains (grains)
    #[arg(long)]
    keep_key: bool,
    /// Make this part of the piece anew, in seconds: 20..30; the rest stays what --seed gives (grains)
    #[arg(long, value_name = "FROM..TO")]
    regenerate: Option<Part>,
    /// Decides what is drawn for --regenerate [default: one more than --seed]
    #[arg(long, value_name = "SEED", requires = "regenerate")]
    regenerate_seed: Option<u64>,
}

/// A part of a piece, in seconds.
#[derive(Clone)]
struct Part(Range<f64>);

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let part = text
            .split_once("..")
            .and_then(|(from, to)| Some(from.trim().parse().ok()?..to.trim().parse().ok()?));
        part.map(Self).ok_or_else(|| {
            let expected = "two times in seconds, as in 20..30";
            Error::argument("regenerate", expected, format!("{text:?}"))
        })
    }
}

impl GrainArgs {
    /// Refuses these options, for a model that has no grains.
    pub fn refuse(given: &Given) -> Result<()> {
        given.refuse_all::<Self>(&[], "a model of grains")
    }

    /// The recordings that they name.
    pub fn inputs(&self) -> impl Iterator<Item = &PathBuf> {
        self.r#continue.iter().chain(&self.tune)
    }

    /// The same, to be put into other files' place.
    pub fn inputs_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.r#continue.iter_mut().chain(&mut self.tune)
    }

    /// Refuses what cannot be, for a piece of `seconds`, before any work.
    pub fn check(&self, seconds: f64) -> Result<()> {
        self.options()?.check()?;
        let Some(Part(part)) = &self.regenerate else { return Ok(()) };
        if 0.0 <= part.start && part.start < part.end && part.end <= seconds {
            return Ok(());
        }
        let expected = format!("two times from 0 to {seconds:?}, rising, as in 0.5..1");
        Err(Error::argument("regenerate", expected, format!("{:?}..{:?}", part.start, part.end)))
    }

    /// Refuses weights that are not one for each of so many songs.
    pub fn check_blend(&self, songs: usize) -> Result<()> {
        if self.blend.is_empty() || self.blend.len() == songs {
            return Ok(());
        }
        let expected = match songs {
            1 => "no weights for a single song".to_owned(),
            _ => format!("a weight for each of {}", counted(songs, "song")),
        };
        Err(Error::argument("blend", expected, counted(self.blend.len(), "weight")))
    }

    /// Leaves out the weights of songs that were not `used`.
    pub fn keep_blend(&mut self, songs: &[SongSource], used: &[SongSource]) {
        let is_used = |song: &SongSource| used.iter().any(|used| used.name() == song.name());
        let mut kept = songs.iter().map(is_used);
        self.blend.retain(|_| kept.next().unwrap_or(true));
    }

    /// Adds which weight is which song's.
    pub fn tell_blend(&self, report: Report, composer: &GrainComposer) -> Report {
        if self.blend.is_empty() {
            return report;
        }
        let sum: f64 = self.blend.iter().sum();
        let songs = || composer.pool().own_songs().iter().zip(&self.blend);
        let name = |song: &PoolSong| song.source.name();
        let words: Vec<String> = songs()
            .map(|(song, weight)| {
                format!("{weight} ({:.0} %) of {}", 100.0 * weight / sum, name(song))
            })
            .collect();
        let facts: Vec<_> = songs()
            .map(|(song, weight)| json!({ "song": name(song), "weight": weight, "share": weight / sum }))
            .collect();
        report.line(format!("Blended: {}", words.join(", "))).fact("blend", facts)
    }

    /// Refuses recordings that cannot be read, or are too long.
    pub fn check_inputs(&self) -> Result<()> {
        let need = Need { work: "to go on from", ..GrainSettings::default().need() };
        self.inputs().try_for_each(|path| Decoder::open(path)?.check(need))
    }

    /// The options that they stand for.
    pub fn options(&self) -> Result<GrainOptions> {
        Ok(GrainOptions {
            blend: self.blend.clone(),
            tempo: self.tempo,
            transpose_semitones: self.transpose,
            keep_key: self.keep_key,
            opening: match (&self.r#continue, &self.tune) {
                (Some(_), _) => Opening::Continue,
                (_, Some(_)) => Opening::Tune,
                _ => Opening::Beginning,
            },
            ..GrainOptions::adventurous(self.adventurous)?
        })
    }

    /// Composes with `composer` as they say.
    pub fn compose(&self, composer: &GrainComposer, seconds: f64, seed: u64) -> Result<Piece> {
        let options = self.options()?;
        let guest = self.inputs().next();
        let composer = match guest {
            Some(path) => composer.with_guest(&SongSource::File(path.clone()))?,
            None => composer.clone(),
        };
        let piece = composer.compose_to(Output::for_progress(), seconds, seed, &options)?;
        let Some(Part(part)) = self.regenerate.clone().filter(|_| !piece.was_interrupted()) else {
            return Ok(piece);
        };
        let again = self.regenerate_seed.unwrap_or(seed.wrapping_add(1));
        composer.recompose_to(Output::for_progress(), &piece, part, again, &options)
    }
}
