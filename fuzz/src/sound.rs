//! Songs of strangers: header and sound of any file give samples or an error, soon and in little memory.

use crate::scratch_file::with_file;
use neural_composer::Error;
use neural_composer::audio::Decoder;

/// Decoding stops here: a short file may stand for hours of silence.
const MOST_FRAMES: u64 = 1 << 16;
/// Samples in one chunk, all channels together.
const MOST_SAMPLES: usize = 1 << 22;
/// An error is a sentence or two.
const LONGEST_ERROR: usize = 2_000;

/// Opens and decodes a file with this ending.
pub fn decode(ending: &str, data: &[u8]) {
    let name = format!("song.{ending}");
    with_file(&name, data, |path| {
        let outcome = Decoder::open(path).and_then(|mut decoder| {
            describe(&decoder);
            while decoder.frames_read() < MOST_FRAMES {
                let channel_count = decoder.channel_count();
                let Some(chunk) = decoder.next_chunk()? else { break };
                check_chunk(chunk, channel_count);
            }
            describe(&decoder);
            Ok(())
        });
        if let Err(error) = outcome {
            check_error(&error, &name);
        }
    });
}

/// Everything that a decoder tells can be told, and is possible.
fn describe(decoder: &Decoder) {
    assert!(decoder.channel_count() > 0 && decoder.sample_rate_hz() > 0, "{decoder:?}");
    assert!(decoder.expected_seconds().is_none_or(f64::is_finite), "{decoder:?}");
    assert!(decoder.peak().is_finite(), "{decoder:?}");
    assert!(!decoder.title().contains('\n'), "{:?}", decoder.title());
    let warnings = decoder.warnings();
    assert!(warnings.iter().all(|words| words.len() < LONGEST_ERROR), "{warnings:?}");
}

fn check_chunk(chunk: &[Vec<f32>], channel_count: usize) {
    assert_eq!(chunk.len(), channel_count);
    let frames = chunk[0].len();
    assert!(frames > 0 && chunk.iter().all(|channel| channel.len() == frames));
    assert!(frames * channel_count <= MOST_SAMPLES, "{frames} frames of {channel_count} channels");
    assert!(chunk.iter().flatten().all(|sample| sample.is_finite()));
}

/// The file is there and can be read: what is wrong with it is its content.
pub fn check_error(error: &Error, name: &str) {
    let words = error.to_string();
    assert!(matches!(error, Error::Audio { .. }), "{error:?}");
    assert!(words.contains(name) && words.len() < LONGEST_ERROR, "{words}");
    assert!(!words.contains(|letter: char| letter.is_control()), "{words:?}");
}
