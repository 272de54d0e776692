//! Every option of every command refuses what cannot be before any work, and is named as it was typed.

use crate::songs::{command, names, song};
use std::collections::BTreeSet;
use std::path::Path;

/// What an option takes.
enum Takes {
    /// Nothing.
    Nothing,
    /// Values of which these are wrong, after `arguments` that choose the model.
    Values(&'static [&'static str], &'static [&'static str]),
    /// The name of a file that is written, of which these are wrong.
    Output(&'static [&'static str]),
    /// The name of a file that is read, of which these are wrong.
    Input(&'static [&'static str]),
}

use Takes::{Input, Nothing, Output, Values};

const COMMANDS: [&str; 12] = [
    "compose",
    "train",
    "generate",
    "decode",
    "judge",
    "info",
    "play",
    "similarity",
    "corpus build",
    "corpus check",
    "corpus info",
    "sweep",
];
const WHOLE: &[&str] =
    &["", "x", "-1", "0", "nan", "1.5", "1e3", "99999999999999999999999", "-inf"];
const RANDOM: &[&str] = &["", "x", "-1", "nan", "1.5", "1e3", "99999999999999999999999"];
const BLOCKS: &[&str] = &["--model", "blocks"];
const GRAINS: &[&str] = &["--model", "grains"];
const CODES: &[&str] = &["--model", "codes"];
const SHARE: &[&str] = &["", "x", "-0.1", "1.1", "nan", "inf", "-inf", "1e308", "0,5"];
const PART: &[&str] = &["", "x", "-0.1", "1", "nan", "inf", "-inf", "1e308", "0,5"];
const SONGS: &[&str] = &["missing.wav", "", "notes.txt", "."];
const PIECES: &[&str] = &["", "no/folder/o.wav", "o.mp3", ".", "song.wav", "/dev/null"];

/// The options of each command, and what each does not take.
fn table() -> Vec<(&'static str, &'static str, Takes)> {
    let mut rows = Vec::new();
    for command in ["compose", "train"] {
        for (option, takes) in [
            ("--settings", Values(&["", "slow"], BLOCKS)),
            ("--epochs", Values(WHOLE, BLOCKS)),
            ("--steps", Values(WHOLE, GRAINS)),
            ("--batch", Values(WHOLE, CODES)),
            ("--learning-rate", Values(&["", "x", "-1", "0", "nan", "inf", "1e999"], GRAINS)),
            ("--schedule", Values(&["", "polynomial"], GRAINS)),
            ("--optimizer", Values(&["", "adam", "0"], GRAINS)),
            (
                "--loss",
                Values(&["", "l3", "huber:0", "huber:-1", "huber:nan", "huber:", "mse:1"], BLOCKS),
            ),
            ("--dropout", Values(PART, GRAINS)),
            ("--scheduled-sampling", Values(SHARE, CODES)),
            ("--truncate", Values(WHOLE, BLOCKS)),
            ("--recompute-layers", Nothing),
            ("--recompute-steps", Values(WHOLE, BLOCKS)),
            ("--precision", Values(&["", "f16", "F32", "16"], BLOCKS)),
            ("--layers", Values(LAYERS, BLOCKS)),
            ("--dense-activation", Values(&["", "sin", "1"], BLOCKS)),
            ("--recurrent-input", Nothing),
            ("--validation", Values(PART, CODES)),
            ("--patience", Values(WHOLE, GRAINS)),
            ("--seed", Values(RANDOM, GRAINS)),
            ("--device", Values(&["", "tpu", "cuda:99", "cuda:x", "cuda:-1"], BLOCKS)),
            ("--model", Values(&["", "drum"], &[])),
            ("--recursive", Nothing),
            ("--force", Nothing),
            ("--resume", Nothing),
            ("--restart", Nothing),
            ("--resume-from", Input(&["", "missing.safetensors", "notes.txt", "song.wav"])),
            ("--checkpoint-seconds", Values(&["", "x", "-1", "nan", "inf"], GRAINS)),
            ("--checkpoint-count", Values(WHOLE, GRAINS)),
        ] {
            rows.push((command, option, takes));
        }
    }
    for command in ["compose", "generate"] {
        let seconds = &["", "x", "0", "-1", "nan", "inf", "1e308", "21601", "-inf", "1e-999"];
        for (option, takes) in [
            ("--output", Output(PIECES)),
            ("--seconds", Values(seconds, &[])),
            ("--adventurous", Values(SHARE, &[])),
            ("--continue", Input(SONGS)),
            ("--tune", Input(SONGS)),
            ("--blend", Values(&["", "x", "-1", "nan", "0", "1,,2", "inf", "1e308,1e308"], &[])),
            ("--tempo", Values(&["", "x", "0.4", "2.1", "nan", "inf", "-1", "1e308"], &[])),
            ("--transpose", Values(&["", "x", "13", "-13", "99", "1.5", "9999999999999"], &[])),
            ("--keep-key", Nothing),
            (
                "--regenerate",
                Values(&["", "1", "..", "5..4", "-1..2", "nan..2", "1..1e308", "19..21"], &[]),
            ),
            ("--regenerate-seed", Values(RANDOM, &["--regenerate", "1..2"])),
        ] {
            rows.push((command, option, takes));
        }
    }
    let model = &["", "no/folder/o.safetensors", "o.wav", ".", "song.wav", "/dev/null"];
    rows.extend([
        ("train", "--output", Output(model)),
        ("generate", "--from", Input(SONGS)),
        ("generate", "--seed", Values(RANDOM, &[])),
        ("generate", "--device", Values(&["", "tpu", "cuda:99"], &[])),
        ("decode", "--output", Output(PIECES)),
        (
            "decode",
            "--rate",
            Values(&["", "x", "0", "999", "768001", "-1", "nan", "4294967296"], &[]),
        ),
        ("decode", "--mono", Nothing),
        ("decode", "--format", Values(&["", "int8", "16"], &[])),
        ("judge", "--picture", Output(&["", "no/folder/o.png", "o.jpg", ".", "/dev/null"])),
        ("judge", "--recursive", Nothing),
        ("info", "--devices", Nothing),
        ("info", "--recursive", Nothing),
        ("corpus build", "--output", Output(&["", "no/folder/o", ".", "song.wav"])),
        (
            "corpus build",
            "--shard-megabytes",
            Values(&["", "x", "0", "-1", "nan", "inf", "1e308", "0.01"], &[]),
        ),
        ("sweep", "--output", Output(&["", ".", "song.wav"])),
        ("sweep", "--list", Nothing),
        ("sweep", "--task", Values(&["", "x", "-1", "3", "nan", "1.5"], &["--tasks", "2"])),
        ("sweep", "--tasks", Values(&["", "x", "-1", "0", "nan", "1.5"], &["--task", "0"])),
        ("sweep", "--checkpoint-seconds", Values(&["", "x", "-1", "nan", "inf"], &[])),
        ("sweep", "--device", Values(&["", "tpu", "cuda:99"], &[])),
        ("play", "--volume", Values(&["", "x", "-0.1", "1.1", "nan", "inf"], &[])),
    ]);
    for command in COMMANDS {
        rows.extend([(command, "--json", Nothing), (command, "--help", Nothing)]);
    }
    rows
}

const LAYERS: &[&str] = &[
    "",
    "lstm",
    "gru:0",
    "gru:-1",
    "gru:x",
    "perceptron:9",
    "0*lstm:9",
    "1001*lstm:9",
    "lstm:8,gru:9:residual",
    "lstm:8,,gru:8",
    "lstm:99999999",
    "lstm:99999999999999999999999",
    "lstm:8:odd",
];

/// What comes in front of the options.
fn before(command: &str) -> Vec<&str> {
    match command {
        "judge" | "similarity" => vec![command, "song.wav", "song.wav"],
        "corpus build" => vec!["corpus", "build", "."],
        "corpus check" => vec!["corpus", "check", "."],
        "corpus info" => vec!["corpus", "info", "."],
        "generate" => vec![command, "grains.safetensors"],
        "sweep" => vec![command, "plan.toml"],
        _ => vec![command, "song.wav"],
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("song.wav")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no sound").unwrap();
    let plan = "songs = \"song.wav\"\n[grid]\nunits = [8, 16]\n";
    std::fs::write(folder.path().join("plan.toml"), plan).unwrap();
    for (model, name) in [("grains", "grains.safetensors"), ("blocks", "blocks.safetensors")] {
        let amount = if model == "blocks" { ["--epochs", "1"] } else { ["--steps", "1"] };
        let train = ["train", "song.wav", "--model", model, "--layers", "gru:8"];
        let train = &train[..if model == "blocks" { 6 } else { 4 }];
        let done =
            command(folder.path(), [train, &amount, &["-o", name]].concat()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    folder
}

/// The long options that the help of a command shows.
fn shown(folder: &Path, subcommand: &str) -> BTreeSet<String> {
    let words = subcommand.split(' ').chain(["--help"]);
    let help = command(folder, words).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let options = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let option = line.split(", ").find(|part| part.starts_with("--"))?;
        let is_first = line.starts_with('-');
        let option = option.split([' ', '=']).next().unwrap();
        let is_whole = option.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        (is_first && is_whole).then(|| option.to_owned())
    });
    options.collect()
}

/// The command fails with `code`, without work, without a name of the source, and says `words`.
fn refused(folder: &Path, arguments: &[&str], code: i32, words: &str) {
    let before = names(folder);
    let done = command(folder, arguments).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(code), "{arguments:?}: {told}");
    assert!(told.contains(words), "{arguments:?}: expected \"{words}\": {told}");
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase());
    let from_source = told.split_whitespace().find(|word| {
        let mut parts = word.split('_').peekable();
        std::iter::from_fn(|| parts.next().map(|part| (part, parts.peek().copied()))).any(
            |(part, next)| {
                is_letter(part.chars().last()) && is_letter(next.and_then(|n| n.chars().next()))
            },
        )
    });
    assert_eq!(from_source, None, "{arguments:?}: {told}");
    assert!(!told.contains("panicked") && !told.contains("::"), "{arguments:?}: {told}");
    let digits = told.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    assert!(digits < 40, "{arguments:?}: {told}");
    assert!(!told.contains("epoch 1") && !told.contains("from 1 song"), "{arguments:?}: {told}");
    assert_eq!(names(folder), before, "{arguments:?}");
}

#[test]
fn every_option_has_its_row() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        let rows = table();
        let known: BTreeSet<String> =
            rows.iter().filter(|row| row.0 == command).map(|row| row.1.to_owned()).collect();
        assert_eq!(shown(folder.path(), command), known, "{command}: give each option its row");
    }
}

#[test]
fn what_cannot_be_is_refused_before_any_work_by_the_name_that_was_typed() {
    let folder = folder();
    let path = folder.path();
    for (command, option, takes) in table() {
        let front = before(command);
        match takes {
            Nothing => {
                let typed = format!("{option}=x");
                refused(path, &[&front[..], &[&typed]].concat(), 2, option);
            }
            Values(wrong, model) => {
                for value in wrong {
                    let both = [&front[..], model, &[option, value]].concat();
                    refused(path, &both, 2, option);
                    let typed = format!("{option}={value}");
                    refused(path, &[&front[..], model, &[&typed]].concat(), 2, option);
                }
            }
            Output(wrong) => {
                for value in wrong {
                    let typed = format!("{option}={value}");
                    refused(path, &[&front[..], &[&typed]].concat(), 2, option);
                }
            }
            Input(wrong) => {
                for value in wrong {
                    let front = match option {
                        "--from" => vec!["generate", "blocks.safetensors"],
                        _ => front.clone(),
                    };
                    let typed = format!("{option}={value}");
                    // clap refuses empty names by the option.
                    let (code, words) = if value.is_empty() { (2, option) } else { (1, *value) };
                    refused(path, &[&front[..], &[&typed]].concat(), code, words);
                }
            }
        }
    }
}

#[test]
fn more_weights_than_songs_and_parts_beyond_the_piece_are_refused() {
    let folder = folder();
    let path = folder.path();
    let wrong = ["compose", "song.wav", "--blend", "1,2"];
    refused(path, &wrong, 2, "--blend: expected no weights for a single song, found 2 weights");
    let wrong = ["compose", "song.wav", "--seconds", "1.5", "--regenerate", "1..2"];
    refused(path, &wrong, 2, "--regenerate: expected two times from 0 to 1.5");
    // Of another model.
    for (model, option) in [
        ("blocks", "--tempo"),
        ("codes", "--blend"),
        ("grains", "--truncate"),
        ("blocks", "--steps"),
    ] {
        let wrong = ["compose", "song.wav", "--model", model, option, "1"];
        refused(path, &wrong, 2, option);
    }
}
