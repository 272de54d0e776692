//! The sound inside a player: what a browser gets is what the piece sounds like.

use base64::Engine;
use neural_composer::audio::{Audio, Song};
use neural_composer::display::Player;
use neural_composer::features::{Spectrogram, StftSettings};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the sound of each piece of a player is coded, and that sound, decoded.
fn coded(player: &Player) -> Vec<(String, Audio)> {
    let bundle = player.bundle().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut pieces = Vec::new();
    for part in bundle.html().split("src=\"data:audio/").skip(1) {
        let source = &part[..part.find('"').unwrap()];
        let (kind, text) = source.split_once(";base64,").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let path = folder.path().join("sound");
        std::fs::write(&path, bytes).unwrap();
        let song = Song::open(&path).unwrap();
        assert!(song.warnings().is_empty(), "{:?}", song.warnings());
        pieces.push((kind.to_owned(), song.audio().clone()));
    }
    pieces
}

/// The sound of a player's pieces, decoded.
fn heard(player: &Player) -> Vec<Audio> {
    coded(player).into_iter().map(|(_, audio)| audio).collect()
}

/// The sound of a player of one piece, which has to be Opus.
fn heard_of_opus(player: &Player) -> Audio {
    let pieces = coded(player);
    let [(kind, audio)] = &pieces[..] else { panic!("one piece") };
    assert_eq!(kind, "ogg;codecs=opus");
    assert_eq!(audio.sample_rate_hz(), 48_000);
    audio.clone()
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

/// Stereo up to the highest frequencies: chords on the left, others on the right, drums on both.
fn band(seconds: f64, rate: u32) -> Audio {
    let (left, late) = (chords(seconds, rate), chords(seconds + 0.7, rate));
    let right = &late[late.len() - left.len()..];
    let beat = |n: usize| (-((n as f64 / f64::from(rate) * 4.0).fract()) * 12.0).exp() as f32;
    let with_drums = |channel: &[f32], drum: Vec<f32>| {
        channel.iter().zip(drum).enumerate().map(|(n, (c, d))| c + 0.3 * beat(n) * d).collect()
    };
    let drums = |seed| noise(left.len(), seed);
    Audio::new(vec![with_drums(&left, drums(11)), with_drums(right, drums(12))], rate).unwrap()
}

fn energy(samples: impl IntoIterator<Item = f32>) -> f64 {
    samples.into_iter().map(|v| f64::from(v) * f64::from(v)).sum()
}

fn decibels(energy: f64, of: f64) -> f64 {
    10.0 * (energy / of).log10()
}

fn side(audio: &Audio) -> Vec<f32> {
    audio.channels()[0].iter().zip(&audio.channels()[1]).map(|(l, r)| l - r).collect()
}

/// The energy between two frequencies.
fn energy_between(audio: &Audio, low_hz: f64, high_hz: f64) -> f64 {
    let spectrogram = Spectrogram::of(audio, StftSettings::default()).unwrap();
    let bin = |hz: f64| (hz / spectrogram.bin_hz()).round() as usize;
    let rows = spectrogram.power_db().chunks_exact(spectrogram.bins());
    let powers = rows.flat_map(|row| &row[bin(low_hz)..bin(high_hz)]);
    powers.map(|db| 10f64.powf(f64::from(*db) / 10.0)).sum()
}

#[test]
fn a_long_song_is_stereo_at_full_bandwidth_and_in_its_place() {
    let song = band(40.0, 44_100);
    let back = heard_of_opus(&Player::new("", &song));
    let song = song.resample(48_000).unwrap();
    assert_eq!((back.channel_count(), back.frames()), (2, song.frames()));
    for (original, back) in song.channels().iter().zip(back.channels()) {
        let change = decibels(energy(back.iter().copied()), energy(original.iter().copied()));
        assert!(change.abs() < 0.5, "{change:.2} dB");
        // A second of it beside the original, up to 2 ms early or late.
        let likeness = |late: usize| -> f64 {
            let (early, rest) = (&original[480_100..528_100], &back[480_000 + late..]);
            early.iter().zip(rest).map(|(a, b)| f64::from(a * b)).sum()
        };
        let best = (0..=200).max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap();
        assert_eq!(best, 100, "frames from its place, and 100");
    }
    let (between, between_back) = (side(&song), side(&back));
    let product: f64 = between.iter().zip(&between_back).map(|(a, b)| f64::from(a * b)).sum();
    let correlation = product / (energy(between) * energy(between_back)).sqrt();
    assert!(correlation > 0.8, "what tells left from right: {correlation:.3}");
    for (low_hz, high_hz) in [(100.0, 2e3), (2e3, 8e3), (8e3, 12e3), (12e3, 16e3)] {
        let (original, back) = (song.to_mono(), back.to_mono());
        let change = decibels(
            energy_between(&back, low_hz, high_hz),
            energy_between(&original, low_hz, high_hz),
        );
        assert!(change.abs() < 1.0, "{low_hz} to {high_hz} Hz: {change:.2} dB");
    }
}

#[test]
fn what_is_coded_side_by_side_is_joined_without_a_seam() {
    // Steady, so that what the code changes is steady, too: chords of noise and tones.
    let frames = 30 * 48_000;
    let channel = |seed: u64, hz: f32| -> Vec<f32> {
        let tone = |n: usize| {
            (n as f32 * hz / 48_000.0 * std::f32::consts::TAU % std::f32::consts::TAU).sin()
        };
        let noise = noise(frames, seed);
        noise.iter().enumerate().map(|(n, v)| 0.05 * v + 0.3 * tone(n)).collect()
    };
    let song = Audio::new(vec![channel(21, 200.0), channel(22, 300.0)], 48_000).unwrap();
    let back = heard_of_opus(&Player::new("", &song));
    let (original, back) = (&song.channels()[0], &back.channels()[0]);
    let errors: Vec<f64> = original
        .chunks_exact(960)
        .zip(back.chunks_exact(960))
        .map(|(a, b)| energy(a.iter().zip(b).map(|(a, b)| a - b)))
        .collect();
    // Stretches are 8 s long; the beginning and the end have their own errors.
    let joins: Vec<usize> = (1..4).flat_map(|join| [400 * join - 1, 400 * join]).collect();
    let mut elsewhere = errors[50..errors.len() - 50].to_vec();
    elsewhere.sort_by(f64::total_cmp);
    let usual = elsewhere[elsewhere.len() / 2];
    for join in joins {
        assert!(errors[join] < 1.3 * usual, "{join}: {} and {usual}", errors[join]);
    }
}

#[test]
fn the_sound_in_a_page_is_the_same_with_any_number_of_threads() {
    let song = band(20.0, 44_100);
    let html = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Player::new("", &song).bundle().unwrap().html().to_owned())
    };
    assert!(html(1) == html(3), "the pages differ");
}

#[test]
fn odd_sounds_that_do_not_fit_losslessly_are_played_whole() {
    let rates = [500, 8_000, 11_025, 48_000, 192_000, 384_000, 1_000_000];
    for (rate, channels) in rates.into_iter().flat_map(|rate| [(rate, 1), (rate, 2), (rate, 6)]) {
        let frames = 2 * rate as usize;
        let of = |seed| noise(frames, seed).iter().map(|v| 0.3 * v).collect();
        let audio = Audio::new((0..channels).map(of).collect(), rate).unwrap();
        let player = Player::new("", &audio).limit_bytes(20_000);
        // 500 samples a second are few enough to be kept as they are.
        let back = if rate == 500 { heard(&player).remove(0) } else { heard_of_opus(&player) };
        assert!((back.duration_seconds() - 2.0).abs() < 1e-3, "{rate} Hz: {back:?}");
        assert_eq!(back.channel_count(), if channels == 2 { 2 } else { 1 });
        let html = player.bundle().unwrap().html().to_owned();
        assert_eq!(html.contains("6 channels mixed into one"), channels == 6);
        assert!(!html.contains("only the first"));
    }
    let samples = |of: &dyn Fn(usize) -> f32| (0..96_000).map(of).collect::<Vec<_>>();
    let hidden = noise(96_000, 31);
    for (name, samples) in [
        ("beyond full scale", samples(&|n| 20.0 * hidden[n])),
        ("not numbers", samples(&|n| if n % 100 == 0 { f32::NAN } else { 0.3 * hidden[n] })),
        ("without end", samples(&|n| if n % 100 == 0 { f32::INFINITY } else { 0.3 * hidden[n] })),
        (
            "a burst in silence",
            samples(&|n| if n / 100 == 300 { hidden[n] } else { 1e-4 * hidden[n] }),
        ),
    ] {
        let audio = Audio::mono(samples, 48_000).unwrap();
        let back = heard_of_opus(&Player::new("", &audio).limit_bytes(30_000));
        assert_eq!(back.frames(), 96_000, "{name}");
        let loudest = back.channels()[0].iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!((0.3..3.0).contains(&loudest), "{name}: {loudest}");
    }
    // A limit below the smallest file leaves nothing to hear, and a page.
    for limit in [0, 1, 100, 1_000] {
        let audio = Audio::mono(noise(96_000, 32), 48_000).unwrap();
        let html = Player::new("", &audio).limit_bytes(limit).bundle().unwrap().html().to_owned();
        assert!(html.contains("only the first"), "{limit}");
    }
}

#[test]
fn the_size_stays_within_its_limit() {
    // Noise is the worst case for any lossless code.
    let frames = 180 * 44_100;
    let audio = Audio::new(vec![noise(frames, 6), noise(frames, 7)], 44_100).unwrap();
    let bundle = Player::new("Three minutes", &audio).bundle().unwrap();
    let size: usize = bundle.data().values().map(String::len).sum();
    assert!(size < 3_000_000, "{size} bytes");
    assert!(bundle.html().contains("In this page: Opus, 79 kbit/s."));
    for limit in [20_000, 100_000, 600_000] {
        let player = Player::new("", &audio).limit_bytes(limit);
        let html = player.bundle().unwrap();
        let sound = html.html().split(";codecs=opus;base64,").nth(1).unwrap();
        let size = sound.find('"').unwrap();
        assert!(size <= limit + 4, "{size} of {limit}");
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
    let long = Audio::mono(noise(20 * 44_100, 41), 44_100).unwrap();
    assert!(
        Player::new("long", &long).bundle().unwrap().html().contains("data-file=\"long.opus\"")
    );
}
