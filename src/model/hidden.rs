//! The hidden states of a network over a sound.

use super::Network;
use crate::audio::Audio;
use crate::numbers::Numbers;
use crate::words::counted;
use crate::{Error, Result, interrupt};
use candle_core::{DType, Tensor};

/// What the recurrent layers of a network held after every block of a sound.
#[derive(Clone, Debug)]
pub struct HiddenStates {
    sound: Audio,
    layers: Vec<HiddenLayer>,
    steps: usize,
    step_seconds: f64,
}

/// What one recurrent layer held: its outputs before anything is added to them.
#[derive(Clone, Debug)]
pub struct HiddenLayer {
    /// The layer in words, "lstm 256".
    pub name: String,
    /// Numbers per block.
    pub units: usize,
    values: Numbers,
}

impl HiddenLayer {
    /// Block after block, `units` numbers each.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

impl HiddenStates {
    /// What was heard.
    pub fn sound(&self) -> &Audio {
        &self.sound
    }

    /// First layer to last.
    pub fn layers(&self) -> &[HiddenLayer] {
        &self.layers
    }

    /// How many blocks were heard.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The length of a block.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }
}

impl std::fmt::Display for HiddenStates {
    /// Of every layer: its mean size, how much of it is saturated (beyond ±0.95), and how many units
    /// never move.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let milliseconds = 1e3 * self.step_seconds;
        write!(f, "Hidden states over {} of {milliseconds:.0} ms", counted(self.steps, "block"))?;
        for (index, layer) in self.layers.iter().enumerate() {
            let count = layer.values.len() as f32;
            let mean = layer.values.iter().map(|v| v.abs()).sum::<f32>() / count;
            let saturated = layer.values.iter().filter(|v| v.abs() > 0.95).count() as f32 / count;
            let still = (0..layer.units).filter(|unit| {
                let mut values = layer.values.iter().skip(*unit).step_by(layer.units);
                let first = values.next().copied().unwrap_or_default();
                values.all(|value| (value - first).abs() < 0.01)
            });
            write!(
                f,
                "\nlayer {}: {}, mean size {mean:.2}, {:.0} % saturated, {} of {} still",
                index + 1,
                layer.name,
                100.0 * saturated,
                still.count(),
                counted(layer.units, "unit")
            )?;
        }
        Ok(())
    }
}

impl Network {
    /// Listens to a sound and keeps what every recurrent layer holds after each block.
    ///
    /// A network whose input includes its own output takes the sound in its place, as in training.
    ///
    /// # Errors
    /// [`Error::Data`] for a sound without samples or a network without recurrent layers, and what
    /// cutting the sound into blocks reports.
    pub fn hidden_states(&self, sound: &Audio) -> Result<HiddenStates> {
        let _job = interrupt::begin()?;
        let blocks = self.dataset_settings().blocks;
        let mut rows = blocks.spectra(sound)?;
        self.normaliser().apply(&mut rows)?;
        let steps = rows.len() / blocks.width();
        if steps == 0 {
            return Err(Error::Data("there is nothing to hear: the sound is empty".into()));
        }
        let input = Tensor::from_vec(rows, (1, steps, blocks.width()), self.device().candle())?;
        let outputs = self.layers().untracked().trunk().hidden(&self.join(&input, &input)?)?;
        if outputs.is_empty() {
            return Err(Error::Data("this network has no recurrent layers to look into".into()));
        }
        let layers: Result<Vec<HiddenLayer>> = outputs
            .iter()
            .zip(&self.config().layers)
            .map(|(output, layer)| {
                let values = output.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                let name = format!("{} {}", layer.cell, layer.units);
                Ok(HiddenLayer { name, units: layer.units, values: values.into() })
            })
            .collect();
        let (sound, layers, step_seconds) = (sound.clone(), layers?, blocks.block_seconds());
        Ok(HiddenStates { sound, layers, steps, step_seconds })
    }
}
