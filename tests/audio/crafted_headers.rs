//! Headers that nobody's program writes: made to keep a reader busy, or to send it beyond every file.

use neural_composer::Error;
use neural_composer::audio::Decoder;
use std::time::{Duration, Instant};

/// What is read once takes a moment; what is read again from every place takes an hour.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a file, and says how that ended.
fn opened(name: &str, bytes: &[u8]) -> Result<Decoder, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let start = Instant::now();
    let outcome = Decoder::open(&path);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    outcome
}

/// The beginning of a WAV file: 8,000 Hz, one channel, 16 bits.
fn wav() -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    file.extend(b"\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0");
    file
}

#[test]
fn a_chunk_at_every_place_is_looked_at_once() {
    let mut file = wav();
    file.extend(b"data\0\0\0\0");
    // No way from any of them leads to the end of the file.
    file.extend(b"LIST\0\0\0\0".repeat(400_000));
    file.extend([0; 40]);
    let decoder = opened("lists.wav", &file).unwrap();
    assert_eq!(decoder.expected_frames(), Some((file.len() as u64 - 44) / 2));
}

#[test]
fn only_the_first_sound_is_measured() {
    let mut file = wav();
    // Behind each of them there is nothing but whole chunks.
    file.extend(b"data\0\0\0\0".repeat(9_900));
    assert!(matches!(opened("sounds.wav", &file), Err(Error::Audio { .. })));
}

#[test]
fn many_tracks_and_many_blocks_are_not_many_times_many() {
    let element = |id: &[u8], body: &[u8]| {
        let length = (body.len() as u64 | 1 << 56).to_be_bytes();
        [id, &length, body].concat()
    };
    let track = element(b"\xae", &element(b"\xd7", b"\x05"));
    let tracks = element(b"\x16\x54\xae\x6b", &track.repeat(40_000));
    // Blocks of another track.
    let block = element(b"\xa3", b"\x81\0\0\x80");
    let cluster = element(b"\x1f\x43\xb6\x75", &block.repeat(90_000));
    let segment = element(b"\x18\x53\x80\x67", &[tracks, cluster].concat());
    let file = [element(b"\x1a\x45\xdf\xa3", &[]), segment].concat();
    assert!(matches!(opened("tracks.mka", &file), Err(Error::Audio { .. })));
}

#[test]
fn lengths_beyond_every_file_are_damage_and_no_failing_disk() {
    let caf = |length: i64| {
        let mut file = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
        file.extend(8_000_f64.to_be_bytes());
        file.extend(b"lpcm\0\0\0\0\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\0\0\x10");
        file.extend(b"data");
        file.extend(length.to_be_bytes());
        file.extend([0; 400]);
        file
    };
    let wide = |length: u64| {
        let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
        file.extend([0; 8]);
        file.extend(length.to_le_bytes());
        file.extend([0; 12]);
        file.extend(&wav()[12..]);
        file.extend(b"data\xff\xff\xff\xff");
        file.extend([0; 400]);
        file
    };
    for length in [1, 400, 401, i64::MAX as u64 - 80, i64::MAX as u64, u64::MAX - 81, u64::MAX] {
        let files = [("a.caf", caf(length as i64)), ("a.wav", wide(length))];
        for (name, file) in files {
            let outcome = opened(name, &file);
            let is_sound = matches!(outcome, Ok(_) | Err(Error::Audio { .. }));
            assert!(is_sound, "{name}, {length}: {:?}", outcome.err());
        }
    }
}

#[test]
fn a_packet_is_not_as_long_as_its_header_says() {
    let mut file = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
    file.extend(8_000_f64.to_be_bytes());
    // 1,879,048,193 frames in each of two bytes.
    file.extend(b"lpcm\0\0\0\0\0\0\0\x02\x70\0\0\x01\0\0\0\x01\0\0\0\x10");
    file.extend(b"data\0\0\0\0\0\0\x01\x90");
    file.extend([0; 400]);
    let told = opened("packets.caf", &file).unwrap_err().to_string();
    assert!(told.contains("1879048193 frames"), "{told}");
}

#[test]
fn letters_of_a_codec_do_not_control_a_console() {
    let part = |name: &[u8; 4], body: &[u8]| {
        [&(body.len() as u32 + 8).to_be_bytes(), name.as_slice(), body].concat()
    };
    for (letters, shown) in [(b"\x1b[2J", r#""\x1b[2J""#), (b"\0\r\nx", r#""\x00\r\nx""#)] {
        let mut sound = vec![0; 28];
        (sound[7], sound[17], sound[19], sound[24], sound[25]) = (1, 1, 16, 0x1f, 0x40);
        let described = [&[0, 0, 0, 0, 0, 0, 0, 1], &*part(letters, &sound)].concat();
        let table = |name| part(name, &[0; 8]);
        let empty = [table(b"stts"), table(b"stsc"), part(b"stsz", &[0; 12]), table(b"stco")];
        let tables =
            part(b"stbl", &[vec![part(b"stsd", &described)], empty.to_vec()].concat().concat());
        let information = part(b"minf", &[part(b"smhd", &[0; 8]), tables].concat());
        let mut clock = [0; 24];
        clock[15] = 1;
        let handler = part(b"hdlr", b"\0\0\0\0\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let media = part(b"mdia", &[part(b"mdhd", &clock), handler, information].concat());
        let mut header = [0; 84];
        header[15] = 1;
        let track = part(b"trak", &[part(b"tkhd", &header), media].concat());
        let mut movie = [0; 100];
        movie[15] = 1;
        let movie = part(b"moov", &[part(b"mvhd", &movie), track].concat());
        let file = [part(b"ftyp", b"isom\0\0\0\0"), movie, part(b"mdat", &[0; 64])].concat();
        let told = opened("a.mp4", &file).unwrap_err().to_string();
        assert!(told.contains(shown) && !told.contains(char::is_control), "{told:?}");
    }
}
