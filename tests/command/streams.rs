//! `-` is standard input as a file that is read and standard output as one that is written, for every
//! command, with what a file would give.

use crate::songs::{command, names, song};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

/// What a command gives that gets `input` on standard input; its temporary files are in `tmp`.
fn piped(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = started(folder, arguments);
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that refuses does not read.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(names(&folder.join("tmp")).is_empty(), "{arguments:?} left temporary files");
    done
}

fn started(folder: &Path, arguments: &[&str]) -> Child {
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    command(folder, arguments)
        .env("TMPDIR", folder.join("tmp"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn told(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// A folder with the song `a.wav`, and the song's bytes.
fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("a.wav")).unwrap();
    let bytes = std::fs::read(folder.path().join("a.wav")).unwrap();
    (folder, bytes)
}

#[test]
fn a_stream_gives_what_a_file_gives() {
    let (folder, bytes) = folder();
    let path = folder.path();
    let steps = ["--steps", "2", "--seconds", "2", "--seed", "3"];
    let compose = |song, output, model| {
        [&["compose", song, "-o", output, "--model", model], &steps[..]].concat()
    };
    for (by_stream, by_file) in [
        (vec!["decode", "-", "-o", "-"], vec!["decode", "a.wav", "-o", "o.wav"]),
        (
            vec!["decode", "-", "-o", "-", "--rate", "8000", "--format", "float32"],
            vec!["decode", "a.wav", "-o", "o.wav", "--rate", "8000", "--format", "float32"],
        ),
        (compose("-", "-", "grains"), compose("a.wav", "o.wav", "grains")),
        (compose("-", "-", "codes"), compose("a.wav", "o.wav", "codes")),
    ] {
        let named = piped(path, &by_file, b"");
        assert_eq!(named.status.code(), Some(0), "{by_file:?}: {}", told(&named));
        let before = names(path);
        let done = piped(path, &by_stream, &bytes);
        assert_eq!(done.status.code(), Some(0), "{by_stream:?}: {}", told(&done));
        assert!(done.stdout == std::fs::read(path.join("o.wav")).unwrap(), "{by_stream:?}");
        assert!(told(&done).contains("standard output: "), "{}", told(&done));
        assert!(!told(&done).contains(".neural-composer"), "{}", told(&done));
        assert_eq!(names(path), before, "nothing beside it");
    }
}

#[test]
fn models_go_through_pipes() {
    let (folder, bytes) = folder();
    let path = folder.path();
    let train = ["train", "-", "--model", "codes", "--steps", "1", "-o", "-"];
    let model = piped(path, &train, &bytes);
    assert_eq!(model.status.code(), Some(0), "{}", told(&model));
    assert_eq!(names(path), ["a.wav", "tmp"]);
    let info = piped(path, &["info", "-"], &model.stdout);
    let said = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(said.starts_with("standard input: a model of codes"), "{said}{}", told(&info));
    assert!(said.contains("learned from standard input"), "{said}");
    let piece = piped(path, &["generate", "-", "--seconds", "2", "-o", "-"], &model.stdout);
    assert_eq!(piece.status.code(), Some(0), "{}", told(&piece));
    assert!(piece.stdout.starts_with(b"RIFF"));
    // A guest.
    let train = ["train", "a.wav", "--model", "grains", "--steps", "1", "-o", "g.safetensors"];
    assert_eq!(piped(path, &train, b"").status.code(), Some(0));
    let generate =
        ["generate", "g.safetensors", "--continue", "-", "--seconds", "2", "-o", "g.wav"];
    let done = piped(path, &generate, &bytes);
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    // A model of grains would look in vain for its song.
    let refused = piped(path, &["train", "-", "--model", "grains", "-o", "x.safetensors"], &bytes);
    assert_eq!(refused.status.code(), Some(2));
    assert!(told(&refused).contains("reads again") && !path.join("x.safetensors").exists());
    let compose = ["compose", "-", "--steps", "1", "--seconds", "2", "-o", "p.wav"];
    let done = piped(path, &compose, &bytes);
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    assert!(told(&done).contains("no model is written") && !path.join("p.safetensors").exists());
}

#[test]
fn commands_that_write_nothing_read_standard_input_too() {
    let (folder, bytes) = folder();
    let path = folder.path();
    song(330.0).save(path.join("b.wav")).unwrap();
    for (by_stream, by_file) in [
        (["similarity", "-", "b.wav"], ["similarity", "a.wav", "b.wav"]),
        (["similarity", "b.wav", "-"], ["similarity", "b.wav", "a.wav"]),
        (["judge", "-", "b.wav"], ["judge", "a.wav", "b.wav"]),
        (["judge", "b.wav", "-"], ["judge", "b.wav", "a.wav"]),
    ] {
        let (streamed, named) = (piped(path, &by_stream, &bytes), piped(path, &by_file, b""));
        assert_eq!(streamed.status.code(), Some(0), "{by_stream:?}: {}", told(&streamed));
        assert_eq!(streamed.stdout, named.stdout, "{by_stream:?}");
    }
    let info = piped(path, &["info", "-", "--json"], &bytes);
    let facts: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
    let entry = &facts["entries"][0];
    assert_eq!((&entry["path"], &entry["seconds"]), (&"standard input".into(), &10.0.into()));
    let picture = piped(path, &["judge", "-", "b.wav", "--picture", "-"], &bytes);
    assert!(picture.stdout.starts_with(b"\x89PNG"), "{}", told(&picture));
}

#[test]
fn what_cannot_be_a_stream_is_refused() {
    let (folder, bytes) = folder();
    let path = folder.path();
    for (arguments, input, code, words) in [
        (vec!["info", "-"], &b""[..], 1, "no standard input"),
        (vec!["decode", "-", "-o", "o.wav"], b"", 1, "no standard input"),
        (vec!["info", "-"], b"no sound at all", 1, "standard input: expected"),
        (vec!["decode", "-", "-o", "o.wav"], &bytes[..3000], 0, "standard input"),
        (vec!["similarity", "-", "-"], &bytes, 2, "-: expected standard input once"),
        (vec!["judge", "-", "-"], &bytes, 2, "-: expected standard input once"),
        (vec!["compose", "-", "--tune", "-"], &bytes, 2, "-: expected standard input once"),
        (vec!["info", "-", "-"], &bytes, 2, "-: expected standard input once"),
        (vec!["decode", "a.wav", "-o", "-", "--json"], b"", 2, "--output: expected a file"),
        (vec!["compose", "a.wav", "-o", "-", "--json"], b"", 2, "--output: expected a file"),
        (vec!["train", "a.wav", "-o", "-", "--json"], b"", 2, "--output: expected a file"),
        (vec!["judge", "a.wav", "a.wav", "--picture", "-", "--json"], b"", 2, "--picture: "),
        // A bad output is refused before anything is read.
        (vec!["decode", "-", "-o", "o.mp3"], b"", 2, "--output: "),
        (vec!["decode", "-x.wav"], b"", 2, "-- -x"),
    ] {
        let done = piped(path, &arguments, input);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {}", told(&done));
        if code != 0 {
            assert!(told(&done).contains(words), "{arguments:?}: {}", told(&done));
            assert!(done.stdout.is_empty() || arguments.contains(&"--json"), "{arguments:?}");
        }
        let _ = std::fs::remove_file(path.join("o.wav"));
        assert_eq!(names(path), ["a.wav", "tmp"], "{arguments:?}");
    }
}

#[test]
fn files_may_have_names_like_options() {
    let (folder, bytes) = folder();
    let path = folder.path();
    for name in ["-", "-x.wav", "--json"] {
        std::fs::write(path.join(name), &bytes).unwrap();
    }
    let dot = ["decode", "./-", "-o", "o.wav"];
    assert_eq!(piped(path, &dot, b"").status.code(), Some(0));
    for name in ["-x.wav", "--json"] {
        let done = piped(path, &["decode", "-o", "o.wav", "--", name], b"");
        assert_eq!(done.status.code(), Some(0), "{name}: {}", told(&done));
    }
    // An output of that name is not the stream, and it is one of the inputs only as `./-`.
    let own = piped(path, &["decode", "./-", "-o", "./-"], b"");
    assert_eq!(own.status.code(), Some(2), "{}", told(&own));
    assert_eq!(piped(path, &["decode", "-", "-o", "./-"], &bytes).status.code(), Some(0));
}

#[test]
fn a_song_is_not_appended_to_itself() {
    let (folder, bytes) = folder();
    let path = folder.path().join("a.wav");
    let own = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let done = command(folder.path(), ["decode", "a.wav", "-o", "-"]).stdout(own).output();
    let done = done.unwrap();
    assert_eq!(done.status.code(), Some(2), "{}", told(&done));
    assert!(std::fs::read(&path).unwrap() == bytes);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_an_error_and_a_closed_one_is_quiet() {
    let (folder, _) = folder();
    for arguments in [
        vec!["decode", "a.wav", "-o", "-"],
        vec!["train", "a.wav", "--model", "codes", "--steps", "1", "-o", "-"],
        vec!["judge", "a.wav", "a.wav", "--picture", "-"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = command(folder.path(), &arguments).stdout(full).output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{}", told(&done));
        assert!(told(&done).contains("standard output: could not write"), "{}", told(&done));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = command(folder.path(), &arguments).stdout(writer).output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", told(&done));
        assert!(!told(&done).contains("rror"), "{}", told(&done));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_neither_read_nor_written() {
    let (folder, _) = folder();
    let terminal = || {
        std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").expect("a terminal")
    };
    let path = folder.path();
    for arguments in [
        &["info", "-"][..],
        &["decode", "-", "-o", "o.wav"],
        &["compose", "-"],
        &["train", "-", "--model", "codes"],
        &["generate", "-"],
        &["judge", "a.wav", "-"],
        &["similarity", "-", "a.wav"],
        &["play", "-"],
    ] {
        let done = command(path, arguments).stdin(terminal()).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {}", told(&done));
        assert!(told(&done).contains("-: expected a file, or"), "{}", told(&done));
    }
    for arguments in [
        &["decode", "a.wav", "-o", "-"][..],
        &["compose", "a.wav", "-o", "-"],
        &["train", "a.wav", "-o", "-"],
        &["judge", "a.wav", "a.wav", "--picture", "-"],
    ] {
        let mut command = command(path, arguments);
        let child = command.stdout(terminal()).stderr(Stdio::piped()).spawn().unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {}", told(&done));
        assert!(told(&done).contains("found a terminal"), "{}", told(&done));
    }
    assert_eq!(names(path), ["a.wav"]);
}

fn ended_soon(mut child: Child, signal: &str) -> Option<i32> {
    std::thread::sleep(Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none(), "over already");
    let process = child.id().to_string();
    let kill = std::process::Command::new("kill").args(["-s", signal, &process]).status();
    assert!(kill.unwrap().success());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    None
}

#[test]
fn who_waits_for_a_stream_can_be_stopped_and_leaves_nothing() {
    let (folder, _) = folder();
    let path = folder.path();
    for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for arguments in [&["info", "-"][..], &["decode", "-", "-o", "o.wav"]] {
            // Nobody writes.
            assert_eq!(ended_soon(started(path, arguments), signal), Some(status));
            assert!(names(&path.join("tmp")).is_empty());
        }
        // Nobody reads.
        let child = started(path, &["decode", "a.wav", "-o", "-"]);
        assert_eq!(ended_soon(child, signal), Some(status), "{signal}");
        assert!(names(&path.join("tmp")).is_empty());
    }
    let mut child = started(path, &["info", "-"]);
    std::thread::sleep(Duration::from_millis(700));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&path.join("tmp")).len(), 1);
    // Any later command removes it; what a living one holds stays.
    let living = started(path, &["info", "-"]);
    std::thread::sleep(Duration::from_millis(700));
    let held = names(&path.join("tmp"));
    assert_eq!(held.len(), 1, "{held:?}");
    let info = command(path, ["info", "a.wav"]).env("TMPDIR", path.join("tmp")).output().unwrap();
    assert_eq!(info.status.code(), Some(0));
    assert_eq!(names(&path.join("tmp")), held);
    assert_eq!(ended_soon(living, "TERM"), Some(143));
    assert!(names(&path.join("tmp")).is_empty());
    assert_eq!(names(path), ["a.wav", "tmp"]);
}
