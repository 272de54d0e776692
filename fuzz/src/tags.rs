//! Tags of strangers: texts in one line, or a file without tags.

use crate::scratch_file::with_file;
use crate::sound::check_error;
use neural_composer::audio::Decoder;

/// The first byte says where the tag stands, the others are the tag.
pub fn read(data: &[u8]) {
    let Some((place, tag)) = data.split_first() else { return };
    match place % 4 {
        0 => tagged("song.wav", &wav(b"id3 ", tag)),
        1 => tagged("song.wav", &wav(b"LIST", tag)),
        2 => tagged("song.mp3", &[tag, &mp3()].concat()),
        _ => tagged("song.flac", &flac(tag)),
    }
}

fn tagged(name: &str, file: &[u8]) {
    with_file(name, file, |path| match Decoder::open(path) {
        Ok(decoder) => {
            let title = decoder.title();
            assert!(!title.contains(['\n', '\r']), "{title:?}");
            for (name, value) in decoder.tags().iter() {
                assert!(!value.trim().is_empty() && decoder.tags().get(name) == Some(value));
            }
            assert_eq!(decoder.tags().is_empty(), decoder.tags().iter().count() == 0);
        }
        Err(error) => check_error(&error, name),
    });
}

/// Eight frames of silence, with a chunk behind them.
fn wav(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0".to_vec();
    file.extend(b"data\x10\0\0\0");
    file.extend([0; 16]);
    file.extend(name);
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file.resize(file.len().next_multiple_of(2), 0);
    let length = (file.len() as u32 - 8).to_le_bytes();
    file[4..8].copy_from_slice(&length);
    file
}

/// Four frames of silence: MPEG 1, layer 3, 32 kbit/s at 44,100 Hz, one channel.
fn mp3() -> Vec<u8> {
    let mut frame = [0; 104];
    frame[..4].copy_from_slice(b"\xff\xfb\x10\xc4");
    frame.repeat(4)
}

/// A description of 8,000 Hz, one channel and 16 bits, then the tag as a comment of Vorbis.
fn flac(comment: &[u8]) -> Vec<u8> {
    let mut file = b"fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x01\xf4\0\xf0\0\0\0\0".to_vec();
    file.resize(4 + 4 + 34, 0);
    let length = (comment.len() as u32).to_be_bytes();
    file.extend([0x84, length[1], length[2], length[3]]);
    file.extend(comment);
    file
}
