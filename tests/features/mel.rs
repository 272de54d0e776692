//! Mel bands and chroma against librosa (tests/vectors/make_mel.py).

use neural_composer::audio::Audio;
use neural_composer::features::{Chroma, ChromaSettings, LogMel, MelSettings, PITCH_CLASSES};
use std::collections::HashMap;

fn vectors() -> HashMap<String, Vec<f32>> {
    let bytes = include_bytes!("../vectors/mel.safetensors");
    let tensors = candle_core::safetensors::load_buffer(bytes, &candle_core::Device::Cpu).unwrap();
    let values = |tensor: &candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

fn settings() -> MelSettings {
    MelSettings {
        sample_rate_hz: 8_000,
        window_samples: 512,
        hop_samples: 352,
        bands: 20,
        low_hz: 40.0,
        high_hz: 3_500.0,
    }
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn mel_bands_are_librosas_in_decibels() {
    let vectors = vectors();
    let audio = Audio::mono(vectors["samples"].clone(), 8_000).unwrap();
    let mel = LogMel::of(&audio, settings()).unwrap();
    assert_eq!((mel.frames(), mel.bands()), (3_000 / 352 + 1, 20));
    assert!(largest_difference(mel.db(), &vectors["mel_db"]) < 0.02);
}

#[test]
fn chroma_is_librosas() {
    let vectors = vectors();
    let audio = Audio::mono(vectors["samples"].clone(), 8_000).unwrap();
    let settings =
        ChromaSettings { sample_rate_hz: 8_000, window_samples: 1_024, hop_samples: 352 };
    let chroma = Chroma::of(&audio, settings).unwrap();
    assert!(largest_difference(chroma.strengths(), &vectors["chroma"]) < 1e-3);
}

#[test]
fn another_sample_rate_and_a_second_channel_change_little() {
    let sine = |rate: f32| {
        let rate = rate as usize;
        (0..rate).map(move |i| (std::f32::consts::TAU * 440.0 * i as f32 / rate as f32).sin())
    };
    let usual = Audio::mono(sine(22_050.0).collect(), 22_050).unwrap();
    let other = Audio::new(vec![sine(48_000.0).collect(); 2], 48_000).unwrap();
    let [usual, other] =
        [&usual, &other].map(|audio| LogMel::of(audio, MelSettings::default()).unwrap());
    assert_eq!(usual.frames(), other.frames());
    for (a, b) in usual.rows().zip(other.rows()).skip(5).take(50) {
        let (band, loudest) = a.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert!((loudest - b[band]).abs() < 0.1 && loudest.abs() < 4.0, "{loudest} {}", b[band]);
    }
}

#[test]
fn a_note_is_its_pitch_class_in_every_octave() {
    for hz in [220.0, 440.0, 880.0, 1_760.0] {
        let sine = |i| (std::f32::consts::TAU * hz * i as f32 / 22_050.0).sin();
        let audio = Audio::mono((0..22_050).map(sine).collect(), 22_050).unwrap();
        let chroma = Chroma::of(&audio, ChromaSettings::default()).unwrap();
        let row = chroma.rows().nth(chroma.frames() / 2).unwrap();
        let loudest = (0..PITCH_CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b]));
        assert_eq!(loudest, Some(9), "A is the tenth from C");
    }
}

#[test]
fn silence_reads_the_floor_and_no_note() {
    let silence = Audio::mono(vec![0.0; 22_050], 22_050).unwrap();
    let mel = LogMel::of(&silence, MelSettings::default()).unwrap();
    assert!(mel.db().iter().all(|db| *db == LogMel::FLOOR_DB));
    let chroma = Chroma::of(&silence, ChromaSettings::default()).unwrap();
    assert!(chroma.strengths().iter().all(|strength| *strength == 0.0));
    let empty = Audio::mono(Vec::new(), 22_050).unwrap();
    assert_eq!(LogMel::of(&empty, MelSettings::default()).unwrap().frames(), 0);
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let audio = Audio::mono(vec![0.0; 10], 22_050).unwrap();
    let refused = |settings| LogMel::of(&audio, settings).unwrap_err().to_string();
    let usual = MelSettings::default();
    assert!(refused(MelSettings { bands: 0, ..usual }).contains("bands"));
    assert!(refused(MelSettings { high_hz: 12_000.0, ..usual }).contains("high_hz"));
    assert!(refused(MelSettings { hop_samples: 0, ..usual }).contains("hop_samples"));
    assert!(refused(MelSettings { sample_rate_hz: 0, ..usual }).contains("sample_rate_hz"));
}
