//! The same seed gives the same numbers, whatever the number of threads.

mod tunes;

use tunes::tune;

use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::CodebookSettings;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::generate::{CodeLearning, GrainLearning, Learning, Model, Options};
use neural_composer::model::recurrent::Cell;
use neural_composer::prelude::*;
use neural_composer::train::{self, Silent};

/// Numbers of threads, among them more than there are sequences in a batch.
const THREADS: [usize; 6] = [1, 2, 3, 5, 8, 40];

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn parameters(variables: &std::collections::BTreeMap<String, candle_core::Var>) -> Vec<u32> {
    let bits = |v: &candle_core::Var| v.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    variables.values().flat_map(bits).map(f32::to_bits).collect()
}

#[test]
fn networks_of_blocks_learn_the_same() {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 24, stride_blocks: 3 };
    let data = Dataset::from_audio(&[("tune".into(), tune(1.5, 8_000))], settings).unwrap();
    for cell in Cell::ALL {
        // Few sequences and many, weights that are shared and that are not.
        for (batch, units) in [(4, 200), (8, 140), (16, 96), (33, 160)] {
            let learn = || {
                let layer = LayerConfig { cell, ..lstm(units) };
                let config = NetworkConfig::stack(data.blocks().width(), [layer]);
                let mut network = Network::new(config, &data, 1, &Device::cpu()).unwrap();
                let training = Training::epochs(2).batch(batch).dropout(0.1).seed(3);
                train::run(&mut network, &data, &training, &mut Silent).unwrap();
                parameters(network.variables())
            };
            let one = with_threads(1, learn);
            for threads in THREADS {
                let same = with_threads(threads, learn) == one;
                assert!(same, "{cell:?}, batches of {batch}, {units} units, {threads} threads");
            }
        }
    }
}

#[test]
fn grains_and_codes_learn_and_compose_the_same() {
    let mut grains = GrainLearning::seeded(2);
    (grains.training.descent.steps, grains.training.descent.validation) = (4, 0.1);
    let mut codes = CodeLearning::seeded(2);
    codes.training.descent.steps = 4;
    codes.blocks.codebook = CodebookSettings { stages: 2, codes: 64, seed: 2 };
    let learn = |kind: usize| match kind {
        0 => Learning::Grains(grains.clone()),
        _ => Learning::Codes(codes.clone()),
    };
    for kind in [0, 1] {
        let make = || {
            let songs = [SongSource::Audio { title: "tune".into(), audio: tune(20.0, 22_050) }];
            let model = Model::learn(&songs, &learn(kind), &mut Silent).unwrap().model;
            let piece = model.compose(4.0, 1, &Options::default(), &mut |_, _| ()).unwrap();
            let samples = piece.audio().channels().concat();
            let sound: Vec<u32> = samples.into_iter().map(f32::to_bits).collect();
            match &model {
                Model::Grains(composer) => {
                    let expected = format!("{:?}", composer.expectations(&piece).unwrap());
                    (parameters(composer.network().variables()), sound, expected)
                }
                Model::Codes(composer) => {
                    (parameters(composer.network().variables()), sound, String::new())
                }
                Model::Blocks(_) => panic!("not learned here"),
            }
        };
        let one = with_threads(1, make);
        for threads in THREADS {
            let other = with_threads(threads, make);
            assert!(other.0 == one.0, "model {kind}: parameters with {threads} threads");
            assert!(other.1 == one.1, "model {kind}: the piece with {threads} threads");
            assert!(other.2 == one.2, "model {kind}: expectations with {threads} threads");
        }
    }
}

/// The names of a command's threads while it learned codes.
#[cfg(target_os = "linux")]
fn threads_of_a_command(candle_threads: Option<&str>) -> std::collections::BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    tune(6.0, 16_000).save(folder.path().join("tune.wav")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_neural-composer"));
    let line = "compose tune.wav --model codes --steps 4 --seconds 1 --seed 1 -o piece.wav";
    command.args(line.split(' ')).current_dir(&folder).env_remove("CANDLE_NUM_THREADS");
    if let Some(threads) = candle_threads {
        command.env("CANDLE_NUM_THREADS", threads);
    }
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let tasks = format!("/proc/{}/task", child.id());
    let mut names = std::collections::BTreeSet::new();
    let status = loop {
        let entries = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
        let said =
            entries.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.extend(said.map(|name| name.trim().to_owned()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success());
    names
}

#[cfg(target_os = "linux")]
#[test]
fn commands_have_no_threads_of_candle_unless_asked_for() {
    let candles = |name: &String| name.starts_with("candle-bp");
    let seen = threads_of_a_command(None);
    assert!(!seen.iter().any(candles), "{seen:?}");
    let asked_for = threads_of_a_command(Some("2"));
    assert!(asked_for.iter().any(candles), "{asked_for:?}");
}
