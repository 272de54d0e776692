//! Beats, bars and their absence; tests/python/test_beats.py measures how well they are found.

mod counted;

use candle_core::{Device, Tensor};
use counted::counted;
use neural_composer::Error;
use neural_composer::audio::{Audio, Song};
use neural_composer::features::{BeatGrid, BeatNetwork, Beats, LogMel, MelSettings, MetreNetwork};
use neural_composer::model::dense::Dense;
use neural_composer::model::recurrent::{Cell, Recurrent};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};

const RATE: u32 = 22_050;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn mel(audio: &Audio) -> LogMel {
    LogMel::of(audio, MelSettings::default()).unwrap()
}

fn beats_of_song(name: &str) -> Beats {
    let song = Song::open(in_repository("datasets/songs").join(name)).unwrap();
    Beats::of(&mel(song.audio())).unwrap()
}

fn sound(seconds: f64, mut sample: impl FnMut(f64) -> f32) -> Audio {
    let frames = (seconds * f64::from(RATE)) as usize;
    Audio::mono((0..frames).map(|i| sample(i as f64 / f64::from(RATE))).collect(), RATE).unwrap()
}

fn noise(seconds: f64) -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    sound(seconds, |_| random.random_range(-0.3..0.3))
}

#[test]
fn the_shipped_songs_have_the_tempi_of_their_scores() {
    // As the scores have them at their middle; the beats of greensleeves are its eighths.
    let songs = [
        ("prelude.mp3", 73.0),
        ("canon.ogg", 62.0),
        ("lantern-street.mp3", 104.0),
        ("greensleeves.flac", 148.0),
    ];
    for (name, per_minute) in songs {
        let beats = beats_of_song(name);
        let off = (beats.per_minute() / per_minute - 1.0).abs();
        assert!(off < 0.05, "{name}: {}", beats.per_minute());
    }
}

#[test]
fn of_the_shipped_songs_that_without_a_beat_is_told_from_the_others() {
    for name in ["prelude.mp3", "canon.ogg", "greensleeves.flac", "lantern-street.mp3"] {
        let beats = beats_of_song(name);
        assert!(beats.is_clear(), "{name}: {}", beats.confidence());
    }
    let without = beats_of_song("still-water.wav");
    assert!(!without.is_clear(), "still-water: {}", without.confidence());
}

#[test]
fn bars_of_three_and_of_four_are_told_apart() {
    // Nothing sounds between the beats: slow ones are not divided, quick ones not taken for halves.
    let three = [72.0, 90.0, 120.0, 160.0].map(|per_minute| (3, per_minute));
    let four = [66.0, 80.0, 110.0, 130.0, 160.0].map(|per_minute| (4, per_minute));
    let cases = [&three[..], &four, &[(5, 100.0)]].concat();
    for (beats_in_bar, per_minute) in cases {
        let beats = Beats::of(&mel(&counted(24.0, per_minute, beats_in_bar))).unwrap();
        assert!((beats.per_minute() / per_minute - 1.0).abs() < 0.03, "{}", beats.per_minute());
        assert_eq!(beats.beats_in_bar(), beats_in_bar);
        let bar = 60.0 / per_minute * beats_in_bar as f64;
        let downbeats = beats.downbeats_seconds();
        assert!(downbeats.len() as f64 >= 20.0 / bar, "{downbeats:?}");
        for downbeat in downbeats {
            let off = (downbeat / bar).round() * bar - downbeat;
            assert!(off.abs() < 0.07, "{beats_in_bar} in a bar: {downbeat}");
        }
    }
}

#[test]
fn a_beat_is_sought_at_all_tempi_and_at_those_of_three_ranges() {
    let click = |t: f64| if t % (60.0 / 147.0) < 0.02 { (3_000.0 * t).sin() as f32 } else { 0.0 };
    let mel = mel(&sound(20.0, click));
    let grids = BeatGrid::candidates(&mel).unwrap();
    assert_eq!(grids[0].times_seconds(), BeatGrid::of(&mel).unwrap().times_seconds());
    // Points are halves of beats that are slower than 170 a minute.
    let tempi: Vec<f64> = grids
        .iter()
        .map(|grid| {
            let mut steps: Vec<f64> =
                grid.times_seconds().windows(2).map(|pair| pair[1] - pair[0]).collect();
            steps.sort_by(f64::total_cmp);
            60.0 / steps[steps.len() / 2]
        })
        .collect();
    let ranges = [(80.0, 440.0), (156.0, 216.0), (196.0, 268.0), (244.0, 336.0)];
    for (tempo, (slowest, fastest)) in tempi.iter().zip(ranges) {
        assert!((slowest * 0.95..fastest * 1.05).contains(tempo), "{tempi:?}");
    }
    assert_eq!(grids.len(), 4);
    for grid in &grids {
        assert_eq!(grid.input().len(), grid.times_seconds().len() * BeatGrid::INPUTS);
    }
}

#[test]
fn no_beat_is_slower_than_forty_a_minute() {
    for per_minute in [20.0, 30.0, 37.0] {
        let beats = Beats::of(&mel(&counted(30.0, per_minute, 4))).unwrap();
        assert!(beats.per_minute() > 39.0, "{per_minute}: {}", beats.per_minute());
    }
}

#[test]
fn what_has_no_beat_is_said_to_have_none() {
    let drone = sound(20.0, |t| (0.2 * (690.0 * t).sin() + 0.2 * (1_038.0 * t).sin()) as f32);
    let swell = sound(20.0, |t| (0.3 * (1.3 * t).sin() * (2_000.0 * t).sin()) as f32);
    for (name, audio) in [("noise", noise(20.0)), ("drone", drone), ("swell", swell)] {
        let beats = Beats::of(&mel(&audio)).unwrap();
        assert!(!beats.is_clear(), "{name}: {}", beats.confidence());
    }
}

#[test]
fn silent_and_short_sound_has_no_beat_and_numbers_all_the_same() {
    let click = |t: f64| if t % 0.5 < 0.01 { 0.5 } else { 0.0 };
    let cases = [
        ("nothing", sound(0.0, |_| 0.0)),
        ("a sample", sound(1.5 / f64::from(RATE), |_| 0.5)),
        ("silence", sound(10.0, |_| 0.0)),
        ("a click", sound(0.2, click)),
        ("three clicks", sound(1.2, click)),
    ];
    for (name, audio) in cases {
        let beats = Beats::of(&mel(&audio)).unwrap();
        assert!(!beats.is_clear(), "{name}");
        assert!(beats.per_minute().is_finite() && beats.confidence().is_finite(), "{name}");
        assert_eq!(beats.places_in_bar().len(), beats.times_seconds().len(), "{name}");
        assert!((2..=7).contains(&beats.beats_in_bar()), "{name}");
    }
}

#[test]
fn beats_are_the_same_on_any_number_of_threads() {
    let audio = counted(12.0, 96.0, 4);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let beats = pool.install(|| Beats::of(&mel(&audio)).unwrap());
        let times: Vec<u64> = beats.times_seconds().iter().map(|time| time.to_bits()).collect();
        (times, beats.places_in_bar().to_vec(), beats.confidence().to_bits())
    };
    let alone = on(1);
    assert!(alone.0.len() > 10);
    assert_eq!(alone, on(2));
    assert_eq!(alone, on(5));
}

#[test]
fn bands_that_the_network_did_not_learn_from_are_refused() {
    let settings = MelSettings { bands: 40, ..MelSettings::default() };
    let error = Beats::of(&LogMel::of(&noise(3.0), settings).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Argument { name: "mel", .. }), "{error}");
}

type Refused = fn(&[u8]) -> Option<Error>;

#[test]
fn weights_that_are_cut_off_or_of_another_shape_are_refused() {
    let networks: [(&str, &str, Refused); 2] = [
        ("weights", "beat network", |bytes| BeatNetwork::from_safetensors(bytes).err()),
        ("metre", "metre network", |bytes| MetreNetwork::from_safetensors(bytes).err()),
    ];
    for (file, network, refused) in networks {
        let path = format!("src/features/beats/{file}.safetensors");
        let bytes = std::fs::read(in_repository(&path)).unwrap();
        assert!(refused(&bytes).is_none(), "{network}");
        for cut in [0, 7, bytes.len() / 2, bytes.len() - 1] {
            let error = refused(&bytes[..cut]).unwrap().to_string();
            assert!(error.contains(network), "{error}");
        }
        let one = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        let other = safetensors::serialize([("dense.weight", one)], None).unwrap();
        let error = refused(&other).unwrap().to_string();
        assert!(error.contains("dense.weight") && error.contains("[2, 3]"), "{error}");
    }
}

/// A network once more, of the layers that models are made of.
struct Layers(std::collections::HashMap<String, Tensor>);

impl Layers {
    fn of(file: &str) -> Self {
        let path = format!("src/features/beats/{file}.safetensors");
        let bytes = std::fs::read(in_repository(&path)).unwrap();
        Self(candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap())
    }

    fn dense(&self, name: &str, input: &Tensor) -> Tensor {
        let weight = |what: &str| self.0[&format!("{name}.{what}")].clone();
        Dense::new(weight("weight"), weight("bias")).unwrap().forward(input).unwrap()
    }

    fn both_ways(&self, name: &str, input: &Tensor) -> Tensor {
        let layer = |suffix: &str| {
            let part = |what: &str| self.0[&format!("{}{suffix}", name.replace('*', what))].clone();
            let [ih, hh] = ["weight_ih", "weight_hh"].map(part);
            let [bias_ih, bias_hh] = ["bias_ih", "bias_hh"].map(part);
            Recurrent::new(Cell::Gru, ih, hh, bias_ih, bias_hh).unwrap()
        };
        let there = layer("").forward(input, None).unwrap().0;
        let turned = input.flip(&[1]).unwrap();
        let back = layer("_reverse").forward(&turned, None).unwrap().0.flip(&[1]).unwrap();
        Tensor::cat(&[there, back], 2).unwrap()
    }
}

#[test]
fn the_beat_network_hears_what_the_same_layers_of_a_model_give() {
    let layers = Layers::of("weights");
    // A number of frames that is no multiple of a slow step: the rest is a step of its own.
    let mel = mel(&counted(2.0, 150.0, 3));
    let frames = mel.frames();
    assert_ne!(frames % BeatNetwork::SLOWER, 0);
    let input = BeatNetwork::input(mel.db(), mel.bands());
    let input = Tensor::from_vec(input, (1, frames, BeatNetwork::INPUTS), &Device::Cpu).unwrap();
    let fast = layers.both_ways("fast.*_l0", &layers.dense("dense", &input).tanh().unwrap());
    let steps = frames.div_ceil(BeatNetwork::SLOWER);
    let means: Vec<Tensor> = (0..steps)
        .map(|step| {
            let from = step * BeatNetwork::SLOWER;
            let count = BeatNetwork::SLOWER.min(frames - from);
            fast.narrow(1, from, count).unwrap().mean_keepdim(1).unwrap()
        })
        .collect();
    let slow = layers.both_ways("slow.*_l0", &Tensor::cat(&means, 1).unwrap());
    let slow = layers.both_ways("slow.*_l1", &slow);
    let places: Vec<u32> = (0..frames).map(|f| (f / BeatNetwork::SLOWER) as u32).collect();
    let places = Tensor::from_vec(places, frames, &Device::Cpu).unwrap();
    let both = Tensor::cat(&[fast, slow.index_select(&places, 1).unwrap()], 2).unwrap();
    let heard = layers.dense("head", &layers.dense("mix", &both).tanh().unwrap());
    let heard: Vec<Vec<f32>> = heard.squeeze(0).unwrap().to_vec2().unwrap();
    let ours = BeatNetwork::shipped().unwrap().hear(&mel).unwrap();
    assert_eq!(heard.len(), ours.beats.len());
    for (frame, theirs) in heard.iter().enumerate() {
        for (ours, theirs) in [ours.beats[frame], ours.downbeats[frame]].iter().zip(theirs) {
            let theirs = 1.0 / (1.0 + (-theirs).exp());
            assert!((ours - theirs).abs() < 1e-4, "frame {frame}: {ours} {theirs}");
        }
    }
}

#[test]
fn the_metre_network_hears_what_the_same_layers_of_a_model_give() {
    let layers = Layers::of("metre");
    let grid = BeatGrid::of(&mel(&counted(9.0, 100.0, 3))).unwrap();
    let points = grid.times_seconds().len();
    assert!(points > 20, "{points}");
    let shape = (1, points, BeatGrid::INPUTS);
    let input = Tensor::from_vec(grid.input().to_vec(), shape, &Device::Cpu).unwrap();
    let mut values = layers.dense("dense", &input).tanh().unwrap();
    for name in ["points.*_l0", "points.*_l1"] {
        values = layers.both_ways(name, &values);
    }
    let heard = candle_nn::ops::softmax(&layers.dense("head", &values), 2).unwrap();
    let heard: Vec<Vec<f32>> = heard.squeeze(0).unwrap().to_vec2().unwrap();
    let ours = MetreNetwork::shipped().unwrap().hear(&grid);
    assert_eq!(ours.len(), heard.len());
    for (point, (ours, theirs)) in ours.iter().zip(&heard).enumerate() {
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-4, "point {point}: {ours} {theirs}");
        }
    }
}

#[test]
fn slow_beats_are_divided_by_the_grid_and_quick_ones_are_not() {
    for (per_minute, points_a_minute) in
        [(80.0, 160.0), (104.0, 208.0), (125.0, 250.0), (190.0, 190.0)]
    {
        let grid = BeatGrid::of(&mel(&counted(24.0, per_minute, 4))).unwrap();
        let times = grid.times_seconds();
        let found = 60.0 * (times.len() - 1) as f64 / (times[times.len() - 1] - times[0]);
        assert!((found / points_a_minute - 1.0).abs() < 0.03, "{per_minute}: {found}");
        assert_eq!(grid.input().len(), times.len() * BeatGrid::INPUTS);
        assert!(grid.input().iter().all(|number| number.is_finite()), "{per_minute}");
    }
}
