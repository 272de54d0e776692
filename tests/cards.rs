//! What a notebook says of a song, a dataset and a network.

use neural_composer::audio::{Audio, Levels, Song};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::display::Show;
use neural_composer::features::{Chroma, ChromaSettings, Key};
use neural_composer::model::{Device, Network, NetworkConfig, lstm};
use neural_composer::train::Silent;
use neural_composer::train::Training;
use neural_composer::{Result, train};
use std::f64::consts::TAU;

const RATE: u32 = 16_000;

/// Chords of three sines, a second each.
fn chords(chords: &[[f64; 3]]) -> Vec<f32> {
    let second = |notes: &[f64; 3]| {
        let notes = *notes;
        (0..RATE).map(move |n| {
            let time = f64::from(n) / f64::from(RATE);
            let fade = (-3.0 * time).exp();
            (notes.iter().map(|hz| (TAU * hz * time).sin()).sum::<f64>() * 0.2 * fade) as f32
        })
    };
    chords.iter().flat_map(second).collect()
}

fn in_a_minor() -> Vec<f32> {
    let (a, d, e) = ([220.0, 261.6, 329.6], [293.7, 349.2, 440.0], [329.6, 415.3, 493.9]);
    chords(&[a, d, e, a].repeat(4))
}

#[test]
fn levels_find_silence_and_cut_off_peaks() -> Result<()> {
    let mut samples = vec![0.0; 8_000];
    samples.extend((0..32_000).map(|n| (1.5 * (n as f32 * 0.05).sin()).clamp(-1.0, 1.0)));
    samples.extend(vec![0.0; 4_000]);
    let levels = Levels::of(&Audio::mono(samples, RATE)?)?;
    assert!((levels.silence_before_seconds - 0.5).abs() < 1e-3);
    assert!((levels.silence_after_seconds - 0.25).abs() < 1e-3);
    // Every half period of the sine is cut off once: 32,000 × 0.05 / π of them.
    let halves = 32_000.0 * 0.05 / std::f64::consts::PI;
    assert!((levels.clipped_peaks as f64 - halves).abs() <= 1.0, "{}", levels.clipped_peaks);
    let silent = Levels::of(&Audio::mono(vec![0.0; 16_000], RATE)?)?;
    assert_eq!((silent.loudness_lufs, silent.clipped_peaks), (None, 0));
    assert_eq!(silent.silence_before_seconds, 1.0);
    Ok(())
}

#[test]
fn a_full_scale_sine_has_the_loudness_that_ebu_tech_3341_gives_it() -> Result<()> {
    // Case 1 of EBU Tech 3341: a stereo sine of 1000 Hz at -23 dBFS for 20 s has -23 LUFS.
    let amplitude = 10f64.powf(-23.0 / 20.0);
    let sine: Vec<f32> = (0..20 * 48_000)
        .map(|n| (amplitude * (TAU * 1_000.0 * f64::from(n) / 48_000.0).sin()) as f32)
        .collect();
    let levels = Levels::of(&Audio::new(vec![sine.clone(), sine], 48_000)?)?;
    assert!((levels.loudness_lufs.unwrap() + 23.0).abs() < 0.1, "{levels:?}");
    Ok(())
}

#[test]
fn the_key_moves_with_the_music_and_silence_has_none() -> Result<()> {
    let key = |samples| -> Result<Option<Key>> {
        Ok(Key::of(&Chroma::of(&Audio::mono(samples, RATE)?, ChromaSettings::default())?))
    };
    assert_eq!(key(in_a_minor())?.unwrap().to_string(), "A minor");
    let third = 2f64.powf(3.0 / 12.0);
    let moved = [[220.0, 261.6, 329.6], [293.7, 349.2, 440.0], [329.6, 415.3, 493.9]]
        .map(|chord| chord.map(|hz| hz * third));
    let [a, d, e] = moved;
    assert_eq!(key(chords(&[a, d, e, a].repeat(4)))?.unwrap().to_string(), "C minor");
    assert_eq!(key(vec![0.0; 32_000])?, None);
    Ok(())
}

/// The keys that the scores are written in.
#[test]
fn the_key_is_the_scores() -> Result<()> {
    for (file, expected) in
        [("prelude.mp3", "C major"), ("canon.ogg", "D major"), ("greensleeves.flac", "A minor")]
    {
        let song = Song::open(format!("{}/datasets/songs/{file}", env!("CARGO_MANIFEST_DIR")))?;
        let found = Key::of(&Chroma::of(song.audio(), ChromaSettings::default())?).unwrap();
        assert_eq!(found.to_string(), expected, "{file}");
    }
    Ok(())
}

/// The level of the scores, not twice or half of it.
#[test]
fn a_songs_card_has_the_tempo_of_the_score() -> Result<()> {
    for (file, expected) in [
        ("prelude.mp3", Some(73.0)),
        ("canon.ogg", Some(62.0)),
        ("greensleeves.flac", Some(148.0)),
        ("lantern-street.mp3", Some(104.0)),
        ("still-water.wav", None),
    ] {
        let song = Song::open(format!("{}/datasets/songs/{file}", env!("CARGO_MANIFEST_DIR")))?;
        let card = song.bundle()?;
        let told = card.plain().split_once("about ").and_then(|(_, rest)| {
            let (per_minute, _) = rest.split_once(" a minute")?;
            per_minute.parse::<f64>().ok()
        });
        match (told, expected) {
            (Some(told), Some(expected)) => {
                assert!((told / expected - 1.0).abs() < 0.05, "{file}: {told}");
            }
            (None, None) => assert!(card.plain().contains("no clear beat found"), "{file}"),
            other => panic!("{file}: {other:?}"),
        }
    }
    Ok(())
}

#[test]
fn a_songs_card_tells_what_is_known_and_shows_names_as_text() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("<img src=x onerror=alert(1)>.wav");
    Audio::mono(in_a_minor(), RATE)?.save(&path)?;
    let bundle = Song::open(&path)?.bundle()?;
    assert!(!bundle.html().contains("<img src=x"));
    assert!(bundle.html().contains("&lt;img src=x onerror=alert(1)&gt;"));
    for fact in ["0:16", "mono", "A minor", "LUFS", "about 60 a minute"] {
        assert!(bundle.plain().contains(fact), "{fact} in {}", bundle.plain());
        assert!(bundle.html().contains(fact), "{fact}");
    }
    Ok(())
}

#[test]
fn a_datasets_card_lists_songs_to_hear_and_what_was_skipped() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    Audio::mono(in_a_minor(), RATE)?.save(folder.path().join("a <b>bold song.wav"))?;
    std::fs::write(folder.path().join("broken.wav"), b"no sound").unwrap();
    let data = Dataset::from_dir(folder.path(), DatasetSettings::fast())?;
    let (heard, written) = (data.song_audio(0)?, in_a_minor());
    for (heard, written) in heard.channels()[0].iter().zip(&written) {
        assert!((heard - written).abs() < 1e-4);
    }
    assert!(data.song_audio(1).is_err());
    let bundle = data.bundle()?;
    assert!(bundle.html().contains("a &lt;b&gt;bold song"));
    assert_eq!(bundle.html().matches("<audio").count(), 1);
    assert_eq!(bundle.html().matches("nc-thumbnail\"").count(), 1);
    assert!(bundle.html().contains("Skipped") && bundle.html().contains("broken.wav"));
    Ok(())
}

#[test]
fn a_networks_card_says_where_its_weights_come_from() -> Result<()> {
    let songs = [("A <i>song</i>".to_owned(), Audio::mono(in_a_minor(), RATE)?)];
    let data = Dataset::from_audio(&songs, DatasetSettings::fast())?;
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(8)]);
    let mut network = Network::new(config, &data, 17, &Device::cpu())?;
    assert!(network.bundle()?.plain().contains("Not trained yet"));
    train::run(&mut network, &data, &Training::epochs(2).seed(5), &mut Silent)?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    network.save(&path)?;
    for network in [network, Network::load(&path, &Device::cpu())?] {
        let bundle = network.bundle()?;
        for fact in ["2 epochs on ", "A <i>song</i>", "seed 5", "17"] {
            assert!(bundle.plain().contains(fact), "{fact} in {}", bundle.plain());
        }
        assert!(!bundle.html().contains("<i>song"));
    }
    Ok(())
}
