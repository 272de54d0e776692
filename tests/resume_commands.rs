//! Trainings on the command line that are killed, and go on to the bit.
#![cfg(unix)]

mod songs;
mod unchecked;

use songs::{command, names, song};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const MODELS: [(&str, &[&str]); 3] = [
    ("blocks", &["--model", "blocks", "--layers", "gru:32", "--epochs", "8", "--patience", "20"]),
    ("grains", &["--model", "grains", "--steps", "24", "--validation", "0.2"]),
    ("codes", &["--model", "codes", "--steps", "16"]),
];

fn arguments<'a>(model: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "song.wav", "-o", "m.safetensors", "--checkpoint-seconds", "0"], model, more]
        .concat()
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let done = command(folder, arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

fn checkpoints(folder: &Path) -> Vec<String> {
    let folder = folder.join("m.checkpoints");
    let all = if folder.is_dir() { names(&folder) } else { Vec::new() };
    all.into_iter().filter(|name| name.starts_with("epoch-")).collect()
}

#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    for (name, model) in MODELS {
        let folder = tempfile::tempdir().unwrap();
        let cut = folder.path();
        song(220.0).save(cut.join("song.wav")).unwrap();
        run(cut, &arguments(model, &[]));
        let expected = std::fs::read(cut.join("m.safetensors")).unwrap();
        std::fs::remove_file(cut.join("m.safetensors")).unwrap();
        std::fs::remove_dir_all(cut.join("m.checkpoints")).unwrap();
        let mut kills = 0;
        for round in 0..3 {
            let resume: &[&str] = if checkpoints(cut).is_empty() { &[] } else { &["--resume"] };
            let mut program = command(cut, arguments(model, resume));
            let mut program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Until there is another checkpoint, and a little longer.
            let (before, begun) = (checkpoints(cut), Instant::now());
            while checkpoints(cut) == before && program.try_wait().unwrap().is_none() {
                assert!(begun.elapsed() < Duration::from_secs(60), "{name}: no checkpoint");
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(20 * round));
            kills += usize::from(program.try_wait().unwrap().is_none());
            program.kill().unwrap();
            program.wait().unwrap();
            let model = cut.join("m.safetensors");
            assert!(!model.exists() || std::fs::read(&model).unwrap() == expected, "{name}");
        }
        assert!(kills > 0, "{name}: it was over before it could be killed");
        let done = run(cut, &arguments(model, &["--resume"]));
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(words.contains("went on from"), "{name}: {words}");
        assert!(std::fs::read(cut.join("m.safetensors")).unwrap() == expected, "{name}");
        assert_eq!(
            names(cut),
            ["m.checkpoints", "m.loss.svg", "m.safetensors", "song.wav"],
            "{name}: nothing temporary"
        );
        assert_eq!(names(&cut.join("m.checkpoints")).len(), 1, "{name}: the last one");
    }
}

#[test]
fn what_was_stopped_says_how_to_go_on_and_compose_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("a song.wav")).unwrap();
    let compose = ["compose", "a song.wav", "--model", "codes", "--steps", "60", "--seconds", "1"];
    let mut program = command(path, compose);
    let program = program
        .args(["--checkpoint-seconds", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !path.join("out.checkpoints").is_dir() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(1));
    }
    let process = program.id().to_string();
    std::process::Command::new("kill").args(["-INT", &process]).status().unwrap();
    let done = program.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130));
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    let line = words.lines().find(|line| line.contains("go on with: ")).expect(&words);
    assert!(line.contains("'a song.wav'") && line.ends_with("--resume"), "{line}");
    let done = run(path, &[&compose[..], &["--resume"]].concat());
    assert!(String::from_utf8_lossy(&done.stderr).contains("went on from"));
    assert_eq!(names(path), ["a song.wav", "out.loss.svg", "out.safetensors", "out.wav"]);
}

#[test]
fn hours_of_work_are_not_started_over_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("song.wav")).unwrap();
    run(path, &arguments(MODELS[0].1, &[]));
    let model = std::fs::read(path.join("m.safetensors")).unwrap();
    let checkpoint = path.join("m.checkpoints").join(&checkpoints(path)[0]);
    let bytes = std::fs::read(&checkpoint).unwrap();
    // As a training of an hour leaves it: the same file, but for what it says.
    let leave = |folder: &str, done: bool| {
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let words = &unchecked::metadata(&bytes)["neural-composer"];
        let mut words: serde_json::Value = serde_json::from_str(words).unwrap();
        words["checkpoint"]["state"]["done"] = done.into();
        words["checkpoint"]["state"]["at"]["seconds"] = 3_600.into();
        let metadata = [("neural-composer".to_owned(), words.to_string())].into();
        let file = safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap();
        std::fs::create_dir_all(path.join(folder)).unwrap();
        std::fs::write(path.join(folder).join(checkpoint.file_name().unwrap()), file).unwrap();
    };
    let compose = [&["compose", "song.wav", "--seconds", "1"], MODELS[0].1].concat();
    for (arguments, folder, done) in [
        (arguments(MODELS[0].1, &[]), "m.checkpoints", false),
        (compose.clone(), "out.checkpoints", false),
        // Trained, but killed while it composed.
        (compose, "out.checkpoints", true),
    ] {
        leave(folder, done);
        let refused = command(path, &arguments).output().unwrap();
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {words}");
        for word in [folder, "8 epochs, 3600 s of work", "--resume\n", "--restart\n"] {
            assert!(words.contains(word), "{word}: {words}");
        }
        assert_eq!(names(&path.join(folder)).len(), 1);
        run(path, &[&arguments[..], &["--restart"]].concat());
    }
    assert!(std::fs::read(path.join("m.safetensors")).unwrap() == model);
    assert!(!path.join("out.checkpoints").exists());
    // A training that was done is not asked about.
    leave("m.checkpoints", true);
    run(path, &arguments(MODELS[0].1, &[]));
}
