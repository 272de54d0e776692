//! How much memory hours of audio take. In a file of its own: the peak is that of the process.
#![cfg(target_os = "linux")]

use neural_composer::audio::{Decoder, SampleFormat, WavWriter};
use std::io::{Seek, SeekFrom, Write};

const HOURS_3: u64 = 3 * 3600;
const MEGABYTE: u64 = 1 << 20;

/// The most memory the process has held, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn three_hours_stream_through_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long.wav");
    // 345 MB of silence in stereo, as a hole that takes no room on the disk.
    let (rate, frames) = (8000_u32, HOURS_3 * 8000);
    WavWriter::write_file(&long, 2, rate, SampleFormat::Int16, |_| Ok(())).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&long).unwrap();
    let bytes = frames * 4;
    file.set_len(44 + bytes).unwrap();
    file.seek(SeekFrom::Start(40)).unwrap();
    file.write_all(&u32::try_from(bytes).unwrap().to_le_bytes()).unwrap();
    drop(file);

    let mut decoder = Decoder::open(&long).unwrap();
    assert_eq!(decoder.expected_seconds(), Some(HOURS_3 as f64));
    let mut largest = 0;
    while let Some(chunk) = decoder.next_chunk().unwrap() {
        largest = largest.max(chunk[0].len());
    }
    assert_eq!(decoder.frames_read(), frames);
    assert!(largest <= 8192);
    let streamed = peak_memory();
    // All of it in memory would be 690 MB.
    assert!(streamed < 50 * MEGABYTE, "{} MB", streamed / MEGABYTE);

    let mono = Decoder::open(&long).unwrap().read_mono_at(1000).unwrap();
    assert_eq!(mono.frames() as u64, HOURS_3 * 1000);
    let mixed = peak_memory();
    // The result is 43 MB, three times that while its vector moves to a larger place.
    assert!(mixed < 150 * MEGABYTE, "{} MB", mixed / MEGABYTE);
}
