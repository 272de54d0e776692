//! In the notebook kernel one press of stop holds until its cell has returned: the running job returns
//! what it has, and nothing long begins after it.

use neural_composer::audio::{Audio, Decoder, Song};
use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::{CodeSettings, CodebookSettings, CodedSongs};
use neural_composer::dataset::grains::{GrainPool, GrainSettings};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::display::{Output, Show};
use neural_composer::evaluate;
use neural_composer::features::{
    Chroma, ChromaSettings, GriffinLim, LogMel, MelSettings, PitchBands, Spectrogram,
    SpectrumLayout, StftSettings,
};
use neural_composer::generate::{self, CodeLearning, CodeOptions, GrainLearning};
use neural_composer::interrupt::{self, neural_composer_interrupt_clear as next_cell};
use neural_composer::notebook::Verdict;
use neural_composer::prelude::*;
use neural_composer::train::{self, CodeTraining, GrainTraining, Observer, Position, Silent, Stop};
use neural_composer::{Error, Result};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock};

const RATE: u32 = 22_050;

/// A cell of the kernel; cells take turns, because the stop is one for the whole process.
struct Cell(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Cell {
    fn begin() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static KERNEL: OnceLock<()> = OnceLock::new();
        KERNEL.get_or_init(|| interrupt::neural_composer_interrupt_listen());
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        next_cell();
        Self(turn)
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        next_cell();
    }
}

/// Notes of a scale, struck and dying away.
fn tune(seconds: f64) -> Audio {
    let scale = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2];
    let note_frames = RATE as usize / 2;
    let sample = |i: usize| {
        let (note, within) = (i / note_frames, (i % note_frames) as f32 / RATE as f32);
        let semitones = scale[note % scale.len()] + 5 * (note / 28 % 2);
        let hz = 220.0 * 2f32.powf(semitones as f32 / 12.0);
        let turn = std::f32::consts::TAU * hz * within;
        0.4 * (turn.sin() + 0.4 * (2.0 * turn).sin()) * (-5.0 * within).exp()
    };
    Audio::mono((0..(seconds * f64::from(RATE)) as usize).map(sample).collect(), RATE).unwrap()
}

fn source() -> SongSource {
    SongSource::Audio { title: "tune".into(), audio: tune(12.0) }
}

fn data() -> Dataset {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 10, stride_blocks: 5 };
    Dataset::from_audio(&[("tune".into(), tune(2.0))], settings).unwrap()
}

fn network(data: &Dataset) -> Network {
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(12)]);
    Network::new(config, data, 1, &Device::cpu()).unwrap()
}

fn grain_learning() -> GrainLearning {
    let training = GrainTraining { steps: 4, batch_size: 2, ..GrainTraining::default() };
    GrainLearning { training, ..GrainLearning::default() }
}

fn code_learning() -> CodeLearning {
    let training = CodeTraining { steps: 2, batch_size: 2, ..CodeTraining::default() };
    let codebook = CodebookSettings { stages: 2, codes: 32, seed: 1 };
    let blocks = CodeSettings { codebook, ..CodeSettings::default() };
    CodeLearning { training, blocks }
}

fn silently() -> Output {
    Output::to(neural_composer::display::Destination::File, Box::new(std::io::sink()))
}

/// What a call of nothing but its error is.
fn error<T>(result: Result<T>) -> Option<Error> {
    result.err()
}

type Call = (&'static str, Box<dyn Fn() -> Option<Error>>);

/// Everything that takes long, by name, on things that were made before the stop.
fn long_calls() -> Vec<Call> {
    let folder = std::env::temp_dir().join(format!("stop-held-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file: PathBuf = folder.join("tune.wav");
    tune(12.0).save(&file).unwrap();
    let song = Song::open(&file).unwrap();
    let data = data();
    let grains = GrainComposer::learn(&[source()], &grain_learning(), &mut Silent).unwrap();
    let model = folder.join("grains.safetensors");
    let of_file = [SongSource::File(file.clone())];
    let saved = GrainComposer::learn(&of_file, &grain_learning(), &mut Silent).unwrap();
    saved.save(&model).unwrap();
    let piece = grains.compose(4.0, 1, &GrainOptions::default(), &mut |_, _| ()).unwrap();
    let codes = CodeComposer::learn(&[source()], &code_learning(), &mut Silent).unwrap();
    let batch = data.in_batches(2).on(&Device::cpu()).next().unwrap().unwrap();
    let magnitudes =
        neural_composer::features::magnitudes(&tune(1.0).channels()[0], StftSettings::default());
    let magnitudes = magnitudes.unwrap();
    let sound = tune(6.0);
    let mut calls: Vec<Call> = Vec::new();
    macro_rules! calls {
        ($($name:literal, [$($kept:ident),*] => $call:expr;)+) => {$({
            $(let $kept = $kept.clone();)*
            calls.push(($name, Box::new(move || error($call))));
        })+};
    }
    calls! {
        "open", [file] => Song::open(&file);
        "decode", [file] => Decoder::open(&file).and_then(|mut d| d.read_all());
        "decode to one channel", [file] => Decoder::open(&file).and_then(|mut d| d.read_mono_at(8_000));
        "decode chunk by chunk", [file] => Decoder::open(&file).and_then(|mut d| d.next_chunk().map(drop));
        "resample", [sound] => sound.resample(8_000);
        "spectrogram", [song] => song.spectrogram();
        "mel", [sound] => LogMel::of(&sound, MelSettings::default());
        "chroma", [sound] => Chroma::of(&sound, ChromaSettings::default());
        "pitch bands", [sound] => PitchBands::of(&sound);
        "blocks", [sound] => Blocks::fast().spectra(&sound);
        "phases", [magnitudes] => GriffinLim::new(StftSettings::default()).samples(&magnitudes);
        "dataset of files", [file] =>
            Dataset::from_files(std::slice::from_ref(&file), DatasetSettings::fast());
        "dataset of a folder", [file] =>
            Dataset::from_dir(file.parent().unwrap(), DatasetSettings::fast());
        "dataset of songs", [song] =>
            Dataset::from_songs(std::slice::from_ref(&song), DatasetSettings::fast());
        "dataset of sound", [sound] =>
            Dataset::from_audio(&[("a".into(), sound.clone())], DatasetSettings::fast());
        "a batch", [data] => data.in_batches(4).on(&Device::cpu()).next().unwrap();
        "train", [data] => network(&data).train(&data, Training::epochs(1));
        "train and listen", [data] =>
            network(&data).train_and_listen(&data, Training::epochs(1), Listening::default());
        "run", [data] => train::run(&mut network(&data), &data, &Training::epochs(1), &mut Silent);
        "forward", [data, batch] => network(&data).forward(&batch.inputs, None);
        "predict", [data, batch] => network(&data).predict(&batch.inputs, None);
        "hidden states", [data, sound] => network(&data).hidden_states(&sound);
        "compose", [data] => network(&data).compose(1.0, Seed::Silence);
        "blocks composed", [data] =>
            generate::blocks(&network(&data), 1.0, &Seed::Silence, &mut |_, _| ());
        "grain pool", [] => GrainPool::of(&[source()], GrainSettings::default(), &mut |_, _| ());
        "grains learned", [] => GrainComposer::learn_to(silently(), &[source()], &grain_learning());
        "grains learned silently", [] => GrainComposer::learn(&[source()], &grain_learning(), &mut Silent);
        "grains loaded", [model] => GrainComposer::load(&model);
        "grains with a guest", [grains] => grains.with_guest(&source());
        "grains composed", [grains] => grains.piece(4.0, 1);
        "grains walked", [grains] =>
            grains.walk(4.0, 1, &GrainOptions::default(), &mut |_, _| ());
        "grains composed again", [grains, piece] => grains.again(&piece, 1.0..2.0, 2);
        "expectations", [grains, piece] => grains.expectations(&piece);
        "choices", [grains, piece] => grains.choices(&piece);
        "coded songs", [] => CodedSongs::of(&[source()], code_learning().blocks);
        "codes learned", [] => CodeComposer::learn(&[source()], &code_learning(), &mut Silent);
        "codes composed", [] => codes.compose(1.0, 1, &CodeOptions::default(), &mut |_, _| ());
        "judge", [sound] => evaluate::judge(&sound, &[&sound]);
        "verdict", [sound] => Verdict::of(&sound, &[("a".into(), sound.clone())]);
        "a piece judged", [piece, song] => piece.judge(std::slice::from_ref(&song));
        "similarity", [sound] => evaluate::similarity(&sound, &sound);
        "copies", [sound] => evaluate::copies(&sound, &[&sound]);
        "style", [sound] => evaluate::style_distance(&sound, &[&sound]);
        "joins", [sound] => evaluate::joins(&sound, &[&sound]);
        "texture", [sound] => evaluate::texture(&sound);
        "form", [sound] => evaluate::SelfSimilarity::of(&sound);
    }
    calls
}

#[test]
fn nothing_long_begins_while_a_stop_holds() {
    let _cell = Cell::begin();
    let calls = long_calls();
    for (name, call) in &calls {
        if let Some(error) = call() {
            assert!(!matches!(error, Error::Interrupted(_)), "{name} before the stop: {error}");
        }
    }
    interrupt::request();
    for (name, call) in &calls {
        let error = call().unwrap_or_else(|| panic!("{name} began"));
        assert!(matches!(error, Error::Interrupted(_)), "{name}: {error}");
        let words = error.to_string();
        assert!(words.starts_with("stopped by the user: nothing was done"), "{name}: {words}");
    }
    next_cell();
    let (name, call) = &calls[0];
    assert!(call().is_none(), "{name} in the next cell");
}

/// Presses stop after so many batches.
struct Stopper(usize);

impl Observer for Stopper {
    fn batch(&mut self, _: &History, position: &Position) {
        if position.batches_done() == self.0 {
            interrupt::request();
        }
    }
    fn epoch(&mut self, _: &History, _: &Position) {}
}

#[test]
fn a_loop_around_training_ends_and_keeps_what_was_learnt() {
    let _cell = Cell::begin();
    let data = data();
    let mut network = network(&data);
    let mut rounds = Vec::new();
    let mut forever = || -> Result<()> {
        loop {
            let settings = Training::epochs(2).batch(8);
            let stop_after = if rounds.len() == 2 { 3 } else { usize::MAX };
            rounds.push(train::run(&mut network, &data, &settings, &mut Stopper(stop_after))?.stop);
        }
    };
    assert!(matches!(forever(), Err(Error::Interrupted(_))));
    assert_eq!(rounds, [Stop::Finished, Stop::Finished, Stop::Interrupted]);
    let per_round = 2 * data.len().div_ceil(8);
    assert_eq!(network.updates(), 2 * per_round + 3);
    // What was learnt can be saved, shown and, in the next cell, used.
    let file = tempfile::NamedTempFile::new().unwrap();
    network.save(file.path()).unwrap();
    network.show();
    next_cell();
    assert!(Network::load(file.path(), &Device::cpu()).is_ok());
    assert!(network.compose(0.1, Seed::Silence).is_ok());
}

#[test]
fn a_training_loop_written_by_hand_ends_at_the_next_batch() {
    let _cell = Cell::begin();
    let data = data();
    let network = network(&data);
    let mut optimizer = network.optimizer(Rule::default()).unwrap();
    let criterion = network.criterion(Loss::MeanSquared).unwrap();
    let mut batches = 0;
    let mut forever = || -> Result<()> {
        for epoch in 0.. {
            for batch in data.in_batches(8).shuffled(epoch).on(&Device::cpu()) {
                let batch = batch?;
                let (predicted, _) = network.forward(&batch.inputs, None)?;
                optimizer.minimize(&criterion.of(&predicted, &batch.targets)?, 1e-3)?;
                batches += 1;
                if batches == 20 {
                    interrupt::request();
                }
            }
        }
        Ok(())
    };
    assert!(matches!(forever(), Err(Error::Interrupted(_))));
    assert_eq!((batches, network.updates()), (20, 20));
}

#[test]
fn a_composer_that_is_stopped_gives_the_piece_so_far() {
    let _cell = Cell::begin();
    let grains = GrainComposer::learn(&[source()], &grain_learning(), &mut Silent).unwrap();
    let codes = CodeComposer::learn(&[source()], &code_learning(), &mut Silent).unwrap();
    let mut stop = |done: f64, _: f64| {
        if done > 2.0 {
            interrupt::request();
        }
    };
    let options = GrainOptions::default();
    let piece = grains.compose(40.0, 1, &options, &mut stop).unwrap();
    assert!(piece.was_interrupted() && (1.0..39.0).contains(&piece.audio().duration_seconds()));
    // The stop still holds for what comes after.
    assert!(matches!(grains.piece(4.0, 1), Err(Error::Interrupted(_))));
    next_cell();
    let piece = codes.compose(20.0, 1, &CodeOptions::default(), &mut stop).unwrap();
    assert!(piece.was_interrupted() && (1.0..19.0).contains(&piece.audio().duration_seconds()));
    next_cell();
    let whole = grains.compose(6.0, 1, &options, &mut |_, _| ()).unwrap();
    let mut stop_at_once = |_: f64, _: f64| interrupt::request();
    let again = grains.recompose(&whole, 1.0..4.0, 5, &options, &mut stop_at_once).unwrap();
    assert_eq!(again.audio().frames(), whole.audio().frames());
}

#[test]
fn what_is_there_is_still_shown() {
    let _cell = Cell::begin();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tune.wav");
    tune(3.0).save(&file).unwrap();
    let song = Song::open(&file).unwrap();
    interrupt::request();
    // A card needs a spectrogram, levels, beats: `show` makes them, though the stop holds.
    struct Shown<'a>(&'a Song, std::cell::Cell<bool>);
    impl Show for Shown<'_> {
        fn bundle(&self) -> Result<Bundle> {
            let bundle = self.0.bundle();
            self.1.set(bundle.is_ok());
            bundle
        }
    }
    let shown = Shown(&song, std::cell::Cell::new(false));
    shown.show();
    assert!(shown.1.get());
    assert!(interrupt::requested(), "the stop holds all the same");
    tune(0.1).save(&file).unwrap();
}

#[test]
fn a_watched_loop_ends_and_the_jobs_in_it_keep_what_they_have() {
    let _cell = Cell::begin();
    let data = data();
    let mut network = network(&data);
    let mut histories = Vec::new();
    for round in neural_composer::display::Watched::to(silently(), 0..100) {
        let stop_after = if round == 3 { 2 } else { usize::MAX };
        let settings = Training::epochs(1).batch(8);
        let history = train::run(&mut network, &data, &settings, &mut Stopper(stop_after));
        histories.push(history.unwrap().stop);
    }
    assert_eq!(histories.len(), 4);
    assert_eq!(histories[3], Stop::Interrupted);
    // A loop that begins under a stop is over at once.
    assert_eq!(neural_composer::display::Watched::to(silently(), 0..100).count(), 0);
}

#[test]
fn jobs_within_jobs_are_parts_of_them() {
    let _cell = Cell::begin();
    let job = interrupt::begin().unwrap();
    interrupt::request();
    {
        let _part = interrupt::begin().unwrap();
        assert!(interrupt::check().is_ok() && interrupt::requested());
    }
    // Other threads are none of this job's business.
    let elsewhere = std::thread::spawn(|| interrupt::begin().is_err());
    assert!(elsewhere.join().unwrap());
    drop(job);
    assert!(interrupt::begin().is_err() && interrupt::check().is_err());
}

#[test]
fn spectrograms_in_a_loop_end_with_it() {
    let _cell = Cell::begin();
    let sound = tune(1.0);
    let mut made = 0;
    let mut forever = || -> Result<()> {
        loop {
            Spectrogram::of(&sound, StftSettings::default())?;
            made += 1;
            if made == 3 {
                interrupt::request();
            }
        }
    };
    assert!(forever().is_err());
    assert_eq!(made, 3);
}
