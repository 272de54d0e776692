//! Pieces from codes of overlapping spectra, one block after the other.

use super::copy_guard::CopyGuard;
use super::course::Course;
use crate::audio::peak_of;
use crate::dataset::SongSource;
use crate::dataset::codes::{BarPlace, CodeSettings, CodedSongs, input_row, input_width};
use crate::features::{GriffinLim, StftSettings};
use crate::generate::ending::ended;
use crate::generate::{Piece, check_length};
use crate::model::recurrent::State;
use crate::model::{CodeNetwork, CodeNetworkConfig, Device, Dropout};
use crate::train::{CodeTraining, History, Observer, code};
use crate::{Error, Result, interrupt};
use candle_core::Tensor;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// How a [`CodeComposer`] learns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CodeLearning {
    /// How songs become blocks of spectra.
    pub blocks: CodeSettings,
    /// How the network learns their order.
    pub training: CodeTraining,
}

impl CodeLearning {
    /// The usual way, with another seed for everything drawn at random.
    pub fn seeded(seed: u64) -> Self {
        let mut learning = Self::default();
        learning.blocks.codebook.seed = seed;
        learning.training.descent.seed = seed;
        learning
    }
}

/// How a [`CodeComposer`] draws.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeOptions {
    /// Above 1 unlikely codes are drawn more often than the network says, below 1 less often.
    /// Usual: 1.
    pub temperature: f64,
    /// Only so many of the likeliest codes are drawn from. Usual: 24.
    pub top: usize,
    /// The piece may follow a song in its own order for so long; then other codes are preferred.
    /// Usual: 1.
    pub longest_run_seconds: f64,
    /// How often the transform goes back and forth to find phases. Usual: 60.
    pub iterations: usize,
}

impl Default for CodeOptions {
    fn default() -> Self {
        Self { temperature: 1.0, top: 24, longest_run_seconds: 1.0, iterations: 60 }
    }
}

impl CodeOptions {
    fn check(&self) -> Result<()> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(Error::argument("temperature", "a number above 0", self.temperature));
        }
        if self.longest_run_seconds.is_nan() || self.longest_run_seconds <= 0.0 {
            let found = self.longest_run_seconds;
            return Err(Error::argument("longest_run_seconds", "a time above 0", found));
        }
        Error::refuse_zero([("top", self.top)])?;
        Ok(())
    }
}

/// Composes as the course did, from blocks of spectra, with what was learned since: windows that
/// overlap, compressed magnitudes, a distribution of codes at the output instead of a mean, training
/// on the network's own predictions, and phases found for the magnitudes ([`GriffinLim`]).
///
/// A piece goes through the course of its song, from the beginning to the end, at most three times as
/// fast; a shorter one through a part of it, which the seed decides.
///
/// ```no_run
/// use neural_composer::dataset::SongSource;
/// use neural_composer::generate::{CodeComposer, CodeLearning, CodeOptions};
/// use neural_composer::train::Silent;
/// let songs = [SongSource::File("prelude.mp3".into())];
/// let composer = CodeComposer::learn(&songs, &CodeLearning::default(), &mut Silent)?;
/// let piece = composer.compose(20.0, 1, &CodeOptions::default(), &mut |_, _| ())?;
/// piece.audio().save("new.wav")?;
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Debug)]
pub struct CodeComposer {
    blocks: Arc<CodedSongs>,
    network: CodeNetwork,
    history: History,
}

/// Blocks that are heard before the first one is drawn, about three seconds.
const HEARD_BLOCKS: usize = 32;
/// How many times as fast as the song a piece goes through its course, at most.
const FASTEST_COURSE: f64 = 3.0;
/// So near to where its course begins, as a share of the song, is what a piece goes on from.
const STARTS_WITHIN: f64 = 0.05;
/// What the logit of a code that would be a copy is lowered by.
const SHUNNED_BY: f32 = 9.0;

impl CodeComposer {
    /// Cuts songs into blocks and learns their order.
    ///
    /// A request to stop ([`interrupt`]) while it learns keeps what the network has learned.
    ///
    /// # Errors
    /// What [`CodedSongs::of`] and [`code`] report.
    pub fn learn(
        songs: &[SongSource],
        settings: &CodeLearning,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let _job = interrupt::begin()?;
        let blocks = Arc::new(CodedSongs::of(songs, settings.blocks.clone())?);
        Self::learn_coded(blocks, &settings.training, observer)
    }

    /// Learns from songs that are in codes already.
    ///
    /// # Errors
    /// What [`code`] reports.
    pub fn learn_coded(
        blocks: Arc<CodedSongs>,
        training: &CodeTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let book = blocks.codebook();
        let config =
            CodeNetworkConfig::usual(input_width(book.width()), book.stages(), book.codes());
        let descent = &training.descent;
        let mut network = CodeNetwork::new(config, descent.seed, &descent.device)?;
        let history = code(&mut network, &blocks, training, observer)?;
        Ok(Self { history, ..Self::from_parts(blocks, &network)? })
    }

    /// The composer of a network that has learned or is in training; on the processor they share its
    /// parameters.
    pub(crate) fn from_parts(blocks: Arc<CodedSongs>, network: &CodeNetwork) -> Result<Self> {
        let history = History::empty(network.device());
        // One block after the other, and the network is small: the processor is as fast as anything.
        Ok(Self { blocks, network: network.on(&Device::cpu())?, history })
    }

    /// What it learned from.
    pub fn blocks(&self) -> &CodedSongs {
        &self.blocks
    }

    /// What it learned with.
    pub fn network(&self) -> &CodeNetwork {
        &self.network
    }

    /// How learning went.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// A piece of `seconds`; the same `seed` gives the same piece. `progress` is told (seconds done,
    /// seconds in all).
    ///
    /// A request to stop ([`interrupt`]) ends it after the running block; the piece then is as long as
    /// it got.
    ///
    /// # Errors
    /// [`Error::Argument`] for an impossible length or impossible options; [`Error::Interrupted`] when
    /// it was stopped before there was anything to hear.
    pub fn compose(
        &self,
        seconds: f64,
        seed: u64,
        options: &CodeOptions,
        progress: &mut dyn FnMut(f64, f64),
    ) -> Result<Piece> {
        let _job = interrupt::begin()?;
        check_length(seconds)?;
        options.check()?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut writer = Writer::start(self, seconds, options, &mut random)?;
        let (song, origin) = (writer.song, writer.origin.clone());
        let block_seconds = self.blocks.block_seconds(song);
        // A block more than asked for: samples end at the middle of the last window.
        let count = (seconds / block_seconds).ceil() as usize + 1;
        let mut codes = Vec::with_capacity(count * self.blocks.codebook().stages());
        for done in 1..=count {
            let next = writer.next(&mut random)?;
            codes.extend(next);
            progress((done as f64 * block_seconds).min(seconds), seconds);
            if interrupt::requested() {
                break;
            }
        }
        let interrupted = interrupt::requested();
        let _heard = interrupt::heard();
        let settings = StftSettings {
            hop_samples: self.blocks.songs()[song].hop_samples(),
            ..self.blocks.settings().stft
        };
        let phases = GriffinLim::new(settings).seed(seed).iterations(options.iterations);
        let mut channels = phases.channels(&self.blocks.magnitudes(&codes, song)?)?;
        let rate = self.blocks.settings().sample_rate_hz;
        let frames = ((seconds * f64::from(rate)).round() as usize).min(channels[0].len());
        channels.iter_mut().for_each(|channel| channel.truncate(frames));
        let loudest = peak_of(&channels);
        if loudest > 1.0 {
            channels.iter_mut().flatten().for_each(|sample| *sample /= loudest);
        }
        let audio = ended(channels, rate, frames)?;
        Ok(Piece::new(audio, (origin, self.network.to_string()), interrupted))
    }
}

/// Draws block after block.
struct Writer<'a> {
    composer: &'a CodeComposer,
    options: &'a CodeOptions,
    song: usize,
    origin: String,
    state: Vec<State>,
    /// What the network made of all it heard: (1, units).
    hidden: Tensor,
    place: Option<BarPlace>,
    beats_per_block: f32,
    course: Course,
    guard: CopyGuard<'a>,
}

impl<'a> Writer<'a> {
    /// Hears some seconds of a song.
    fn start(
        composer: &'a CodeComposer,
        seconds: f64,
        options: &'a CodeOptions,
        random: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let blocks = &composer.blocks;
        let (stages, frames) = (blocks.codebook().stages(), blocks.settings().frames_per_block);
        let number = random.random_range(0..blocks.songs().len());
        let song = &blocks.songs()[number];
        let all = song.starts(stages) / frames;
        let heard = HEARD_BLOCKS.min(all.saturating_sub(1)).max(1);
        let room = all.saturating_sub(heard).max(1);
        // A piece goes through the song's course, as far as it can in its time.
        let block_seconds = blocks.block_seconds(number);
        let span = (FASTEST_COURSE * seconds / (all as f64 * block_seconds)).min(1.0);
        let begin = random.random_range(0.0..=1.0) * (1.0 - span);
        // It goes on from blocks near there, on a block's border, which is where the beat is.
        let before = |share: f64| (share * all as f64) as usize;
        let earliest = before(begin - STARTS_WITHIN).saturating_sub(heard);
        let latest = before(begin + STARTS_WITHIN);
        let first = random.random_range(earliest..=latest).min(room - 1) * frames;
        let codes: Vec<u32> = (0..heard)
            .flat_map(|step| song.codes_at(first + step * frames, stages))
            .copied()
            .collect();
        let rows = blocks.heard(&codes)?;
        let mut input = Vec::new();
        for (step, row) in rows.chunks_exact(blocks.codebook().width()).enumerate() {
            input_row(row, song.place_at(first + (step + 1) * frames), &mut input);
        }
        let width = composer.network.config().width;
        let device = composer.network.device().candle();
        let input = Tensor::from_vec(input, (1, heard, width), device)?;
        let (hidden, state) = composer.network.forward(&input, None, &Dropout::NONE)?;
        let from_seconds = (first / frames) as f64 * block_seconds;
        Ok(Self {
            composer,
            options,
            song: number,
            origin: format!("{}, from {from_seconds:.1} s", song.title),
            state,
            hidden: hidden.narrow(1, heard - 1, 1)?.flatten(0, 1)?.detach(),
            place: song.place_at(first + heard * frames),
            guard: CopyGuard::new(
                blocks,
                (options.longest_run_seconds / block_seconds).round() as usize,
            ),
            course: Course::new(blocks, begin, span * block_seconds / seconds),
            beats_per_block: song.beats_per_frame().unwrap_or(0.0) * frames as f32,
        })
    }

    /// The codes of the next block.
    fn next(&mut self, random: &mut ChaCha8Rng) -> Result<Vec<u32>> {
        let network = &self.composer.network;
        let device = network.device().candle();
        let mut drawn: Vec<Tensor> = Vec::new();
        let mut codes = Vec::new();
        for stage in 0..network.config().stages {
            let logits = network.logits(stage, &self.hidden, &drawn)?;
            let mut logits = logits.flatten_all()?.to_vec1::<f32>()?;
            if stage == 0 {
                self.course.lead(&mut logits);
                self.guard.shun(&mut logits, SHUNNED_BY);
            }
            let chosen = draw(&logits, self.options, random)?;
            if stage == 0 {
                self.guard.drawn(chosen);
            }
            codes.push(chosen);
            drawn.push(Tensor::from_vec(vec![chosen], 1, device)?);
        }
        self.place = self.place.map(|place| place.later(self.beats_per_block));
        let mut input = Vec::new();
        input_row(&self.composer.blocks.heard(&codes)?, self.place, &mut input);
        let input = Tensor::from_vec(input, (1, 1, network.config().width), device)?;
        let (hidden, state) = network.forward(&input, Some(&self.state), &Dropout::NONE)?;
        self.state = state;
        self.hidden = hidden.flatten(0, 1)?.detach();
        Ok(codes)
    }
}

/// One of the likeliest, by its likelihood.
fn draw(logits: &[f32], options: &CodeOptions, random: &mut ChaCha8Rng) -> Result<u32> {
    let mut order: Vec<(f32, u32)> =
        logits.iter().enumerate().map(|(code, logit)| (*logit, code as u32)).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(options.top);
    let largest = order.first().map_or(0.0, |first| first.0);
    let weight = |(logit, _): &(f32, u32)| (f64::from(logit - largest) / options.temperature).exp();
    order.choose_weighted(random, weight).map(|(_, code)| *code).map_err(|_| {
        Error::Data(
            "the network's output is not a number: it was trained badly or its file is damaged"
                .into(),
        )
    })
}
