//! Resampling against the sine that the result has to be.

use neural_composer::Error;
use neural_composer::audio::{Audio, Resampler};
use std::f64::consts::TAU;

const PAIRS: [(u32, u32); 8] = [
    (44_100, 22_050),
    (44_100, 48_000),
    (48_000, 44_100),
    (22_050, 44_100),
    (8_000, 44_100),
    (96_000, 16_000),
    (44_100, 44_099),
    (192_000, 1_000),
];

fn sine(frames: usize, rate: u32, hz: f64, phase: f64) -> Vec<f32> {
    (0..frames).map(|n| (TAU * hz * n as f64 / f64::from(rate) + phase).sin() as f32).collect()
}

/// The largest difference, away from the ends, where the sine starts and stops suddenly.
fn error_inside(found: &[f32], wanted: &[f32]) -> f32 {
    assert_eq!(found.len(), wanted.len());
    let edge = found.len() / 5;
    let inside = edge..found.len() - edge;
    found[inside.clone()]
        .iter()
        .zip(&wanted[inside])
        .fold(0.0, |most, (f, w)| most.max((f - w).abs()))
}

#[test]
fn a_sine_stays_the_same_sine_in_its_place() {
    for (from, to) in PAIRS {
        // Long enough for the filter at both rates.
        let frames = 30_000_usize.max(from as usize * 20_000 / to as usize);
        for part in [0.003, 0.31, 0.95] {
            let hz = part * f64::from(from.min(to)) / 2.0;
            let audio = Audio::mono(sine(frames, from, hz, 0.7), from).unwrap();
            let resampled = audio.resample(to).unwrap();
            assert_eq!(resampled.sample_rate_hz(), to);
            let wanted = sine(resampled.frames(), to, hz, 0.7);
            let error = error_inside(&resampled.channels()[0], &wanted);
            // Rates with no common divisor need a long filter, which single precision blurs.
            let most = if to == 44_099 { 2e-4 } else { 2e-5 };
            assert!(error < most, "{from} to {to} Hz, {hz:.0} Hz: {error}");
        }
    }
}

#[test]
fn what_the_new_rate_cannot_hold_is_gone_and_does_not_fold_back() {
    for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
        let frames = 30_000_usize.max(from as usize * 20_000 / to as usize);
        let (above, below) = (f64::from(to) / 2.0 * 1.02, f64::from(from) / 2.0 * 0.97);
        if above > below {
            continue;
        }
        for hz in [above, below] {
            let audio = Audio::mono(sine(frames, from, hz, 0.3), from).unwrap();
            let resampled = audio.resample(to).unwrap();
            let silence = vec![0.0; resampled.frames()];
            let rest = error_inside(&resampled.channels()[0], &silence);
            assert!(rest < 1e-5, "{from} to {to} Hz, {hz:.0} Hz: {rest}");
        }
    }
}

#[test]
fn the_length_is_the_rounded_one_for_any_length() {
    for (from, to) in PAIRS {
        for frames in [0, 1, 2, 3, 100, 2047, 2048, 2049, 10_001] {
            let audio = Audio::mono(vec![0.1; frames], from).unwrap();
            let wanted = (frames as f64 * f64::from(to) / f64::from(from)).round() as usize;
            assert_eq!(audio.resample(to).unwrap().frames(), wanted, "{frames}: {from} to {to}");
        }
    }
}

#[test]
fn the_same_rate_changes_nothing() {
    let audio = Audio::new(vec![vec![0.1, -0.2, 0.3], vec![1.5, 0.0, -1.5]], 12_345).unwrap();
    assert!(audio.resample(12_345).unwrap() == audio);
    let mut resampler = Resampler::new(12_345, 12_345, 2).unwrap();
    assert_eq!(resampler.push(audio.channels()).unwrap(), audio.channels());
    assert_eq!(resampler.finish().unwrap(), [vec![], vec![]] as [Vec<f32>; 2]);
}

#[test]
fn chunks_of_any_size_give_what_one_piece_gives() {
    let channels = vec![sine(20_000, 44_100, 440.0, 0.0), sine(20_000, 44_100, 3000.0, 1.0)];
    let audio = Audio::new(channels.clone(), 44_100).unwrap();
    for to in [22_050, 48_000, 16_000] {
        let whole = audio.resample(to).unwrap();
        for size in [1, 77, 1152, 8000, 30_000] {
            let mut resampler = Resampler::new(44_100, to, 2).unwrap();
            let mut parts = vec![Vec::new(); 2];
            let mut start = 0;
            while start < 20_000 {
                let end = (start + size).min(20_000);
                let chunk: Vec<_> = channels.iter().map(|c| c[start..end].to_vec()).collect();
                for (part, ready) in parts.iter_mut().zip(resampler.push(&chunk).unwrap()) {
                    part.extend_from_slice(ready);
                }
                start = end;
            }
            for (part, rest) in parts.iter_mut().zip(resampler.finish().unwrap()) {
                part.extend(rest);
            }
            assert!(parts == whole.channels(), "{to} Hz in chunks of {size}");
        }
    }
}

#[test]
fn impossible_rates_and_channels_are_refused() {
    let audio = Audio::mono(vec![0.0; 10], 44_100).unwrap();
    for rate in [0, 999, 768_001, u32::MAX] {
        let error = audio.resample(rate).unwrap_err();
        assert!(matches!(error, Error::Argument { name: "to_hz", .. }), "{error}");
        assert!(error.to_string().contains(&rate.to_string()), "{error}");
    }
    assert!(Audio::mono(vec![0.0; 10], 10).unwrap().resample(8000).is_err());
    assert!(Resampler::new(8000, 16_000, 0).is_err());
    let mut resampler = Resampler::new(8000, 16_000, 2).unwrap();
    assert!(resampler.push(&[vec![0.0; 3]]).is_err());
    assert!(resampler.push(&[vec![0.0; 3], vec![0.0; 4]]).is_err());
}
