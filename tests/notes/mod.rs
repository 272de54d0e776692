//! Four notes in turn, each for ten blocks: something that can be learnt in a moment.

use neural_composer::Result;
use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};

pub const RATE_HZ: u32 = 8_000;

/// So many blocks of the notes, in sequences of `sequence_blocks` that begin every `stride_blocks`.
pub fn notes(
    blocks_in_all: usize,
    block_samples: usize,
    sequence_blocks: usize,
    stride_blocks: usize,
) -> Result<Dataset> {
    let blocks = Blocks { sample_rate_hz: RATE_HZ, block_samples, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks, stride_blocks };
    let sample = |i: usize| {
        let hz = [250., 500., 375., 625.][i / (10 * block_samples) % 4];
        (std::f32::consts::TAU * hz * i as f32 / RATE_HZ as f32).sin() * 0.5
    };
    let audio = Audio::mono((0..block_samples * blocks_in_all).map(sample).collect(), RATE_HZ)?;
    Dataset::from_audio(&[("notes".into(), audio)], settings)
}
