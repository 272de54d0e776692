//! Networks learn from a corpus what they learn from its songs, and nothing of it has to be in memory.

mod corpora;
mod songs;
mod stops;

use corpora::Chance;
use neural_composer::audio::{Audio, SampleFormat};
use neural_composer::corpus::{BuildSettings, Corpus};
use neural_composer::dataset::{Dataset, DatasetSettings, SongSource};
use neural_composer::features::Blocks;
use neural_composer::generate::Seed;
use neural_composer::model::{Device, Network, NetworkConfig};
use neural_composer::prelude::gru;
use neural_composer::train::{self, Checkpoints, History, Silent, Stop, Training};
use neural_composer::{Error, Result};
use songs::{command, names};
use std::path::{Path, PathBuf};
use stops::stopped_after;

/// Rates, seconds and channels: some are resampled, one is too short for a sequence.
const SONGS: [(&str, u32, f64, usize); 5] = [
    ("a/first.wav", 8_000, 5.0, 1),
    ("b.wav", 22_050, 4.2, 2),
    ("c.wav", 8_000, 0.3, 1),
    ("d.wav", 44_100, 3.7, 1),
    ("e.wav", 8_000, 6.1, 2),
];

fn write_songs(folder: &Path) {
    let mut chance = Chance(5);
    for (name, rate, seconds, channels) in SONGS {
        let frames = (f64::from(rate) * seconds) as usize;
        let mut voice = || -> Vec<f32> {
            let hz = 200.0 + 300.0 * chance.unit();
            let turn = std::f32::consts::TAU * hz / rate as f32;
            (0..frames).map(|n| 0.4 * (turn * n as f32).sin() + 0.1 * chance.unit()).collect()
        };
        let audio = Audio::new((0..channels).map(|_| voice()).collect(), rate).unwrap();
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        audio.save_as(path, SampleFormat::Int16).unwrap();
    }
}

fn settings() -> DatasetSettings {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, ..Blocks::fast() };
    DatasetSettings { blocks, sequence_blocks: 50, stride_blocks: 30 }
}

/// A folder of songs, and the corpus of it.
struct Songs {
    folder: tempfile::TempDir,
}

impl Songs {
    fn new() -> Self {
        let songs = Self { folder: tempfile::tempdir().unwrap() };
        write_songs(&songs.files());
        songs.build();
        songs
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("songs")
    }

    fn corpus(&self) -> PathBuf {
        self.folder.path().join("corpus")
    }

    fn build(&self) {
        Corpus::build(self.files(), self.corpus(), BuildSettings::default()).unwrap();
    }

    fn sources(&self) -> Vec<SongSource> {
        SongSource::of_corpus(&Corpus::open(self.corpus()).unwrap())
    }

    fn data(&self) -> Result<Dataset> {
        Dataset::of(&self.sources(), settings())
    }

    /// The same songs, from their files, in the corpus's order.
    fn data_in_memory(&self) -> Dataset {
        let paths: Vec<PathBuf> = SONGS.iter().map(|song| self.files().join(song.0)).collect();
        Dataset::from_files(&paths, settings()).unwrap()
    }

    /// The files in which the rows are.
    fn prepared(&self) -> Vec<PathBuf> {
        let folder = self.corpus().join("prepared");
        let [settings] = names(&folder).try_into().unwrap();
        names(&folder.join(&settings))
            .iter()
            .map(|name| folder.join(&settings).join(name))
            .collect()
    }
}

fn train(data: &Dataset, training: Training) -> (Network, History) {
    let config = NetworkConfig::stack(data.blocks().width(), [gru(12)]);
    let mut network = Network::new(config, data, 1, &Device::cpu()).unwrap();
    let history = train::run(&mut network, data, &training.batch(3).seed(4), &mut Silent).unwrap();
    (network, history)
}

fn parameters(network: &Network) -> Vec<Vec<f32>> {
    let tensors = network.variables().values();
    tensors.map(|tensor| tensor.flatten_all().unwrap().to_vec1().unwrap()).collect()
}

#[test]
fn rows_of_a_corpus_are_those_of_its_songs_to_the_bit() {
    let songs = Songs::new();
    let (here, there) = (songs.data_in_memory(), songs.data().unwrap());
    assert_eq!(here.len(), there.len());
    assert!(here.len() > 40, "{here}");
    assert_eq!(here.normaliser(), there.normaliser());
    assert_eq!(here.duration_seconds(), there.duration_seconds());
    for index in 0..here.len() {
        assert_eq!(here.sequence(index).unwrap(), there.sequence(index).unwrap(), "{index}");
        assert_eq!(here.sequence_origin(index), there.sequence_origin(index));
    }
    let [a, b] = [&here, &there].map(|data| {
        data.in_batches(7)
            .shuffled(3)
            .on(&Device::cpu())
            .map(|batch| {
                let batch = batch.unwrap();
                [batch.inputs, batch.targets]
                    .map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
            })
            .collect::<Vec<_>>()
    });
    assert_eq!(a, b);
    assert_eq!(here.split(0.2).unwrap(), there.split(0.2).unwrap());
    let song = here.songs().len() - 1;
    assert_eq!(here.song_audio(song).unwrap(), there.song_audio(song).unwrap());
    let [reason] = [&there.skipped()[0].reason];
    assert!(reason.contains("corpus/c.wav") && reason.contains("too short"), "{reason}");
}

#[test]
fn training_from_a_corpus_is_training_from_its_songs() {
    let songs = Songs::new();
    let training = || Training { validation: 0.2, dropout: 0.1, ..Training::epochs(3) };
    let (here, told) = train(&songs.data_in_memory(), training());
    let (there, told_there) = train(&songs.data().unwrap(), training());
    assert_eq!(parameters(&here), parameters(&there));
    let losses = |history: &History| -> Vec<_> {
        history.epochs.iter().map(|epoch| (epoch.train_loss, epoch.validation_loss)).collect()
    };
    assert_eq!(losses(&told), losses(&told_there));
    for epoch in told_there.epochs {
        assert!(epoch.waited_seconds > 0.0 && epoch.waited_seconds <= epoch.seconds, "{epoch:?}");
    }
    let seed = Seed::training(&songs.data().unwrap(), 2).unwrap();
    assert_eq!(
        there.compose(1.0, seed).unwrap().audio(),
        here.compose(1.0, Seed::training(&songs.data_in_memory(), 2).unwrap()).unwrap().audio()
    );
}

#[test]
fn training_from_a_corpus_goes_on_in_the_middle_of_an_epoch() {
    let songs = Songs::new();
    let (whole, told) = train(&songs.data_in_memory(), Training::epochs(3).dropout(0.1));
    let batches = songs.data().unwrap().len().div_ceil(3);
    assert!(batches > 8);
    // After the first batch, within an epoch, at the end of one, and in the last.
    for stop_after in [1, batches + 5, 2 * batches, 3 * batches - 1] {
        let folder = tempfile::tempdir().unwrap();
        let kept = Training::epochs(3).dropout(0.1).batch(3).seed(4).checkpoints(Checkpoints {
            every_seconds: 1e9,
            ..Checkpoints::in_folder(folder.path())
        });
        let config = NetworkConfig::stack(songs.data().unwrap().blocks().width(), [gru(12)]);
        let data = songs.data().unwrap();
        let mut network = Network::new(config.clone(), &data, 1, &Device::cpu()).unwrap();
        let stopped = stopped_after(stop_after, |observer| {
            train::run(&mut network, &data, &kept, observer).unwrap()
        });
        assert_eq!(stopped.stop, Stop::Interrupted, "{stop_after}");
        // As another process would: everything is opened again.
        let data = songs.data().unwrap();
        let mut network = Network::new(config, &data, 1, &Device::cpu()).unwrap();
        let gone_on = Training { resume: Some(folder.path().to_path_buf()), ..kept };
        let history = train::run(&mut network, &data, &gone_on, &mut Silent).unwrap();
        assert_eq!(parameters(&network), parameters(&whole), "{stop_after}");
        let losses = |history: &History| -> Vec<f64> {
            history.epochs.iter().map(|epoch| epoch.train_loss).collect()
        };
        assert_eq!(losses(&history), losses(&told), "{stop_after}");
    }
}

#[test]
fn songs_are_prepared_once_and_again_when_their_file_is_cut_off() {
    let songs = Songs::new();
    let mut told = Vec::new();
    let progress = &mut |done, all| told.push((done, all));
    Dataset::with_progress(&songs.sources(), settings(), progress).unwrap();
    assert_eq!(told, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
    assert_eq!(songs.prepared().len(), 5);
    for file in songs.prepared() {
        let bytes = std::fs::read(&file).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let rows = tensors.tensor("rows").unwrap();
        let checksums = tensors.tensor("checksums").unwrap();
        let of_row = rows.shape()[1] * size_of::<f32>();
        for (row, sum) in rows.data().chunks(of_row).zip(checksums.data().as_chunks().0) {
            assert_eq!(crc32fast::hash(row), u32::from_le_bytes(*sum), "{}", file.display());
        }
    }
    let files = || -> Vec<_> {
        let read = |path: &PathBuf| {
            (std::fs::read(path).unwrap(), path.metadata().unwrap().modified().unwrap())
        };
        songs.prepared().iter().map(read).collect()
    };
    let before = files();
    let expected = songs.data_in_memory();
    // Nothing is decoded: there is nothing to decode.
    std::fs::rename(songs.corpus().join("shards"), songs.corpus().join("elsewhere")).unwrap();
    let data = songs.data().unwrap();
    assert_eq!(data.sequence(9).unwrap(), expected.sequence(9).unwrap());
    assert_eq!(files(), before);
    std::fs::rename(songs.corpus().join("elsewhere"), songs.corpus().join("shards")).unwrap();
    for (file, (bytes, _)) in songs.prepared().iter().zip(&before) {
        for length in [0, 3, 300, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(file, &bytes[..length]).unwrap();
            songs.data().unwrap();
            assert_eq!(std::fs::read(file).unwrap(), *bytes, "{length} bytes of {file:?}");
        }
    }
}

#[test]
fn rows_that_are_damaged_are_refused_by_name() {
    let songs = Songs::new();
    songs.data().unwrap();
    let prepared = songs.prepared();
    let file = prepared.iter().max_by_key(|file| file.metadata().unwrap().len()).unwrap();
    let whole = std::fs::read(file).unwrap();
    // Rows are most of the file.
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 4;
    std::fs::write(file, &damaged).unwrap();
    let data = songs.data().unwrap();
    let problems: Vec<String> = (0..data.len())
        .filter_map(|index| data.sequence(index).err())
        .map(|problem| problem.to_string())
        .collect();
    assert!(!problems.is_empty());
    let name = file.file_name().unwrap().to_string_lossy();
    for problem in &problems {
        assert!(problem.contains(&*name) && problem.contains("damaged"), "{problem}");
    }
    let config = NetworkConfig::stack(data.blocks().width(), [gru(4)]);
    let mut network = Network::new(config, &data, 1, &Device::cpu()).unwrap();
    let trained = train::run(&mut network, &data, &Training::epochs(1), &mut Silent);
    assert!(matches!(trained, Err(Error::Data(_))), "{trained:?}");
    std::fs::remove_file(file).unwrap();
    let trained = train::run(&mut network, &data, &Training::epochs(1), &mut Silent);
    assert!(matches!(trained, Err(Error::Io { .. })), "{trained:?}");
    songs.data().unwrap();
    assert_eq!(std::fs::read(file).unwrap(), whole);
}

#[test]
fn what_was_prepared_of_a_song_goes_with_it() {
    let songs = Songs::new();
    songs.data().unwrap();
    let other = songs.prepared()[0].with_file_name("notes.txt");
    std::fs::write(&other, "mine").unwrap();
    let before = songs.prepared();
    std::fs::rename(songs.files().join("b.wav"), songs.files().join("b2.wav")).unwrap();
    std::fs::remove_file(songs.files().join("d.wav")).unwrap();
    songs.build();
    let after = songs.prepared();
    assert_eq!(after.len(), before.len() - 1);
    assert!(after.iter().all(|path| before.contains(path)) && other.exists());
}

#[test]
fn the_command_line_learns_from_a_corpus() {
    let songs = Songs::new();
    let folder = songs.folder.path();
    let run = |arguments: &[&str]| {
        let done = command(folder, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), told + &String::from_utf8_lossy(&done.stdout))
    };
    let network = ["--layers", "gru:8", "--epochs", "3"];
    let train = |model: &str, more: &[&str]| {
        run(&[&["train", "corpus", "-o", model], &network[..], more].concat())
    };
    let (done, told) = train("m.safetensors", &[]);
    assert!(done && told.contains("c.wav") && told.contains("too short"), "{told}");
    let whole = std::fs::read(folder.join("m.safetensors")).unwrap();
    let (done, told) = train("n.safetensors", &["--json"]);
    assert!(done && told.contains("waited_seconds"), "{told}");
    assert_eq!(std::fs::read(folder.join("n.safetensors")).unwrap().len(), whole.len());
    let (done, told) = run(&[
        &["compose", "corpus", "--seconds", "1", "-o", "p.wav", "--model", "blocks"],
        &network[..],
    ]
    .concat());
    assert!(done && told.contains("Compared with corpus"), "{told}");
    let (done, told) = run(&["judge", "corpus", "p.wav"]);
    assert!(!done && told.contains("a corpus: name the songs themselves"), "{told}");
    let (done, told) = run(&[
        "train",
        "corpus",
        "songs/e.wav",
        "-o",
        "both.safetensors",
        "--layers",
        "gru:8",
        "--epochs",
        "1",
    ]);
    assert!(done && told.contains("from 5 songs"), "{told}");
    std::fs::create_dir(folder.join("begun")).unwrap();
    std::fs::write(folder.join("begun/.corpus-lock"), "").unwrap();
    let (done, told) = run(&["train", "begun"]);
    assert!(!done && told.contains("first build has not ended"), "{told}");
}

#[test]
fn some_songs_of_a_corpus_are_drawn_by_the_seed() {
    let songs = Songs::new();
    let all = songs.sources();
    let names = |songs: &[SongSource]| songs.iter().map(SongSource::name).collect::<Vec<_>>();
    assert_eq!(names(&SongSource::some_of(&all, 1e3, 1)), names(&all));
    let file = SongSource::File(songs.files().join("e.wav"));
    let with_file = [&all[..], &[file]].concat();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let some = SongSource::some_of(&with_file, 9.0, seed);
        assert_eq!(names(&some), names(&SongSource::some_of(&with_file, 9.0, seed)));
        let (drawn, rest) = some.split_at(some.len() - 1);
        assert_eq!(rest[0].path(), Some(&*songs.files().join("e.wav")));
        let seconds: f64 = SONGS
            .iter()
            .filter(|song| names(drawn).iter().any(|name| name.ends_with(song.0)))
            .map(|song| song.2)
            .sum();
        assert!(!drawn.is_empty() && seconds <= 9.0, "{seconds} s: {drawn:?}");
        assert!(names(&all).windows(2).all(|pair| pair[0] < pair[1]));
        seen.extend(names(drawn));
    }
    assert_eq!(seen.len(), SONGS.len());
    assert_eq!(SongSource::some_of(&all, 0.1, 3).len(), 1);
}

#[test]
fn models_of_grains_and_codes_come_from_a_corpus_and_find_it_again() {
    let songs = Songs::new();
    let folder = songs.folder.path();
    std::fs::remove_dir_all(songs.files()).unwrap();
    let long = songs::song(220.0);
    std::fs::create_dir(songs.files()).unwrap();
    long.save_as(songs.files().join("long.wav"), SampleFormat::Int16).unwrap();
    songs::song(247.0).save_as(songs.files().join("other.wav"), SampleFormat::Int16).unwrap();
    songs.build();
    let run = |arguments: &[&str]| {
        let done = command(folder, arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), told + &String::from_utf8_lossy(&done.stdout))
    };
    for model in ["grains", "codes"] {
        let composed = ["compose", "corpus", "--model", model, "--seconds", "3", "--steps", "4"];
        let (done, told) = run(&[&composed[..], &["-o", "one.wav", "--force"]].concat());
        assert!(done, "{told}");
        let generate = ["generate", "one.safetensors", "--seconds", "3", "--seed", "1"];
        let (done, told) = run(&[&generate[..], &["-o", "again.wav"]].concat());
        assert!(done, "{told}");
        let [one, again] =
            ["one.wav", "again.wav"].map(|name| std::fs::read(folder.join(name)).unwrap());
        assert!(one == again, "{model}");
        // Beside the model it is found, too; nowhere it is missed by name.
        let elsewhere = folder.join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        for name in ["one.safetensors", "corpus"] {
            std::fs::rename(folder.join(name), elsewhere.join(name)).unwrap();
        }
        let moved = ["generate", "elsewhere/one.safetensors", "--seconds", "3", "--seed", "1"];
        let (done, told) = run(&[&moved[..], &["-o", "moved.wav"]].concat());
        assert!(done && std::fs::read(folder.join("moved.wav")).unwrap() == one, "{told}");
        std::fs::rename(elsewhere.join("corpus"), songs.corpus()).unwrap();
        std::fs::rename(songs.corpus(), folder.join("hidden")).unwrap();
        let (done, told) = run(&[&moved[..], &["-o", "none.wav"]].concat());
        assert_eq!(done, model == "codes", "{told}");
        assert!(done || told.contains("needs the song"), "{told}");
        std::fs::rename(folder.join("hidden"), songs.corpus()).unwrap();
        std::fs::remove_dir_all(elsewhere).unwrap();
    }
}
