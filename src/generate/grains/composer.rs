use super::copy_guard::CopyGuard;
use super::join::render;
use super::options::GrainOptions;
use super::walk::{Draft, Placed, Walk};
use crate::dataset::grains::{GrainPool, GrainSettings, PHASES, SongSource};
use crate::generate::{Piece, check_length};
use crate::model::{Device, Pointer, PointerConfig};
use crate::train::{History, Observer, PointerTraining, point};
use crate::{Error, Result, interrupt};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// How a [`GrainComposer`] learns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GrainLearning {
    /// How songs become grains.
    pub grains: GrainSettings,
    /// How the network learns their order.
    pub training: PointerTraining,
}

impl GrainLearning {
    /// The usual way, with another seed for everything drawn at random.
    pub fn seeded(seed: u64) -> Self {
        let training = PointerTraining { seed, ..PointerTraining::default() };
        Self { training, ..Self::default() }
    }
}

/// Composes new pieces from the grains of songs.
///
/// ```no_run
/// use neural_composer::dataset::grains::SongSource;
/// use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions};
/// use neural_composer::train::Silent;
/// let songs = [SongSource::File("prelude.mp3".into())];
/// let composer = GrainComposer::learn(&songs, &GrainLearning::default(), &mut Silent)?;
/// let piece = composer.compose(30.0, 1, &GrainOptions::default(), &mut |_, _| ())?;
/// piece.audio().save("new.wav")?;
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug)]
pub struct GrainComposer {
    pool: Arc<GrainPool>,
    network: Pointer,
    history: History,
}

impl GrainComposer {
    /// Cuts songs into grains and learns their order.
    ///
    /// A request to stop ([`interrupt`]) while it learns leaves the network as it got.
    ///
    /// # Errors
    /// What [`GrainPool::of`] and [`point`] report.
    pub fn learn(
        songs: &[SongSource],
        settings: &GrainLearning,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        interrupt::clear();
        let pool = GrainPool::of(songs, settings.grains.clone(), &mut |_, _| ())?;
        Self::learn_pool(Arc::new(pool), &settings.training, observer)
    }

    /// Learns the order of grains that are cut already.
    ///
    /// # Errors
    /// What [`point`] reports.
    pub fn learn_pool(
        pool: Arc<GrainPool>,
        training: &PointerTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        // The network is small: the processor is as fast as anything.
        let config = PointerConfig::usual(pool.width(), PHASES);
        let mut network = Pointer::new(config, training.seed, &Device::cpu())?;
        let history = point(&mut network, &pool, training, observer)?;
        Ok(Self { pool, network, history })
    }

    /// A piece of `seconds`; the same `seed` gives the same piece. `progress` is told (seconds done,
    /// seconds in all).
    ///
    /// A request to stop ([`interrupt`]) ends it after the running grain; the piece then is as long
    /// as it got.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible length or impossible options; [`Error::Audio`] or
    /// [`Error::Io`] when a song's file is gone.
    pub fn compose(
        &self,
        seconds: f64,
        seed: u64,
        options: &GrainOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let placed = self.walk(seconds, seed, options, progress)?;
        let interrupted = interrupt::requested();
        interrupt::clear();
        let length = match placed.last() {
            Some(last) if interrupted => {
                let grain = self.pool.grain_of(last.candidate);
                (last.at_seconds + self.pool.grains()[grain].seconds()).min(seconds)
            }
            Some(_) => seconds,
            None => return Err(Error::Interrupted("before the first grain was placed".into())),
        };
        let (audio, joins) = render(&self.pool, &placed, length)?;
        let first = self.pool.grain_of(placed[0].candidate);
        let song = &self.pool.songs()[self.pool.grains()[first].song];
        let origin = format!("the beginning of {}", song.title);
        Ok(Piece::from_grains(audio, origin, self.network.to_string(), joins, interrupted))
    }

    /// Which grains [`compose`](Self::compose) would place where.
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
        check_length(seconds)?;
        options.check()?;
        interrupt::clear();
        let drafts = options.drafts;
        let mut guard = CopyGuard::new(&self.pool)?;
        let keys = Walk::keys(&self.pool, &self.network)?;
        let mut best: Option<Draft> = None;
        for draft in 0..drafts {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(draft as u64);
            let mut tell = |done: f64, all: f64| {
                progress((draft as f64 * all + done) / drafts as f64, all);
            };
            let shared = (&mut guard, keys.as_slice());
            let walk = Walk::new(&self.pool, &self.network, options, shared, seconds, random);
            let walked = walk.walk(seconds, &mut tell)?;
            // What was interrupted is better than nothing only.
            let better = best.as_ref().is_none_or(|best| walked.flaws < best.flaws);
            if better && (best.is_none() || !interrupt::requested()) {
                best = Some(walked);
            }
            if interrupt::requested() {
                break;
            }
        }
        Ok(best.map(|draft| draft.placed).unwrap_or_default())
    }

    /// The grains it composes from.
    pub fn pool(&self) -> &GrainPool {
        &self.pool
    }

    /// The network that learned their order.
    pub fn network(&self) -> &Pointer {
        &self.network
    }

    /// How learning went.
    pub fn history(&self) -> &History {
        &self.history
    }
}
