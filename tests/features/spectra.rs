//! Block spectra, normalisation and spectrograms against NumPy (tests/vectors/make_features.py).

use neural_composer::audio::Audio;
use neural_composer::features::{Blocks, Normaliser, Spectrogram, SpectrumLayout, StftSettings};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/features.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn samples() -> Vec<f32> {
    numbers(&vectors()["samples"]).iter().map(|sample| *sample as f32).collect()
}

/// Largest difference, relative to the largest number.
fn difference(ours: &[f32], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(1e-12f64, |largest, number| largest.max(number.abs()));
    let differences = ours.iter().zip(theirs).map(|(a, b)| (f64::from(*a) - b).abs());
    differences.fold(0.0, f64::max) / largest
}

fn cases() -> Vec<(Blocks, Value)> {
    let vectors = vectors();
    let cases = vectors["rows"].as_array().unwrap().iter().map(|case| {
        let layout = match case["layout"].as_str().unwrap() {
            "full" => SpectrumLayout::Full,
            _ => SpectrumLayout::Half,
        };
        let block_samples = case["block"].as_u64().unwrap() as usize;
        (Blocks { sample_rate_hz: 8_000, block_samples, layout }, case.clone())
    });
    cases.collect()
}

#[test]
fn block_spectra_are_numpys_in_both_layouts_for_odd_and_even_blocks() {
    assert_eq!(cases().len(), 4);
    for (blocks, case) in cases() {
        let rows = blocks.spectra_of_samples(&samples()).unwrap();
        let error = difference(&rows, &numbers(&case["rows"]));
        assert!(error < 1e-6, "{blocks:?}: {error}");
    }
}

#[test]
fn the_inverse_returns_the_samples_and_the_filling_zeros() {
    for (blocks, _) in cases() {
        let samples = samples();
        let again = blocks.samples(&blocks.spectra_of_samples(&samples).unwrap()).unwrap();
        assert_eq!(again.len(), samples.len().next_multiple_of(blocks.block_samples));
        let padded = samples.into_iter().chain(std::iter::repeat(0.0));
        for (a, b) in again.iter().zip(padded) {
            assert!((a - b).abs() < 1e-6, "{blocks:?}");
        }
    }
}

#[test]
fn a_full_row_without_mirror_symmetry_gives_the_real_part_of_its_inverse() {
    // The inverse transform of a 1 at bin 1 alone is exp(2πit/n)/n; its real part is a cosine.
    let n = 8;
    let blocks = Blocks { sample_rate_hz: 8_000, block_samples: n, layout: SpectrumLayout::Full };
    let mut row = vec![0.0; 2 * n];
    row[1] = 1.0;
    let samples = blocks.samples(&row).unwrap();
    for (t, sample) in samples.iter().enumerate() {
        let cosine = (std::f32::consts::TAU * t as f32 / n as f32).cos() / n as f32;
        assert!((sample - cosine).abs() < 1e-6);
    }
}

#[test]
fn statistics_are_numpys_and_normalised_rows_have_mean_0_and_deviation_1() {
    for (blocks, case) in cases() {
        let width = blocks.width();
        let mut rows = blocks.spectra_of_samples(&samples()).unwrap();
        let original = rows.clone();
        let normaliser = Normaliser::fit(width, [rows.as_slice()]).unwrap();
        assert!(difference(normaliser.mean(), &numbers(&case["mean"])) < 1e-6);
        assert!(difference(normaliser.deviation(), &numbers(&case["deviation"])) < 1e-6);

        normaliser.apply(&mut rows).unwrap();
        let again = Normaliser::fit(width, [rows.as_slice()]).unwrap();
        let moving = |i: &usize| normaliser.deviation()[*i] > 1e-3;
        for i in (0..width).filter(moving) {
            assert!(again.mean()[i].abs() < 1e-5 && (again.deviation()[i] - 1.0).abs() < 1e-5);
        }
        normaliser.undo(&mut rows).unwrap();
        assert!(rows.iter().zip(&original).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn the_spectrogram_is_numpys_in_decibels() {
    let expected = &vectors()["spectrogram"];
    let settings = StftSettings {
        window_samples: expected["window"].as_u64().unwrap() as usize,
        hop_samples: expected["hop"].as_u64().unwrap() as usize,
    };
    let audio = Audio::mono(samples(), 8_000).unwrap();
    let spectrogram = Spectrogram::of(&audio, settings).unwrap();
    let theirs = numbers(&expected["db"]);
    assert_eq!(spectrogram.power_db().len(), theirs.len());
    for (ours, theirs) in spectrogram.power_db().iter().zip(theirs) {
        assert!((f64::from(*ours) - theirs).abs() < 1e-2, "{ours} {theirs}");
    }
}

#[test]
fn a_sine_of_amplitude_1_reads_0_db_at_its_frequency() {
    let rate = 16_000;
    let hz = 1_000.0;
    let sine = |i| (std::f32::consts::TAU * hz * i as f32 / rate as f32).sin();
    let audio = Audio::mono((0..rate).map(sine).collect(), rate as u32).unwrap();
    let spectrogram = audio.spectrogram().unwrap();
    let frame = spectrogram.rows().nth(10).unwrap();
    let (bin, loudest) = frame.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    assert_eq!((bin as f64 * spectrogram.bin_hz()).round(), f64::from(hz));
    assert!(loudest.abs() < 0.1, "{loudest}");
}

#[test]
fn the_blocks_own_spectrogram_shows_a_sine_at_its_frequency_in_both_layouts() {
    let sine = |i| (std::f32::consts::TAU * 1_000.0 * i as f32 / 8_000.0).sin() * 0.5;
    let samples: Vec<f32> = (0..4_000).map(sine).collect();
    for (layout, block_samples) in
        [(SpectrumLayout::Full, 400), (SpectrumLayout::Half, 400), (SpectrumLayout::Half, 200)]
    {
        let blocks = Blocks { sample_rate_hz: 8_000, block_samples, layout };
        let rows = blocks.spectra_of_samples(&samples).unwrap();
        let spectrogram = Spectrogram::of_blocks(blocks, &rows).unwrap();
        assert_eq!(spectrogram.frames(), 4_000 / block_samples);
        for frame in spectrogram.rows() {
            let (bin, db) = frame.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
            assert_eq!((bin as f64 * spectrogram.bin_hz()).round(), 1_000.0);
            assert!((db + 6.02).abs() < 0.05, "{db}");
        }
    }
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let tiny = Blocks { block_samples: 1, ..Blocks::fast() };
    assert!(tiny.spectra_of_samples(&[0.0]).unwrap_err().to_string().contains("block_samples"));
    assert!(Blocks::fast().samples(&[0.0; 5]).unwrap_err().to_string().contains("1024"));
    let audio = Audio::mono(vec![0.0; 10], 8_000).unwrap();
    let hopless = StftSettings { hop_samples: 0, ..StftSettings::default() };
    assert!(Spectrogram::of(&audio, hopless).unwrap_err().to_string().contains("hop_samples"));
    assert!(Normaliser::fit(2, std::iter::empty::<&[f32]>()).is_err());
    assert!(Normaliser::from_statistics(vec![0.0], vec![0.0]).is_err());
}
