//! What is to be minded about songs reaches the report of every command and model.

mod tunes;

use neural_composer::audio::{Audio, SampleFormat, WavWriter};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tunes::tune;

const MODELS: [&str; 3] = ["grains", "codes", "blocks"];

struct Run {
    code: Option<i32>,
    facts: Value,
    told: String,
}

/// The command with `--json`.
fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_neural-composer"))
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .output()
        .unwrap();
    Run {
        code: output.status.code(),
        facts: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        told: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `command`, in a hurry, of a kind of model.
fn quick<'a>(command: &[&'a str], model: &'a str) -> Vec<&'a str> {
    let hurry: &[&str] = match model {
        "blocks" => &["--epochs", "1", "--layers", "lstm:8"],
        _ => &["--steps", "2"],
    };
    [command, &["--model", model], hurry].concat()
}

fn warned(run: &Run, words: &str) -> bool {
    let warnings = run.facts["warnings"].as_array();
    warnings.is_some_and(|all| all.iter().any(|one| one.as_str().unwrap_or("").contains(words)))
}

fn assert_warned(run: &Run, words: &[&str], what: &str) {
    assert_eq!(run.code, Some(0), "{what}: {}", run.told);
    for words in words {
        assert!(warned(run, words), "{what}: {words:?} in {}", run.facts["warnings"]);
        assert!(run.told.contains(words), "{what}: {}", run.told);
    }
}

fn save(folder: &Path, name: &str, samples: Vec<f32>) {
    let write = |wav: &mut WavWriter| wav.write(&[samples]);
    let path = folder.join(name);
    WavWriter::write_file(path, 1, 16_000, SampleFormat::Float32, write).unwrap();
}

fn song() -> Vec<f32> {
    tune(8.0, 16_000).channels()[0].clone()
}

/// A song with three samples that are no numbers, which only other programs write.
fn write_broken(folder: &Path, name: &str) {
    const MARK: f32 = 0.123_456;
    let mut samples = song();
    samples[5_000..5_003].fill(MARK);
    save(folder, name, samples);
    let mut bytes = std::fs::read(folder.join(name)).unwrap();
    let marks = MARK.to_le_bytes().repeat(3);
    let at = bytes.windows(12).position(|window| window == marks).unwrap();
    bytes[at..at + 12].copy_from_slice(&f32::NAN.to_le_bytes().repeat(3));
    std::fs::write(folder.join(name), bytes).unwrap();
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    std::fs::read(folder.join(name)).unwrap()
}

/// Four seconds at 44,100 Hz, then another rate: what follows is left out.
fn write_two_rates(path: &Path) {
    let (one, other) = (fixture("mp3_uncounted.mp3"), fixture("mp3_low_rate.mp3"));
    std::fs::write(path, [one.repeat(14), other].concat()).unwrap();
}

#[test]
fn what_a_decoder_puts_up_with_reaches_every_report_and_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_two_rates(&path.join("two.mp3"));
    write_broken(path, "broken.wav");
    // What makes a song too short is in the refusal.
    let low = fixture("mp3_low_rate.mp3");
    std::fs::write(path.join("cut.mp3"), [fixture("mp3_uncounted.mp3"), low].concat()).unwrap();
    for model in MODELS {
        let refused = run(path, &quick(&["compose", "cut.mp3", "--seconds", "2"], model));
        assert_eq!(refused.code, Some(1), "{model}: {}", refused.told);
        assert!(refused.told.contains("what follows is left out"), "{}", refused.told);
    }
    let cases = [
        ("two.mp3", "what follows is left out"),
        ("broken.wav", "3 samples not a finite number, replaced by silence"),
    ];
    for (song, words) in cases {
        for model in MODELS {
            let what = format!("{model} of {song}");
            let composed = run(path, &quick(&["compose", song, "--seconds", "2"], model));
            assert_warned(&composed, &[words, song], &format!("compose, {what}"));
            let trained = run(path, &quick(&["train", song, "-o", "m.safetensors"], model));
            assert_warned(&trained, &[words, song], &format!("train, {what}"));
            if model == "blocks" {
                let from = ["generate", "m.safetensors", "--seconds", "1", "--from", song];
                assert_warned(&run(path, &from), &[words], &format!("--from, {what}"));
                continue;
            }
            // The file of the model knows it, and so do later pieces.
            let generated = run(path, &["generate", "m.safetensors", "--seconds", "2"]);
            assert_warned(&generated, &[words], &format!("generate, {what}"));
            let described = run(path, &["info", "m.safetensors"]);
            let warnings = described.facts["entries"][0]["warnings"].to_string();
            assert!(warnings.contains(words), "{what}: {warnings}");
        }
        save(path, "song.wav", self::song());
        let compared = run(path, &["similarity", "song.wav", song]);
        assert_warned(&compared, &[words], &format!("similarity of {song}"));
        let judged = run(path, &["judge", song, "song.wav"]);
        assert_warned(&judged, &[words], &format!("judge of {song}"));
        let continued =
            ["compose", "song.wav", "--steps", "2", "--seconds", "2", "--continue", song];
        assert_warned(&run(path, &continued), &[words], &format!("--continue {song}"));
    }
}

#[test]
fn samples_beyond_full_scale_are_told_and_far_beyond_refused_by_every_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let hot: Vec<f32> = song().iter().map(|sample| 3.5 * sample).collect();
    let peak = hot.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
    save(path, "hot.wav", hot);
    save(path, "constant.wav", vec![0.3; 200_000]);
    for (name, sample) in [("huge.wav", 3e38), ("loud.wav", -1e5)] {
        let mut samples = song();
        samples[20_000] = sample;
        save(path, name, samples);
    }
    for model in MODELS {
        let run_of = |song| run(path, &quick(&["compose", song, "--seconds", "2"], model));
        let words = format!("beyond full scale, the peak is {peak:.2}");
        assert_warned(&run_of("hot.wav"), &["hot.wav", &words], model);
        let constant = run_of("constant.wav");
        assert_eq!(constant.code, Some(1), "{model}: {}", constant.told);
        assert!(constant.told.contains("constant.wav: is silent but for"), "{}", constant.told);
        for (song, peak) in [("huge.wav", "3.0e38"), ("loud.wav", "1.0e5")] {
            let refused = run_of(song);
            assert_eq!(refused.code, Some(1), "{model} {song}: {}", refused.told);
            for words in [song, "far beyond full scale", peak] {
                assert!(refused.told.contains(words), "{model}: {}", refused.told);
            }
        }
    }
}

#[test]
fn songs_that_are_too_short_are_listed_and_the_others_judged_by() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let short = |name: &str, seconds: f64| {
        std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
        tune(seconds, 16_000).save(path.join(name)).unwrap();
    };
    for (name, seconds) in [("short/a.wav", 0.3), ("short/b.wav", 0.75), ("short/c.wav", 1.0)] {
        short(name, seconds);
    }
    short("mixed/a.wav", 0.5);
    short("mixed/b.wav", 12.0);
    for model in MODELS {
        let refused = run(path, &quick(&["compose", "short", "--seconds", "4"], model));
        assert_eq!(refused.code, Some(1), "{model}: {}", refused.told);
        for words in ["a.wav: 0.30 s is too short", "b.wav: 0.75 s", "c.wav: 1.00 s", "at least"] {
            assert!(refused.told.contains(words), "{model}: {}", refused.told);
        }
        assert!(!path.join("out.wav").exists() && !path.join("out.safetensors").exists());
    }
    for model in MODELS {
        let made = run(path, &quick(&["compose", "mixed", "--seconds", "4", "-o", "m.wav"], model));
        assert_warned(&made, &["not used: mixed/a.wav: 0.50 s is too short"], model);
        // The judge heard the song that was used, and the short one does not keep it from judging.
        assert!(made.facts["judgement"].is_object(), "{model}: {}", made.told);
        assert!(model != "blocks" || made.facts["similarity"].is_object(), "{}", made.told);
    }
}

#[test]
fn a_blend_says_which_weight_is_which_songs_and_what_the_piece_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("mix")).unwrap();
    tune(8.0, 8_000).save(path.join("mix/a.wav")).unwrap();
    tune(0.4, 16_000).save(path.join("mix/b.wav")).unwrap();
    let wide = tune(9.0, 48_000).channels()[0].clone();
    Audio::new(vec![wide; 3], 48_000).unwrap().save(path.join("mix/c.wav")).unwrap();
    let blend = |weights| {
        let arguments = ["compose", "mix", "--steps", "2", "--seconds", "5", "--blend", weights];
        run(path, &arguments)
    };
    // The song that is too short takes its weight with it.
    let made = blend("1,5,3");
    assert_warned(&made, &["mix/b.wav: 0.40 s is too short"], "blend");
    let told = made.facts["blend"].as_array().unwrap();
    let of = |index: usize, name: &str| told[index][name].clone();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (of(0, "song"), of(0, "weight"), of(0, "share")),
        ("mix/a.wav".into(), 1.0.into(), 0.25.into())
    );
    assert_eq!(
        (of(1, "song"), of(1, "weight"), of(1, "share")),
        ("mix/c.wav".into(), 3.0.into(), 0.75.into())
    );
    assert_eq!(made.facts["sample_rate_hz"], 48_000);
    assert_eq!(made.facts["channels"], 3);
    for weights in ["1", "1,1", "1,1,1,1"] {
        let refused = blend(weights);
        assert_eq!(refused.code, Some(2), "{weights}: {}", refused.told);
        assert!(
            refused.told.contains("--blend: expected a weight for each of 3 songs"),
            "{}",
            refused.told
        );
    }
}

#[test]
fn a_model_of_blocks_says_that_seeds_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    save(path, "song.wav", song());
    let trained = run(path, &quick(&["train", "song.wav", "-o", "m.safetensors"], "blocks"));
    assert_eq!(trained.code, Some(0), "{}", trained.told);
    let generate = |more: &[&str]| {
        run(path, &[&["generate", "m.safetensors", "--seconds", "1"], more].concat())
    };
    assert_warned(&generate(&["--seed", "2"]), &["every seed gives this piece"], "--seed 2");
    assert!(!warned(&generate(&[]), "seed"));
}
