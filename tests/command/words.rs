//! What commands say: names of files in one line, however they are spelled, and counts of one as one.

use crate::songs::{command, names, song};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Output;

fn run(folder: &Path, arguments: &[&OsStr]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn said(done: &Output) -> String {
    let both = [&done.stdout[..], &done.stderr].concat();
    String::from_utf8(both).expect("what is printed is text")
}

/// Names that are hard to print, without their endings.
fn hard_names() -> Vec<OsString> {
    let mut names: Vec<OsString> =
        ["two\nlines", "cr\rlf\r\n", "\u{1b}[2Jred", "tab\there", "\u{202e}back"]
            .map(OsString::from)
            .into();
    names.push(OsString::from_vec(b"caf\xe9 \xff".to_vec()));
    names.push("n".repeat(251).into());
    names.push("\n".repeat(251).into());
    names
}

fn with_ending(name: &OsStr, ending: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(".");
    name.push(ending);
    name
}

/// Runs a command whose words must be one for each line of `told`, and nothing that controls a console.
fn in_one_line(folder: &Path, arguments: &[&OsStr], code: i32) -> String {
    let done = run(folder, arguments);
    let told = said(&done);
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!told.contains(bad), "{arguments:?}: {told:?}");
    told
}

#[test]
fn hard_names_work_everywhere_and_are_shown_in_one_line() {
    let made = tempfile::tempdir().unwrap();
    song(220.0).save(made.path().join("song.wav")).unwrap();
    for name in hard_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let wav = with_ending(&name, "wav");
        std::fs::copy(made.path().join("song.wav"), path.join(&wav)).unwrap();
        let text = |text: &'static str| OsStr::new(text);
        // Results are one line, and so are errors.
        for (arguments, code, lines) in [
            (vec![text("info"), &wav], 0, 1),
            (vec![text("info"), text(".")], 0, 1),
            (vec![text("decode"), &wav, text("-o"), text("o.wav")], 0, 1),
            (vec![text("decode"), text("o.wav"), text("-o"), &wav], 0, 1),
            (vec![text("decode"), &wav, text("-o"), &wav], 2, 1),
            (vec![text("similarity"), &wav, &wav], 0, 1),
            (vec![text("similarity"), &wav, text("missing.wav")], 1, 1),
            (vec![text("generate"), &wav], 1, 1),
        ] {
            let told = in_one_line(path, &arguments, code);
            assert_eq!(told.lines().count(), lines, "{arguments:?}: {told}");
        }
        std::fs::remove_file(path.join("o.wav")).unwrap();
        let missing = with_ending(&name, "flac");
        for command in ["info", "decode", "play", "generate", "compose", "train"] {
            let told = in_one_line(path, &[text(command), &missing], 1);
            assert_eq!(told.lines().count(), 1, "{command}: {told}");
        }
        // A song of that name, and a model that is called after it.
        let short: &OsStr = if name.len() > 200 { text("model") } else { &name };
        let (piece, model) =
            (with_ending(short, "piece.wav"), with_ending(short, "piece.safetensors"));
        let compose = ["compose", "--steps", "1", "--seconds", "4", "-o"].map(OsString::from);
        let compose: Vec<&OsStr> =
            compose.iter().map(OsString::as_os_str).chain([&*piece, &*wav]).collect();
        let told = in_one_line(path, &compose, 0);
        assert!(path.join(&piece).exists() && path.join(&model).exists(), "{told}");
        let beginning = told.lines().filter(|line| line.starts_with("lines") || line.is_empty());
        assert_eq!(beginning.count(), 0, "{told}");
        for arguments in [
            vec![text("info"), &*model],
            vec![text("generate"), &model, text("--seconds"), text("2"), text("-o"), text("g.wav")],
        ] {
            let told = in_one_line(path, &arguments, 0);
            let results = told.lines().filter(|line| !line.starts_with("composed"));
            assert!(results.count() <= 2, "{arguments:?}: {told}");
        }
    }
}

#[test]
fn names_as_long_as_they_can_be_work_or_are_refused_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("song.wav")).unwrap();
    let decode = ["decode", "song.wav", "-o"].map(OsStr::new);
    let compose = ["compose", "song.wav", "--steps", "1", "--seconds", "2", "-o"].map(OsStr::new);
    for length in 243..=257 {
        let name = OsString::from("o".repeat(length - 4) + ".wav");
        let before = names(path);
        let decoded = run(path, &[&decode[..], &[&name]].concat());
        // 255 bytes are the most that a name may have.
        let works = if length <= 255 { Some(0) } else { Some(2) };
        assert_eq!(decoded.status.code(), works, "{length}: {}", said(&decoded));
        let _ = std::fs::remove_file(path.join(&name));
        let composed = run(path, &[&compose[..], &[&name]].concat());
        let told = said(&composed);
        // The model's ending is eight letters longer.
        let works = length + 8 <= 255;
        assert_eq!(
            composed.status.code(),
            if works { Some(0) } else { Some(2) },
            "{length}: {told}"
        );
        assert!(works || told.contains("too long") && !told.contains("epoch"), "{told}");
        for name in names(path).iter().filter(|name| !before.contains(name)) {
            std::fs::remove_file(path.join(name)).unwrap();
        }
        assert_eq!(names(path), before);
    }
}

/// Counts of one with a noun of several: "1 songs".
fn one_of_several(text: &str) -> Vec<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "(),;:".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == "1" || pair[0] == "one");
    let several =
        |noun: &str| noun.ends_with('s') && !noun.ends_with("ss") && !["is", "s"].contains(&noun);
    pairs.filter(|pair| several(pair[1])).map(|pair| pair.join(" ")).collect()
}

#[test]
fn one_is_said_as_one() {
    assert_eq!(
        one_of_several("from 1 songs (one epochs), 11 songs, 1 s, 1 is"),
        ["1 songs", "one epochs"]
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("song.wav")).unwrap();
    song(220.0).excerpt(0.0, 1.0).save(path.join("short.wav")).unwrap();
    std::fs::create_dir_all(path.join("outer/inner")).unwrap();
    std::fs::create_dir_all(path.join("other")).unwrap();
    std::fs::write(path.join("other/notes.txt"), "x").unwrap();
    std::fs::copy(path.join("song.wav"), path.join("outer/inner/song.wav")).unwrap();
    for line in [
        "info song.wav",
        "info outer",
        "info other",
        "info outer --recursive",
        "decode song.wav -o o.wav",
        "train song.wav --model grains --steps 1 -o grains.safetensors",
        "train song.wav --model codes --steps 1 -o codes.safetensors",
        "train song.wav --layers gru:1 --epochs 1 -o blocks.safetensors",
        "train song.wav --layers gru:1 --epochs 1 --batch 1 --truncate 1 -o blocks.safetensors",
        "info grains.safetensors",
        "info codes.safetensors",
        "info blocks.safetensors",
        "generate grains.safetensors --seconds 1 -o o.wav",
        "generate codes.safetensors --seconds 1 -o o.wav",
        "generate blocks.safetensors --seconds 1 -o o.wav",
        "compose song.wav --steps 1 --seconds 4 -o p.wav",
        "compose song.wav --blend 1,2",
        "compose short.wav",
        "compose short.wav --model codes",
        "compose short.wav --model blocks",
        "judge song.wav short.wav",
        "judge song.wav song.wav",
        "similarity song.wav short.wav",
    ] {
        let arguments: Vec<&OsStr> = line.split(' ').map(OsStr::new).collect();
        let told = said(&run(path, &arguments));
        assert_eq!(one_of_several(&told), [""; 0], "{line}: {told}");
        assert!(!told.contains("(s)"), "{line}: {told}");
    }
}

#[test]
fn who_opens_a_pipe_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("song.wav")).unwrap();
    for name in ["pipe", "pipe.wav", "pipe.safetensors"] {
        assert!(
            std::process::Command::new("mkfifo").arg(path.join(name)).status().unwrap().success()
        );
        for front in [
            &["info"][..],
            &["decode"],
            &["generate"],
            &["play"],
            &["compose"],
            &["train"],
            &["similarity", "song.wav"],
            &["judge", "song.wav"],
        ] {
            let arguments: Vec<&OsStr> = front.iter().chain([&name]).map(OsStr::new).collect();
            let begun = std::time::Instant::now();
            let done = run(path, &arguments);
            let told = said(&done);
            assert_eq!(done.status.code(), Some(1), "{arguments:?}: {told}");
            assert!(told.contains(name), "{arguments:?}: {told}");
            assert!(begun.elapsed().as_secs() < 10, "{arguments:?} waited");
        }
    }
    let bytes = OsStr::from_bytes(b"song.wav");
    assert_eq!(run(path, &[OsStr::new("info"), OsStr::new("."), bytes]).status.code(), Some(0));
}
