//! Headers of WAV files (and a few others) as programs of thirty years write them.
//!
//! The sound is the same in all: whatever the header, the same samples come out, or a refusal that names
//! what was found.

use neural_composer::Error;
use neural_composer::audio::{Audio, Decoder};
use std::path::Path;

/// 1,000 frames, with values that no chunk's letters have.
fn samples() -> Vec<i16> {
    (0..1_000).map(|i| ((f64::from(i) * 0.05).sin() * 12_000.0) as i16).collect()
}

fn pcm() -> Vec<u8> {
    samples().into_iter().flat_map(i16::to_le_bytes).collect()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = [&name[..], &(body.len() as u32).to_le_bytes(), body].concat();
    if body.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}

fn format(codec: u16, channels: u16, block_align: u16, bits: u16) -> Vec<u8> {
    let rate: u32 = 8_000;
    let bytes = rate * u32::from(block_align);
    [
        &codec.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &bytes.to_le_bytes(),
        &block_align.to_le_bytes(),
        &bits.to_le_bytes(),
    ]
    .concat()
}

fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    [&b"RIFF"[..], &(body.len() as u32 + 4).to_le_bytes(), b"WAVE", &body].concat()
}

fn plain() -> Vec<u8> {
    chunk(b"fmt ", &format(1, 1, 2, 16))
}

fn list(title: &[u8]) -> Vec<u8> {
    // An odd number of letters, then padding.
    chunk(b"LIST", &[&b"INFO"[..], &chunk(b"INAM", title)].concat())
}

/// The bytes of a file, decoded: samples of 16 bits, title, warnings.
fn decoded(bytes: &[u8]) -> Result<(Vec<i16>, String, Vec<String>), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    std::fs::write(&path, bytes).unwrap();
    let mut decoder = Decoder::open(&path)?;
    let audio = decoder.read_all()?;
    let to_16_bits = |sample: &f32| (sample * 32_768.0).round() as i16;
    let samples = audio.channels()[0].iter().map(to_16_bits).collect();
    Ok((samples, decoder.title(), decoder.warnings()))
}

fn same(name: &str, bytes: &[u8]) {
    let (found, _, warnings) = decoded(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(found == samples(), "{name}: {} frames", found.len());
    assert!(warnings.is_empty(), "{name}: {warnings:?}");
}

fn refused(name: &str, bytes: &[u8], words: &str) {
    match decoded(bytes) {
        Ok((found, ..)) => panic!("{name}: {} frames", found.len()),
        Err(error) => assert!(error.to_string().contains(words), "{name}: {error}"),
    }
}

/// `data` with another length in its header.
fn data_of_length(length: u32) -> Vec<u8> {
    let mut data = chunk(b"data", &pcm());
    data[4..8].copy_from_slice(&length.to_le_bytes());
    data
}

#[test]
fn lists_of_every_length_stand_anywhere() {
    for title in [&b"a"[..], b"ab", b"abc", b"abcd\0", b""] {
        for before in [true, false] {
            let data = chunk(b"data", &pcm());
            let chunks =
                if before { [plain(), list(title), data] } else { [plain(), data, list(title)] };
            same(&format!("{title:?}, {before}"), &riff(&chunks));
        }
    }
    let odd = riff(&[plain(), chunk(b"junk", b"odd"), chunk(b"data", &pcm())]);
    same("an odd chunk in front", &odd);
    // The padding is forgotten, the next chunk begins at once.
    let mut unpadded = b"junk\x03\0\0\0odd".to_vec();
    unpadded.extend(chunk(b"data", &pcm()));
    same("an odd chunk without padding", &riff(&[plain(), unpadded]));
    let tag = riff(&[plain(), list("Café".as_bytes()), chunk(b"data", &pcm())]);
    assert_eq!(decoded(&tag).unwrap().1, "Café");
    let tag = riff(&[plain(), list(b"Caf\xe9 Nr. 5"), chunk(b"data", &pcm())]);
    assert_eq!(decoded(&tag).unwrap().1, "Café Nr. 5", "of Windows");
    let wide: Vec<u8> = "Café".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let tag = riff(&[plain(), list(&wide), chunk(b"data", &pcm())]);
    assert_eq!(decoded(&tag).unwrap().1, "Café", "of two bytes a letter");
}

/// An ID3v2.4 block with a title, in the encoding of a number.
fn id3(encoding: u8, title: &[u8]) -> Vec<u8> {
    let length = title.len() as u8 + 1;
    let frame = [&b"TIT2\0\0\0"[..], &[length, 0, 0, encoding], title].concat();
    [&b"ID3\x04\0\0\0\0\0"[..], &[frame.len() as u8], &frame].concat()
}

#[test]
fn tags_of_mp3_files_stand_in_wav_files_too() {
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("Café".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (name, body) in [
        (b"id3 ", id3(3, "Café".as_bytes())),
        (b"ID3 ", id3(1, &wide)),
        (b"id3 ", id3(0, b"Caf\xe9")),
    ] {
        for before in [true, false] {
            let (tag, data) = (chunk(name, &body), chunk(b"data", &pcm()));
            let old = list(b"another one");
            let file =
                riff(&if before { [plain(), tag, old, data] } else { [plain(), data, old, tag] });
            same("with ID3", &file);
            assert_eq!(decoded(&file).unwrap().1, "Café", "{before}");
        }
    }
    // A damaged one says nothing, and harms nothing.
    let broken = id3(3, b"Caf");
    for cut in [3, 9, 12, 20] {
        let tag = chunk(b"id3 ", &broken[..cut.min(broken.len())]);
        same("with half a tag", &riff(&[plain(), tag, chunk(b"data", &pcm())]));
    }
}

#[test]
fn what_the_format_says_wrongly_is_put_right() {
    let data = || chunk(b"data", &pcm());
    for (name, codec, align, bits) in [
        ("a block align of 16", 1, 16, 16),
        ("a block align of 0", 1, 0, 16),
        ("a block align of 3", 1, 3, 16),
        ("12 bits in 16", 1, 2, 12),
        ("9 bits in 16", 1, 2, 9),
    ] {
        same(name, &riff(&[chunk(b"fmt ", &format(codec, 1, align, bits)), data()]));
    }
    let extensible = |valid: u16, mask: u32| {
        let tail = [
            &22u16.to_le_bytes()[..],
            &valid.to_le_bytes(),
            &mask.to_le_bytes(),
            &1u16.to_le_bytes(),
            b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71",
        ];
        chunk(b"fmt ", &[format(0xfffe, 1, 2, 16), tail.concat()].concat())
    };
    for (valid, mask) in [(16, 4), (12, 4), (0, 0), (16, 0xffff_ffff)] {
        same(&format!("extensible {valid} {mask}"), &riff(&[extensible(valid, mask), data()]));
    }
    let with_extra = [format(1, 1, 2, 16), b"\0\0".to_vec()].concat();
    same("a longer format", &riff(&[chunk(b"fmt ", &with_extra), data()]));
}

#[test]
fn a_law_and_mu_law_need_no_long_format() {
    // 0xd5 and 0xff stand for (almost) nothing; 0x2a and 0x00 for almost the largest.
    for (codec, quiet, loud) in [(6, 0xd5u8, 0x2au8), (7, 0xff, 0x00)] {
        for extra in [&b""[..], b"\0\0"] {
            let body: Vec<u8> = (0..800).map(|i| if i < 400 { quiet } else { loud }).collect();
            let header = chunk(b"fmt ", &[&format(codec, 1, 1, 8)[..], extra].concat());
            let (found, ..) = decoded(&riff(&[header, chunk(b"data", &body)])).unwrap();
            assert_eq!(found.len(), 800);
            assert!(found[..400].iter().all(|sample| sample.abs() <= 8), "{codec}");
            assert!(found[400..].iter().all(|sample| sample.unsigned_abs() > 32_000), "{codec}");
        }
    }
}

#[test]
fn a_length_that_cannot_be_is_not_believed_and_what_follows_is_no_sound() {
    for length in [0, u32::MAX, 0x7fff_ffff, 0x8000_0000, 0x7fff_f000] {
        same(&format!("{length:#x}"), &riff(&[plain(), data_of_length(length)]));
        for behind in [list(b"odd"), chunk(b"id3 ", &[1; 33]), [list(b"a"), list(b"bc")].concat()] {
            let bytes = riff(&[plain(), data_of_length(length), behind]);
            same(&format!("{length:#x} and chunks behind"), &bytes);
        }
    }
    // More than there is: told.
    let bytes = riff(&[plain(), data_of_length(4_000)]);
    let (found, _, warnings) = decoded(&bytes).unwrap();
    assert_eq!(found, samples());
    assert!(warnings.iter().any(|warning| warning.contains("truncated")), "{warnings:?}");
    // Less than there is: the rest is none of it.
    let (found, ..) = decoded(&riff(&[plain(), data_of_length(200)])).unwrap();
    assert_eq!(found, &samples()[..100]);
}

#[test]
fn no_sound_at_all_is_refused() {
    let empty = || chunk(b"data", b"");
    for (name, bytes) in [
        ("nothing behind", riff(&[plain(), empty()])),
        ("a list behind", riff(&[plain(), empty(), list(b"words, words, words")])),
        ("lists behind", riff(&[plain(), empty(), list(b"words"), chunk(b"id3 ", &[7; 41])])),
        ("a byte", riff(&[plain(), chunk(b"data", b"x")])),
        ("half a frame", riff(&[chunk(b"fmt ", &format(1, 2, 4, 16)), chunk(b"data", b"abc")])),
    ] {
        refused(name, &bytes, "not one sample");
    }
}

#[test]
fn the_sisters_of_wav_are_read() {
    let data = || chunk(b"data", &pcm());
    let ds64 = |data_bytes: u64| {
        let body = [0u64.to_le_bytes(), data_bytes.to_le_bytes(), 1_000u64.to_le_bytes()].concat();
        chunk(b"ds64", &[body, 0u32.to_le_bytes().to_vec()].concat())
    };
    for name in [b"RF64", b"BW64"] {
        let mut bytes = riff(&[ds64(2_000), plain(), data_of_length(u32::MAX), list(b"abc")]);
        bytes[..4].copy_from_slice(name);
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        same("64 bits", &bytes);
        let mut bytes = riff(&[plain(), data()]);
        bytes[..4].copy_from_slice(name);
        same("64 bits without their chunk", &bytes);
    }
    // Sony's, with names of 16 bytes.
    let tail = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
    let wide = |name: &[u8; 4], body: &[u8]| {
        let length = body.len() as u64 + 24;
        let mut bytes = [&name[..], tail, &length.to_le_bytes(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let body = [wide(b"fmt ", &format(1, 1, 2, 16)), wide(b"junk", b"odd"), wide(b"data", &pcm())]
        .concat();
    let head = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";
    let length = (body.len() as u64 + 40).to_le_bytes();
    same("Wave64", &[&head[..], &length, b"wave", tail, &body].concat());
}

#[test]
fn codecs_inside_a_wav_file_are_decoded_or_named() {
    let data = || chunk(b"data", &pcm());
    for (codec, name) in [
        (0x566f, "Vorbis"),
        (0x6771, "Vorbis"),
        (0x0031, "GSM"),
        (0x0161, "WMA"),
        (0x2000, "AC-3"),
        (0x00ff, "AAC"),
        (0x7abc, "0x7abc"),
    ] {
        let bytes = riff(&[chunk(b"fmt ", &format(codec, 1, 1, 0)), data()]);
        refused(name, &bytes, name);
        refused(name, &bytes, "ffmpeg");
    }
    refused("48 bits", &riff(&[chunk(b"fmt ", &format(1, 1, 6, 48)), data()]), "48 bits");
    // MP3 as it is, in a WAV file's clothes.
    let song = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/songs/prelude.mp3");
    let mp3 = std::fs::read(&song).unwrap();
    let header = chunk(b"fmt ", &[format(0x55, 2, 1, 0), vec![12, 0], vec![0; 12]].concat());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wav");
    std::fs::write(&path, riff(&[header, chunk(b"data", &mp3)])).unwrap();
    let wrapped = Decoder::open(&path).unwrap().read_all().unwrap();
    let plain = Decoder::open(&song).unwrap().read_all().unwrap();
    assert_eq!(wrapped.channels(), plain.channels());
}

/// An MP3 file, and the place of the header that an encoder hides in its first frame.
fn mp3() -> (Vec<u8>, usize, Audio) {
    let song = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/songs/prelude.mp3");
    let bytes = std::fs::read(&song).unwrap();
    let at = bytes.windows(4).position(|w| w == b"Xing" || w == b"Info").unwrap();
    (bytes, at, Decoder::open(&song).unwrap().read_all().unwrap())
}

#[test]
fn an_mp3_header_that_counts_no_frames_is_not_believed() {
    let (whole, at, known) = mp3();
    let flags = u32::from_be_bytes(whole[at + 4..at + 8].try_into().unwrap());
    assert_eq!(flags & 1, 1, "the song's own header counts");
    let mut zero = whole.clone();
    zero[at + 8..at + 12].fill(0);
    let mut none = whole.clone();
    none[at + 7] &= !1;
    for (name, bytes) in [("zero", zero), ("no count", none)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mp3");
        std::fs::write(&path, bytes).unwrap();
        let mut decoder = Decoder::open(&path).unwrap();
        let audio = decoder.read_all().unwrap();
        let more = audio.frames() as i64 - known.frames() as i64;
        assert!((0..4 * 1_152).contains(&more), "{name}: {more} more frames");
        assert!(decoder.warnings().is_empty(), "{name}: {:?}", decoder.warnings());
    }
}

#[test]
fn an_aiff_file_may_say_that_it_is_longer() {
    let big_endian: Vec<u8> = samples().into_iter().flat_map(i16::to_be_bytes).collect();
    let chunk = |name: &[u8; 4], body: &[u8]| {
        [&name[..], &(body.len() as u32).to_be_bytes(), body].concat()
    };
    // 8,000 in 80 bits.
    let rate = b"\x40\x0b\xfa\0\0\0\0\0\0\0";
    let common = [&1u16.to_be_bytes()[..], &1_000u32.to_be_bytes(), &16u16.to_be_bytes(), rate];
    let sound = [vec![0; 8], big_endian].concat();
    let body = [&b"AIFF"[..], &chunk(b"COMM", &common.concat()), &chunk(b"SSND", &sound)].concat();
    for length in [body.len() as u32, body.len() as u32 + 500, u32::MAX, 0] {
        let bytes = [&b"FORM"[..], &length.to_be_bytes(), &body].concat();
        same(&format!("FORM of {length}"), &bytes);
    }
}

#[test]
fn kinds_that_are_not_decoded_are_called_by_their_names() {
    for (name, head) in [
        ("WMA", &b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9"[..]),
        ("AC-3", b"\x0b\x77\x12\x34\x10\x40"),
        ("WavPack", b"wvpk\x10\0\0\0\x10\x04"),
        ("TTA", b"TTA1\x01\0\x02\0\x10\0"),
        ("Monkey's Audio", b"MAC \x96\x0f\0\0"),
        ("Musepack", b"MPCKSH\x0e"),
        ("AMR", b"#!AMR\n\x3c"),
        ("MIDI", b"MThd\0\0\0\x06\0\x01"),
        ("AU", b".snd\0\0\0\x18"),
        ("DSD", b"DSD \x1c\0\0\0"),
        ("RealAudio", b".RMF\0\0\0\x12"),
        ("an MPEG program stream", b"\0\0\x01\xba\x44\0\x04\0"),
        ("a web page", b"<!DOCTYPE html><html>"),
    ] {
        let bytes = [head, &[0x5a; 3_000][..]].concat();
        refused(name, &bytes, name);
        refused(name, &bytes, "convert");
    }
    // Television's packets, and those of discs.
    for stamp in [0, 4] {
        let packet = [&vec![1; stamp][..], b"G", &[0x5a; 187]].concat();
        refused("a recording", &packet.repeat(20), "is an MPEG transport stream");
    }
}

/// The same format, told the long way: the codec is at the end of what was added.
fn extensible(codec: u16, plain: &[u8], mask: u32, own: &[u8]) -> Vec<u8> {
    let bits = &plain[14..16];
    let length = (22 + own.len() as u16).to_le_bytes();
    [
        &0xfffe_u16.to_le_bytes()[..],
        &plain[2..16],
        &length,
        bits,
        &mask.to_le_bytes(),
        &codec.to_le_bytes(),
        b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71",
        own,
    ]
    .concat()
}

#[test]
fn a_format_told_the_long_way_is_the_same_format() {
    let blocks: Vec<u8> =
        [0, 0, 10, 0].into_iter().chain((0..252_u8).map(|n| n.wrapping_mul(37))).collect();
    let bytes: Vec<u8> = (0..999).map(|n| (n * 41 % 251) as u8).collect();
    for (name, codec, channels, align, bits, own, data) in [
        ("A-law, three channels", 6, 3, 3, 8, &[][..], &bytes),
        ("µ-law, one channel", 7, 1, 1, 8, &[], &bytes),
        ("µ-law, nine channels", 7, 9, 9, 8, &[], &bytes),
        ("IMA ADPCM", 0x11, 1, 256, 4, &505_u16.to_le_bytes()[..], &blocks),
        ("PCM, three channels", 1, 3, 3, 8, &[], &bytes),
    ] {
        let plain = format(codec, channels, align, bits);
        let mask = (1 << channels) - 1;
        let short = [&plain[..], &(own.len() as u16).to_le_bytes(), own].concat();
        let long = extensible(codec, &plain, mask, own);
        let data = chunk(b"data", data);
        let (short, _, _) = decoded(&riff(&[chunk(b"fmt ", &short), data.clone()])).unwrap();
        let (long, _, warnings) = decoded(&riff(&[chunk(b"fmt ", &long), data])).unwrap();
        assert!(!short.is_empty() && short.iter().any(|sample| *sample != 0), "{name}");
        assert!(long == short, "{name}: {} and {} frames", long.len(), short.len());
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
    }
}
