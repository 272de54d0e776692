//! Whatever is done to a file: a song, an error, never a panic, never without end.

use crate::audio_fixtures;
use neural_composer::audio::Decoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::{Duration, Instant};

/// Decodes everything; returns the frames, or what the error says.
fn read(path: &std::path::Path) -> Result<u64, String> {
    let mut decoder = Decoder::open(path).map_err(|e| e.to_string())?;
    while let Some(chunk) = decoder.next_chunk().map_err(|e| e.to_string())? {
        assert!(chunk.iter().all(|channel| channel.len() == chunk[0].len()));
        assert!(chunk.iter().flatten().all(|s| s.is_finite()));
    }
    // Warnings must be printable whatever happened.
    let _ = format!("{decoder:?} {:?} {:?}", decoder.warnings(), decoder.tags());
    Ok(decoder.frames_read())
}

#[test]
fn damaged_files_give_sound_or_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(20_261_122);
    let (mut sound, mut errors) = (0, 0);
    for fixture in audio_fixtures::all() {
        let whole = std::fs::read(&fixture.path).unwrap();
        let file = folder.path().join(&fixture.name);
        for round in 0..40 {
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes.truncate(random.random_range(1..whole.len())),
                // Headers are where a wrong number does most harm.
                1 => (0..4).for_each(|_| {
                    let at = random.random_range(0..whole.len().min(200));
                    bytes[at] = random.random();
                }),
                2 => (0..8).for_each(|_| {
                    let at = random.random_range(0..whole.len());
                    bytes[at] ^= 1 << random.random_range(0..8);
                }),
                _ => {
                    let at = random.random_range(0..whole.len());
                    let end = (at + random.random_range(1..64)).min(whole.len());
                    let value = [0x00, 0xff, random.random()][random.random_range(0..3)];
                    bytes[at..end].fill(value);
                }
            }
            std::fs::write(&file, &bytes).unwrap();
            let start = Instant::now();
            match read(&file) {
                Ok(_) => sound += 1,
                Err(message) => {
                    assert!(message.contains(&fixture.name), "{message}");
                    errors += 1;
                }
            }
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{} round {round}: {took:?}", fixture.name);
        }
    }
    assert!(sound > 300 && errors > 20, "{sound} with sound, {errors} errors");
}
