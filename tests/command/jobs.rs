//! The command line as a user meets it: the built program, files in, files out, exit codes.

use neural_composer::audio::{Audio, Song};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_neural-composer"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    Run {
        code: output.status.code().expect("an exit code, not a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn succeed(folder: &Path, arguments: &[&str]) -> Run {
    let run = run(folder, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
    run
}

fn json(run: &Run) -> Value {
    serde_json::from_str(run.stdout.trim()).unwrap_or_else(|_| panic!("{}", run.stdout))
}

/// Twelve seconds of a four-note pattern in stereo.
fn write_song(path: &Path) {
    let rate = 16_000;
    let sample = |i: usize, detune: f32| {
        let hz = [220.0, 277.2, 329.6, 440.0][i / 4_000 % 4] * detune;
        let fade = 1.0 - (i % 4_000) as f32 / 4_000.0;
        (std::f32::consts::TAU * hz * i as f32 / rate as f32).sin() * 0.5 * fade
    };
    let channel = |detune: f32| (0..12 * rate).map(|i| sample(i, detune)).collect();
    Audio::new(vec![channel(1.0), channel(1.01)], rate as u32).unwrap().save(path).unwrap();
}

const QUICK: [&str; 6] = ["--epochs", "2", "--layers", "lstm:32", "--batch", "4"];

#[test]
fn the_courses_method_writes_the_piece_the_model_and_the_chart_and_repeats_itself_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let compose = |output: &str, seed: &str| {
        let mut arguments =
            vec!["compose", "song.wav", "-o", output, "--seconds", "2.5", "--seed", seed, "--json"];
        arguments.extend(["--model", "blocks"]);
        arguments.extend(QUICK);
        let run = run(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let facts = json(&run);
        assert_eq!(facts["epochs"], 2);
        assert!(facts["similarity"]["balance"].as_f64().unwrap() > 0.0);
        std::fs::read(folder.path().join(output)).unwrap()
    };
    let (a, again, other) = (compose("a.wav", "1"), compose("b.wav", "1"), compose("c.wav", "2"));
    assert_eq!(a, again);
    assert_ne!(a, other);
    let piece = Song::open(folder.path().join("a.wav")).unwrap();
    assert_eq!(piece.audio().frames(), 40_000);
    assert!(folder.path().join("a.safetensors").exists());
    let chart = std::fs::read_to_string(folder.path().join("a.loss.svg")).unwrap();
    assert!(chart.contains("<svg"));
}

#[test]
fn compose_makes_a_piece_of_grains_and_repeats_itself_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let compose = |output: &str, seed: &str| {
        let mut arguments =
            vec!["compose", "song.wav", "-o", output, "--seconds", "2.5", "--seed", seed, "--json"];
        arguments.extend(["--steps", "3"]);
        let run = run(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(json(&run)["grains"].as_u64().unwrap() > 5);
        std::fs::read(folder.path().join(output)).unwrap()
    };
    let (a, again, other) = (compose("a.wav", "1"), compose("b.wav", "1"), compose("c.wav", "2"));
    assert_eq!(a, again);
    assert_ne!(a, other);
    assert!(folder.path().join("a.loss.svg").exists());
}

#[test]
fn codes_make_a_piece_and_repeat_themselves_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let compose = |output: &str, seed: &str| {
        let mut arguments =
            vec!["compose", "song.wav", "-o", output, "--seconds", "4", "--seed", seed, "--json"];
        arguments.extend(["--model", "codes", "--steps", "3"]);
        let run = run(folder.path(), &arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!((json(&run)["seconds"].as_f64().unwrap() - 4.0).abs() < 0.1);
        std::fs::read(folder.path().join(output)).unwrap()
    };
    let (a, again, other) = (compose("a.wav", "1"), compose("b.wav", "1"), compose("c.wav", "2"));
    assert_eq!(a, again);
    assert_ne!(a, other);
    assert!(folder.path().join("a.loss.svg").exists());
    // The song is not needed any more.
    std::fs::remove_file(folder.path().join("song.wav")).unwrap();
    let arguments =
        ["generate", "a.safetensors", "-o", "d.wav", "--seconds", "4", "--seed", "1", "--json"];
    let run = run(folder.path(), &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(std::fs::read(folder.path().join("d.wav")).unwrap(), a);
}

#[test]
fn an_option_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    for (model, option, value, owner) in [
        ("grains", "--epochs", "3", "--model blocks"),
        ("grains", "--scheduled-sampling", "0.1", "--model blocks and codes"),
        ("codes", "--truncate", "4", "--model blocks"),
        ("codes", "--tempo", "1", "a model of grains"),
        ("codes", "--layers", "lstm:8", "--model blocks"),
        ("blocks", "--adventurous", "0.5", "a model of grains"),
        ("blocks", "--steps", "3", "--model grains and codes"),
    ] {
        let run = run(folder.path(), &["compose", "song.wav", "--model", model, option, value]);
        assert_eq!(run.code, 2, "{model} {option}: {}", run.stderr);
        let expected = format!("{option}, which is for {owner}");
        assert!(run.stderr.contains(&expected), "{model} {option}: {}", run.stderr);
        assert!(!folder.path().join("out.wav").exists());
    }
}

#[test]
fn every_model_trains_with_the_same_options_and_composes_later() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let succeed = |arguments: &[&str]| json(&succeed(folder.path(), arguments));
    for (model, amount) in
        [("grains", "--steps=2"), ("codes", "--steps=2"), ("blocks", "--layers=lstm:16")]
    {
        let file = format!("{model}.safetensors");
        let mut train = vec!["train", "song.wav", "--model", model, amount, "-o", &file];
        train.extend(["--batch", "3", "--learning-rate", "0.001", "--schedule", "cosine"]);
        train.extend(["--optimizer", "sgd", "--dropout", "0.1", "--validation", "0.2"]);
        if model == "blocks" {
            train.push("--epochs=2");
        }
        train.extend(["--patience", "5", "--seed", "4", "--json"]);
        let facts = succeed(&train);
        let losses = facts["losses"].as_array().unwrap();
        assert!(!losses.is_empty() && losses.iter().all(|loss| loss.as_f64().is_some()), "{facts}");
        assert!(folder.path().join(format!("{model}.loss.svg")).exists());
        let card = succeed(&["info", &file, "--json"]);
        assert_eq!(card["entries"][0]["parameters"], facts["parameters"]);
        let generate = ["generate", &file, "--seconds", "2", "--json"];
        assert_eq!(succeed(&generate)["seconds"], 2.0);
    }
    let error = run(folder.path(), &["train", "song.wav", "--model", "codes", "--batch", "0"]);
    assert_eq!(error.code, 2);
    assert!(error.stderr.contains("--batch"), "{}", error.stderr);
}

#[test]
fn info_lists_devices_and_says_why_there_is_no_card() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(folder.path(), &["info", "--devices"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(told.stdout.starts_with("cpu: the processor, "), "{}", told.stdout);
    let facts = json(&run(folder.path(), &["info", "--devices", "--json"]));
    let found = facts["devices"].as_array().unwrap();
    assert_eq!(found[0]["device"], "cpu");
    if cfg!(target_os = "linux") {
        assert!(found[0]["free_bytes"].as_u64().unwrap() > 1 << 20, "{facts}");
    }
    // A card, or a reason, and with it what to do.
    let reason = facts["no_cuda"].as_str();
    assert_eq!(reason.is_none(), found.len() > 1, "{facts}");
    if !cfg!(feature = "cuda") {
        assert!(
            reason.unwrap().contains("--features cuda") && told.stdout.contains(reason.unwrap())
        );
    }
    let both = run(folder.path(), &["info", "song.wav", "--devices"]);
    assert_eq!(both.code, 2, "{}", both.stderr);
}

#[test]
fn info_tells_what_every_model_file_is_and_generate_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    for (model, more) in [
        ("grains", vec!["--steps", "3"]),
        ("codes", vec!["--steps", "3"]),
        ("blocks", vec!["--epochs", "1", "--layers", "gru:8"]),
    ] {
        let mut compose = vec!["compose", "song.wav", "--model", model, "--seconds", "3", "--json"];
        compose.extend(more);
        let done = run(folder.path(), &compose);
        assert_eq!(done.code, 0, "{model}: {}", done.stderr);
        let told = run(folder.path(), &["info", "out.safetensors", "--json"]);
        assert_eq!(told.code, 0, "{model}: {}", told.stderr);
        let entry = &json(&told)["entries"][0];
        assert_eq!(entry["model"], model);
        assert_eq!(entry["songs"], serde_json::json!(["song"]), "{model}");
        assert!(entry["parameters"].as_u64().unwrap() > 1_000, "{model}: {entry}");
        let again =
            run(folder.path(), &["generate", "out.safetensors", "--seconds", "3", "-o", "b.wav"]);
        assert_eq!(again.code, 0, "{model}: {}", again.stderr);
    }
    // A model of grains whose song is gone is told of all the same.
    let run_grains =
        run(folder.path(), &["compose", "song.wav", "--steps", "3", "--seconds", "3", "--json"]);
    assert_eq!(run_grains.code, 0, "{}", run_grains.stderr);
    std::fs::rename(folder.path().join("song.wav"), folder.path().join("gone.wav")).unwrap();
    let told = run(folder.path(), &["info", "out.safetensors"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(told.stdout.contains("song (missing: "), "{}", told.stdout);
    // Wrong options are refused before its songs are looked for.
    for (option, value, named) in [("--adventurous", "2", "adventurous"), ("--from", "a", "--from")]
    {
        let refused =
            run(folder.path(), &["generate", "out.safetensors", "-o", "c.wav", option, value]);
        assert_eq!(refused.code, 2, "{option}: {}", refused.stderr);
        assert!(refused.stderr.contains(named), "{option}: {}", refused.stderr);
    }
}

#[test]
fn a_model_of_grains_composes_again_and_takes_the_same_options() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let done = |arguments: &[&str]| {
        let run = run(folder.path(), arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        json(&run)
    };
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let compose =
        ["compose", "song.wav", "--steps", "3", "--seconds", "8", "--json", "-o", "a.wav"];
    done(&compose);
    let generate = |output: &str, more: &[&str]| {
        let mut arguments =
            vec!["generate", "a.safetensors", "--seconds", "8", "--json", "-o", output];
        arguments.extend(more);
        done(&arguments)
    };
    generate("b.wav", &[]);
    assert!(bytes("a.wav") == bytes("b.wav"));
    generate("c.wav", &["--regenerate", "3..6"]);
    generate("d.wav", &["--regenerate", "3..6", "--regenerate-seed", "9"]);
    assert!(bytes("c.wav") != bytes("b.wav") && bytes("c.wav") != bytes("d.wav"));
    let second = 16_000 * 2 * 2;
    assert!(bytes("c.wav")[..2 * second] == bytes("b.wav")[..2 * second]);
    let continued = generate("e.wav", &["--continue", "song.wav", "--tempo", "1.1"]);
    assert!(continued["seconds"].as_f64().unwrap() > 18.0);
    let refused = [
        (vec!["--tune", "missing.wav"], "missing.wav"),
        (vec!["--blend", "1,2"], "blend"),
        (vec!["--tempo", "9"], "tempo"),
        (vec!["--regenerate", "6"], "regenerate"),
        (vec!["--regenerate", "6..99"], "--regenerate"),
        (vec!["--from", "song.wav"], "--continue"),
    ];
    for (more, named) in refused {
        let mut arguments = vec!["generate", "a.safetensors", "--seconds", "8", "-o", "no.wav"];
        arguments.extend(&more);
        let run = run(folder.path(), &arguments);
        assert_ne!(run.code, 0, "{more:?}");
        assert!(run.stderr.contains(named), "{more:?}: {}", run.stderr);
        assert!(!folder.path().join("no.wav").exists(), "{more:?}");
    }
}

#[test]
fn the_steps_can_be_chained_through_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_song(&path.join("song.wav"));
    let succeed = |arguments: &[&str]| succeed(path, arguments);
    succeed(&["decode", "song.wav", "-o", "mono.wav", "--mono", "--rate", "22050"]);
    let mono = Song::open(path.join("mono.wav")).unwrap();
    assert_eq!((mono.audio().channel_count(), mono.audio().sample_rate_hz()), (1, 22_050));
    assert_eq!(mono.audio().frames(), 12 * 22_050);

    let mut train = vec!["train", "mono.wav", "-o", "m.safetensors", "--validation", "0.3"];
    train.extend(QUICK);
    succeed(&train);
    let info = json(&succeed(&["info", "m.safetensors", "--json"]));
    assert_eq!(info["entries"][0]["layers"], "lstm 32");

    let mut deep = vec!["train", "mono.wav", "-o", "deep.safetensors", "--epochs", "1"];
    deep.extend(["--layers", "gru:8,3*lstm:8:norm:residual", "--recurrent-input"]);
    deep.extend(["--dense-activation", "tanh", "--loss", "spectral:0.5", "--dropout", "0.1"]);
    deep.extend(["--optimizer", "adamw", "--schedule", "cosine", "--scheduled-sampling", "0.2"]);
    deep.extend(["--truncate", "24", "--recompute-layers", "--recompute-steps", "8"]);
    succeed(&deep);
    let info = json(&succeed(&["info", "deep.safetensors", "--json"]));
    assert_eq!(info["entries"][0]["layers"], "gru 8, 3 × lstm 8 (normalised, residual)");
    succeed(&["generate", "deep.safetensors", "--seconds", "1", "-o", "deep.wav"]);
    for name in ["deep.wav", "deep.safetensors"] {
        std::fs::remove_file(path.join(name)).unwrap();
    }

    succeed(&["generate", "m.safetensors", "--seconds", "1", "--from", "song.wav"]);
    assert_eq!(Song::open(path.join("out.wav")).unwrap().audio().duration_seconds(), 1.0);
    succeed(&["generate", "m.safetensors", "--seconds", "1", "-o", "quiet.wav"]);

    let alike = json(&succeed(&["similarity", "song.wav", "mono.wav", "--json"]));
    assert!(alike["similarity"]["balance"].as_f64().unwrap() > 0.99, "{alike}");
    let songs = json(&succeed(&["info", ".", "--json"]));
    assert_eq!(songs["entries"].as_array().unwrap().len(), 4);
}

#[test]
fn songs_that_cannot_be_used_are_named_and_the_others_used() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("good.wav"));
    std::fs::write(folder.path().join("text.mp3"), "words, words\n".repeat(500)).unwrap();
    let mut arguments = vec!["train", ".", "--json"];
    arguments.extend(QUICK);
    let run = run(folder.path(), &arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(json(&run)["warnings"].to_string().contains("text.mp3"));
}

#[test]
fn bad_input_fails_with_a_message_that_names_it_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_song(&path.join("song.wav"));
    std::fs::create_dir(path.join("empty")).unwrap();
    std::fs::write(path.join("nothing.wav"), "").unwrap();
    std::fs::write(path.join("text.mp3"), "words, words\n".repeat(500)).unwrap();
    std::fs::write(path.join("old.safetensors"), "damaged").unwrap();
    let short = (0..1_600).map(|i| 0.1 * (i as f32 * 0.1).sin()).collect();
    Audio::mono(short, 16_000).unwrap().save(path.join("short.wav")).unwrap();
    let before = std::fs::read_dir(path).unwrap().count();
    for (arguments, code, words) in [
        (vec!["compose"], 1, "datasets/songs"),
        (vec!["compose", "missing.mp3"], 1, "missing.mp3"),
        (vec!["compose", "empty"], 1, "empty"),
        (vec!["compose", "nothing.wav"], 1, "nothing.wav"),
        (vec!["compose", "text.mp3"], 1, "text.mp3"),
        (vec!["compose", "short.wav"], 1, "short.wav: 0.10 s is too short, at least 2.00 s"),
        (vec!["train", "short.wav"], 1, "s is too short, at least 3.07 s are needed"),
        (vec!["compose", "song.wav", "-o", "no/folder/out.wav"], 2, "no/folder/out.wav"),
        (vec!["compose", "song.wav", "--seconds", "-1"], 2, "-1"),
        (vec!["compose", "song.wav", "--seconds", "0"], 2, "seconds"),
        (vec!["compose", "song.wav", "--seconds", "soon"], 2, "soon"),
        (vec!["compose", "song.wav", "--device", "tpu"], 2, "tpu"),
        (vec!["compose", "song.wav", "--adventurous", "2"], 2, "adventurous"),
        (vec!["compose", "song.wav", "--model", "drum"], 2, "drum"),
        (vec!["train", "song.wav", "--device", "cuda:99"], 2, "cuda:99"),
        (vec!["train", "song.wav", "--epochs", "0"], 2, "epochs"),
        (vec!["train", "song.wav", "--layers", "lstm:0"], 2, "--layers"),
        (vec!["train", "song.wav", "--layers", "perceptron:9"], 2, "perceptron"),
        (vec!["train", "song.wav", "--layers", "0*lstm:9"], 2, "0*lstm"),
        (vec!["train", "song.wav", "--layers", "lstm:8,gru:9:residual"], 2, "residual"),
        (vec!["train", "song.wav", "--layers", "lstm:9", "--loss", "l3"], 2, "l3"),
        (vec!["train", "song.wav", "--layers", "lstm:9", "--dropout", "1"], 2, "dropout"),
        (vec!["train", "song.wav", "--schedule", "polynomial"], 2, "linear"),
        (vec!["train", "song.wav", "--optimizer", "adam"], 2, "adam"),
        (vec!["train", "song.wav", "--settings", "slow"], 2, "slow"),
        (vec!["generate", "old.safetensors"], 1, "old.safetensors"),
        (vec!["generate", "song.wav"], 1, "song.wav"),
        (vec!["similarity", "song.wav", "nothing.wav"], 1, "nothing.wav"),
        (vec!["decode", "song.wav", "--rate", "0"], 2, "0"),
        (vec!["play", "song.wav", "--volume", "7"], 2, "volume"),
        (vec!["dance"], 2, "dance"),
    ] {
        let run = run(path, &arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{arguments:?}: {}", run.stderr);
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
    assert_eq!(std::fs::read_dir(path).unwrap().count(), before);
}

#[test]
fn help_shows_examples() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(folder.path(), &["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("compose my-song.mp3"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_learnt_and_ends_with_130() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    // As a shell starts a background job: with SIGINT ignored. It is heard all the same.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' INT; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_neural-composer")])
        .args(["train", "song.wav", "-o", "m.safetensors", "--epochs", "1000000"])
        .args(["--layers", "lstm:16", "--batch", "4", "--json"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Two lines of progress: it is training.
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    let training = progress.by_ref().filter(|line| line.as_ref().unwrap().starts_with("epoch"));
    assert_eq!(training.take(2).count(), 2);
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
    progress.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let facts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["interrupted"], true);
    let info = run(folder.path(), &["info", "m.safetensors", "--json"]);
    assert!(json(&info)["entries"][0]["updates"].as_u64().unwrap() > 0);
}

#[test]
fn a_judgement_can_be_drawn_into_a_file() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    write_song(&folder.path().join("piece.wav"));
    let arguments = ["judge", "song.wav", "piece.wav", "--picture"];
    let png = run(folder.path(), &[&arguments[..], &["verdict.png", "--json"]].concat());
    assert_eq!(png.code, 0, "{}", png.stderr);
    let facts = json(&png);
    assert_eq!(facts["picture"], "verdict.png");
    assert_eq!(facts["judgement"]["copies"]["share"], 1.0);
    assert!(std::fs::read(folder.path().join("verdict.png")).unwrap().starts_with(b"\x89PNG"));
    let svg = run(folder.path(), &[&arguments[..], &["verdict.SVG"]].concat());
    assert_eq!(svg.code, 0, "{}", svg.stderr);
    assert!(std::fs::read(folder.path().join("verdict.SVG")).unwrap().starts_with(b"<svg"));
    let nowhere = run(folder.path(), &[&arguments[..], &["missing/verdict.png"]].concat());
    assert!(nowhere.code != 0 && nowhere.stderr.contains("missing"), "{}", nowhere.stderr);
}

#[test]
fn a_piece_that_is_judged_as_a_song_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    let song = Song::open(folder.path().join("song.wav")).unwrap();
    song.audio().save_composed(folder.path().join("piece.wav")).unwrap();
    let turned = json(&succeed(folder.path(), &["judge", "piece.wav", "song.wav", "--json"]));
    let warning = turned["warnings"][0].as_str().unwrap();
    assert!(warning.contains("piece.wav") && warning.contains("song.wav"), "{warning}");
    let right = json(&succeed(folder.path(), &["judge", "song.wav", "piece.wav", "--json"]));
    assert_eq!(right["warnings"].as_array().map_or(0, Vec::len), 0, "{right}");
}

#[test]
fn what_names_and_titles_hold_cannot_control_a_console() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "a\u{1b}]0;OWNED\u{7}\u{1b}[2J\nb.wav";
    write_song(&folder.path().join(hostile));
    let missing = "c\u{1b}[2Jd.wav";
    for arguments in [
        vec!["info", hostile],
        vec!["info", "."],
        vec!["info", missing],
        vec!["judge", hostile, missing],
    ] {
        let run = run(folder.path(), &arguments);
        let both = run.stdout.clone() + &run.stderr;
        assert!(!both.contains('\u{1b}') && !both.contains('\u{7}'), "{both:?}");
        assert!(arguments[1] != "." || run.stdout.lines().count() == 1, "{both:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error_and_a_closed_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    write_song(&folder.path().join("song.wav"));
    for (arguments, code) in [
        (vec!["info", "song.wav"], 0),
        (vec!["info", "song.wav", "--json"], 0),
        (vec!["info", "missing.wav", "--json"], 1),
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_neural-composer"));
        command.args(&arguments).current_dir(folder.path());
        let done = command.stdout(full).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        let words = if code == 0 { "standard output" } else { "missing.wav" };
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(told.contains(words) && !told.contains("panicked"), "{told}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_neural-composer"));
        command.args(&arguments).current_dir(folder.path());
        assert_eq!(command.stdout(writer).output().unwrap().status.code(), Some(code));
        // A full standard error keeps no command from its work.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_neural-composer"));
        command.args(&arguments).current_dir(folder.path());
        assert_eq!(command.stderr(full).output().unwrap().status.code(), Some(code));
    }
}

#[test]
fn a_folder_tells_what_it_passes_over_and_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_song(&path.join("song.wav"));
    std::fs::write(path.join("voice.opus"), "OggS").unwrap();
    std::fs::write(path.join("old.WMA"), "x").unwrap();
    std::fs::write(path.join("notes.txt"), "x").unwrap();
    std::fs::create_dir_all(path.join("nested/album")).unwrap();
    std::fs::create_dir(path.join("empty")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("gone.mp3", path.join("dead.mp3")).unwrap();
    let info = run(path, &["info", "."]);
    assert_eq!(info.code, 0);
    for name in ["voice.opus", "old.WMA", "dead.mp3"] {
        assert!(info.stderr.contains(name), "{name}: {}", info.stderr);
    }
    assert!(!info.stderr.contains("notes.txt"));
    assert!(info.stdout.contains("2 channels"), "{}", info.stdout);
    assert!(run(path, &["info", "nested"]).stderr.contains("album"));
    assert!(run(path, &["info", "empty"]).stderr.contains("an empty folder"));
    // A model is one whatever its name.
    let train = ["train", "song.wav", "--model", "codes", "--steps", "1", "-o", "m.safetensors"];
    assert_eq!(run(path, &train).code, 0);
    std::fs::rename(path.join("m.safetensors"), path.join("n.model")).unwrap();
    assert!(run(path, &["info", "n.model"]).stdout.contains("a model of codes"));
}

#[test]
fn silence_and_channels_that_cancel_are_refused_by_all_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let tone = |sign: f32| -> Vec<f32> {
        (0..320_000).map(|i| sign * 0.5 * (i as f32 * 0.05).sin()).collect()
    };
    let save = |name: &str, channels: Vec<Vec<f32>>| {
        Audio::new(channels, 16_000).unwrap().save(path.join(name)).unwrap();
    };
    save("silence.wav", vec![vec![0.0; 320_000]; 2]);
    save("cancels.wav", vec![tone(1.0), tone(-1.0)]);
    for model in ["grains", "codes", "blocks"] {
        for (song, words) in [("silence.wav", "is silent"), ("cancels.wav", "cancel each other")] {
            let run = run(path, &["compose", song, "--model", model, "--seconds", "3"]);
            assert_eq!(run.code, 1, "{model} {song}: {}", run.stderr);
            assert!(run.stderr.contains(words) && run.stderr.contains(song), "{}", run.stderr);
            assert!(!path.join("out.wav").exists() && !path.join("out.safetensors").exists());
        }
    }
}
