//! Hours of sound: compared and heard in bounded memory, or refused before any work. In a file of its
//! own: the peak is that of the process.
#![cfg(target_os = "linux")]

mod tunes;

use neural_composer::audio::{Decoder, SampleFormat, WavWriter};
use neural_composer::dataset::SongSource;
use neural_composer::evaluate::{Heard, Moments, similarity};
use neural_composer::generate::{CodeLearning, GrainLearning, Learning, Model};
use neural_composer::train::Silent;
use neural_composer::{Error, audio::Audio};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tunes::tune;

const RATE: u32 = 8_000;
const MEGABYTE: u64 = 1 << 20;

/// A WAV file of so many minutes, the first second of which sounds; the rest is a hole that takes no
/// room on the disk.
fn long(folder: &Path, name: &str, minutes: u64) -> PathBuf {
    let path = folder.join(name);
    let second: Vec<f32> = (0..RATE).map(|i| 0.5 * (i as f32 * 0.2).sin()).collect();
    let write = |wav: &mut WavWriter| wav.write(std::slice::from_ref(&second));
    WavWriter::write_file(&path, 1, RATE, SampleFormat::Int16, write).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let bytes = minutes * 60 * u64::from(RATE) * 2;
    file.set_len(44 + bytes).unwrap();
    file.seek(SeekFrom::Start(40)).unwrap();
    file.write_all(&u32::try_from(bytes).unwrap().to_le_bytes()).unwrap();
    path
}

/// The most memory the process has held, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn hours_are_compared_in_bounded_memory_and_refused_to_learn_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = long(folder.path(), "night.wav", 100);
    let before = peak_memory();
    let begun = Instant::now();
    let source = || [SongSource::File(path.clone())];
    let ways =
        [Learning::Grains(GrainLearning::seeded(1)), Learning::Codes(CodeLearning::seeded(1))];
    for learning in ways {
        let refused = Model::learn(&source(), &learning, &mut Silent).unwrap_err();
        let words = refused.to_string();
        assert!(matches!(refused, Error::Memory(_)), "{words}");
        for part in ["night.wav: is 100.0 min long", "GB of memory", "60 min", "-t 1200"] {
            assert!(words.contains(part), "{words}");
        }
    }
    let refused = Heard::read(&mut Decoder::open(&path).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::Memory(_)), "{refused}");
    assert!(peak_memory() < before + 20 * MEGABYTE);
    assert!(begun.elapsed().as_secs() < 20, "refused after {:?}", begun.elapsed());

    let alike = Moments::read(&mut Decoder::open(&path).unwrap()).unwrap();
    // At 22,050 Hz its samples alone would be 530 MB.
    assert!(peak_memory() < before + 250 * MEGABYTE, "{} MB", peak_memory() / MEGABYTE);
    let end = Decoder::open(&path).unwrap().read_last_blocks_at(RATE, 1_000, 10).unwrap();
    assert_eq!(end.frames(), 10_000);
    assert!(alike.compare(&alike).moments > 0.99);
}

#[test]
fn sound_that_comes_bit_by_bit_is_compared_as_sound_in_memory_is() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, hz: f32, rate: u32| -> PathBuf {
        let turn = std::f32::consts::TAU * hz / rate as f32;
        let sample =
            |i: usize| 0.4 * (i as f32 * turn).sin() * (1.0 - (i % 9_000) as f32 / 9_000.0);
        let channel =
            |shift: usize| (0..6 * rate as usize + 77).map(|i| sample(i + shift)).collect();
        let path = folder.path().join(name);
        Audio::new(vec![channel(0), channel(400)], rate).unwrap().save(&path).unwrap();
        path
    };
    let (one, other) = (save("one.wav", 330.0, 44_100), save("other.wav", 415.0, 16_000));
    let whole = |path: &PathBuf| Decoder::open(path).unwrap().read_all().unwrap();
    let moments = |path: &PathBuf| Moments::read(&mut Decoder::open(path).unwrap()).unwrap();
    let streamed = moments(&one).compare(&moments(&other));
    assert_eq!(streamed, similarity(&whole(&one), &whole(&other)).unwrap());
    let heard = |path: &PathBuf| Heard::read(&mut Decoder::open(path).unwrap()).unwrap();
    let judged = neural_composer::evaluate::judge_heard(&heard(&one), vec![heard(&other)]).unwrap();
    let same = neural_composer::evaluate::judge(&whole(&one), &[&whole(&other)]).unwrap();
    assert_eq!(judged, same);
    // The last blocks are those that a cut from the beginning gives.
    let all = Decoder::open(&one).unwrap().read_mono_at(16_000).unwrap();
    for (block, count) in [(1_024, 3), (1_000, 96), (5_000, 1), (70_000, 9)] {
        let end = Decoder::open(&one).unwrap().read_last_blocks_at(16_000, block, count).unwrap();
        let blocks: Vec<&[f32]> = all.channels()[0].chunks(block).collect();
        let last = blocks[blocks.len().saturating_sub(count)..].concat();
        assert_eq!(end.channels()[0], last, "{count} blocks of {block}");
    }
}

/// What the command line says, with so many kilobytes of addresses.
fn said(folder: &Path, kilobytes: u32, arguments: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_neural-composer");
    let script = format!("ulimit -v {kilobytes}; exec \"{program}\" {arguments}");
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence_and_no_command_aborts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("songs")).unwrap();
    for name in ["a.wav", "b.wav", "c.wav"] {
        long(&path.join("songs"), name, 40);
    }
    long(path, "fifty.wav", 50);
    for model in ["grains", "codes", "blocks"] {
        for command in ["compose", "train"] {
            let arguments = format!("{command} fifty.wav --model {model}");
            let (code, words) = said(path, 500_000, &arguments);
            assert_eq!(code, Some(1), "{arguments}: {words}");
            assert!(words.contains("fifty.wav: is 50.0 min long"), "{words}");
            assert!(words.contains("are free"), "{words}");
        }
        let (code, words) = said(path, 500_000, &format!("train songs --model {model}"));
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains("3 songs, 120 min in all") && words.contains("are free"), "{words}");
    }
    long(path, "night.wav", 100);
    tune(8.0, RATE).save(path.join("song.wav")).unwrap();
    let (code, words) =
        said(path, 6_000_000, "train song.wav --model grains --steps 2 -o m.safetensors");
    assert_eq!(code, Some(0), "{words}");
    for arguments in [
        "compose song.wav --continue night.wav",
        "compose song.wav --tune night.wav",
        "generate m.safetensors --continue night.wav",
    ] {
        let (code, words) = said(path, 6_000_000, arguments);
        assert_eq!(code, Some(1), "{arguments}: {words}");
        assert!(words.contains("night.wav: is 100.0 min long, too long to go on from"), "{words}");
        // Before anything is learned.
        assert!(!words.contains("epoch"), "{words}");
    }
    for arguments in ["play night.wav", "judge night.wav fifty.wav", "judge fifty.wav night.wav"] {
        let (code, words) = said(path, 6_000_000, arguments);
        assert_eq!(code, Some(1), "{arguments}: {words}");
        assert!(words.contains("night.wav: is 100.0 min long, too long to "), "{words}");
    }
    assert!(!path.join("out.wav").exists() && !path.join("out.safetensors").exists());
}
