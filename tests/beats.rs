//! Beats, bars and their absence; tests/python/test_beats.py measures how well they are found.

mod counted;

use candle_core::{Device, Tensor};
use counted::counted;
use neural_composer::Error;
use neural_composer::audio::{Audio, Song};
use neural_composer::features::{BeatNetwork, Beats, LogMel, MelSettings};
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
    for (beats_in_bar, per_minute) in [(3, 120.0), (4, 110.0)] {
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

#[test]
fn weights_that_are_cut_off_or_of_another_shape_are_refused() {
    let bytes = std::fs::read(in_repository("src/features/beats/weights.safetensors")).unwrap();
    BeatNetwork::from_safetensors(&bytes).unwrap();
    for cut in [0, 7, bytes.len() / 2, bytes.len() - 1] {
        let error = BeatNetwork::from_safetensors(&bytes[..cut]).unwrap_err();
        assert!(error.to_string().contains("beat network"), "{error}");
    }
    let one = Tensor::zeros((2, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let other = safetensors::serialize([("dense.weight", one)], None).unwrap();
    let error = BeatNetwork::from_safetensors(&other).unwrap_err().to_string();
    assert!(error.contains("dense.weight") && error.contains("[2, 3]"), "{error}");
}

/// The network once more, of the layers that models are made of.
#[test]
fn the_network_hears_what_the_same_layers_of_a_model_give() {
    let bytes = std::fs::read(in_repository("src/features/beats/weights.safetensors")).unwrap();
    let weights = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    let weight = |name: String| weights[&name].clone();
    let dense = |name: &str| {
        Dense::new(weight(format!("{name}.weight")), weight(format!("{name}.bias"))).unwrap()
    };
    let both_ways = |name: &str, input: &Tensor| {
        let layer = |suffix: &str| {
            let part = |what: &str| weight(format!("{}{suffix}", name.replace('*', what)));
            let [ih, hh] = ["weight_ih", "weight_hh"].map(part);
            let [bias_ih, bias_hh] = ["bias_ih", "bias_hh"].map(part);
            Recurrent::new(Cell::Gru, ih, hh, bias_ih, bias_hh).unwrap()
        };
        let there = layer("").forward(input, None).unwrap().0;
        let turned = input.flip(&[1]).unwrap();
        let back = layer("_reverse").forward(&turned, None).unwrap().0.flip(&[1]).unwrap();
        Tensor::cat(&[there, back], 2).unwrap()
    };
    // A number of frames that is no multiple of a slow step: the rest is a step of its own.
    let mel = mel(&counted(2.0, 150.0, 3));
    let frames = mel.frames();
    assert_ne!(frames % BeatNetwork::SLOWER, 0);
    let input = BeatNetwork::input(mel.db(), mel.bands());
    let input = Tensor::from_vec(input, (1, frames, BeatNetwork::INPUTS), &Device::Cpu).unwrap();
    let first = dense("dense").forward(&input).unwrap().tanh().unwrap();
    let fast = both_ways("fast.*_l0", &first);
    let steps = frames.div_ceil(BeatNetwork::SLOWER);
    let means: Vec<Tensor> = (0..steps)
        .map(|step| {
            let from = step * BeatNetwork::SLOWER;
            let count = BeatNetwork::SLOWER.min(frames - from);
            fast.narrow(1, from, count).unwrap().mean_keepdim(1).unwrap()
        })
        .collect();
    let slow = both_ways("slow.*_l0", &Tensor::cat(&means, 1).unwrap());
    let slow = both_ways("slow.*_l1", &slow);
    let places: Vec<u32> = (0..frames).map(|f| (f / BeatNetwork::SLOWER) as u32).collect();
    let places = Tensor::from_vec(places, frames, &Device::Cpu).unwrap();
    let both = Tensor::cat(&[fast, slow.index_select(&places, 1).unwrap()], 2).unwrap();
    let heard = dense("head").forward(&dense("mix").forward(&both).unwrap().tanh().unwrap());
    let heard: Vec<Vec<f32>> = heard.unwrap().squeeze(0).unwrap().to_vec2().unwrap();
    let ours = BeatNetwork::shipped().unwrap().hear(&mel).unwrap();
    for (frame, theirs) in heard.iter().enumerate() {
        for (ours, theirs) in [ours.beats[frame], ours.downbeats[frame]].iter().zip(theirs) {
            let theirs = 1.0 / (1.0 + (-theirs).exp());
            assert!((ours - theirs).abs() < 1e-4, "frame {frame}: {ours} {theirs}");
        }
    }
}
