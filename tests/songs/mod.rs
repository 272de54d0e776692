//! Songs for commands, and what a command leaves in its folder.
#![allow(dead_code)]

use neural_composer::audio::Audio;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Ten seconds of a four-note pattern.
pub fn song(hz: f32) -> Audio {
    let sample = |i: usize| {
        let hz = hz * [1.0, 1.26, 1.5, 2.0][i / 4_000 % 4];
        (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin() * 0.5
    };
    Audio::mono((0..160_000).map(sample).collect(), 16_000).unwrap()
}

/// The command line, to be run in `folder`.
pub fn command<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neural-composer"));
    command.args(arguments).current_dir(folder);
    command
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}
