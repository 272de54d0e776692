//! Writes a small model file of each kind, and a checkpoint, into a folder: seeds for the fuzz target
//! `model_file`. They are of version 2, which has no checksum: behind one nothing would be tried.

use candle_core::{Device as Place, Tensor, Var};
use neural_composer::audio::Audio;
use neural_composer::dataset::codes::{CodeSettings, CodebookSettings};
use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
use neural_composer::features::{Blocks, SpectrumLayout, StftSettings};
use neural_composer::generate::{CodeLearning, GrainLearning, Learning, Model};
use neural_composer::model::{
    CodeNetwork, CodeNetworkConfig, Device, GrainNetwork, GrainNetworkConfig, Network,
    NetworkConfig, gru, lstm,
};
use neural_composer::train::{self, Checkpoints, Silent, Training};
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const KEY: &str = "neural-composer";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).ok_or("expected a folder")?;
    let folder = Path::new(&folder);
    let hum = |n: usize| 0.5 * (n as f32 * 0.2).sin() * (1.0 + (n / 4_000 % 2) as f32) / 2.0;
    let song = Audio::mono((0..40_000).map(hum).collect(), 8_000)?;
    blocks(&song, &folder.join("blocks"))?;
    let work = tempfile::tempdir()?;
    let source = work.path().join("song.wav");
    song.save(&source)?;
    grains(&source, &folder.join("grains"))?;
    codes(&source, &folder.join("codes"))
}

fn blocks(song: &Audio, path: &Path) -> Outcome<()> {
    let blocks = Blocks { sample_rate_hz: 1_000, block_samples: 8, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 4, stride_blocks: 4 };
    let data = Dataset::from_audio(&[("a hum".into(), song.clone())], settings)?;
    let config = NetworkConfig::stack(8, [gru(2).norm(), lstm(2).residual()]);
    let mut network = Network::new(config, &data, 1, &Device::cpu())?;
    let kept = tempfile::tempdir()?;
    let training = Training::epochs(1).batch(2).checkpoints(Checkpoints::in_folder(kept.path()));
    train::run(&mut network, &data, &training, &mut Silent)?;
    let checkpoint = kept.path().join("epoch-0002-batch-0000.safetensors");
    let (description, tensors) = parts(&checkpoint)?;
    write(&path.with_file_name("checkpoint"), description, &tensors)?;
    network.save(path)?;
    let (description, tensors) = parts(path)?;
    write(path, description, &tensors)
}

fn grains(song: &Path, path: &Path) -> Outcome<()> {
    let mut learning = GrainLearning::seeded(1);
    learning.training.descent.steps = 1;
    learned(song, Learning::Grains(learning), path)?;
    let (description, _) = parts(path)?;
    let mut config: GrainNetworkConfig = serde_json::from_value(description["network"].clone())?;
    (config.units, config.layers, config.query) = (2, 1, 2);
    let network = GrainNetwork::new(config.clone(), 1, &Device::cpu())?;
    shrink(path, &json!(config), network.variables(), song)
}

fn codes(song: &Path, path: &Path) -> Outcome<()> {
    let mut learning = CodeLearning::seeded(1);
    learning.blocks = CodeSettings {
        sample_rate_hz: 8_000,
        stft: StftSettings { window_samples: 1_024, hop_samples: 512 },
        frames_per_block: 1,
        components: 1,
        codebook: CodebookSettings { stages: 1, codes: 2, seed: 1 },
        ..CodeSettings::default()
    };
    learning.training.descent.steps = 1;
    learning.training.sequence_blocks = 8;
    learned(song, Learning::Codes(learning), path)?;
    let (description, _) = parts(path)?;
    let mut config: CodeNetworkConfig = serde_json::from_value(description["network"].clone())?;
    (config.units, config.layers) = (2, 1);
    let network = CodeNetwork::new(config.clone(), 1, &Device::cpu())?;
    shrink(path, &json!(config), network.variables(), song)
}

fn learned(song: &Path, learning: Learning, path: &Path) -> Outcome<()> {
    let learned = Model::learn(&[SongSource::File(song.into())], &learning, &mut Silent)?;
    Ok(learned.model.save(path)?)
}

/// What describes a model, and its tensors.
fn parts(path: &Path) -> Outcome<(Value, BTreeMap<String, Tensor>)> {
    let bytes = std::fs::read(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes)?;
    let described = header.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or("no words")?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Place::Cpu)?;
    Ok((serde_json::from_str(described)?, tensors.into_iter().collect()))
}

/// Puts a small network in place of the usual one.
fn shrink(
    path: &Path,
    network: &Value,
    variables: &BTreeMap<String, Var>,
    song: &Path,
) -> Outcome<()> {
    let (mut description, mut tensors) = parts(path)?;
    description["network"] = network.clone();
    // Not where it was made.
    let text = description.to_string().replace(&*song.to_string_lossy(), "song.wav");
    for (name, variable) in variables {
        tensors.insert(name.clone(), variable.as_tensor().clone());
    }
    let usual = |name: &str| name.contains("layer") || name.contains("recurrent");
    tensors.retain(|name, _| variables.contains_key(name) || !usual(name));
    write(path, serde_json::from_str(&text)?, &tensors)
}

/// A file as version 2 has it.
fn write(path: &Path, mut description: Value, tensors: &BTreeMap<String, Tensor>) -> Outcome<()> {
    description["format_version"] = 2.into();
    let metadata = HashMap::from([(KEY.to_owned(), description.to_string())]);
    Ok(std::fs::write(path, safetensors::serialize(tensors, Some(metadata))?)?)
}
