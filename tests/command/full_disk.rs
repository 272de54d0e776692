//! A disk that takes no more is an error with the file's name: nothing half-written stays, and what was
//! there is as it was. The limit for a file's size stands in for a full disk.

use crate::songs::{command, names, song};
use std::path::Path;
use std::process::{Command, Output};

/// The command line under a limit of so many blocks of 512 bytes for each file.
fn limited(folder: &Path, blocks: u32, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_neural-composer");
    std::fs::create_dir_all(folder.join("tmp")).unwrap();
    Command::new("sh")
        .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\""), program])
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"))
        .stdin(std::fs::File::open(folder.join("a.wav")).unwrap())
        .output()
        .unwrap()
}

#[test]
fn what_does_not_fit_is_told_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("a.wav")).unwrap();
    for (kind, file) in [("grains", "grains.safetensors"), ("codes", "codes.safetensors")] {
        let train = ["train", "a.wav", "--model", kind, "--steps", "1", "-o", file];
        assert!(command(path, train).output().unwrap().status.success());
    }
    let old = b"what was there";
    for (arguments, output) in [
        (vec!["decode", "a.wav", "-o", "o.wav"], "o.wav"),
        (vec!["decode", "a.wav", "-o", "o.wav", "--format", "float32"], "o.wav"),
        (vec!["compose", "a.wav", "--steps", "1", "--seconds", "3", "-o", "o.wav"], "o.wav"),
        (vec!["generate", "grains.safetensors", "--seconds", "3", "-o", "o.wav"], "o.wav"),
        (vec!["generate", "codes.safetensors", "--seconds", "3", "-o", "o.wav"], "o.wav"),
        (
            vec!["train", "a.wav", "--model", "grains", "--steps", "1", "-o", "o.safetensors"],
            "o.safetensors",
        ),
        (
            vec!["train", "a.wav", "--model", "codes", "--steps", "1", "-o", "o.safetensors"],
            "o.safetensors",
        ),
        (vec!["judge", "a.wav", "a.wav", "--picture", "o.png"], "o.png"),
        (vec!["decode", "a.wav", "-o", "-"], "standard output"),
        (vec!["decode", "-", "-o", "o.wav"], "standard input"),
    ] {
        for is_there in [false, true] {
            let target = path.join(output);
            let is_file = !output.starts_with("standard");
            if is_there && is_file {
                std::fs::write(&target, old).unwrap();
            }
            let before = names(path);
            let done = limited(path, 16, &arguments);
            let told = String::from_utf8_lossy(&done.stderr).into_owned();
            assert_eq!(done.status.code(), Some(1), "{arguments:?}: {told}");
            assert!(told.contains(output), "{arguments:?}: {told}");
            assert!(told.contains("too large"), "{arguments:?}: {told}");
            let after: Vec<String> = names(path).into_iter().filter(|name| name != "tmp").collect();
            let before: Vec<String> = before.into_iter().filter(|name| name != "tmp").collect();
            assert_eq!(after, before, "{arguments:?}");
            assert!(names(&path.join("tmp")).is_empty(), "{arguments:?}");
            if is_there && is_file {
                assert_eq!(std::fs::read(&target).unwrap(), old, "{arguments:?}");
                std::fs::remove_file(&target).unwrap();
            }
        }
    }
}

/// A piece of an earlier run and its model belong together: both are replaced, or neither.
#[test]
fn a_piece_whose_model_does_not_fit_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    song(220.0).save(path.join("a.wav")).unwrap();
    let compose = |seed: &'static str| {
        let kind = ["compose", "a.wav", "--model", "codes", "--steps", "1", "--seconds", "1"];
        kind.into_iter().chain(["--seed", seed, "-o", "o.wav"]).collect::<Vec<_>>()
    };
    assert!(command(path, compose("1")).output().unwrap().status.success());
    let files = ["o.wav", "o.safetensors", "o.loss.svg"].map(|name| path.join(name));
    let content = || files.clone().map(|file| std::fs::read(file).unwrap());
    let (before, names_before) = (content(), names(path));
    let blocks = |file: usize| before[file].len() as u32 / 512 + 1;
    assert!(blocks(0) < blocks(1), "the piece is smaller than the model");
    let done = limited(path, blocks(0) + 1, &compose("2"));
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("o.safetensors") && told.contains("too large"), "{told}");
    assert!(content() == before);
    let after: Vec<String> = names(path).into_iter().filter(|name| name != "tmp").collect();
    assert_eq!(after, names_before);
}

/// What panics while files are held back holds back none that come after.
#[test]
fn a_panic_among_files_that_belong_together_ends_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let [held, after] = ["held", "after"].map(|name| folder.path().join(name));
    let write = |path: &Path| neural_composer::atomic_file::write(path, |_| Ok(()));
    let panicked = std::panic::catch_unwind(|| {
        neural_composer::atomic_file::together(|| -> neural_composer::Result<()> {
            write(&held).unwrap();
            panic!("on purpose");
        })
    });
    assert!(panicked.is_err());
    write(&after).unwrap();
    assert_eq!(names(folder.path()), ["after"]);
}
