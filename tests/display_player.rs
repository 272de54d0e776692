//! The sound inside a player: what a browser gets is what the piece sounds like.

use base64::Engine;
use neural_composer::audio::{Audio, Song};
use neural_composer::display::Player;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The FLAC files of a player's pieces, decoded.
fn heard(player: &Player) -> Vec<Audio> {
    let bundle = player.bundle().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut pieces = Vec::new();
    for part in bundle.html().split("data:audio/flac;base64,").skip(1) {
        let text = &part[..part.find('"').unwrap()];
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let path = folder.path().join("preview.flac");
        std::fs::write(&path, bytes).unwrap();
        let song = Song::open(&path).unwrap();
        assert!(song.warnings().is_empty(), "{:?}", song.warnings());
        pieces.push(song.audio().clone());
    }
    pieces
}

fn as_16_bits(audio: &Audio) -> Vec<Vec<i32>> {
    let value = |s: &f32| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i32;
    audio.channels().iter().map(|c| c.iter().map(value).collect()).collect()
}

fn noise(frames: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..frames).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// A few partials that come and go, somewhat like music.
fn chords(seconds: f64, rate: u32) -> Vec<f32> {
    let at = |n: usize| {
        let t = n as f64 / f64::from(rate);
        let note = 220.0 * 2f64.powf(((t * 3.0).floor() * 5.0 % 12.0) / 12.0);
        let fade = (-(t * 3.0).fract() * 2.0).exp();
        let partial =
            |k: i32| (t * note * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k);
        (0.3 * fade * (1..6).map(partial).sum::<f64>()) as f32
    };
    (0..(seconds * f64::from(rate)) as usize).map(at).collect()
}

#[test]
fn short_sounds_are_kept_to_the_last_bit() {
    let ramp = |n: usize| (0..n).map(|i| (i as f32 / n as f32) * 1.9 - 0.95).collect::<Vec<_>>();
    let coarse = |n| noise(n, 5).iter().map(|v| (v * 100.0).round() / 128.0).collect::<Vec<_>>();
    let square =
        |n: usize| (0..n).map(|i| if i / 50 % 2 == 0 { 1.0 } else { -1.0 }).collect::<Vec<_>>();
    for frames in [1, 2, 5, 15, 16, 17, 31, 4_095, 4_096, 4_097, 9_000] {
        for samples in [
            noise(frames, 1),
            ramp(frames),
            coarse(frames),
            square(frames),
            vec![0.0; frames],
            vec![-0.25; frames],
        ] {
            let audio = Audio::mono(samples, 44_100).unwrap();
            let [back] = &heard(&Player::new("", &audio))[..] else { panic!("one piece") };
            assert_eq!(back.sample_rate_hz(), 44_100);
            assert_eq!(as_16_bits(back), as_16_bits(&audio), "{frames} frames");
        }
    }
}

#[test]
fn both_channels_and_many_frames_are_kept_where_they_fit() {
    // More than 2,048 frames: their numbers take three bytes.
    let frames = 2_100 * 4_096 + 100;
    let mut left = vec![0.0; frames];
    left[..8_000].copy_from_slice(&noise(8_000, 2));
    left[frames - 8_000..].copy_from_slice(&noise(8_000, 3));
    let right = left.iter().map(|v| -0.5 * v).collect();
    let audio = Audio::new(vec![left, right], 48_000).unwrap();
    let back = heard(&Player::new("", &audio));
    assert_eq!(back[0].channel_count(), 2);
    assert_eq!(as_16_bits(&back[0]), as_16_bits(&audio));
}

#[test]
fn what_is_reduced_still_sounds_alike_and_says_so() {
    let audio = Audio::mono(chords(20.0, 22_050), 22_050).unwrap();
    let ratio_db = |limit: usize| {
        let player = Player::new("", &audio).limit_bytes(limit);
        let bundle = player.bundle().unwrap();
        assert!(bundle.html().contains("Preview of limited size: reduced precision."));
        let [back] = &heard(&player)[..] else { panic!("one piece") };
        assert_eq!(back.frames(), audio.frames());
        let (original, back) = (&audio.channels()[0], &back.channels()[0]);
        let power =
            |samples: &mut dyn Iterator<Item = f32>| samples.map(|v| f64::from(v * v)).sum::<f64>();
        let signal = power(&mut original.iter().copied());
        let error = power(&mut original.iter().zip(back).map(|(a, b)| a - b));
        10.0 * (signal / error).log10()
    };
    // The noise follows the music's spectrum, so it may be louder than evenly spread noise. A bit
    // more for each of the 441,000 samples takes 6 dB of it away.
    let (small, large) = (ratio_db(250_000), ratio_db(250_000 + 2 * 441_000 / 8 * 4 / 3));
    assert!(small > 15.0, "{small:.1} dB");
    assert!(large > small + 9.0, "{small:.1} and {large:.1} dB");
}

#[test]
fn the_size_stays_within_its_limit() {
    // Noise is the worst case for any lossless code.
    let frames = 180 * 44_100;
    let audio = Audio::new(vec![noise(frames, 6), noise(frames, 7)], 44_100).unwrap();
    let bundle = Player::new("Three minutes", &audio).bundle().unwrap();
    let size: usize = bundle.data().values().map(String::len).sum();
    assert!(size < 3_000_000, "{size} bytes");
    assert!(bundle.html().contains("one channel, 22"));
    for limit in [20_000, 100_000, 600_000] {
        let player = Player::new("", &audio).limit_bytes(limit);
        let html = player.bundle().unwrap();
        let sound = html.html().split("data:audio/flac;base64,").nth(1).unwrap();
        let size = sound.find('"').unwrap();
        assert!(size <= limit + 100, "{size} of {limit}");
        assert!(html.html().contains("only the first"));
    }
}

#[test]
fn pieces_to_compare_share_the_limit() {
    let long = Audio::mono(chords(60.0, 22_050), 22_050).unwrap();
    let short = Audio::mono(noise(8 * 22_050, 9), 22_050).unwrap();
    let player = Player::new("long", &long).compared_with("short", &short);
    let html = player.bundle().unwrap();
    assert!(html.html().len() < 1_500_000, "{}", html.html().len());
    let pieces = heard(&player);
    assert_eq!(pieces.len(), 2);
    assert!((pieces[0].duration_seconds() - 60.0).abs() < 0.01);
    assert!((pieces[1].duration_seconds() - 8.0).abs() < 0.01);
}

#[test]
fn file_names_for_download_are_harmless() {
    let tone = Audio::mono(chords(0.2, 8_000), 8_000).unwrap();
    for (title, name) in [
        ("Prelude in C, BWV 846!", "Prelude-in-C-BWV-846.flac"),
        ("../../etc/passwd", "etc-passwd.flac"),
        ("שלום 🎹", "audio.flac"),
        ("", "audio.flac"),
    ] {
        let html = Player::new(title, &tone).bundle().unwrap();
        assert!(html.html().contains(&format!("data-file=\"{name}\"")), "{title}");
    }
}
