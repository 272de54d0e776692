//! A request to stop ends the work that listens to it, all of it, and nothing else.
//!
//! Each test has a handle of its own; none waits for another.

mod tunes;

use tunes::tune;

use neural_composer::audio::{Decoder, Song};
use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::{CodebookSettings, CodedSongs};
use neural_composer::dataset::grains::{GrainPool, GrainSettings};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::display::{Output, Watched};
use neural_composer::evaluate;
use neural_composer::features::{
    Chroma, ChromaSettings, GriffinLim, LogMel, MelSettings, PitchBands, Spectrogram,
    SpectrumLayout, StftSettings,
};
use neural_composer::generate::{
    self, CodeLearning, CodeOptions, GrainLearning, Learning, Options,
};
use neural_composer::interrupt::{self, Handle};
use neural_composer::notebook::Verdict;
use neural_composer::prelude::*;
use neural_composer::train::{self, Observer, Position, Silent, Stop};
use neural_composer::{Error, Result};
use std::path::PathBuf;
use std::time::Instant;

const RATE: u32 = 22_050;

fn source() -> SongSource {
    SongSource::Audio { title: "tune".into(), audio: tune(12.0, RATE) }
}

fn data() -> Dataset {
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: 64, layout: SpectrumLayout::Half };
    let settings = DatasetSettings { blocks, sequence_blocks: 10, stride_blocks: 5 };
    Dataset::from_audio(&[("tune".into(), tune(2.0, RATE))], settings).unwrap()
}

fn network(data: &Dataset) -> Network {
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(12)]);
    Network::new(config, data, 1, &Device::cpu()).unwrap()
}

fn grain_learning() -> GrainLearning {
    let mut learning = GrainLearning::default();
    learning.training.descent.steps = 4;
    learning.training.descent.batch_size = 2;
    learning
}

fn code_learning() -> CodeLearning {
    let mut learning = CodeLearning::default();
    learning.training.descent.steps = 2;
    learning.training.descent.batch_size = 2;
    learning.blocks.codebook = CodebookSettings { stages: 2, codes: 32, seed: 1 };
    learning
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
    let folder = tempfile::tempdir().unwrap().keep();
    let file: PathBuf = folder.join("tune.wav");
    tune(12.0, RATE).save(&file).unwrap();
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
    let magnitudes = neural_composer::features::magnitudes(
        &tune(1.0, RATE).channels()[0],
        StftSettings::default(),
    );
    let magnitudes = magnitudes.unwrap();
    let sound = tune(6.0, RATE);
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

fn was_interrupted(error: &Option<Error>) -> bool {
    matches!(error, Some(Error::Interrupted(_)))
}

#[test]
fn a_request_before_long_work_ends_it_and_one_after_it_harms_nobody() {
    let (before, after) = (Handle::new(), Handle::new());
    before.request();
    for (name, call) in long_calls() {
        let error = after.during(&call);
        assert!(!was_interrupted(&error), "{name} without a stop: {error:?}");
        let error = before.during(&call).unwrap_or_else(|| panic!("{name} began"));
        let words = error.to_string();
        assert!(words.starts_with("stopped by the user: nothing was done"), "{name}: {words}");
    }
    after.request();
    for (name, call) in long_calls().into_iter().take(12) {
        let error = call();
        assert!(!was_interrupted(&error), "{name} after a stop: {error:?}");
        assert!(!was_interrupted(&Handle::new().during(&call)), "{name} with another handle");
    }
}

/// Whether `work`, which takes some time, ends before its end, and says so, when it is asked to in the
/// middle. On a busy machine the request may come too late, hence several times.
fn ends_early(mut work: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    assert!(!Handle::new().during(&mut work), "nobody asked");
    let whole = start.elapsed();
    (2..8).any(|part| {
        let stop = Handle::new();
        let button = stop.clone();
        let presser = std::thread::spawn(move || {
            std::thread::sleep(whole / part);
            button.request();
        });
        let ended = stop.during(&mut work);
        presser.join().unwrap();
        assert!(!interrupt::requested(), "outside, nobody was asked");
        ended
    })
}

#[test]
fn a_request_in_the_middle_ends_every_job() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tune.wav");
    tune(200.0, RATE).save(&file).unwrap();
    let data = data();
    let grains = GrainComposer::learn(&[source()], &grain_learning(), &mut Silent).unwrap();
    let codes = CodeComposer::learn(&[source()], &code_learning(), &mut Silent).unwrap();
    let (sound, other) = (tune(30.0, RATE), tune(40.0, RATE));
    let long =
        |song: &str, seconds| SongSource::Audio { title: song.into(), audio: tune(seconds, RATE) };
    let songs: Vec<SongSource> = (0..12).map(|n| long(&format!("song {n}"), 10.0)).collect();
    let interrupted = |result: Result<()>| was_interrupted(&result.err());
    assert!(ends_early(|| interrupted(Song::open(&file).map(drop))), "open");
    let mono = || Decoder::open(&file)?.read_mono_at(8_000).map(drop);
    assert!(ends_early(|| interrupted(mono())), "decode to one channel");
    let settings = DatasetSettings::fast();
    assert!(ends_early(|| interrupted(Dataset::of(&songs, settings).map(drop))), "dataset");
    let pool = || GrainPool::of(&songs, GrainSettings::default(), &mut |_, _| ()).map(drop);
    assert!(ends_early(|| interrupted(pool())), "grain pool");
    let coded = || CodedSongs::of(&songs, code_learning().blocks).map(drop);
    assert!(ends_early(|| interrupted(coded())), "coded songs");
    let training = Training::epochs(60).batch(4);
    let blocks = || train::run(&mut network(&data), &data, &training, &mut Silent).unwrap().stop;
    assert!(ends_early(|| blocks() == Stop::Interrupted), "training on blocks");
    let mut learning = grain_learning();
    learning.training.descent.steps = 40;
    let pool = std::sync::Arc::new(grains.pool().clone());
    let learn = || GrainComposer::learn_pool(pool.clone(), &learning.training, &mut Silent);
    assert!(ends_early(|| learn().unwrap().history().stop == Stop::Interrupted), "grains learned");
    let options = GrainOptions { pieces: 1, ..GrainOptions::default() };
    let piece = |seconds| grains.compose(seconds, 1, &options, &mut |_, _| ());
    assert!(ends_early(|| piece(60.0).map_or(true, |piece| piece.was_interrupted())), "grains");
    let piece = |seconds| codes.compose(seconds, 1, &CodeOptions::default(), &mut |_, _| ());
    assert!(ends_early(|| piece(30.0).map_or(true, |piece| piece.was_interrupted())), "codes");
    let network = network(&data);
    let piece = || generate::blocks(&network, 200.0, &Seed::Silence, &mut |_, _| ()).unwrap();
    assert!(ends_early(|| piece().was_interrupted()), "blocks");
    let judged = || evaluate::judge(&sound, &[&other, &sound]).map(drop);
    assert!(ends_early(|| interrupted(judged())), "judge");
    let magnitudes =
        neural_composer::features::magnitudes(&sound.channels()[0], StftSettings::default());
    let magnitudes = magnitudes.unwrap();
    let phases = || GriffinLim::new(StftSettings::default()).samples(&magnitudes).map(drop);
    assert!(ends_early(|| interrupted(phases())), "phases");
}

#[test]
fn a_composer_that_is_stopped_gives_the_piece_so_far_and_a_second_stop_hurries_it() {
    let grains = GrainComposer::learn(&[source()], &grain_learning(), &mut Silent).unwrap();
    let codes = CodeComposer::learn(&[source()], &code_learning(), &mut Silent).unwrap();
    let options = GrainOptions::default();
    let stop = Handle::new();
    let mut after_two_seconds = |done: f64, _: f64| {
        if done > 2.0 {
            stop.request();
        }
    };
    let piece = stop.during(|| {
        let piece = grains.compose(40.0, 1, &options, &mut after_two_seconds);
        // The stop still holds for what comes after.
        assert!(matches!(grains.piece(4.0, 1), Err(Error::Interrupted(_))));
        piece.unwrap()
    });
    assert!(piece.was_interrupted() && (1.0..39.0).contains(&piece.audio().duration_seconds()));
    let stop = Handle::new();
    let mut after_two_seconds = |done: f64, _: f64| {
        if done > 2.0 {
            stop.request();
        }
    };
    let compose = || codes.compose(20.0, 1, &CodeOptions::default(), &mut after_two_seconds);
    let piece = stop.during(compose).unwrap();
    assert!(piece.was_interrupted() && (1.0..19.0).contains(&piece.audio().duration_seconds()));
    let whole = grains.compose(6.0, 1, &options, &mut |_, _| ()).unwrap();
    let stop = Handle::new();
    let mut at_once = |_: f64, _: f64| stop.request();
    let again = stop.during(|| grains.recompose(&whole, 1.0..4.0, 5, &options, &mut at_once));
    assert_eq!(again.unwrap().audio().frames(), whole.audio().frames());
}

/// Asks to stop after so many batches.
struct Stopper(usize, Handle);

impl Observer for Stopper {
    fn batch(&mut self, _: &History, position: &Position) {
        if position.batches_done() == self.0 {
            self.1.request();
        }
    }
    fn epoch(&mut self, _: &History, _: &Position) {}
}

#[test]
fn every_model_that_is_stopped_while_it_learns_composes_from_what_it_has() {
    for learning in [Learning::Grains(grain_learning()), Learning::Codes(code_learning())] {
        let stop = Handle::new();
        let mut stopper = Stopper(1, stop.clone());
        stop.during(|| {
            let learned = Model::learn(&[source()], &learning, &mut stopper).unwrap();
            assert_eq!(learned.history.stop, Stop::Interrupted);
            let options = Options::default();
            let compose = || learned.model.compose(2.0, 1, &options, &mut |_, _| ());
            assert!(matches!(compose(), Err(Error::Interrupted(_))), "the stop holds");
            let heard = interrupt::heard();
            assert!(!compose().unwrap().was_interrupted(), "it was heard");
            drop(heard);
            assert!(compose().is_err(), "and holds");
        });
    }
}

#[test]
fn jobs_within_jobs_are_parts_of_them_and_handles_nest() {
    let (outer, inner) = (Handle::new(), Handle::new());
    outer.during(|| {
        let job = interrupt::begin().unwrap();
        inner.during(|| {
            inner.request();
            assert!(interrupt::begin().is_err());
        });
        assert!(!interrupt::requested(), "the inner handle is over");
        outer.request();
        {
            let _part = interrupt::begin().unwrap();
            assert!(interrupt::check().is_ok() && interrupt::requested());
        }
        Handle::new().during(|| assert!(interrupt::requested(), "the outer one goes on inside"));
        // Other threads are none of this job's business.
        let elsewhere = std::thread::spawn(|| interrupt::begin().is_ok());
        assert!(elsewhere.join().unwrap());
        drop(job);
        assert!(interrupt::begin().is_err() && interrupt::check().is_err());
    });
    assert!(interrupt::begin().is_ok() && !interrupt::requested());
}

#[test]
fn a_panic_inside_leaves_nothing_behind() {
    let stop = Handle::new();
    stop.request();
    let inside = std::panic::AssertUnwindSafe(|| stop.during(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(inside).is_err());
    assert!(interrupt::begin().is_ok() && !interrupt::requested());
}

#[test]
fn a_loop_around_training_ends_and_keeps_what_was_learnt() {
    let data = data();
    let mut network = network(&data);
    let mut rounds = Vec::new();
    let stop = Handle::new();
    let forever = || -> Result<()> {
        loop {
            let settings = Training::epochs(2).batch(8);
            let stop_after = if rounds.len() == 2 { 3 } else { usize::MAX };
            let mut stopper = Stopper(stop_after, stop.clone());
            rounds.push(train::run(&mut network, &data, &settings, &mut stopper)?.stop);
        }
    };
    assert!(matches!(stop.during(forever), Err(Error::Interrupted(_))));
    assert_eq!(rounds, [Stop::Finished, Stop::Finished, Stop::Interrupted]);
    let per_round = 2 * data.len().div_ceil(8);
    assert_eq!(network.updates(), 2 * per_round + 3);
}

#[test]
fn a_training_loop_written_by_hand_ends_at_the_next_batch() {
    let data = data();
    let network = network(&data);
    let mut optimizer = network.optimizer(Rule::default()).unwrap();
    let criterion = network.criterion(Loss::MeanSquared).unwrap();
    let mut batches = 0;
    let stop = Handle::new();
    let forever = || -> Result<()> {
        for epoch in 0.. {
            for batch in data.in_batches(8).shuffled(epoch).on(&Device::cpu()) {
                let batch = batch?;
                let (predicted, _) = network.forward(&batch.inputs, None)?;
                optimizer.minimize(&criterion.of(&predicted, &batch.targets)?, 1e-3)?;
                batches += 1;
                if batches == 20 {
                    stop.request();
                }
            }
        }
        Ok(())
    };
    assert!(matches!(stop.during(forever), Err(Error::Interrupted(_))));
    assert_eq!((batches, network.updates()), (20, 20));
}

#[test]
fn a_watched_loop_ends_and_the_jobs_in_it_keep_what_they_have() {
    let data = data();
    let mut network = network(&data);
    let mut histories = Vec::new();
    let stop = Handle::new();
    stop.during(|| {
        for round in Watched::to(silently(), 0..100) {
            let stop_after = if round == 3 { 2 } else { usize::MAX };
            let settings = Training::epochs(1).batch(8);
            let mut stopper = Stopper(stop_after, stop.clone());
            histories.push(train::run(&mut network, &data, &settings, &mut stopper).unwrap().stop);
        }
        // A loop that begins under a stop is over at once.
        assert_eq!(Watched::to(silently(), 0..100).count(), 0);
    });
    assert_eq!(histories.len(), 4);
    assert_eq!(histories[3], Stop::Interrupted);
    assert_eq!(Watched::to(silently(), 0..100).count(), 100);
}

#[test]
fn spectrograms_in_a_loop_end_with_it() {
    let sound = tune(1.0, RATE);
    let mut made = 0;
    let stop = Handle::new();
    let forever = || -> Result<()> {
        loop {
            Spectrogram::of(&sound, StftSettings::default())?;
            made += 1;
            if made == 3 {
                stop.request();
            }
        }
    };
    assert!(stop.during(forever).is_err());
    assert_eq!(made, 3);
}
