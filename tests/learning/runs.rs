//! Training, stopping, saving and composing, through the public interface.

use crate::notes;
use neural_composer::audio::Audio;
use neural_composer::dataset::Dataset;
use neural_composer::generate::{self, Seed};
use neural_composer::interrupt;
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm, simple_rnn};
use neural_composer::train::{
    self, Checkpoints, History, Observer, Position, Silent, Stop, Training,
};

fn data() -> Dataset {
    notes::notes(120, 64, 10, 5).unwrap()
}

pub fn network(data: &Dataset, seed: u64) -> Network {
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(24), gru(16), simple_rnn(24)]);
    Network::new(config, data, seed, &Device::cpu()).unwrap()
}

pub fn trained(data: &Dataset, settings: &Training) -> (Network, History) {
    let mut network = network(data, 3);
    let history = train::run(&mut network, data, settings, &mut Silent).unwrap();
    (network, history)
}

fn compose(network: &Network, seed: &Seed, seconds: f64) -> Audio {
    generate::blocks(network, seconds, seed, &mut |_, _| ()).unwrap().audio().clone()
}

#[test]
fn the_loss_falls_well_below_that_of_guessing_the_mean() {
    let data = data();
    let (network, history) = trained(&data, &Training::epochs(60).batch(4).learning_rate(3e-3));
    assert_eq!((history.epochs.len(), history.stop), (60, Stop::Finished));
    assert_eq!(network.updates(), 60 * data.len().div_ceil(4));
    // Normalised numbers have a mean square of 1: what always predicting the mean would cost.
    let last = history.epochs.last().unwrap().train_loss;
    assert!(last < 0.6, "{last}");
    assert!(last < history.epochs[0].train_loss);
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
    let data = data();
    let losses = |seed: u64| -> Vec<f64> {
        let (_, history) = trained(&data, &Training::epochs(3).batch(4).seed(seed));
        history.epochs.iter().map(|epoch| epoch.train_loss).collect()
    };
    assert_eq!(losses(1), losses(1));
    assert_ne!(losses(1), losses(2));
    let weights = |seed| {
        let network = network(&data, seed);
        network.variables()["dense_in.weight"].to_vec2::<f32>().unwrap()
    };
    assert_eq!(weights(5), weights(5));
    assert_ne!(weights(5), weights(6));
}

#[test]
fn validation_is_measured_on_sequences_kept_aside() {
    let (_, history) = trained(&data(), &Training::epochs(2).batch(4).validation(0.25));
    assert!(history.epochs.iter().all(|epoch| epoch.validation_loss.is_some_and(f64::is_finite)));
}

#[test]
fn early_stop_brings_the_best_parameters_back() {
    let data = data();
    // A rate at which the loss soon jumps about.
    let settings = Training::epochs(400).batch(4).learning_rate(0.05).validation(0.25).patience(3);
    let (network, history) = trained(&data, &settings);
    assert_eq!(history.stop, Stop::Early);
    let best = history.best().unwrap();
    assert_eq!(history.epochs.len(), best.epoch + 3);
    let (_, validation) = data.split(0.25).unwrap();
    let mut sum = 0.0;
    for batch in data.batches(&validation, 1, None).on(&candle_core::Device::Cpu) {
        let batch = batch.unwrap();
        let (predicted, _) = network.forward(&batch.inputs, None).unwrap();
        let loss = candle_nn::loss::mse(&predicted, &batch.targets).unwrap();
        sum += f64::from(loss.to_scalar::<f32>().unwrap());
    }
    let again = sum / validation.len() as f64;
    assert!((again - best.validation_loss.unwrap()).abs() < 1e-4, "{again} {best:?}");
}

/// Asks to stop after some batches.
struct Stopper(usize, interrupt::Handle);

impl Observer for Stopper {
    fn batch(&mut self, _: &History, position: &Position) {
        assert!(position.remaining_seconds().is_finite());
        if position.batches_done() == self.0 {
            self.1.request();
        }
    }
    fn epoch(&mut self, _: &History, _: &Position) {}
}

#[test]
fn stop_ends_after_the_running_batch_and_keeps_what_was_learnt() {
    let data = data();
    let mut network = network(&data, 3);
    let per_epoch = data.len().div_ceil(4);
    let settings = Training::epochs(1_000).batch(4);
    let stop = interrupt::Handle::new();
    let mut stopper = Stopper(per_epoch + 2, stop.clone());
    let run = || train::run(&mut network, &data, &settings, &mut stopper);
    let history = stop.during(run).unwrap();
    assert_eq!((history.stop, history.epochs.len()), (Stop::Interrupted, 1));
    assert_eq!(network.updates(), per_epoch + 2);
    // The next training is not stopped by the old request.
    let history = train::run(&mut network, &data, &Training::epochs(1), &mut Silent).unwrap();
    assert_eq!(history.stop, Stop::Finished);
}

#[test]
fn a_saved_network_composes_the_same_samples() {
    let data = data();
    let (network, _) = trained(&data, &Training::epochs(5).batch(4));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.safetensors");
    network.save(&path).unwrap();
    let loaded = Network::load(&path, &Device::cpu()).unwrap();
    assert_eq!(loaded.config(), network.config());
    assert_eq!(loaded.updates(), network.updates());
    let seed = Seed::training(&data, 1).unwrap();
    assert_eq!(compose(&network, &seed, 0.5).channels(), compose(&loaded, &seed, 0.5).channels());
    // Weights lie in the file under PyTorch's names.
    let bytes = std::fs::read(&path).unwrap();
    let names = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in ["dense_in.weight", "recurrent.0.weight_ih_l0", "recurrent.2.bias_hh_l0"] {
        assert!(names.tensor(name).is_ok(), "{name}");
    }
}

#[test]
fn checkpoints_are_complete_models() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::in_folder(folder.path());
    let (network, _) = trained(&data, &Training::epochs(5).batch(4).checkpoints(checkpoints));
    let path = folder.path().join("epoch-0006-batch-0000.safetensors");
    assert_eq!(Network::load(&path, &Device::cpu()).unwrap().updates(), network.updates());
}

#[test]
fn damaged_and_foreign_model_files_are_refused_with_their_name() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    network(&data, 1).save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let refused = |content: &[u8]| {
        let path = folder.path().join("other.safetensors");
        std::fs::write(&path, content).unwrap();
        let error = Network::load(&path, &Device::cpu()).unwrap_err().to_string();
        assert!(error.contains("other.safetensors"), "{error}");
        error
    };
    refused(b"");
    refused(b"not a model at all");
    refused(&bytes[..bytes.len() / 2]);
    refused(&bytes[..40]);
    let version = |to: &str| {
        let text = r#"\"format_version\":3"#;
        let at = bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[at + text.len() - 1] = to.as_bytes()[0];
        changed
    };
    assert!(refused(&version("7")).contains("version 7"));
    let foreign = safetensors::serialize(
        [(
            "x",
            candle_core::Tensor::zeros(2, candle_core::DType::F32, &candle_core::Device::Cpu)
                .unwrap(),
        )],
        None,
    )
    .unwrap();
    assert!(refused(&foreign).contains("no description"));
    assert!(Network::load(folder.path().join("missing"), &Device::cpu()).is_err());
}

#[test]
fn a_saving_that_fails_leaves_the_old_file_alone() {
    let data = data();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/model.safetensors");
    assert!(network(&data, 1).save(&missing).unwrap_err().to_string().contains("no/such/folder"));
}

#[test]
fn composing_block_by_block_equals_feeding_the_whole_sequence_again() {
    let data = data();
    let (network, _) = trained(&data, &Training::epochs(3).batch(4));
    let seed = data.sequence(2).unwrap().to_vec();
    let width = data.blocks().width();
    // The course's way: everything so far goes through the network for every new block.
    let mut rows = seed.clone();
    let mut composed = Vec::new();
    for _ in 0..6 {
        let steps = rows.len() / width;
        let input =
            candle_core::Tensor::from_slice(&rows, (1, steps, width), &candle_core::Device::Cpu)
                .unwrap();
        let (predicted, _) = network.forward(&input, None).unwrap();
        let last = predicted.narrow(1, steps - 1, 1).unwrap().flatten_all().unwrap();
        let last = last.to_vec1::<f32>().unwrap();
        rows.extend(&last);
        composed.extend(last);
    }
    network.normaliser().undo(&mut composed).unwrap();
    let expected = data.blocks().samples(&composed).unwrap();
    // Longer, for its end fades.
    let seconds = 12.0 * data.blocks().block_seconds();
    let ours = compose(&network, &Seed::sequence(&data, 2).unwrap(), seconds);
    assert_eq!(ours.frames(), 2 * expected.len());
    // Where blocks meet, steps are spread over a quarter of a block.
    let block = data.blocks().block_samples;
    for (at, (a, b)) in ours.channels()[0].iter().zip(&expected).enumerate() {
        let from_border = (at % block).min(block - 1 - at % block);
        assert!(from_border < block / 4 || (a - b).abs() < 1e-4, "{at}: {a} {b}");
    }
}

#[test]
fn a_piece_has_exactly_the_length_asked_for_from_any_seed() {
    let data = data();
    let network = network(&data, 1);
    let hum = Audio::new(vec![vec![0.1; 4_410]; 2], 44_100).unwrap();
    for seed in [Seed::training(&data, 9).unwrap(), Seed::Silence, Seed::Audio(hum)] {
        for seconds in [0.001, 0.5, 1.2345] {
            let frames = (seconds * f64::from(notes::RATE_HZ)).round() as usize;
            assert_eq!(compose(&network, &seed, seconds).frames(), frames, "{seed:?}");
        }
    }
}

#[test]
fn stop_while_composing_returns_the_piece_so_far() {
    let data = data();
    let network = network(&data, 1);
    let stop = interrupt::Handle::new();
    let mut progress = |done: f64, _: f64| {
        if done > 0.0399 {
            stop.request();
        }
    };
    let compose = || generate::blocks(&network, 60.0, &Seed::Silence, &mut progress);
    let piece = stop.during(compose).unwrap();
    assert!(piece.was_interrupted());
    assert_eq!(piece.audio().frames(), 5 * 64);
}

#[test]
fn impossible_requests_are_refused_by_name() {
    let data = data();
    let mut net = network(&data, 1);
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
        let error = generate::blocks(&net, seconds, &Seed::Silence, &mut |_, _| ()).unwrap_err();
        assert!(error.to_string().contains("seconds"), "{error}");
    }
    for (settings, name) in [
        (Training::epochs(0), "epochs"),
        (Training::epochs(1).batch(0), "batch_size"),
        (Training::epochs(1).learning_rate(-1.0), "learning_rate"),
        (Training::epochs(1).learning_rate(f64::NAN), "learning_rate"),
        (Training::epochs(1).validation(1.5), "validation"),
        (Training::epochs(1).patience(0), "patience"),
    ] {
        let error = train::run(&mut net, &data, &settings, &mut Silent).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    for config in [NetworkConfig::stack(64, []), NetworkConfig::stack(64, [lstm(0)])] {
        assert!(Network::new(config, &data, 1, &Device::cpu()).is_err());
    }
    let other = NetworkConfig::stack(65, [lstm(4)]);
    assert!(Network::new(other, &data, 1, &Device::cpu()).unwrap_err().to_string().contains("64"));
    for name in ["tpu", "cuda:x", "cuda:99"] {
        assert!(name.parse::<Device>().unwrap_err().to_string().contains("cuda"), "{name}");
    }
}

#[test]
fn a_diverging_training_is_reported_not_returned() {
    let data = data();
    let mut network = network(&data, 1);
    let mut settings = Training::epochs(50).batch(4).learning_rate(1e30);
    settings.clip_norm = None;
    let error = train::run(&mut network, &data, &settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("learning rate"), "{error}");
}
