//! No command destroys what it reads, or what it was not told to write: refused before any work, with
//! exit 2, and every file as it was.

use neural_composer::audio::Audio;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Ten seconds of a four-note pattern.
fn song(hz: f32) -> Audio {
    let sample = |i: usize| {
        let hz = hz * [1.0, 1.26, 1.5, 2.0][i / 4_000 % 4];
        (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin() * 0.5
    };
    Audio::mono((0..160_000).map(sample).collect(), 16_000).unwrap()
}

/// A folder with songs `a.wav` and `b.wav`, models of grains (of `a.wav`) and codes, made once.
fn folder() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = tempfile::tempdir().unwrap();
        song(220.0).save(made.path().join("a.wav")).unwrap();
        song(330.0).save(made.path().join("b.wav")).unwrap();
        for (model, file) in [("grains", "grains.safetensors"), ("codes", "codes.safetensors")] {
            let train = ["train", "a.wav", "--model", model, "--steps", "1", "-o", file];
            let done = run(made.path(), train);
            assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        }
        made
    });
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(made.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|ending| ending != "svg") {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

fn run<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neural-composer"));
    command.args(arguments).current_dir(folder).output().unwrap()
}

/// Names, kinds and contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let bytes = match (metadata.is_file(), metadata.file_type().is_symlink()) {
            (true, _) => std::fs::read(&path).unwrap(),
            (_, true) => std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        (path, (metadata.mode(), bytes))
    };
    std::fs::read_dir(folder).unwrap().map(entry).collect()
}

/// Every command that writes, with `-o OUTPUT` (or `--picture OUTPUT`) to come.
fn commands() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("wav", vec!["decode", "a.wav", "-o"]),
        ("wav", vec!["compose", "a.wav", "--steps", "1", "--seconds", "2", "-o"]),
        ("wav", vec!["generate", "grains.safetensors", "--seconds", "2", "-o"]),
        ("wav", vec!["generate", "codes.safetensors", "--seconds", "2", "-o"]),
        ("safetensors", vec!["train", "a.wav", "--model", "codes", "--steps", "1", "-o"]),
        ("png", vec!["judge", "a.wav", "b.wav", "--picture"]),
    ]
}

fn with(command: &[&str], output: impl AsRef<OsStr>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = command.iter().map(OsString::from).collect();
    arguments.push(output.as_ref().to_owned());
    arguments
}

/// The command is refused with exit 2 and words that name the option, and nothing has changed.
fn refused(folder: &Path, arguments: &[OsString], words: &str) {
    let before = contents(folder);
    let done = run(folder, arguments);
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{arguments:?}: {told}");
    assert!(told.contains("--output") || told.contains("--picture"), "{arguments:?}: {told}");
    assert!(told.contains(words), "{arguments:?}: expected \"{words}\": {told}");
    assert!(!told.contains("epoch"), "before any work: {told}");
    assert!(before == contents(folder), "{arguments:?} changed something");
}

#[test]
fn an_output_is_never_an_input_by_any_name() {
    let folder = folder();
    let path = folder.path();
    symlink("a.wav", path.join("link.wav")).unwrap();
    std::fs::hard_link(path.join("a.wav"), path.join("hard.wav")).unwrap();
    // A model of grains that knows this folder's song.
    let own = ["train", "a.wav", "--model", "grains", "--steps", "1", "-o", "grains.safetensors"];
    assert_eq!(run(path, own).status.code(), Some(0));
    let whole = path.join("a.wav");
    let names: Vec<OsString> = ["a.wav", "./a.wav", "link.wav", "hard.wav"]
        .map(OsString::from)
        .into_iter()
        .chain([whole.into_os_string()])
        .collect();
    // A model of grains reads its song.
    for (_, command) in commands().into_iter().take(3) {
        for name in &names {
            refused(path, &with(&command, name), "which is read");
        }
    }
    let guests = ["compose", "b.wav", "--steps", "1", "--continue", "a.wav", "-o"];
    refused(path, &with(&guests, "link.wav"), "which is read");
    let tune = ["generate", "grains.safetensors", "--tune", "b.wav", "-o"];
    refused(path, &with(&tune, "b.wav"), "which is read");
    // One of a folder's songs.
    refused(path, &with(&["compose", ".", "--steps", "1", "-o"], "b.wav"), "which is read");
    // Models and pictures have names of their own, or links do.
    symlink("grains.safetensors", path.join("m.wav")).unwrap();
    let own_model = ["generate", "grains.safetensors", "--seconds", "2", "-o"];
    refused(path, &with(&own_model, "m.wav"), "which is read");
    symlink("a.wav", path.join("picture.png")).unwrap();
    refused(path, &with(&["judge", "a.wav", "b.wav", "--picture"], "picture.png"), "which is read");
    // What is written beside the piece is looked at, too.
    symlink("a.wav", path.join("night.loss.svg")).unwrap();
    let compose = ["compose", "a.wav", "--steps", "1", "--seconds", "2", "-o"];
    refused(path, &with(&compose, "night.wav"), "which is read");
}

#[test]
fn an_output_is_a_regular_file_that_can_be_written() {
    let folder = folder();
    let path = folder.path();
    let ends = |kind: &str, name: &str| format!("{name}.{kind}");
    for (kind, command) in commands() {
        for (name, make) in [
            ("folder", (|at: &Path| std::fs::create_dir(at).unwrap()) as fn(&Path)),
            ("fifo", |at| {
                assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
            }),
            ("sealed", |at| {
                std::fs::write(at, "mine").unwrap();
                std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o444)).unwrap();
            }),
        ] {
            let name = ends(kind, name);
            if !path.join(&name).exists() {
                make(&path.join(&name));
            }
            refused(path, &with(&command, &name), &name);
            let link = ends(kind, "to-it");
            let _ = std::fs::remove_file(path.join(&link));
            symlink(&name, path.join(&link)).unwrap();
            refused(path, &with(&command, &link), &link);
        }
        refused(path, &with(&command, "/dev/null"), "device");
        refused(path, &with(&command, ends(kind, "no/such/folder/x")), "no/such/folder");
        refused(path, &with(&command, "new/"), "folder");
        refused(path, &with(&command, ends(kind, &"o".repeat(260))), "too long");
        let looped = ends(kind, "loop");
        symlink(&looped, path.join(&looped)).unwrap();
        refused(path, &with(&command, &looped), "symbolic link");
        std::fs::remove_file(path.join(&looped)).unwrap();
    }
    assert!(std::fs::symlink_metadata("/dev/null").unwrap().file_type().is_char_device());
    // The names of what is written beside it have to fit, too.
    let compose = ["compose", "a.wav", "--steps", "1", "--seconds", "2", "-o"];
    refused(path, &with(&compose, ends("wav", &"o".repeat(250))), "too long");
}

#[test]
fn a_name_promises_what_is_written() {
    let folder = folder();
    for (kind, command) in commands() {
        let wrong: &[&str] = match kind {
            "wav" => &["x.mp3", "x.FLAC", "x.opus", "x.safetensors", "x.svg", "x.json"],
            "safetensors" => &["x.wav", "x.mp3", "x.png"],
            _ => &["x.jpg", "x.wav", "x.pdf"],
        };
        for name in wrong {
            refused(folder.path(), &with(&command, name), "a name that ends in .");
        }
    }
}

#[test]
fn what_nobody_named_is_replaced_only_if_it_is_ours_or_by_force() {
    let folder = folder();
    let path = folder.path();
    let compose = ["compose", "a.wav", "--steps", "1", "--seconds", "2", "-o", "night.wav"];
    let done = |arguments: &[&str]| {
        let done = run(path, arguments);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let arguments: Vec<OsString> = compose.iter().map(OsString::from).collect();
    for mine in ["night.safetensors", "night.loss.svg"] {
        std::fs::write(path.join(mine), "<svg>mine</svg>").unwrap();
        refused(path, &arguments, "--force");
        std::fs::remove_file(path.join(mine)).unwrap();
    }
    // Ours are replaced, again and again, and a piece that was named.
    done(&compose);
    done(&compose);
    std::fs::write(path.join("night.loss.svg"), "<svg>mine</svg>").unwrap();
    refused(path, &arguments, "--force");
    done(&[&compose[..], &["--force"]].concat());
    assert_ne!(std::fs::read(path.join("night.loss.svg")).unwrap(), b"<svg>mine</svg>");
}

#[test]
fn names_that_share_a_beginning_have_models_of_their_own() {
    let folder = folder();
    let path = folder.path();
    for (name, seed) in [("take.1", "1"), ("take.2", "2")] {
        let compose = ["compose", "a.wav", "--steps", "1", "--seconds", "2", "--seed", seed, "-o"];
        assert_eq!(run(path, with(&compose, name)).status.code(), Some(0));
    }
    let bytes = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert_ne!(bytes("take.1.safetensors"), bytes("take.2.safetensors"));
    assert!(path.join("take.1.loss.svg").is_file() && path.join("take.2.loss.svg").is_file());
    assert!(bytes("take.1").starts_with(b"RIFF"));
}

#[test]
fn a_link_stays_one_and_what_it_leads_to_is_written() {
    let folder = folder();
    let path = folder.path();
    std::fs::create_dir(path.join("deep")).unwrap();
    std::fs::write(path.join("deep/old.wav"), "old").unwrap();
    symlink("deep/old.wav", path.join("to-old.wav")).unwrap();
    symlink("deep/new.wav", path.join("to-new.wav")).unwrap();
    symlink("to-new.wav", path.join("to-link.wav")).unwrap();
    for (link, target) in [("to-old.wav", "deep/old.wav"), ("to-link.wav", "deep/new.wav")] {
        let done = run(path, ["decode", "a.wav", "-o", link]);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(path.join(link).is_symlink());
        assert!(std::fs::read(path.join(target)).unwrap().starts_with(b"RIFF"));
        assert!(!path.join(target).is_symlink());
    }
}

#[test]
fn names_that_are_not_utf8_are_written_and_read() {
    let folder = folder();
    let path = folder.path();
    let name = OsStr::from_bytes(b"caf\xe9.wav");
    let compose = with(&["compose", "a.wav", "--steps", "1", "--seconds", "2", "-o"], name);
    assert_eq!(run(path, &compose).status.code(), Some(0));
    let arguments = with(&["decode", "a.wav", "-o"], name);
    assert_eq!(run(path, &arguments).status.code(), Some(0));
    assert!(path.join(name).is_file());
    for command in [vec!["info"], vec!["info", "--json"], vec!["judge", "a.wav"]] {
        let done = run(path, with(&command, name));
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{command:?}: {told}");
        let line = String::from_utf8(done.stdout).unwrap();
        assert!(command[0] != "info" || line.contains("caf\u{fffd}.wav"), "{line}");
    }
    let from = with(&["compose", "--steps", "1", "--seconds", "2", "-o", "piece.wav"], name);
    assert_eq!(run(path, &from).status.code(), Some(0));
    let again = run(path, ["generate", "piece.safetensors", "--seconds", "2", "-o", "more.wav"]);
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn what_a_killed_program_left_goes_and_what_a_living_one_holds_stays() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join(".neural-composer-dead"), "half").unwrap();
    let living = std::fs::File::create(path.join(".neural-composer-alive")).unwrap();
    living.lock().unwrap();
    std::fs::write(path.join(".neural-composer.toml"), "somebody's").unwrap();
    assert_eq!(run(path, ["decode", "a.wav", "-o", "x.wav"]).status.code(), Some(0));
    assert!(!path.join(".neural-composer-dead").exists());
    assert!(path.join(".neural-composer-alive").exists());
    assert!(path.join(".neural-composer.toml").exists());
}
