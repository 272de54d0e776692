//! Sound that is no sound, and rates that browsers do not play.

use neural_composer::audio::{Audio, Levels, Song};
use neural_composer::display::{Player, Show, waveform};
use neural_composer::features::{Beats, Blocks, LogMel, MelSettings, PitchBands};
use neural_composer::{Error, evaluate};

fn tone(rate: u32, seconds: f64) -> Vec<f32> {
    let count = (seconds * f64::from(rate)) as usize;
    (0..count)
        .map(|n| (n as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5)
        .collect()
}

/// Samples of every unhappy kind, by name.
fn unhappy() -> Vec<(&'static str, Vec<f32>, u32)> {
    let mut some_nan = tone(8_000, 4.0);
    some_nan[5_000..9_000].fill(f32::NAN);
    let mut one_infinite = tone(22_050, 4.0);
    one_infinite[30_000] = f32::NEG_INFINITY;
    let mut loud = tone(8_000, 4.0);
    loud.iter_mut().for_each(|v| *v *= 2e30);
    vec![
        ("NaN", vec![f32::NAN; 8_000], 8_000),
        ("infinity", vec![f32::INFINITY, 0.5, -0.5, 0.0], 8_000),
        ("all infinite", vec![f32::INFINITY; 40_000], 8_000),
        ("empty", vec![], 8_000),
        ("1e30", vec![1e30; 8_000], 8_000),
        ("a tone of 1e30", loud, 8_000),
        ("the largest", vec![f32::MAX, f32::MIN, f32::MAX, 0.0], 8_000),
        ("the largest for long", [f32::MAX, f32::MIN].repeat(20_000), 8_000),
        ("the smallest", vec![f32::from_bits(1); 30_000], 8_000),
        ("NaN within a tone", some_nan, 8_000),
        ("one infinite sample", one_infinite, 22_050),
        ("one sample", vec![0.3], 44_100),
        ("one NaN", vec![f32::NAN], 44_100),
    ]
}

/// Nothing in what a page gets may be a word for no number, or an empty name before a colon.
fn assert_clean(name: &str, shown: &neural_composer::display::Bundle) {
    for (mime, text) in shown.data() {
        if mime == "image/png" {
            continue;
        }
        // What is encoded may spell anything.
        let mut plain = String::new();
        for (index, part) in text.split("base64,").enumerate() {
            let from = if index == 0 { 0 } else { part.find('"').unwrap_or(part.len()) };
            plain += &part[from..];
        }
        let plain = match plain.find("<script>") {
            Some(script) => {
                let end = plain[script..].find("</script>").map_or(plain.len(), |end| script + end);
                plain[..script].to_owned() + &plain[end..]
            }
            None => plain,
        };
        for attribute in ["data-peaks=\"", "data-levels=\"", "data-spectrogram=\""] {
            assert!(plain.matches(attribute).count() <= 1);
        }
        for word in plain.split(|c: char| !c.is_ascii_alphanumeric()) {
            let word = word.to_ascii_lowercase();
            assert!(
                !matches!(word.as_str(), "nan" | "inf" | "infinity"),
                "{name}, {mime}: {plain}"
            );
        }
        assert!(!plain.trim_start().starts_with(':'), "{name}, {mime}: {plain}");
    }
    if let Some(picture) = shown.picture() {
        assert!(picture.png().starts_with(b"\x89PNG"));
        assert!(!picture.svg().contains("NaN") && !picture.svg().contains("inf"), "{name}");
    }
}

/// A sentence for people: it begins with a word and names no generated thing.
fn assert_sentence(name: &str, error: &Error) {
    let words = error.to_string();
    assert!(words.starts_with(|c: char| c.is_alphanumeric()), "{name}: {words:?}");
    assert!(
        words.len() > 20 && !words.contains("::") && !words.contains("panick"),
        "{name}: {words}"
    );
}

#[test]
fn the_value_itself_is_a_player_or_a_sentence() {
    for (name, samples, rate) in unhappy() {
        let is_empty = samples.is_empty();
        for channels in [vec![samples.clone()], vec![samples.clone(), samples.clone()]] {
            let audio = Audio::new(channels, rate).unwrap();
            match audio.bundle() {
                Ok(shown) => {
                    assert!(!is_empty && shown.html().contains("<audio"), "{name}");
                    assert_clean(name, &shown);
                }
                Err(error) => {
                    assert!(is_empty, "{name}: {error}");
                    assert_eq!(error.to_string(), "there is nothing to play, it is empty");
                }
            }
            // What a cell calls never panics.
            audio.show();
        }
    }
    let empty = Audio::mono(vec![], 8_000).unwrap();
    let named = Player::new("Nothing", &empty).bundle().unwrap_err().to_string();
    assert_eq!(named, "Nothing: there is nothing to play, it is empty");
}

#[test]
fn what_is_no_number_is_silent_and_the_rest_is_heard() {
    let mut samples = tone(8_000, 2.0);
    let whole = samples.clone();
    samples[4_000..8_000].fill(f32::NAN);
    let back = heard(&Audio::mono(samples, 8_000).unwrap());
    let back = &back.channels()[0];
    assert!(back[4_000..8_000].iter().all(|v| *v == 0.0));
    for (at, (ours, theirs)) in back.iter().zip(&whole).enumerate() {
        assert!((4_000..8_000).contains(&at) || (ours - theirs).abs() < 1e-3, "{at}");
    }
}

#[test]
fn spectrograms_are_pictures_with_gaps() {
    for (name, samples, rate) in unhappy() {
        let audio = Audio::mono(samples, rate).unwrap();
        match audio.spectrogram() {
            Ok(levels) => {
                assert!(levels.power_db().iter().all(|db| db.is_finite()), "{name}");
                match levels.bundle() {
                    Ok(shown) => assert_clean(name, &shown),
                    Err(error) => assert_sentence(name, &error),
                }
                levels.show();
            }
            Err(error) => assert_sentence(name, &error),
        }
        assert_clean(name, &waveform(&audio).unwrap().bundle().unwrap());
    }
}

#[test]
fn resampling_neither_panics_nor_spreads_what_is_no_number() {
    for (name, samples, rate) in unhappy() {
        let audio = Audio::mono(samples, rate).unwrap();
        for to_hz in [16_000, 11_025, 1_000, 96_000] {
            match audio.resample(to_hz) {
                Ok(resampled) => {
                    let seconds = resampled.duration_seconds() - audio.duration_seconds();
                    assert!(seconds.abs() <= 1.0 / f64::from(to_hz), "{name}");
                }
                Err(error) => assert_sentence(name, &error),
            }
        }
    }
    // A hole of a tenth of a second stays a hole of about that length.
    let mut samples = tone(8_000, 2.0);
    samples[8_000..8_800].fill(f32::NAN);
    let resampled = Audio::mono(samples, 8_000).unwrap().resample(16_000).unwrap();
    let samples = &resampled.channels()[0];
    assert!(samples.iter().all(|v| v.is_finite()));
    let level = |range: std::ops::Range<usize>| {
        samples[range].iter().fold(0f32, |most, v| most.max(v.abs()))
    };
    assert!(level(0..14_000) > 0.4 && level(20_000..30_000) > 0.4);
    assert!(level(16_500..17_000) < 0.1, "{}", level(16_500..17_000));
}

#[test]
fn the_judge_answers_with_a_sentence_or_with_numbers() {
    let song = Audio::mono(tone(8_000, 6.0), 8_000).unwrap();
    for (name, samples, rate) in unhappy() {
        let audio = Audio::mono(samples, rate).unwrap();
        for judged in [evaluate::judge(&audio, &[&song]), evaluate::judge(&song, &[&audio])] {
            match judged {
                Ok(judgement) => {
                    assert_clean(name, &judgement.bundle().unwrap());
                }
                Err(error) => assert_sentence(name, &error),
            }
        }
        for result in [evaluate::similarity(&audio, &song), evaluate::similarity(&song, &audio)] {
            match result {
                Ok(alike) => {
                    for value in [alike.balance, alike.moments, alike.coverage] {
                        assert!((0.0..=1.0).contains(&value), "{name}: {alike}");
                    }
                }
                Err(error) => assert_sentence(name, &error),
            }
        }
        if let Err(error) = evaluate::copies(&audio, &[&song]) {
            assert_sentence(name, &error);
        }
        if let Err(error) = evaluate::joins(&audio, &[&song]) {
            assert_sentence(name, &error);
        }
        if let Err(error) = evaluate::texture(&audio) {
            assert_sentence(name, &error);
        }
    }
}

#[test]
fn everything_else_that_takes_sound_takes_unhappy_sound() {
    for (name, samples, rate) in unhappy() {
        let audio = Audio::mono(samples, rate).unwrap();
        let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        match LogMel::of(&audio, MelSettings::default()) {
            Ok(mel) => {
                let beats = Beats::of(&mel).unwrap();
                assert!(beats.confidence().is_finite() && beats.per_minute().is_finite(), "{name}");
            }
            Err(error) => assert_sentence(name, &error),
        }
        match PitchBands::of(&audio) {
            Ok(bands) => assert!(finite(bands.levels_db()), "{name}"),
            Err(error) => assert_sentence(name, &error),
        }
        if let Err(error) = Levels::of(&audio) {
            assert_sentence(name, &error);
        }
        if let Err(error) = Blocks::fast().spectra(&audio) {
            assert_sentence(name, &error);
        }
    }
}

/// What a player's page lets one hear.
fn heard(audio: &Audio) -> Audio {
    use base64::Engine;
    let shown = Player::new("", audio).bundle().unwrap();
    let html = shown.html();
    let at = html.find("data:audio/flac;base64,").unwrap() + "data:audio/flac;base64,".len();
    let end = html[at..].find('"').unwrap() + at;
    let bytes = base64::engine::general_purpose::STANDARD.decode(&html[at..end]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heard.flac");
    std::fs::write(&path, bytes).unwrap();
    Song::open(&path).unwrap().audio().clone()
}

/// How strong a frequency is in a sound, for a tone of amplitude 1.
fn strength(audio: &Audio, hz: f64) -> f64 {
    let samples = &audio.channels()[0];
    let turn = std::f64::consts::TAU * hz / f64::from(audio.sample_rate_hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        re += f64::from(*sample) * (turn * n as f64).cos();
        im += f64::from(*sample) * (turn * n as f64).sin();
    }
    2.0 * re.hypot(im) / samples.len() as f64
}

#[test]
fn a_player_plays_at_every_rate_and_says_what_it_changed() {
    let rates = [
        100, 500, 999, 1_000, 2_000, 3_000, 4_000, 7_999, 8_000, 11_025, 12_345, 44_100, 96_000,
        192_000, 192_001, 352_800, 384_000, 768_000, 1_000_000, 2_822_400,
    ];
    for rate in rates {
        let hz = f64::from(rate / 20).min(440.0);
        let sample = |n: u32| (f64::from(n) * hz / f64::from(rate) * std::f64::consts::TAU).sin();
        let samples = (0..rate).map(|n| (0.5 * sample(n)) as f32).collect();
        let audio = Audio::mono(samples, rate).unwrap();
        let sound = heard(&audio);
        assert!((8_000..=192_000).contains(&sound.sample_rate_hz()), "{rate}: {sound:?}");
        assert!((sound.duration_seconds() - 1.0).abs() < 1e-3, "{rate}: {sound:?}");
        assert!((strength(&sound, hz) - 0.5).abs() < 0.05, "{rate}: {}", strength(&sound, hz));
        let html = audio.bundle().unwrap().html().to_owned();
        let as_it_is = (8_000..=192_000).contains(&rate);
        assert_eq!(html.contains("Resampled for this page"), !as_it_is, "{rate}");
        let played = format!("data-rate=\"{}\"", sound.sample_rate_hz());
        assert!(html.contains(&played), "{rate}");
    }
    let audio = Audio::mono(tone(2_000, 1.0), 2_000).unwrap();
    let html = audio.bundle().unwrap().html().to_owned();
    assert!(html.contains("from 2\u{202f}000 to 8\u{202f}000 Hz: browsers do not play every rate"));
}

#[test]
fn both_channels_of_an_odd_rate_are_kept() {
    let left = tone(2_000, 1.0);
    let right: Vec<f32> = left.iter().map(|v| -0.5 * v).collect();
    let sound = heard(&Audio::new(vec![left, right], 2_000).unwrap());
    assert_eq!(sound.channel_count(), 2);
    for (l, r) in sound.channels()[0].iter().zip(&sound.channels()[1]) {
        assert!((r + 0.5 * l).abs() < 1e-3);
    }
}

#[test]
fn what_is_over_at_once_has_no_player() {
    for (frames, rate) in [(4_410, u32::MAX), (1, u32::MAX), (1, 192_001), (10, 3_000_000_000)] {
        let audio = Audio::mono(vec![0.5; frames], rate).unwrap();
        let words = audio.bundle().unwrap_err().to_string();
        assert!(words.starts_with("there is nothing to play, "), "{words}");
        assert!(words.contains(" over before a loudspeaker can move"), "{words}");
        audio.show();
    }
    // Longer ones have one, even at such a rate.
    let audio = Audio::mono(vec![0.5; 40_000_000], u32::MAX).unwrap();
    let sound = heard(&audio);
    assert_eq!(sound.frames(), 447);
    assert!(sound.channels()[0].iter().all(|v| (v - 0.5).abs() < 1e-3));
}

#[test]
fn hours_at_one_sample_a_second_are_cut_and_not_a_flood() {
    let audio = Audio::mono(vec![0.1; 100_000], 1).unwrap();
    let shown = audio.bundle().unwrap();
    assert!(shown.html().contains("only the first"));
    assert!(shown.html().contains("from 1 to 8\u{202f}000 Hz"));
    assert!(shown.html().len() < 5_000_000, "{}", shown.html().len());
}

#[test]
fn pieces_of_different_rates_are_compared_and_each_is_told() {
    let low = Audio::mono(tone(2_000, 2.0), 2_000).unwrap();
    let usual = Audio::mono(tone(22_050, 2.0), 22_050).unwrap();
    let player = Player::new("low <b>", &low).compared_with("usual", &usual);
    let html = player.bundle().unwrap().html().to_owned();
    assert!(html.contains("Resampled for this page <bdi>low &lt;b&gt;</bdi>: from 2"), "{html}");
    assert_eq!(html.matches("data:audio/flac").count(), 2);
}

#[test]
fn a_song_of_unhappy_samples_has_a_card() {
    let folder = tempfile::tempdir().unwrap();
    for (name, samples, rate) in unhappy() {
        // As 32-bit floats, which can hold all of them.
        let path = folder.path().join("song.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        samples.iter().for_each(|v| writer.write_sample(*v).unwrap());
        writer.finalize().unwrap();
        match Song::open(&path) {
            Ok(song) => match song.bundle() {
                Ok(shown) => assert_clean(name, &shown),
                Err(error) => assert_sentence(name, &error),
            },
            Err(error) => assert!(error.to_string().contains("song.wav"), "{name}: {error}"),
        }
    }
}

#[test]
fn a_song_of_any_rate_has_a_card_with_a_player() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.wav");
    for rate in [8, 300, 999, 2_000, 768_001, 3_000_000] {
        Audio::mono(tone(rate, 2.0), rate).unwrap().save(&path).unwrap();
        let song = Song::open(&path).unwrap();
        assert_eq!(song.audio().sample_rate_hz(), rate);
        let shown = song.bundle().unwrap_or_else(|error| panic!("{rate}: {error}"));
        assert!(shown.html().contains("<audio") && shown.html().contains("Resampled"), "{rate}");
        let told = shown.plain().contains("Beats and key cannot be told at this rate");
        assert_eq!(told, !(1_000..=768_000).contains(&rate), "{rate}: {}", shown.plain());
        assert_clean("a song", &shown);
    }
}
