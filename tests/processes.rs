//! One training over several processes: the same losses as in one.
//!
//! Most of it is tried with threads in place of processes; commands under `mpirun` are in
//! `tests/mpirun.rs`.

mod group;
mod stops;
mod tunes;

use group::each_of;
use stops::stopped_after;
use tunes::tune;

use neural_composer::Result;
use neural_composer::dataset::codes::CodebookSettings;
use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::generate::{CodeLearning, GrainLearning, Learning, Model};
use neural_composer::prelude::*;
use neural_composer::processes::Processes;
use neural_composer::train::loss::Loss;
use neural_composer::train::optimizer::{AdamW, Rule};
use neural_composer::train::{self, Checkpoints, Descent, Observer, Recompute, Silent, Stop};
use std::collections::BTreeMap;

/// As near as the losses of several processes are to those of one.
const NEAR: f64 = 1e-5;

fn data() -> Dataset {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 24, stride_blocks: 7 };
    Dataset::from_audio(&[("tune".into(), tune(1.5, 8_000))], settings).unwrap()
}

fn network(data: &Dataset) -> Network {
    let layers = [lstm(20), gru(16).norm(), gru(16).residual()];
    let config = NetworkConfig::stack(data.blocks().width(), layers);
    Network::new(config, data, 1, &Device::cpu()).unwrap()
}

/// The losses, and the parameters to the bit.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    losses: Vec<(f64, Option<f64>)>,
    parameters: Vec<u32>,
}

impl Outcome {
    fn of(history: &train::History, variables: &BTreeMap<String, candle_core::Var>) -> Self {
        let bits = |v: &candle_core::Var| v.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let losses = history.epochs.iter().map(|epoch| (epoch.train_loss, epoch.validation_loss));
        Self {
            losses: losses.collect(),
            parameters: variables.values().flat_map(bits).map(f32::to_bits).collect(),
        }
    }

    fn of_model(model: &Model, history: &train::History) -> Self {
        match model {
            Model::Grains(composer) => Self::of(history, composer.network().variables()),
            Model::Codes(composer) => Self::of(history, composer.network().variables()),
            Model::Blocks(network) => Self::of(history, network.variables()),
        }
    }

    fn is_near(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= NEAR * b.abs().max(1.0);
        let pairs = self.losses.iter().zip(&other.losses);
        self.losses.len() == other.losses.len()
            && pairs.into_iter().all(|(a, b)| {
                near(a.0, b.0)
                    && a.1.is_some() == b.1.is_some()
                    && a.1.zip(b.1).is_none_or(|(a, b)| near(a, b))
            })
    }
}

/// Trains over one process and over so many: they come to the same.
fn compare(case: &str, counts: &[usize], learn: impl Fn(Processes) -> Outcome + Sync) {
    let alone = learn(Processes::default());
    assert!(alone.losses.len() > 1, "{case}");
    for count in counts.iter().copied() {
        let all = each_of(count, &learn);
        for (rank, outcome) in all.iter().enumerate() {
            assert!(outcome == &all[0], "{case}: {rank} of {count} is not as the first");
        }
        let words = format!("{case}, {count}: {:?}, alone {:?}", all[0].losses, alone.losses);
        assert!(all[0].is_near(&alone), "{words}");
        assert!(each_of(count, &learn)[0] == all[0], "{case}: another run gives the same bytes");
    }
}

#[test]
fn networks_of_blocks_learn_the_same() {
    let data = data();
    let sequences = data.split(0.2).unwrap().0.len();
    // The last batch has fewer sequences than there are processes, where there are more than two.
    assert!((1..3).contains(&(sequences % 5)), "{sequences}");
    let all = Training::epochs(3).batch(5).seed(3).dropout(0.2).scheduled_sampling(0.6);
    let all = all.validation(0.2).rule(Rule::AdamW(AdamW::default()));
    let by = |layers, steps| all.clone().recompute(Recompute { layers, steps });
    for (case, settings) in [
        ("plain", Training::epochs(3).batch(6).seed(3)),
        ("all at once", all.clone()),
        ("truncated", all.clone().truncate(10)),
        ("by layers", by(true, None)),
        ("by steps", by(false, Some(7))),
        ("by both, truncated", by(true, Some(4)).truncate(11)),
        ("spectral, one at a time", all.clone().batch(1).loss(Loss::Spectral { weight: 1.0 })),
    ] {
        compare(case, &[2, 3, 4], |processes| {
            let mut network = network(&data);
            let settings = Training { processes, ..settings.clone() };
            let history = train::run(&mut network, &data, &settings, &mut Silent).unwrap();
            Outcome::of(&history, network.variables())
        });
    }
}

fn drawn(descent: &mut Descent, processes: Processes) {
    (descent.steps, descent.steps_per_epoch, descent.batch_size) = (8, 4, 5);
    descent.validation = 0.2;
    descent.processes = processes;
}

#[test]
fn grains_and_codes_learn_the_same() {
    let songs = [SongSource::Audio { title: "tune".into(), audio: tune(24.0, 22_050) }];
    let learn = |learning: &Learning| {
        let learned = Model::learn(&songs, learning, &mut Silent).unwrap();
        Outcome::of_model(&learned.model, &learned.history)
    };
    compare("grains", &[3], |processes| {
        let mut learning = GrainLearning::seeded(3);
        drawn(&mut learning.training.descent, processes);
        learning.training.sequence_grains = 8;
        learn(&Learning::Grains(learning))
    });
    compare("codes", &[2], |processes| {
        let mut learning = CodeLearning::seeded(3);
        learning.blocks.codebook = CodebookSettings { stages: 2, codes: 32, seed: 3 };
        drawn(&mut learning.training.descent, processes);
        learning.training.sequence_blocks = 12;
        learning.training.scheduled_sampling = 0.8;
        learn(&Learning::Codes(learning))
    });
}

#[test]
fn a_stop_of_one_process_ends_all_after_the_same_batch_and_they_go_on_to_the_same_bytes() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let settings = Training::epochs(4).batch(5).seed(3).dropout(0.2);
    let train = |settings: &Training, observer: &mut dyn Observer| {
        let mut network = network(&data);
        let history = train::run(&mut network, &data, settings, observer).unwrap();
        (Outcome::of(&history, network.variables()), history.stop)
    };
    let whole =
        each_of(2, |processes| train(&Training { processes, ..settings.clone() }, &mut Silent).0);
    let in_folder = Checkpoints { every_seconds: 1e9, ..Checkpoints::in_folder(folder.path()) };
    let kept = settings.clone().checkpoints(in_folder);
    let stopped = each_of(2, |processes| {
        // Only the second one is asked.
        let batches = if processes.rank() == 1 { 6 } else { usize::MAX };
        let settings = Training { processes, ..kept.clone() };
        stopped_after(batches, |observer| train(&settings, observer))
    });
    assert!(stopped[0] == stopped[1] && stopped[0].1 == Stop::Interrupted, "{stopped:?}");
    let resume = Some(folder.path().to_path_buf());
    let gone_on = each_of(2, |processes| {
        train(&Training { processes, resume: resume.clone(), ..kept.clone() }, &mut Silent).0
    });
    assert!(gone_on == whole);
    // With another number of processes it goes on, too.
    let settings = Training { epochs: 5, resume, ..kept };
    let longer =
        each_of(3, |processes| train(&Training { processes, ..settings.clone() }, &mut Silent).0);
    assert_eq!(longer[0].losses.len(), 5);
}

#[test]
fn processes_with_other_songs_or_settings_are_refused() {
    let data = data();
    let seeds = each_of(2, |processes| {
        let mut network = network(&data);
        let settings = Training { seed: processes.rank() as u64, processes, ..Training::epochs(1) };
        train::run(&mut network, &data, &settings, &mut Silent)
    });
    for outcome in seeds {
        let words = outcome.unwrap_err().to_string();
        assert!(words.contains("same songs, settings and checkpoint: number 1 of 2"), "{words}");
    }
}

#[test]
fn a_loss_that_is_no_number_sends_all_back() {
    let data = data();
    let outcomes: Vec<Result<_>> = each_of(3, |processes| {
        let mut network = network(&data);
        let settings = Training { processes, clip_norm: None, ..Training::epochs(3).batch(5) };
        let settings = settings.learning_rate(1e30);
        train::run(&mut network, &data, &settings, &mut Silent).map(|history| history.notes)
    });
    let words = |outcome: &Result<Vec<String>>| match outcome {
        Ok(notes) => notes.join("; "),
        Err(error) => error.to_string(),
    };
    assert!(words(&outcomes[0]).contains("no numbers") || words(&outcomes[0]).contains("loss was"));
    assert!(outcomes.iter().all(|outcome| words(outcome) == words(&outcomes[0])), "{outcomes:?}");
}

#[test]
fn rows_are_dealt_out_evenly_and_each_once() {
    for all in 0..20 {
        for count in 1..7 {
            let parts = each_of(count, |processes| (processes.part(all), processes.share(all)));
            let rows: Vec<usize> = parts.iter().flat_map(|(part, _)| part.clone()).collect();
            assert_eq!(rows, (0..all).collect::<Vec<_>>(), "{all} over {count}");
            let lengths = || parts.iter().map(|(part, _)| part.len());
            assert!(lengths().max().unwrap() - lengths().min().unwrap() <= 1);
            let weights: f64 = parts.iter().map(|(_, share)| share.weight).sum();
            assert!(all == 0 || (weights - 1.0).abs() < 1e-12);
            assert!(all == 0 || parts.iter().all(|(_, share)| !share.rows.is_empty()));
        }
    }
}
