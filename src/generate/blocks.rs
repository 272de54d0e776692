//! Composing block by block, the course's method.

use super::ending::ended;
use super::{Piece, Seed};
use crate::dataset::{Dataset, DatasetSettings, SongSource};
use crate::model::{Activation, Continuation, Device, LayerConfig, Network, NetworkConfig};
use crate::train::{self, History, Observer, Training};
use crate::{Error, Result, interrupt};
use candle_core::Tensor;

/// How a network of blocks learns from songs.
pub struct BlockLearning {
    /// How songs become sequences of blocks.
    pub dataset: DatasetSettings,
    /// The recurrent layers, first to last.
    pub layers: Vec<LayerConfig>,
    /// What follows the dense layer in front.
    pub dense_activation: Activation,
    /// Whether half of the input is the network's previous output.
    pub recurrent_input: bool,
    /// How to train, once it is known how much there is to learn from.
    pub training: TrainingFor,
    /// Decides the network's parameters before training.
    pub seed: u64,
    /// Where to compute.
    pub device: Device,
}

/// Says how to train on a dataset.
pub type TrainingFor = Box<dyn Fn(&Dataset) -> Result<Training>>;

impl BlockLearning {
    /// Makes a dataset of songs, and a network, and trains it.
    ///
    /// A request to stop ([`interrupt`]) while it trains leaves the network as it is then.
    ///
    /// # Errors
    /// What [`Dataset::of`], [`Network::new`] and [`train::run`] report.
    pub fn learn(
        &self,
        songs: &[SongSource],
        observer: &mut dyn Observer,
    ) -> Result<(Network, Dataset, History)> {
        let _job = interrupt::begin()?;
        let preparing = &mut |done, songs| observer.preparing(done, songs);
        let data = Dataset::with_progress(songs, self.dataset, preparing)?;
        let (network, history) = self.learn_data(&data, observer)?;
        Ok((network, data, history))
    }

    /// As [`learn`](Self::learn), from a dataset that was made before.
    ///
    /// # Errors
    /// What [`Network::new`] and [`train::run`] report.
    pub fn learn_data(
        &self,
        data: &Dataset,
        observer: &mut dyn Observer,
    ) -> Result<(Network, History)> {
        let mut config = NetworkConfig::stack(data.blocks().width(), self.layers.clone())
            .dense_activation(self.dense_activation);
        config.recurrent_input = self.recurrent_input;
        let mut network = Network::new(config, data, self.seed, &self.device)?;
        let history = train::run(&mut network, data, &(self.training)(data)?, observer)?;
        Ok((network, history))
    }
}

/// The longest piece that is made in one go, six hours: beyond it, a slip of the keyboard is likelier.
const MAX_SECONDS: f64 = 6.0 * 3600.0;

/// Composes `seconds` of sound: `network` takes in `start`, then goes on from its own predictions.
///
/// `progress` is told (seconds done, seconds in all) after every block. A request to stop
/// ([`interrupt`]) ends it after the running block: the piece is as long as what was done.
///
/// # Errors
/// [`Error::Argument`] for an impossible length or a seed of another width;
/// [`Error::Data`] when the network's output is not a number;
/// [`Error::Interrupted`] when it was stopped before the first block.
pub fn blocks(
    network: &Network,
    seconds: f64,
    start: &Seed,
    progress: &mut dyn FnMut(f64, f64),
) -> Result<Piece> {
    let _job = interrupt::begin()?;
    check_length(seconds)?;
    let blocks = network.dataset_settings().blocks;
    let (width, count) = (blocks.width(), blocks.count_for(seconds));
    let device = network.device().candle();

    let seed_rows = start.rows_for(network)?;
    let steps = seed_rows.len() / width;
    let input = Tensor::from_vec(seed_rows, (1, steps, width), device)?;
    let (predicted, state) = network.predict(&network.join(&input, &input)?, None)?;
    let block = predicted.narrow(1, steps - 1, 1)?.contiguous()?;

    // The seed, many steps at once, is done soonest with the weights as they are; single steps are not.
    let mut continuation = Continuation::new(network, block, state)?;
    let mut rows: Vec<f32> = Vec::with_capacity(count * width);
    for done in 1..=count {
        rows.extend(continuation.block()?);
        progress(blocks.block_seconds() * done as f64, blocks.block_seconds() * count as f64);
        if done == count || interrupt::requested() {
            break;
        }
        continuation.step()?;
    }
    if rows.is_empty() {
        return Err(Error::Interrupted("before the first block was composed".into()));
    }
    if rows.iter().any(|number| !number.is_finite()) {
        return Err(Error::Data(
            "the network's output is not a number; its training diverged or its file is damaged: \
             train again with a lower learning rate"
                .into(),
        ));
    }
    network.normaliser().undo(&mut rows)?;
    let mut samples = blocks.samples(&rows)?;
    soften_borders(&mut samples, blocks.block_samples);
    let interrupted = samples.len() < count * blocks.block_samples;
    let wanted = (seconds * f64::from(blocks.sample_rate_hz)).round() as usize;
    let frames = wanted.min(samples.len());
    let audio = ended(vec![samples], blocks.sample_rate_hz, frames)?;
    Ok(Piece::new(audio, (start.origin(), network.to_string()), interrupted))
}

/// Over so many samples to each side a step between blocks is spread.
const SPREAD: usize = 64;

/// Spreads steps between blocks that are larger than all within them, as far as they are: clicks.
fn soften_borders(samples: &mut [f32], block: usize) {
    let steps = samples.windows(2).enumerate();
    let within = steps.filter(|(at, _)| !(at + 1).is_multiple_of(block));
    let limit = within.fold(0f32, |most, (_, pair)| most.max((pair[1] - pair[0]).abs()));
    let reach = SPREAD.min(block / 4).max(1);
    for border in (block..samples.len()).step_by(block) {
        let step = samples[border] - samples[border - 1];
        let half = step.signum() * (step.abs() - limit).max(0.0) / 2.0;
        for distance in 0..reach.min(samples.len() - border) {
            let share = half * (1.0 - distance as f32 / reach as f32);
            samples[border + distance] -= share;
            samples[border - 1 - distance] += share;
        }
    }
}

/// Refuses a length that cannot be composed; a job checks it before it trains.
///
/// # Errors
/// [`Error::Argument`] outside 0 to six hours.
pub fn check_length(seconds: f64) -> Result<()> {
    if seconds.is_finite() && seconds > 0.0 && seconds <= MAX_SECONDS {
        return Ok(());
    }
    let expected = format!("a length above 0 and up to {MAX_SECONDS:.0} s");
    Err(Error::argument("seconds", expected, seconds))
}
