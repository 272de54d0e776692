//! A training that was cut off goes on to the bit, for all three models; what cannot be gone on with is
//! refused by name; a loss that is no number sends training back once.

mod stops;
mod tunes;

use stops::{StopAfter, stopped_after};
use tunes::tune;

use candle_core::Tensor;
use neural_composer::audio::Audio;
use neural_composer::dataset::codes::CodebookSettings;
use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
use neural_composer::features::{Blocks, SpectrumLayout};
use neural_composer::generate::{CodeLearning, GrainLearning, Learning, Model};
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm};
use neural_composer::train::optimizer::{AdamW, RmsProp, Rule, Sgd};
use neural_composer::train::schedule::Schedule;
use neural_composer::train::{
    self, Checkpoints, History, InTraining, Observer, Position, Saved, Silent, Stop, Training,
};
use neural_composer::{Error, Result, interrupt};
use std::path::{Path, PathBuf};

fn data(hz: f32) -> Dataset {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 10, stride_blocks: 5 };
    let sample = |i: usize| {
        let hz = [hz, 2.0 * hz, 1.5 * hz, 2.5 * hz][i / 640 % 4];
        (std::f32::consts::TAU * hz * i as f32 / 8_000.0).sin() * 0.5
    };
    let audio = Audio::mono((0..64 * 120).map(sample).collect(), 8_000).unwrap();
    Dataset::from_audio(&[("notes".into(), audio)], settings).unwrap()
}

fn network(data: &Dataset) -> Network {
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(12), gru(8)]);
    Network::new(config, data, 3, &Device::cpu()).unwrap()
}

fn values(network: &Network) -> Vec<u32> {
    let all = network.variables().values();
    all.flat_map(|v| v.flatten_all().unwrap().to_vec1::<f32>().unwrap()).map(f32::to_bits).collect()
}

/// Every loss, to the bit; times are another matter.
fn losses(history: &History) -> Vec<[u64; 3]> {
    let bits = |e: &train::EpochRecord| {
        [e.train_loss, e.validation_loss.unwrap_or(0.0), e.learning_rate].map(f64::to_bits)
    };
    history.epochs.iter().map(bits).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_training_cut_off_anywhere_goes_on_to_the_bit() {
    let data = data(250.0);
    let plain = Training::epochs(4).batch(4).learning_rate(3e-3);
    let momentum = RmsProp { momentum: 0.5, ..RmsProp::default() };
    let plateau = Schedule::Plateau { patience: 1, factor: 0.5, floor: 0.01 };
    for settings in [
        plain.clone(),
        plain.clone().dropout(0.3).scheduled_sampling(0.5).rule(Rule::AdamW(AdamW::default())),
        plain.clone().validation(0.3).patience(1).learning_rate(0.2).schedule(plateau),
        plain.clone().rule(Rule::RmsProp(momentum)).truncate(4),
        plain.clone().schedule(Schedule::Cosine { warm_up: 3, steps: 24, floor: 0.1 }),
        plain.clone().rule(Rule::Sgd(Sgd::default())).batch(3),
    ] {
        let mut whole = network(&data);
        let history = train::run(&mut whole, &data, &settings, &mut Silent).unwrap();
        let batches = history.epochs.len() * data.len().div_ceil(settings.batch_size);
        let mut went_on = 0;
        for at in 1..batches {
            let folder = tempfile::tempdir().unwrap();
            let kept = settings.clone().checkpoints(Checkpoints::in_folder(folder.path()));
            let mut cut = network(&data);
            let run = |observer: &mut dyn Observer| train::run(&mut cut, &data, &kept, observer);
            let first = stopped_after(at, run).unwrap();
            if first.stop != Stop::Interrupted {
                continue;
            }
            went_on += 1;
            let left = train::kept_training(folder.path()).unwrap();
            assert!(!left.done);
            assert_eq!(left.epochs, first.epochs.len(), "{settings:?}, after {at} batches");
            // A fresh network, as a fresh process has it.
            let mut again = network(&data);
            let resumed = Training { resume: Some(folder.path().into()), ..kept.clone() };
            let second = train::run(&mut again, &data, &resumed, &mut Silent).unwrap();
            assert_eq!(losses(&second), losses(&history), "{settings:?}, after {at} batches");
            assert_eq!(values(&again), values(&whole), "{settings:?}, after {at} batches");
            assert_eq!((second.stop, again.updates()), (history.stop, whole.updates()));
            assert_eq!(again.provenance().trainings.len(), 1);
            assert!(second.resumed.unwrap().contains("went on from"));
            assert!(train::kept_training(folder.path()).unwrap().done);
            // The file is the same, too.
            let files = ["whole", "again"].map(|name| folder.path().join(name));
            whole.save(&files[0]).unwrap();
            again.save(&files[1]).unwrap();
            let [whole, again] = files.map(|file| std::fs::read(file).unwrap());
            assert!(whole == again);
        }
        assert!(went_on > 5, "{settings:?}");
    }
}

fn learnings(checkpoints: &Option<Checkpoints>, resume: &Option<PathBuf>) -> [Learning; 2] {
    let mut grains = GrainLearning::seeded(3);
    grains.training.sequence_grains = 8;
    let mut codes = CodeLearning::seeded(3);
    codes.blocks.codebook = CodebookSettings { stages: 2, codes: 32, seed: 3 };
    codes.training.sequence_blocks = 12;
    for descent in [&mut grains.training.descent, &mut codes.training.descent] {
        (descent.steps, descent.steps_per_epoch, descent.batch_size) = (10, 4, 4);
        descent.validation = 0.2;
        descent.checkpoints = checkpoints.clone();
        descent.resume = resume.clone();
    }
    [Learning::Grains(grains), Learning::Codes(codes)]
}

fn parameters(model: &Model) -> Vec<u32> {
    let variables = match model {
        Model::Blocks(network) => network.variables(),
        Model::Grains(composer) => composer.network().variables(),
        Model::Codes(composer) => composer.network().variables(),
    };
    let all = variables.values();
    all.flat_map(|v| v.flatten_all().unwrap().to_vec1::<f32>().unwrap()).map(f32::to_bits).collect()
}

#[test]
fn grains_and_codes_go_on_to_the_bit_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tune.wav");
    tune(24.0, 22_050).save(&path).unwrap();
    let songs = [SongSource::File(path)];
    for kind in 0..2 {
        let learn = |checkpoints: &Option<Checkpoints>,
                     resume: &Option<PathBuf>,
                     observer: &mut dyn Observer| {
            Model::learn(&songs, &learnings(checkpoints, resume)[kind], observer)
        };
        let whole = learn(&None, &None, &mut Silent).unwrap();
        for at in [1, 4, 7, 9] {
            let place = folder.path().join(format!("{kind}-{at}"));
            let kept = Some(Checkpoints::in_folder(&place));
            let cut = stopped_after(at, |observer| learn(&kept, &None, observer)).unwrap();
            assert_eq!(cut.history.stop, Stop::Interrupted);
            let again = learn(&kept, &Some(place.clone()), &mut Silent).unwrap();
            assert_eq!(losses(&again.history), losses(&whole.history), "{kind}, after {at}");
            assert_eq!(parameters(&again.model), parameters(&whole.model), "{kind}, after {at}");
            // It is not taken for a model of which the songs are known.
            let checkpoint = place.join(&names(&place)[0]);
            let error = Model::load(&checkpoint, &Device::cpu()).unwrap_err().to_string();
            assert!(error.contains("--resume") && error.contains("epoch-"), "{error}");
        }
    }
}

#[test]
fn five_epochs_and_five_more_are_ten() {
    let data = data(250.0);
    let mut ten = network(&data);
    let history = train::run(&mut ten, &data, &Training::epochs(10).batch(4), &mut Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let five = Training::epochs(5).batch(4).checkpoints(Checkpoints::in_folder(folder.path()));
    train::run(&mut network(&data), &data, &five, &mut Silent).unwrap();
    assert_eq!(names(folder.path()), ["epoch-0006-batch-0000.safetensors"]);
    // The checkpoint is a network, and knows its settings.
    let path = folder.path().join("epoch-0006-batch-0000.safetensors");
    let mut more = Network::load(&path, &Device::cpu()).unwrap();
    let settings = Training::resume(folder.path()).unwrap();
    assert_eq!((settings.epochs, settings.batch_size), (5, 4));
    let settings = Training { epochs: 10, ..settings };
    let resumed = train::run(&mut more, &data, &settings, &mut Silent).unwrap();
    assert_eq!((losses(&resumed), values(&more)), (losses(&history), values(&ten)));
    // Fewer than are done is no training.
    let fewer = Training { epochs: 4, ..Training::resume(folder.path()).unwrap() };
    let error = train::run(&mut network(&data), &data, &fewer, &mut Silent).unwrap_err();
    assert!(matches!(&error, Error::Argument { name: "epochs", .. }), "{error}");
    assert!(error.to_string().contains("10 or more"), "{error}");
}

/// A folder with the checkpoint of a training that was stopped.
fn cut_off(data: &Dataset, settings: &Training) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let kept = settings.clone().checkpoints(Checkpoints::in_folder(folder.path()));
    let mut cut = network(data);
    stopped_after(7, |observer| train::run(&mut cut, data, &kept, observer)).unwrap();
    folder
}

#[test]
fn a_setting_that_would_change_the_result_is_refused_by_name() {
    let notes = data(250.0);
    let plain = Training::epochs(4).batch(4);
    let folder = cut_off(&notes, &plain);
    let resumed = |settings: Training| Training { resume: Some(folder.path().into()), ..settings };
    for (settings, name) in [
        (plain.clone().batch(5), "batch_size"),
        (plain.clone().learning_rate(0.5), "learning_rate"),
        (plain.clone().seed(2), "seed"),
        (plain.clone().dropout(0.1), "dropout"),
        (plain.clone().rule(Rule::AdamW(AdamW::default())), "rule"),
        (plain.clone().schedule(Schedule::WarmUp { steps: 9 }), "schedule"),
        (plain.clone().validation(0.2), "validation"),
        (plain.clone().truncate(5), "truncate_steps"),
        (plain.clone().scheduled_sampling(0.5), "scheduled_sampling"),
        (plain.clone().patience(3), "patience"),
        (plain.clone().clip_norm(3.0), "clip_norm"),
        (plain.clone().loss("mae".parse().unwrap()), "loss"),
    ] {
        let error = train::run(&mut network(&notes), &notes, &resumed(settings), &mut Silent);
        let error = error.unwrap_err();
        assert!(matches!(&error, Error::Argument { name: n, .. } if *n == name), "{name}: {error}");
    }
    let config = NetworkConfig::stack(notes.blocks().width(), [lstm(13)]);
    let mut wider = Network::new(config, &notes, 3, &Device::cpu()).unwrap();
    let error = train::run(&mut wider, &notes, &resumed(plain.clone()), &mut Silent).unwrap_err();
    assert!(matches!(&error, Error::Argument { name: "network", .. }), "{error}");
    // Another song of the same name.
    let others = data(300.0);
    let error = train::run(&mut network(&others), &others, &resumed(plain.clone()), &mut Silent);
    assert!(error.unwrap_err().to_string().contains("other recordings"));
    // What changes nothing is welcome.
    let settings = resumed(plain.recompute(train::Recompute::LAYERS));
    train::run(&mut network(&notes), &notes, &settings, &mut Silent).unwrap();
}

#[test]
fn what_is_no_good_checkpoint_is_refused_and_the_good_one_named() {
    let data = data(250.0);
    let plain = Training::epochs(4).batch(4);
    let folder = cut_off(&data, &plain);
    let good = folder.path().join(&names(folder.path())[0]);
    let bytes = std::fs::read(&good).unwrap();
    let bad = folder.path().join("epoch-0009-batch-0000.safetensors");
    let resume = |path: &Path| {
        let settings = Training { resume: Some(path.into()), ..plain.clone() };
        train::run(&mut network(&data), &data, &settings, &mut Silent)
    };
    let newer = {
        let text = br#"\"format_version\":3"#;
        let at = bytes.windows(text.len()).position(|w| w == text).unwrap();
        let mut changed = bytes.clone();
        changed[at + text.len() - 1] = b'9';
        changed
    };
    let mut flipped = bytes.clone();
    let middle = flipped.len() - 100;
    flipped[middle] ^= 1;
    for (content, fault) in [
        (bytes[..bytes.len() / 2].to_vec(), "cut short or damaged"),
        (flipped, "wrong checksum"),
        (newer, "version 9"),
        (b"RIFF, or what you like".to_vec(), "no readable safetensors"),
        (Vec::new(), "no readable safetensors"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let error = resume(&bad).unwrap_err().to_string();
        assert!(error.contains(fault), "{fault}: {error}");
        assert!(error.contains("epoch-0009") && error.contains("is good"), "{error}");
        assert!(error.contains(&*good.to_string_lossy()), "{error}");
        // Of a folder the newest good one is taken, and what is wrong with newer ones told.
        let history = resume(folder.path()).unwrap();
        assert!(history.notes.iter().any(|note| note.contains("epoch-0009")), "{history:?}");
    }
    std::fs::remove_file(&bad).unwrap();
    // A model is no checkpoint, and a folder may be empty.
    let model = folder.path().join("model.safetensors");
    network(&data).save(&model).unwrap();
    assert!(resume(&model).unwrap_err().to_string().contains("expected a checkpoint"));
    let empty = tempfile::tempdir().unwrap();
    assert!(resume(empty.path()).unwrap_err().to_string().contains("no checkpoint to go on from"));
    assert!(resume(&empty.path().join("missing")).is_err());
}

#[test]
fn what_is_kept_is_the_newest_the_best_and_nothing_that_is_not_ours() {
    let data = data(250.0);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("epoch-notes.txt"), "mine").unwrap();
    let every = Checkpoints { every_epochs: Some(1), ..Checkpoints::in_folder(folder.path()) };
    // So fast that the loss goes up sooner or later.
    let settings = Training::epochs(8).batch(4).learning_rate(0.3).checkpoints(every);
    let mut cut = network(&data);
    let batches = 7 * data.len().div_ceil(4) + 1;
    let run = |observer: &mut dyn Observer| train::run(&mut cut, &data, &settings, observer);
    let history = stopped_after(batches, run).unwrap();
    let best = history.best().unwrap().epoch;
    assert!(best < 6, "{history}");
    let best = format!("epoch-{:04}-batch-0000.safetensors", best + 1);
    let kept = names(folder.path());
    let newest = ["epoch-0008-batch-0000.safetensors", "epoch-0008-batch-0001.safetensors"];
    assert_eq!(kept, [&best, newest[0], newest[1], "epoch-notes.txt"]);
    // A training that starts over removes them once it has one of its own, and no sooner.
    let second = Training { seed: 9, ..settings };
    let mut over = network(&data);
    let run = |observer: &mut dyn Observer| train::run(&mut over, &data, &second, observer);
    stopped_after(1, run).unwrap();
    assert_eq!(names(folder.path()), ["epoch-0001-batch-0001.safetensors", "epoch-notes.txt"]);
}

#[test]
fn a_folder_that_takes_nothing_stops_no_training_and_is_told() {
    let data = data(250.0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let checkpoints = Checkpoints { every_seconds: 0.0, ..Checkpoints::in_folder(file.join("x")) };
    let settings = Training::epochs(3).batch(4).checkpoints(checkpoints);
    let mut kept = network(&data);
    let history = train::run(&mut kept, &data, &settings, &mut Silent).unwrap();
    assert_eq!((history.stop, history.notes.len()), (Stop::Finished, 1), "{history:?}");
    assert!(history.notes[0].contains("could not be written"), "{history:?}");
    let mut plain = network(&data);
    train::run(&mut plain, &data, &Training::epochs(3).batch(4), &mut Silent).unwrap();
    assert_eq!(values(&kept), values(&plain), "keeping changes nothing");
}

#[test]
fn the_last_checkpoint_of_an_early_stop_is_the_network_that_is_given() {
    let data = data(250.0);
    let folder = tempfile::tempdir().unwrap();
    let settings = Training::epochs(60).batch(4).learning_rate(0.3).validation(0.3).patience(2);
    let settings = settings.checkpoints(Checkpoints::in_folder(folder.path()));
    let mut stopped = network(&data);
    let history = train::run(&mut stopped, &data, &settings, &mut Silent).unwrap();
    assert_eq!(history.stop, Stop::Early);
    let path = folder.path().join(&names(folder.path())[0]);
    assert_eq!(values(&Network::load(&path, &Device::cpu()).unwrap()), values(&stopped));
    let mut again = network(&data);
    let resumed = Training { resume: Some(path), ..settings };
    let history = train::run(&mut again, &data, &resumed, &mut Silent).unwrap();
    assert_eq!((history.stop, values(&again)), (Stop::Early, values(&stopped)));
}

#[test]
fn epochs_that_are_begun_are_not_taken_back() {
    let data = data(250.0);
    let settings = Training::epochs(4).batch(4);
    let batches = data.len().div_ceil(4);
    let folder = tempfile::tempdir().unwrap();
    // In the middle of the third, in a folder of its own and in a shared one.
    for shared in [false, true] {
        let place = folder.path().join(shared.to_string());
        let checkpoints = Checkpoints { shared, ..Checkpoints::in_folder(&place) };
        let kept = settings.clone().checkpoints(checkpoints);
        let mut cut = network(&data);
        let run = |observer: &mut dyn Observer| train::run(&mut cut, &data, &kept, observer);
        stopped_after(2 * batches + 1, run).unwrap();
        let two = Training { epochs: 2, ..kept };
        let mut plain = network(&data);
        train::run(&mut plain, &data, &Training::epochs(2).batch(4), &mut Silent).unwrap();
        let mut shorter = network(&data);
        if shared {
            // What has gone further is not picked up.
            let history = train::run(&mut shorter, &data, &two, &mut Silent).unwrap();
            assert_eq!((history.epochs.len(), history.resumed), (2, None));
            assert_eq!(values(&shorter), values(&plain));
        } else {
            let resumed = Training { resume: Some(place), ..two };
            let error = train::run(&mut shorter, &data, &resumed, &mut Silent).unwrap_err();
            assert!(matches!(&error, Error::Argument { name: "epochs", .. }), "{error}");
            assert!(error.to_string().contains("3 or more"), "{error}");
        }
    }
}

#[test]
fn trainings_in_a_shared_folder_leave_each_other_alone() {
    let data = data(250.0);
    let folder = tempfile::tempdir().unwrap();
    let settings = Training::epochs(4).batch(4);
    let shared = Checkpoints::in_shared_folder(folder.path());
    let different = [
        settings.clone().schedule(Schedule::Step { every: 3, factor: 0.5 }),
        settings.clone().schedule(Schedule::Step { every: 3, factor: 0.7 }),
        settings.clone().schedule(Schedule::Linear { steps: 24, floor: 0.1 }),
        settings.seed(9),
    ];
    for settings in &different {
        let kept = settings.clone().checkpoints(shared.clone());
        let mut cut = network(&data);
        stopped_after(3, |observer| train::run(&mut cut, &data, &kept, observer)).unwrap();
    }
    assert_eq!(names(folder.path()).len(), different.len());
    for settings in different {
        let kept = settings.checkpoints(shared.clone());
        let history = train::run(&mut network(&data), &data, &kept, &mut Silent).unwrap();
        assert!(history.resumed.is_some());
    }
}

#[test]
fn any_time_between_checkpoints_is_possible() {
    let data = data(250.0);
    let folder = tempfile::tempdir().unwrap();
    for every_seconds in [0.0, 1e-300, 1e19, 1e300, f64::MAX] {
        let every = Checkpoints { every_seconds, ..Checkpoints::in_folder(folder.path()) };
        let settings = Training::epochs(1).batch(4).checkpoints(every);
        train::run(&mut network(&data), &data, &settings, &mut Silent).unwrap();
    }
}

/// Removes the folder, makes a parameter no number, or both, after some epochs.
struct Spoils {
    after: Vec<usize>,
    saved: usize,
    folder: Option<PathBuf>,
}

impl Observer for Spoils {
    fn batch(&mut self, _: &History, _: &Position) {}
    fn epoch(&mut self, _: &History, _: &Position) {}
    fn saved(&mut self, saved: &Saved<'_>) {
        assert!(saved.path.exists() || self.folder.is_some());
        self.saved += 1;
    }
    fn learned(&mut self, model: InTraining<'_>, history: &History) -> Result<()> {
        if self.after.first().is_none_or(|epoch| *epoch != history.epochs.len()) {
            return Ok(());
        }
        self.after.remove(0);
        if let Some(folder) = &self.folder {
            // A checkpoint may be written at this very moment.
            while std::fs::remove_dir_all(folder).is_err() && folder.exists() {}
        } else if let InTraining::Blocks(network) = model {
            let bias = &network.variables()["dense_out.bias"];
            bias.set(&Tensor::full(f32::NAN, bias.dims(), bias.device())?)?;
        }
        Ok(())
    }
}

#[test]
fn a_folder_that_is_removed_meanwhile_is_made_again() {
    let data = data(250.0);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let every = Checkpoints { every_epochs: Some(1), ..Checkpoints::in_folder(&folder) };
    let settings = Training::epochs(6).batch(4).checkpoints(every);
    let mut observer = Spoils { after: vec![3], saved: 0, folder: Some(folder.clone()) };
    let history = train::run(&mut network(&data), &data, &settings, &mut observer).unwrap();
    assert_eq!(history.stop, Stop::Finished);
    assert!(observer.saved > 3, "{}", observer.saved);
    assert_eq!(names(&folder), ["epoch-0007-batch-0000.safetensors"]);
}

#[test]
fn a_loss_that_is_no_number_sends_training_back_once() {
    let data = data(250.0);
    let settings = Training::epochs(9).batch(2).learning_rate(1e-3);
    let mut observer = Spoils { after: vec![4], saved: 0, folder: None };
    let mut healed = network(&data);
    let history = train::run(&mut healed, &data, &settings, &mut observer).unwrap();
    assert_eq!((history.stop, history.epochs.len()), (Stop::Finished, 9));
    assert_eq!((history.steps_back, history.notes.len()), (1, 1));
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [vec![1e-3; 4], vec![5e-4; 5]].concat());
    let note = &history.notes[0];
    for word in ["epoch 5, batch 1", "\"notes\"", "dense_out.bias", "end of epoch 4", "0.0005"] {
        assert!(note.contains(word), "{word}: {note}");
    }
    // The second time it ends there, with the network as it was.
    let mut observer = Spoils { after: vec![4, 6], saved: 0, folder: None };
    let mut ended = network(&data);
    let history = train::run(&mut ended, &data, &settings, &mut observer).unwrap();
    assert_eq!((history.stop, history.epochs.len(), history.steps_back), (Stop::Diverged, 6, 2));
    assert!(values(&ended).iter().all(|bits| f32::from_bits(*bits).is_finite()));
    assert!(history.to_string().contains("parameters of epoch 6"), "{history}");
    assert!(history.notes[1].contains("lower learning rate"), "{history:?}");
    // And what was healed goes on after it was cut off, with the lower rate.
    let folder = tempfile::tempdir().unwrap();
    let kept = settings.checkpoints(Checkpoints::in_folder(folder.path()));
    struct Both(Spoils, StopAfter);
    impl Observer for Both {
        fn batch(&mut self, history: &History, position: &Position) {
            self.1.batch(history, position);
        }
        fn epoch(&mut self, _: &History, _: &Position) {}
        fn learned(&mut self, model: InTraining<'_>, history: &History) -> Result<()> {
            self.0.learned(model, history)
        }
    }
    let stop = interrupt::Handle::new();
    let spoils = Spoils { after: vec![4], saved: 0, folder: None };
    let batches = 7 * data.len().div_ceil(2) - 3;
    let mut both = Both(spoils, StopAfter(batches, stop.clone()));
    stop.during(|| train::run(&mut network(&data), &data, &kept, &mut both)).unwrap();
    let mut again = network(&data);
    let resumed = Training { resume: Some(folder.path().into()), ..kept };
    let history = train::run(&mut again, &data, &resumed, &mut Silent).unwrap();
    assert_eq!((history.steps_back, values(&again)), (1, values(&healed)));
}
