//! Ctrl-C, SIGTERM and SIGHUP end every command soon, with its exit status, and leave nothing half done.
#![cfg(unix)]

use neural_composer::audio::Audio;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take to end; a second is meant, on a machine that is not busy.
const SOON: Duration = Duration::from_secs(8);

fn write_song(path: &Path) {
    let sample = |i: usize| {
        let hz = [220.0, 277.2, 329.6, 440.0][i / 4_000 % 4];
        (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin() * 0.5
    };
    Audio::mono((0..320_000).map(sample).collect(), 16_000).unwrap().save(path).unwrap();
}

/// Minutes of 16-bit stereo, which take no room on the disk.
fn write_long(path: &Path, minutes: u32) {
    let mut file = std::fs::File::create(path).unwrap();
    let bytes: u32 = minutes * 60 * 44_100 * 4;
    let mut header = Vec::new();
    header.extend(b"RIFF");
    header.extend((bytes + 36).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    header.extend(44_100u32.to_le_bytes());
    header.extend((44_100u32 * 4).to_le_bytes());
    header.extend(b"\x04\0\x10\0data");
    header.extend(bytes.to_le_bytes());
    file.write_all(&header).unwrap();
    file.seek(SeekFrom::Start(u64::from(bytes) + 43)).unwrap();
    file.write_all(&[1]).unwrap();
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_neural-composer"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: &str) {
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &process]).status().unwrap().success());
}

/// The status with which it ended, or nothing if it did not.
fn ended(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < SOON {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().expect("an exit status, not a signal"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Commands that would take minutes, and what may be there after they were stopped.
const LONG: [(&[&str], &[&str]); 8] = [
    (&["decode", "long.wav", "--rate", "48000", "-o", "o.wav"], &[]),
    (&["info", "long.wav"], &[]),
    (&["judge", "hour.wav", "song.wav"], &[]),
    (&["similarity", "long.wav", "song.wav"], &[]),
    (&["compose", "hour.wav", "-o", "o.wav"], &[]),
    (
        &["compose", "song.wav", "--steps", "1000000", "-o", "o.wav"],
        &["o.checkpoints", "o.loss.svg", "o.safetensors"],
    ),
    (
        &["train", "song.wav", "--model", "codes", "--steps", "1000000", "-o", "o.safetensors"],
        &["o.checkpoints", "o.loss.svg", "o.safetensors"],
    ),
    (&["generate", "grains.safetensors", "--seconds", "20000", "-o", "o.wav"], &["o.wav"]),
];

#[test]
fn a_signal_ends_every_command_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_song(&path.join("song.wav"));
    write_long(&path.join("long.wav"), 120);
    // What is longer than an hour is refused where it would be held in memory.
    write_long(&path.join("hour.wav"), 58);
    let train =
        ["train", "song.wav", "--model", "grains", "--steps", "1", "-o", "grains.safetensors"];
    assert!(start(path, &train).wait().unwrap().success());
    let before = names(path);
    let song = std::fs::read(path.join("song.wav")).unwrap();
    for (arguments, allowed) in LONG {
        for (signal, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let mut child = start(path, arguments);
            std::thread::sleep(Duration::from_millis(1_200));
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} is over already");
            send(&child, signal);
            assert_eq!(ended(&mut child), Some(status), "{arguments:?} after {signal}");
            for name in names(path) {
                let known = before.contains(&name) || allowed.contains(&name.as_str());
                assert!(known, "{arguments:?} after {signal} left {name}");
                if !before.contains(&name) {
                    if name == "o.checkpoints" {
                        let left = neural_composer::train::kept_training(path.join(&name));
                        assert!(
                            left.is_some_and(|left| !left.done),
                            "{arguments:?} after {signal}: {name}"
                        );
                        assert_eq!(names(&path.join(&name)).len(), 1);
                        std::fs::remove_dir_all(path.join(&name)).unwrap();
                        continue;
                    }
                    let whole = match name.rsplit_once('.').unwrap().1 {
                        "wav" => neural_composer::audio::Song::open(path.join(&name)).is_ok(),
                        "svg" => {
                            std::fs::read_to_string(path.join(&name)).unwrap().contains("</svg>")
                        }
                        _ => neural_composer::generate::ModelCard::of(path.join(&name)).is_ok(),
                    };
                    assert!(whole, "{arguments:?} after {signal}: {name}");
                    std::fs::remove_file(path.join(&name)).unwrap();
                }
            }
        }
    }
    assert_eq!(std::fs::read(path.join("song.wav")).unwrap(), song);
}

#[test]
fn what_a_killed_command_left_is_gone_after_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_song(&path.join("song.wav"));
    write_long(&path.join("long.wav"), 120);
    let mut child = start(path, &["decode", "long.wav", "--rate", "48000", "-o", "o.wav"]);
    let temporary = |name: &String| name.starts_with(".neural-composer-");
    let begun = Instant::now();
    while !names(path).iter().any(temporary) && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Another command leaves what a living one writes.
    assert!(start(path, &["decode", "song.wav", "-o", "a.wav"]).wait().unwrap().success());
    assert!(names(path).iter().any(temporary));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names(path).iter().any(temporary));
    assert!(start(path, &["decode", "song.wav", "-o", "b.wav"]).wait().unwrap().success());
    assert_eq!(names(path), ["a.wav", "b.wav", "long.wav", "song.wav"]);
}
