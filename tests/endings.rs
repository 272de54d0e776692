//! How pieces end: at the length that was asked for, faded or died away, without a hole or a click.

mod tunes;

use neural_composer::audio::Audio;
use neural_composer::dataset::{DatasetSettings, SongSource};
use neural_composer::generate::{
    BlockLearning, CodeLearning, GrainComposer, GrainLearning, GrainOptions, Learned, Learning,
    Model, Opening, Options, Piece,
};
use neural_composer::model::{Activation, Device, lstm};
use neural_composer::train::{Silent, Training};
use std::collections::BTreeSet;
use tunes::tune;

const RATE: u32 = 22_050;

fn source(audio: Audio) -> SongSource {
    SongSource::Audio { title: "test".into(), audio }
}

/// A song that is cut off in the middle of a note, which no piece may be.
fn song() -> Audio {
    tune(20.1, RATE)
}

/// A song whose last note dies away, with silence behind it.
fn song_with_silence() -> Audio {
    let mut samples = tune(20.0, RATE).channels()[0].clone();
    samples.resize(samples.len() + 2 * RATE as usize, 0.0);
    Audio::mono(samples, RATE).unwrap()
}

fn grain_learning() -> GrainLearning {
    let mut learning = GrainLearning::default();
    learning.training.descent.steps = 6;
    learning.training.descent.batch_size = 4;
    learning
}

fn grains(songs: &[SongSource]) -> GrainComposer {
    GrainComposer::learn(songs, &grain_learning(), &mut Silent).unwrap()
}

fn learned(song: Audio) -> Vec<(&'static str, Learned)> {
    let mut codes = CodeLearning::seeded(3);
    codes.blocks.components = 24;
    codes.blocks.codebook.codes = 48;
    codes.blocks.codebook.stages = 2;
    codes.training.descent.steps = 8;
    codes.training.descent.batch_size = 8;
    codes.training.sequence_blocks = 16;
    let blocks = BlockLearning {
        dataset: DatasetSettings::fast(),
        layers: vec![lstm(32)],
        dense_activation: Activation::Linear,
        recurrent_input: false,
        training: Box::new(|_| Ok(Training::epochs(2).batch(8).seed(1))),
        seed: 1,
        device: Device::cpu(),
    };
    let ways = [
        ("grains", Learning::Grains(grain_learning())),
        ("codes", Learning::Codes(codes)),
        ("blocks", Learning::Blocks(blocks)),
    ];
    let learn = |(name, learning): (&'static str, Learning)| {
        (name, Model::learn(&[source(song.clone())], &learning, &mut Silent).unwrap())
    };
    ways.into_iter().map(learn).collect()
}

fn level(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

fn largest_step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// What every piece has: its length, an end that is near 0 and has no hole before it, and no larger
/// steps at the end than `limit`.
fn assert_ends_well(name: &str, piece: &Piece, seconds: f64, limit: f32) {
    let audio = piece.audio();
    let rate = f64::from(audio.sample_rate_hz());
    assert_eq!(audio.frames(), (seconds * rate).round() as usize, "{name}");
    for samples in audio.channels() {
        let count = |seconds: f64| (seconds * rate) as usize;
        let usual = level(samples);
        let hole = samples.iter().rev().take_while(|sample| **sample == 0.0).count();
        assert!(hole <= count(0.02), "{name}: {hole} zeros at the end");
        assert!(samples[samples.len() - 1].abs() < 1e-4, "{name}");
        let last = level(&samples[samples.len() - count(0.005)..]);
        assert!(last < 0.003 * usual, "{name}: {last} of {usual} at the end");
        let ending = &samples[samples.len() - count(1.0).min(samples.len())..];
        let step = largest_step(ending);
        assert!(step <= limit + 1e-4, "{name}: a step of {step}, the song's largest is {limit}");
        // A fade, not a stop: the level of the last tenths of a second falls each time, but for what
        // fell before, and for what is 40 dB below the piece.
        let parts: Vec<f32> = (0..4)
            .map(|part| {
                let end = samples.len() - count(0.05) * part;
                level(&samples[end - count(0.05)..end])
            })
            .collect();
        assert!(parts[0] < 0.1 * usual, "{name}: {parts:?} of {usual}");
        let before = parts[2].max(0.05 * usual);
        let after = parts[1].max(0.01 * usual);
        assert!(parts[0] <= after && parts[1] <= 1.5 * before, "{name}: {parts:?} of {usual}");
    }
}

#[test]
fn pieces_of_every_model_and_length_end_and_are_not_cut_off() {
    for (kind, song) in [("cut", song()), ("silent", song_with_silence())] {
        let limit = largest_step(&song.channels()[0]);
        for (name, learned) in learned(song) {
            for seconds in [3.0, 7.0, 15.0, 20.0] {
                let start = learned.start.clone();
                // Each piece as it is, not the one with the best end.
                let grains = GrainOptions { pieces: 1, ..GrainOptions::default() };
                let options = Options { start, grains, ..Options::default() };
                let piece = learned.model.compose(seconds, 3, &options, &mut |_, _| ()).unwrap();
                let name = format!("{name}, {kind} song, {seconds} s");
                assert_ends_well(&name, &piece, seconds, limit);
            }
        }
    }
}

#[test]
fn no_join_steps_farther_than_the_song() {
    let song = song();
    let limit = largest_step(&song.channels()[0]);
    let composer = grains(&[source(song)]);
    let options = GrainOptions { pieces: 1, ..GrainOptions::default() };
    for seed in 1..6 {
        let piece = composer.compose(12.0, seed, &options, &mut |_, _| ()).unwrap();
        let step = largest_step(&piece.audio().channels()[0]);
        assert!(piece.joins_seconds().len() > 3);
        assert!(step <= limit * 1.001, "seed {seed}: {step}, the song's largest is {limit}");
    }
}

#[test]
fn blocks_do_not_click_where_they_meet() {
    let learned = learned(song()).pop().unwrap().1;
    let options = Options { start: learned.start.clone(), ..Options::default() };
    let piece = learned.model.compose(7.0, 3, &options, &mut |_, _| ()).unwrap();
    let block = DatasetSettings::fast().blocks.block_samples;
    let (mut between, mut within) = (0f32, 0f32);
    for (at, pair) in piece.audio().channels()[0].windows(2).enumerate() {
        let most = if (at + 1) % block == 0 { &mut between } else { &mut within };
        *most = most.max((pair[1] - pair[0]).abs());
    }
    assert!(between > 0.0 && between <= 1.001 * within, "{between} between, {within} within");
}

#[test]
fn pieces_that_go_on_are_blended_or_moved_end_as_well() {
    let songs = [source(song()), source(tune(17.3, RATE))];
    let composer = grains(&songs);
    let limit = largest_step(&song().channels()[0]);
    let guest = tune(4.2, RATE);
    let with_guest = composer.with_guest(&source(guest)).unwrap();
    let usual = || GrainOptions { drafts: 2, pieces: 1, ..GrainOptions::default() };
    let compose = |composer: &GrainComposer, options: &GrainOptions| {
        composer.compose(7.0, 2, options, &mut |_, _| ()).unwrap()
    };
    let on = GrainOptions { opening: Opening::Continue, ..usual() };
    assert_ends_well("continued", &compose(&with_guest, &on), 11.2, limit);
    let blended = GrainOptions { blend: vec![1.0, 2.0], ..usual() };
    assert_ends_well("blended", &compose(&composer, &blended), 7.0, limit);
    for (tempo, transpose_semitones) in [(1.3, 0), (0.7, 0), (1.0, -5)] {
        let moved = GrainOptions { tempo, transpose_semitones, ..usual() };
        let name = format!("{tempo} times as fast, {transpose_semitones} higher");
        assert_ends_well(&name, &compose(&composer, &moved), 7.0, 1.3 * limit);
    }
}

#[test]
fn a_part_made_anew_fades_nowhere_and_leaves_the_rest_as_it_was() {
    let composer = grains(&[source(song())]);
    let options = GrainOptions { drafts: 2, pieces: 1, ..GrainOptions::default() };
    let piece = composer.compose(12.0, 1, &options, &mut |_, _| ()).unwrap();
    for (from, to) in [(4.0, 7.0), (2.0, 3.0)] {
        let other = composer.recompose(&piece, from..to, 9, &options, &mut |_, _| ()).unwrap();
        let at = |seconds: f64| (seconds * f64::from(RATE)) as usize;
        let (old, new) = (&piece.audio().channels()[0], &other.audio().channels()[0]);
        assert_eq!(old.len(), new.len());
        assert_eq!(old[..at(from - 0.1)], new[..at(from - 0.1)]);
        let behind = |piece: &Piece| -> Vec<_> {
            piece.placed().iter().filter(|place| place.at_seconds >= to).copied().collect()
        };
        assert_eq!(behind(&piece), behind(&other));
        assert_ends_well("made anew", &other, 12.0, largest_step(&song().channels()[0]));
        // Nowhere in the part and behind it is a hole that the piece had not before.
        let quietest = |samples: &[f32]| {
            let levels = samples.chunks_exact(at(0.5)).map(level);
            levels.fold(f32::INFINITY, f32::min)
        };
        assert!(quietest(&new[..at(11.0)]) > 0.5 * quietest(&old[..at(11.0)]));
    }
}

#[test]
fn an_offset_is_taken_out_and_told_by_every_model() {
    let samples = song().channels()[0].iter().map(|sample| 0.2 + 0.7 * sample).collect();
    for (name, learned) in learned(Audio::mono(samples, RATE).unwrap()) {
        let told = learned.notes.iter().any(|note| note.contains("offset of 0.20"));
        assert!(told, "{name}: {:?}", learned.notes);
        let options = Options { start: learned.start.clone(), ..Options::default() };
        let piece = learned.model.compose(7.0, 3, &options, &mut |_, _| ()).unwrap();
        let samples = &piece.audio().channels()[0];
        let mean = samples.iter().sum::<f32>() / samples.len() as f32;
        assert!(mean.abs() < 0.02, "{name}: {mean}");
        assert!(samples[samples.len() - 1].abs() < 1e-4, "{name}");
    }
    // A song without one is left as it is.
    for (name, learned) in learned(song()) {
        assert!(learned.notes.is_empty(), "{name}: {:?}", learned.notes);
    }
}

#[test]
fn seeds_give_different_pieces_at_every_length() {
    let composer = grains(&[source(song())]);
    for seconds in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0] {
        let options = GrainOptions { drafts: 4, ..GrainOptions::default() };
        let samples = |seed| -> Vec<u32> {
            let piece = composer.compose(seconds, seed, &options, &mut |_, _| ()).unwrap();
            piece.audio().channels()[0].iter().map(|sample| sample.to_bits()).collect()
        };
        let pieces: BTreeSet<Vec<u32>> = (1..=5).map(samples).collect();
        assert_eq!(pieces.len(), 5, "of {seconds} s");
    }
}

#[test]
fn where_there_is_no_choice_that_is_said() {
    // All that two seconds have is one way from the beginning to the end.
    let composer = grains(&[source(tune(2.0, RATE))]);
    let options = GrainOptions { top_k: 1, ..GrainOptions::default() };
    let mut told = 0;
    for seed in 1..=12 {
        let piece = |seed| composer.compose(1.6, seed, &options, &mut |_, _| ()).unwrap();
        let (own, next) = (piece(seed), piece(seed + 1));
        let note = own.notes().iter().any(|note| note.contains("other seeds give it, too"));
        // What is said is so.
        assert!(!note || own.placed() == next.placed(), "{:?}", own.notes());
        told += usize::from(note);
    }
    assert!(told > 0);
    let long = grains(&[source(song())]).compose(3.0, 1, &options, &mut |_, _| ()).unwrap();
    assert!(long.notes().is_empty(), "{:?}", long.notes());
}
