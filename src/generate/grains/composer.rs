//! The grain composer: it learns the order of grains and puts them in a new one.

use super::copy_guard::CopyGuard;
use super::expectation::{Expectation, expectations};
use super::form::Form;
use super::join::render;
use super::options::{GrainOptions, Opening};
use super::phrases;
use super::placed::Placed;
use super::sounds::Sounds;
use super::terrain::Terrain;
use super::walk::Walk;
use crate::audio::{Audio, peak_of};
use crate::dataset::SongSource;
use crate::dataset::grains::{GrainPool, GrainSettings, PHASES};
use crate::features::{at_tempo, transposed};
use crate::generate::ending::ended;
use crate::generate::{Part, Piece, check_length};
use crate::model::{Device, GrainNetwork, GrainNetworkConfig};
use crate::train::{GrainTraining, History, Observer, point};
use crate::{Error, Result, interrupt};
use std::ops::Range;
use std::sync::Arc;

/// How a [`GrainComposer`] learns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrainLearning {
    /// How songs become grains.
    pub grains: GrainSettings,
    /// How the network learns their order.
    pub training: GrainTraining,
}

impl GrainLearning {
    /// The usual way, with another seed for everything drawn at random.
    pub fn seeded(seed: u64) -> Self {
        let mut learning = Self::default();
        learning.training.descent.seed = seed;
        learning
    }
}

/// Composes new pieces from the grains of songs.
///
/// ```no_run
/// use neural_composer::dataset::SongSource;
/// use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions};
/// use neural_composer::train::Silent;
/// let songs = [SongSource::File("prelude.mp3".into())];
/// let composer = GrainComposer::learn(&songs, &GrainLearning::default(), &mut Silent)?;
/// let piece = composer.compose(30.0, 1, &GrainOptions::default(), &mut |_, _| ())?;
/// piece.audio().save("new.wav")?;
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GrainComposer {
    pub(super) pool: Arc<GrainPool>,
    pub(super) network: Arc<GrainNetwork>,
    pub(super) training: GrainTraining,
    pub(super) history: History,
}

impl GrainComposer {
    /// Cuts songs into grains and learns their order.
    ///
    /// A request to stop ([`interrupt`]) while it learns keeps what the network has learned.
    ///
    /// # Errors
    /// What [`GrainPool::of`] and [`point`] report.
    pub fn learn(
        songs: &[SongSource],
        settings: &GrainLearning,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let _job = interrupt::begin()?;
        let pool = GrainPool::of(songs, settings.grains.clone(), &mut |_, _| ())?;
        Self::learn_pool(Arc::new(pool), &settings.training, observer)
    }

    /// Learns the order of grains that are cut already.
    ///
    /// # Errors
    /// What [`point`] reports.
    pub fn learn_pool(
        pool: Arc<GrainPool>,
        training: &GrainTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let config = GrainNetworkConfig::usual(pool.width(), PHASES);
        let descent = &training.descent;
        let mut network = GrainNetwork::new(config, descent.seed, &descent.device)?;
        let history = point(&mut network, &pool, training, observer)?;
        Ok(Self { history, ..Self::in_training(&network, &pool, training)? })
    }

    /// The composer that a network in training would be; on the processor they share its parameters.
    pub(crate) fn in_training(
        network: &GrainNetwork,
        pool: &Arc<GrainPool>,
        training: &GrainTraining,
    ) -> Result<Self> {
        let history = History::empty(network.device());
        // One grain after the other, and the network is small: the processor is as fast as anything.
        let (pool, network) = (pool.clone(), Arc::new(network.on(&Device::cpu())?));
        Ok(Self { pool, network, training: training.clone(), history })
    }

    /// The same composer with a guest: a recording for [`Opening::Continue`] to go on from, or a tune
    /// for [`Opening::Tune`]. Nothing is learned anew.
    ///
    /// # Errors
    /// What [`GrainPool::with_guest`] reports.
    pub fn with_guest(&self, guest: &SongSource) -> Result<Self> {
        Ok(Self { pool: Arc::new(self.pool.with_guest(guest)?), ..self.clone() })
    }

    /// One piece of the sound of `sounds`, kept from copies by `guard`, unjudged.
    pub(super) fn compose_one(
        &self,
        (sounds, guard): (&mut Sounds, &mut CopyGuard),
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let _job = interrupt::begin()?;
        let placed = self.walk_guarded(guard, seconds, seed, options, progress)?;
        let interrupted = interrupt::requested();
        let walked = self.walked_seconds(seconds, options);
        let parts = self.form(walked, seed, options).parts.into_iter().map(|part| Part {
            letter: (b'A' + part.letter as u8).into(),
            start_seconds: part.from_seconds / options.tempo,
        });
        let piece = self.played(sounds, placed, walked, options, interrupted)?;
        Ok(piece.with_parts(parts.collect()))
    }

    /// `piece`, a piece of this composer's, with the part between two times composed anew from another
    /// `seed`; the rest stays as it is. The options have to be those of the piece.
    ///
    /// A request to stop ([`interrupt`]) takes what was found so far.
    ///
    /// # Errors
    /// As [`compose`](Self::compose); [`Error::Argument`] for a piece that was not made from grains
    /// or a part that it does not have.
    pub fn recompose(
        &self,
        piece: &Piece,
        part_seconds: Range<f64>,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let _job = interrupt::begin()?;
        options.check_for(self.pool.own_songs().len(), self.pool.guest().is_some())?;
        let length = piece.audio().duration_seconds();
        let inside = 0.0 <= part_seconds.start
            && part_seconds.start < part_seconds.end
            && part_seconds.end <= length + 0.01;
        if !inside {
            let expected = format!("a part of the piece: between 0 and {length:.1} s");
            return Err(Error::argument("part_seconds", expected, format!("{part_seconds:?}")));
        }
        self.check_own(piece)?;
        let seconds = length * options.tempo;
        let part = (part_seconds.start * options.tempo, part_seconds.end * options.tempo);
        let terrain = self.terrain(seconds, seed, options)?;
        let mut guard = CopyGuard::new(&self.pool, options);
        let placed =
            phrases::recompose(&terrain, &mut guard, piece.placed(), part, seed, progress)?;
        let mut sounds = Sounds::for_one(&self.pool);
        let anew = self.played(&mut sounds, placed, seconds, options, false)?;
        Ok(anew.with_parts(piece.parts().to_vec()))
    }

    /// Which grains [`compose`](Self::compose) would place where, before the tempo is changed.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible length or impossible options.
    pub fn walk(
        &self,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Vec<Placed>> {
        let _job = interrupt::begin()?;
        self.check(seconds, options)?;
        let mut guard = CopyGuard::new(&self.pool, options);
        self.walk_guarded(&mut guard, seconds, seed, options, progress)
    }

    /// As [`walk`](Self::walk), kept from copies by `guard`.
    pub(super) fn walk_guarded(
        &self,
        guard: &mut CopyGuard,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Vec<Placed>> {
        let seconds = self.walked_seconds(seconds, options);
        let terrain = self.terrain(seconds, seed, options)?;
        let walk = Walk::begin(&terrain, phrases::random(seed, 0, 0))?;
        phrases::compose(&terrain, guard, walk, (seconds, seed), progress)
    }

    /// Whether a piece of `seconds` can be made with `options`.
    pub(super) fn check(&self, seconds: f64, options: &GrainOptions) -> Result<()> {
        check_length(seconds)?;
        options.check_for(self.pool.own_songs().len(), self.pool.guest().is_some())
    }

    /// What the network expected at every step of `piece`, a piece of this composer's.
    ///
    /// # Errors
    /// [`Error::Argument`] for a piece that was not made from grains.
    pub fn expectations(&self, piece: &Piece) -> Result<Vec<Expectation>> {
        let _job = interrupt::begin()?;
        self.check_own(piece)?;
        let options = GrainOptions::default();
        let terrain = self.terrain(piece.audio().duration_seconds(), 0, &options)?;
        expectations(&terrain, piece.placed())
    }

    fn check_own(&self, piece: &Piece) -> Result<()> {
        let known = |place: &Placed| self.pool.grain_of(place.candidate) < self.pool.grains().len();
        if !piece.placed().is_empty() && piece.placed().iter().all(known) {
            return Ok(());
        }
        Err(Error::argument("piece", "a piece by this composer", "a piece that was made otherwise"))
    }

    fn terrain<'a>(
        &'a self,
        seconds: f64,
        seed: u64,
        options: &'a GrainOptions,
    ) -> Result<Terrain<'a>> {
        let form = self.form(seconds, seed, options);
        Terrain::new(&self.pool, &self.network, options, form, seed)
    }

    /// The form of a walk of `seconds`.
    fn form(&self, seconds: f64, seed: u64, options: &GrainOptions) -> Form {
        let shares = options.shares_of(self.pool.own_songs().len());
        let mut random = phrases::random(seed, usize::from(u16::MAX), usize::from(u16::MAX));
        Form::plan(&self.pool, shares.as_deref(), (seconds, seed), &mut random)
    }

    /// How long a walk is for a piece of `seconds`.
    fn walked_seconds(&self, seconds: f64, options: &GrainOptions) -> f64 {
        let before = match (options.opening, self.pool.guest()) {
            (Opening::Continue, Some(guest)) => guest.duration_seconds,
            _ => 0.0,
        };
        before + seconds * options.tempo
    }

    /// The sound of placed grains; `seconds` long before the tempo is changed, or as long as what
    /// was placed where it was interrupted. The request that did so has been heard.
    fn played(
        &self,
        sounds: &mut Sounds,
        placed: Vec<Placed>,
        seconds: f64,
        options: &GrainOptions,
        interrupted: bool,
    ) -> Result<Piece> {
        let _heard = interrupt::heard();
        let (Some(first), Some(last)) = (placed.first(), placed.last()) else {
            return Err(Error::Interrupted("before the first grain was placed".into()));
        };
        let length = if interrupted {
            let grain = self.pool.grain_of(last.candidate);
            (last.at_seconds + self.pool.grains()[grain].seconds()).min(seconds)
        } else {
            seconds
        };
        let (audio, mut joins) = render(&self.pool, sounds, &placed, length)?;
        let (channels, rate) = moved(audio, options)?;
        let frames = (length / options.tempo * f64::from(rate)).round() as usize;
        let audio = ended(channels, rate, frames)?;
        joins.iter_mut().for_each(|join| join.seconds /= options.tempo);
        let first = &self.pool.grains()[self.pool.grain_of(first.candidate)];
        let title = &self.pool.songs()[first.song].title;
        let of_song = &self.pool.songs()[first.song].grains;
        let origin = match options.opening {
            Opening::Beginning if self.pool.grains()[of_song.start] == *first => {
                format!("the beginning of {title}")
            }
            Opening::Beginning => format!("{title}, from {:.1} s", first.start_seconds),
            Opening::Continue => title.clone(),
            Opening::Tune => {
                let guest = self.pool.guest().map_or("", |guest| &guest.title);
                format!("the tune of {guest}")
            }
        };
        let words = (origin, self.network.to_string());
        let heard = self.pool.guest().filter(|_| options.opening != Opening::Beginning);
        let notes = heard.into_iter().flat_map(|guest| {
            guest.warnings.iter().map(|warning| format!("{}: {warning}", guest.source.name()))
        });
        let own = self.pool.own_songs().iter().map(|song| song.title.clone()).collect();
        Ok(Piece::from_grains(audio, words, placed, joins, own, interrupted).noted(notes))
    }

    /// The grains it composes from.
    pub fn pool(&self) -> &GrainPool {
        &self.pool
    }

    /// The network that learned their order.
    pub fn network(&self) -> &GrainNetwork {
        &self.network
    }

    /// How learning went.
    pub fn history(&self) -> &History {
        &self.history
    }
}

/// The channels and rate of `audio` at another tempo and pitch.
fn moved(audio: Audio, options: &GrainOptions) -> Result<(Vec<Vec<f32>>, u32)> {
    let rate = audio.sample_rate_hz();
    if options.tempo == 1.0 && options.transpose_semitones == 0 {
        return Ok((audio.channels().to_vec(), rate));
    }
    let channels = transposed(audio.channels(), rate, options.transpose_semitones)?;
    let mut channels = at_tempo(&channels, rate, options.tempo);
    // The vocoder may add to a peak.
    let peak = peak_of(&channels);
    if peak > 1.0 {
        channels.iter_mut().flatten().for_each(|sample| *sample /= peak);
    }
    Ok((channels, rate))
}
