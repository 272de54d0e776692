//! The recurrent network that hears beats and downbeats.

use super::layers::{BothWays, Dense, Weights};
use crate::compute::Real;
use crate::features::{LogMel, MelSettings};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::OnceLock;

/// A recurrent network that hears beats: for each frame of a [`LogMel`], two probabilities.
///
/// Gated recurrent units run both ways through the song, first frame by frame, then over means of
/// [`Self::SLOWER`] frames, to whom a bar is a short time; a dense layer puts what both heard together
/// (after Böck and Schedl, "Enhanced beat tracking with context-aware neural networks", 2011).
/// `benches/learn_beats.rs` is how its weights were learned.
///
/// The weights are those of PyTorch's layers, by its names; u = [`Self::UNITS`],
/// s = [`Self::SLOW_UNITS`]:
///
/// | tensors | | shape |
/// |---|---|---|
/// | `dense.weight`, `.bias` | of a frame, with tanh | (u, [`Self::INPUTS`]), (u) |
/// | `fast.weight_ih_l0`, …`_l0_reverse`, … | `nn.GRU(u, u, bidirectional=True)` | (3u, u), … |
/// | `slow.weight_ih_l0`, … `slow.weight_ih_l1`, … | `nn.GRU(2u, s, 2, bidirectional=True)` | (3s, 2u), … |
/// | `mix.weight`, `.bias` | of fast, then slow, with tanh | (u, 2u + 2s), (u) |
/// | `head.weight`, `.bias` | a beat, a downbeat, before the sigmoid | (2, u), (2) |
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{BeatNetwork, LogMel, MelSettings};
/// let silence = Audio::mono(vec![0.0; 44_100], 22_050)?;
/// let mel = LogMel::of(&silence, MelSettings::default())?;
/// let heard = BeatNetwork::shipped()?.hear(&mel)?;
/// assert_eq!(heard.beats.len(), mel.frames());
/// assert!(heard.downbeats.iter().all(|p| (0.0..=1.0).contains(p)));
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BeatNetwork {
    dense: Dense,
    fast: BothWays,
    slow: Vec<BothWays>,
    mix: Dense,
    head: Dense,
}

/// What a [`BeatNetwork`] heard: probabilities, one of each a frame.
#[derive(Clone, Debug)]
pub struct BeatProbabilities {
    /// Of a beat.
    pub beats: Vec<f32>,
    /// Of a downbeat.
    pub downbeats: Vec<f32>,
}

impl BeatProbabilities {
    /// Frames around one within which a beat that is meant to be there may be heard.
    const AROUND: usize = 2;

    /// The frames around one, of so many.
    pub(super) fn around(frame: usize, frames: usize) -> Range<usize> {
        frame.saturating_sub(Self::AROUND).min(frames)..(frame + Self::AROUND + 1).min(frames)
    }

    /// The largest of probabilities around a frame.
    pub(super) fn largest(probabilities: &[f32], frame: usize) -> f32 {
        let near = &probabilities[Self::around(frame, probabilities.len())];
        near.iter().copied().fold(0.0, f32::max)
    }

    /// Where the largest of probabilities around a frame is.
    pub(super) fn likeliest(probabilities: &[f32], frame: usize) -> usize {
        let near = Self::around(frame, probabilities.len());
        near.max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap_or(frame)
    }
}

/// Frames back with which a frame is compared: two, for windows reach over their neighbours.
const COMPARED_FRAMES: usize = 2;
/// Bands are not told apart below this much under the song's loudest.
const RANGE_DB: f32 = 80.0;

impl BeatNetwork {
    /// Numbers that describe a frame: the level of each of 64 bands, then its rise.
    pub const INPUTS: usize = 128;
    /// Units of the dense layers, and of the recurrent layer of frames each way.
    pub const UNITS: usize = 80;
    /// Units of the slow recurrent layers each way.
    pub const SLOW_UNITS: usize = 96;
    /// Frames that are one step to the slow layers.
    pub const SLOWER: usize = 4;

    /// The network whose weights come with the library.
    ///
    /// # Errors
    /// None: the weights are part of the library, and a test reads them.
    pub fn shipped() -> Result<&'static Self> {
        static NETWORK: OnceLock<BeatNetwork> = OnceLock::new();
        if let Some(network) = NETWORK.get() {
            return Ok(network);
        }
        let network = Self::from_safetensors(include_bytes!("weights.safetensors"))?;
        Ok(NETWORK.get_or_init(|| network))
    }

    /// A network of the weights in a `.safetensors` file's bytes.
    ///
    /// # Errors
    /// [`Error::Data`] for bytes that are no such file, or tensors that are missing, of another shape,
    /// or not of 32-bit numbers.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let weights = Weights::read(bytes, "beat network")?;
        let (units, slow) = (Self::UNITS, Self::SLOW_UNITS);
        Ok(Self {
            dense: weights.dense("dense", Self::INPUTS, units)?,
            fast: weights.both_ways("fast.*_l0", units, units)?,
            slow: vec![
                weights.both_ways("slow.*_l0", 2 * units, slow)?,
                weights.both_ways("slow.*_l1", 2 * slow, slow)?,
            ],
            mix: weights.dense("mix", 2 * units + 2 * slow, units)?,
            head: weights.dense("head", units, 2)?,
        })
    }

    /// What the network is given of `frames × 64` decibels: frames × [`Self::INPUTS`] numbers.
    ///
    /// The level of a band is in units of 20 dB against the loudest of all; its rise over two frames, in
    /// units of 10 dB, is 0 where it falls.
    pub fn input(db: &[f32], bands: usize) -> Vec<f32> {
        let loudest = db.iter().copied().fold(LogMel::FLOOR_DB, f32::max);
        let level = |db: f32| (db - loudest).max(-RANGE_DB);
        let mut input = Vec::with_capacity(2 * db.len());
        for (frame, row) in db.chunks_exact(bands).enumerate() {
            input.extend(row.iter().map(|db| level(*db) / 20.0 + 2.0));
            let before = &db[frame.saturating_sub(COMPARED_FRAMES) * bands..][..bands];
            input.extend(
                row.iter().zip(before).map(|(now, b)| (level(*now) - level(*b)).max(0.0) / 10.0),
            );
        }
        input
    }

    /// The probabilities of beats and downbeats in a song.
    ///
    /// # Errors
    /// [`Error::Argument`] for bands of other settings than [`MelSettings::default`], which it learned
    /// from.
    pub fn hear(&self, mel: &LogMel) -> Result<BeatProbabilities> {
        if mel.settings() != MelSettings::default() {
            return Err(Error::argument(
                "mel",
                "bands with MelSettings::default()",
                format!("{:?}", mel.settings()),
            ));
        }
        let frames = self.dense.bounded(&Self::input(mel.db(), mel.bands()));
        let fast = self.fast.forward(&frames);
        let width = 2 * Self::UNITS;
        let mut slow = means(&fast, width, Self::SLOWER);
        for layer in &self.slow {
            slow = layer.forward(&slow);
        }
        let slow: Vec<&[f32]> = slow.chunks_exact(2 * Self::SLOW_UNITS).collect();
        let both = fast
            .chunks_exact(width)
            .enumerate()
            .flat_map(|(frame, fast)| fast.iter().chain(slow[frame / Self::SLOWER]).copied());
        let heard = self.head.forward(&self.mix.bounded(&both.collect::<Vec<f32>>()));
        let of =
            |output: usize| heard.iter().skip(output).step_by(2).map(|v| v.sigmoid()).collect();
        Ok(BeatProbabilities { beats: of(0), downbeats: of(1) })
    }
}

/// The means of each `count` rows, at the end of those that are left.
fn means(rows: &[f32], width: usize, count: usize) -> Vec<f32> {
    let mean = |rows: &[f32]| {
        let mut mean = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let rows = (rows.len() / width) as f32;
        mean.iter_mut().for_each(|sum| *sum /= rows);
        mean
    };
    rows.chunks(count * width).flat_map(mean).collect()
}
