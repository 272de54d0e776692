//! The recurrent network that hears which points of a grid are beats.

use super::grid::BeatGrid;
use super::layers::{BothWays, Dense, Weights};
use crate::Result;
use std::sync::OnceLock;

/// A recurrent network that hears at what level to count: of each point of a [`BeatGrid`], whether it is a
/// beat, a downbeat, or neither.
///
/// A dense layer, then two of gated recurrent units that run both ways from point to point, as Krebs et al.
/// do over beats ("Downbeat tracking using beat-synchronous features and recurrent neural networks", 2016).
/// `benches/learn_metre.rs` is how its weights were learned.
///
/// The weights are those of PyTorch's layers, by its names; u = [`Self::UNITS`]:
///
/// | tensors | | shape |
/// |---|---|---|
/// | `dense.weight`, `.bias` | of a point, with tanh | (u, [`BeatGrid::INPUTS`]), (u) |
/// | `points.weight_ih_l0`, … `points.weight_ih_l1`, … | `nn.GRU(u, u, 2, bidirectional=True)` | (3u, u), … |
/// | `head.weight`, `.bias` | neither, beat, downbeat, before the softmax | (3, 2u), (3) |
///
/// ```
/// use neural_composer::audio::Audio;
/// use neural_composer::features::{BeatGrid, LogMel, MelSettings, MetreNetwork};
/// let silence = Audio::mono(vec![0.0; 44_100], 22_050)?;
/// let grid = BeatGrid::of(&LogMel::of(&silence, MelSettings::default())?)?;
/// let heard = MetreNetwork::shipped()?.hear(&grid);
/// assert_eq!(heard.len(), grid.times_seconds().len());
/// # Ok::<(), neural_composer::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetreNetwork {
    dense: Dense,
    points: Vec<BothWays>,
    head: Dense,
}

impl MetreNetwork {
    /// Units of the dense layer, and of the recurrent layers each way.
    pub const UNITS: usize = 32;
    /// What a point may be: neither, a beat, a downbeat.
    pub const KINDS: usize = 3;

    /// The network whose weights come with the library.
    ///
    /// # Errors
    /// None: the weights are part of the library, and a test reads them.
    pub fn shipped() -> Result<&'static Self> {
        static NETWORK: OnceLock<MetreNetwork> = OnceLock::new();
        if let Some(network) = NETWORK.get() {
            return Ok(network);
        }
        let network = Self::from_safetensors(include_bytes!("metre.safetensors"))?;
        Ok(NETWORK.get_or_init(|| network))
    }

    /// A network of the weights in a `.safetensors` file's bytes.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for bytes that are no such file, or tensors that are missing, of
    /// another shape, or not of 32-bit numbers.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let weights = Weights::read(bytes, "metre network")?;
        let units = Self::UNITS;
        Ok(Self {
            dense: weights.dense("dense", BeatGrid::INPUTS, units)?,
            points: vec![
                weights.both_ways("points.*_l0", units, units)?,
                weights.both_ways("points.*_l1", 2 * units, units)?,
            ],
            head: weights.dense("head", 2 * units, Self::KINDS)?,
        })
    }

    /// The probabilities of each point's being neither, a beat, or a downbeat.
    pub fn hear(&self, grid: &BeatGrid) -> Vec<[f32; Self::KINDS]> {
        let mut heard = self.dense.bounded(grid.input());
        for layer in &self.points {
            heard = layer.forward(&heard);
        }
        let values = self.head.forward(&heard);
        values.as_chunks().0.iter().map(|point| softmax(*point)).collect()
    }
}

fn softmax(values: [f32; MetreNetwork::KINDS]) -> [f32; MetreNetwork::KINDS] {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = values.map(|value| (value - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}
