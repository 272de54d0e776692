//! AU, Matroska, CAF, Opus and AAC files as other programs and broken downloads leave them.

use crate::audio_fixtures::{path, rms_difference};
use neural_composer::Error;
use neural_composer::audio::{Audio, Decoder};

/// What a file of these bytes decodes to, and its warnings.
fn decoded(name: &str, bytes: &[u8]) -> Result<(Audio, Vec<String>), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut decoder = Decoder::open(&path)?;
    let audio = decoder.read_all()?;
    Ok((audio, decoder.warnings()))
}

fn refused(name: &str, bytes: &[u8]) -> String {
    match decoded(name, bytes) {
        Ok((audio, _)) => panic!("{name}: {} frames", audio.frames()),
        Err(error) => error.to_string(),
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn au(data_at: u32, bytes: u32, coding: u32, rate_hz: u32, channels: u32, data: &[u8]) -> Vec<u8> {
    let mut file = b".snd".to_vec();
    for word in [data_at, bytes, coding, rate_hz, channels] {
        file.extend(word.to_be_bytes());
    }
    file.resize(data_at.max(24) as usize, b'x');
    file.extend(data);
    file
}

#[test]
fn au_files_have_headers_of_any_length_and_lengths_that_nobody_knew() {
    let samples: Vec<i16> = (0..300).map(|i| (i * 97 % 20_001 - 10_000) as i16).collect();
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let bytes = data.len() as u32;
    for (name, file, channels) in [
        ("plain", au(24, bytes, 3, 8_000, 1, &data), 1),
        ("with a note", au(68, bytes, 3, 8_000, 1, &data), 1),
        ("from a pipe", au(24, u32::MAX, 3, 8_000, 1, &data), 1),
        ("three channels", au(28, bytes, 3, 192_000, 3, &data), 3),
        ("text behind it", au(24, bytes, 3, 11_025, 2, &[&data[..], b"a note"].concat()), 2),
    ] {
        let (audio, warnings) = decoded("x.au", &file).unwrap();
        let expected: Vec<f32> =
            samples.iter().step_by(channels).map(|s| f32::from(*s) / 32_768.0).collect();
        assert_eq!(audio.channel_count(), channels, "{name}");
        assert!(audio.channels()[0] == expected, "{name}");
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
        let rate = u32::from_be_bytes(file[16..20].try_into().unwrap());
        assert_eq!(audio.sample_rate_hz(), rate, "{name}");
    }
    let (audio, warnings) = decoded("x.au", &au(24, 2 * bytes, 3, 8_000, 1, &data)).unwrap();
    assert_eq!(audio.frames(), 300);
    assert!(warnings[0].contains("truncated"), "{warnings:?}");
    for (name, file, word) in [
        ("empty", au(24, 0, 3, 8_000, 1, b""), "not one sample"),
        ("empty, from a pipe", au(24, u32::MAX, 3, 8_000, 1, b""), "not one sample"),
        ("half a sample", au(24, 1, 3, 8_000, 1, b"1"), "not one sample"),
        ("ADPCM", au(24, bytes, 24, 8_000, 1, &data), "G.722 ADPCM inside an AU file"),
        ("unknown", au(24, bytes, 99, 8_000, 1, &data), "codec number 99"),
        ("no channel", au(24, bytes, 3, 8_000, 0, &data), "x.au"),
        ("no rate", au(24, bytes, 3, 0, 1, &data), "x.au"),
        ("only a header", b".snd\0\0\0\x18".to_vec(), "AU"),
    ] {
        let message = refused("x.au", &file);
        assert!(message.contains(word) && message.contains("x.au"), "{name}: {message}");
    }
}

/// How long the Ogg page is that begins there.
fn page_bytes(file: &[u8]) -> usize {
    let segments = usize::from(file[26]);
    27 + segments + file[27..27 + segments].iter().map(|&n| n as usize).sum::<usize>()
}

/// Writes a page's checksum anew.
fn seal_first_page(file: &mut [u8]) {
    let length = page_bytes(file);
    file[22..26].fill(0);
    let sum = file[..length].iter().fold(0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    });
    file[22..26].copy_from_slice(&sum.to_le_bytes());
}

/// The same Ogg file with its pages changed: `change` gets each one's number and bytes.
fn with_pages(mut file: Vec<u8>, change: impl Fn(usize, &mut [u8])) -> Vec<u8> {
    let (mut at, mut number) = (0, 0);
    while at < file.len() {
        let page = &mut file[at..];
        change(number, page);
        seal_first_page(page);
        at += page_bytes(page);
        number += 1;
    }
    file
}

/// The same Ogg file with other positions: `moved` gets a page's number and position; headers stay.
fn with_positions(file: Vec<u8>, moved: impl Fn(usize, i64) -> i64) -> Vec<u8> {
    with_pages(file, |number, page| {
        let position = i64::from_le_bytes(page[6..14].try_into().unwrap());
        if position > 0 {
            page[6..14].copy_from_slice(&moved(number, position).to_le_bytes());
        }
    })
}

/// Two pages of headers and three of sound each.
const OGG_FIXTURES: [&str; 3] = ["opus_stereo.opus", "vorbis_stereo.ogg", "vorbis_six.ogg"];

#[test]
fn an_ogg_stream_may_begin_anywhere() {
    for name in OGG_FIXTURES {
        let (plain, _) = decoded(name, &fixture(name)).unwrap();
        // Internet radio counts from when the station went on the air.
        for later in [1, 63, 5_000, 1_000_000, 1 << 40] {
            let file = with_positions(fixture(name), |_, position| position + later);
            let (audio, warnings) = decoded(name, &file).unwrap();
            assert!(warnings.is_empty(), "{name}, {later} later: {warnings:?}");
            assert!(audio.channels() == plain.channels(), "{name}, {later} later");
            let cut = &file[..file.len() * 4 / 5];
            let (audio, warnings) = decoded(name, cut).unwrap();
            assert!(audio.frames() < plain.frames(), "{name}, {later} later, cut");
            assert!(warnings[0].contains("truncated"), "{name}, {later} later, cut: {warnings:?}");
        }
    }
}

#[test]
fn ogg_files_behind_each_other_are_one_sound_of_all_their_frames() {
    for name in OGG_FIXTURES {
        let (plain, _) = decoded(name, &fixture(name)).unwrap();
        let other = with_pages(fixture(name), |_, page| page[14] ^= 0x55);
        let later = with_positions(other.clone(), |_, position| position + 77_000);
        for (case, links) in [
            ("the same stream", vec![fixture(name), fixture(name)]),
            ("another serial number", vec![fixture(name), other.clone()]),
            ("begun later", vec![fixture(name), later.clone(), fixture(name)]),
            ("later first", vec![later, fixture(name), other]),
        ] {
            let (audio, warnings) = decoded(name, &links.concat()).unwrap();
            assert!(warnings.is_empty(), "{name}, {case}: {warnings:?}");
            assert_eq!(audio.frames(), links.len() * plain.frames(), "{name}, {case}");
            let last = &audio.channels()[1][(links.len() - 1) * plain.frames()..];
            assert!(last == &plain.channels()[1][..], "{name}, {case}");
            let tag = [&b"ID3\x04\0\0\0\0\x02\0"[..], &[0; 256]].concat();
            let (tagged, _) = decoded(name, &[tag, links.concat()].concat()).unwrap();
            assert_eq!(tagged.frames(), audio.frames(), "{name}, {case}, a tag in front");
            let cut = &links.concat()[..links.concat().len() - 600];
            let (_, warnings) = decoded(name, cut).unwrap();
            assert!(warnings[0].contains("truncated"), "{name}, {case}, cut: {warnings:?}");
        }
    }
}

#[test]
fn only_the_last_page_of_an_ogg_stream_cuts_its_sound() {
    for name in OGG_FIXTURES {
        let (plain, _) = decoded(name, &fixture(name)).unwrap();
        let frames = plain.frames();
        for (page, earlier) in [(2, 1), (3, 1), (2, 448), (3, 448), (3, 2_000)] {
            let file = with_positions(fixture(name), |number, position| {
                position - if number == page { earlier } else { 0 }
            });
            let (audio, warnings) = decoded(name, &file).unwrap();
            let case = format!("{name}, page {page} {earlier} earlier");
            assert!(warnings.is_empty(), "{case}: {warnings:?}");
            assert!(audio.frames() >= frames, "{case}: {} of {frames}", audio.frames());
            assert!(audio.frames() <= frames + earlier as usize, "{case}: {}", audio.frames());
            for (found, expected) in audio.channels().iter().zip(plain.channels()) {
                assert!(found[..frames] == expected[..], "{case}");
            }
        }
        // Some programs call several pages the last one: the first of them cuts, too.
        let earlier = with_positions(fixture(name), |number, position| {
            position - if number == 3 { 448 } else { 0 }
        });
        let marked = with_pages(earlier.clone(), |number, page| {
            page[5] |= if number == 3 { 4 } else { 0 };
        });
        let [uncut, cut] = [earlier, marked].map(|file| decoded(name, &file).unwrap().0.frames());
        assert_eq!(cut, uncut - 448, "{name}");
        // The last one does.
        let file = with_positions(fixture(name), |number, position| {
            position - if number == 4 { 100 } else { 0 }
        });
        let (audio, warnings) = decoded(name, &file).unwrap();
        assert!(warnings.is_empty(), "{name}: {warnings:?}");
        assert_eq!(audio.frames(), frames - 100, "{name}");
        assert!(audio.channels()[1][..] == plain.channels()[1][..frames - 100], "{name}");
    }
}

#[test]
fn an_opus_header_turns_the_sound_up_and_down() {
    let (plain, _) = decoded("a.opus", &fixture("opus_stereo.opus")).unwrap();
    for decibels in [-6_i16, 6, -20] {
        let mut file = fixture("opus_stereo.opus");
        let head = file.windows(8).position(|window| window == b"OpusHead").unwrap();
        file[head + 16..head + 18].copy_from_slice(&(256 * decibels).to_le_bytes());
        seal_first_page(&mut file);
        let (turned, _) = decoded("a.opus", &file).unwrap();
        let factor = 10_f32.powf(f32::from(decibels) / 20.0);
        let expected: Vec<Vec<f32>> = plain
            .channels()
            .iter()
            .map(|channel| channel.iter().map(|sample| sample * factor).collect())
            .collect();
        let difference = rms_difference(turned.channels(), &expected);
        assert!(difference < 1e-4, "{decibels} dB: {difference}");
    }
}

#[test]
fn opus_streams_behind_each_other_are_one_sound() {
    let once = decoded("a.opus", &fixture("opus_stereo.opus")).unwrap().0;
    let twice = fixture("opus_stereo.opus").repeat(2);
    let (audio, warnings) = decoded("a.opus", &twice).unwrap();
    assert_eq!(audio.frames(), 2 * once.frames());
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(audio.channels()[1][once.frames()..] == once.channels()[1][..]);
}

#[test]
fn what_is_there_of_a_cut_recording_is_decoded() {
    for name in ["opus_matroska.webm", "opus_stereo.opus", "aac_matroska.mka"] {
        let whole = fixture(name);
        let all = decoded(name, &whole).unwrap().0;
        let mut last = 0;
        for tenth in 3..10 {
            let cut = &whole[..whole.len() * tenth / 10];
            let Ok((audio, warnings)) = decoded(name, cut) else {
                assert!(tenth < 6, "{name}, {tenth} tenths");
                continue;
            };
            assert!(audio.frames() >= last && audio.frames() <= all.frames() + 2048, "{name}");
            last = audio.frames();
            // Without its index alone the file still has all of its sound.
            let is_whole = audio.frames() + 1 >= all.frames();
            assert!(is_whole || !warnings.is_empty(), "{name}, {tenth} tenths: no word");
            let there = last.min(all.frames());
            assert!(audio.channels()[0][..there] == all.channels()[0][..there], "{name}");
        }
        assert!(last > all.frames() / 2, "{name}: {last} of {}", all.frames());
    }
}

/// Bits of a byte, the highest first.
fn bits(bytes: &[u8]) -> Vec<bool> {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
}

fn push(bits: &mut Vec<bool>, number: u32, count: u32) {
    bits.extend((0..count).rev().map(|bit| number >> bit & 1 == 1));
}

/// Puts an element that fills, of a type and so many bytes, before the end of every ADTS frame.
fn with_filling(file: &[u8], kind: u32, bytes: u32, then: &[(u32, u32)]) -> Vec<u8> {
    let (mut rest, mut filled) = (file, Vec::new());
    while rest.len() > 7 {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5] >> 5);
        let (frame, after) = rest.split_at(length);
        rest = after;
        let mut payload = bits(&frame[7..]);
        // The end is three ones, then zeros to the next byte.
        let end = payload.iter().rposition(|bit| *bit).unwrap() - 2;
        payload.truncate(end);
        for (kind, bytes) in [(kind, bytes)].into_iter().chain(then.iter().copied()) {
            push(&mut payload, 6, 3);
            if bytes < 15 {
                push(&mut payload, bytes, 4);
            } else {
                push(&mut payload, 15, 4);
                push(&mut payload, bytes - 14, 8);
            }
            if bytes > 0 {
                push(&mut payload, kind, 4);
                (1..2 * bytes).for_each(|at| push(&mut payload, at * 7 % 16, 4));
            }
        }
        push(&mut payload, 7, 3);
        payload.resize(payload.len().next_multiple_of(8), false);
        let length = 7 + payload.len() / 8;
        let mut header = frame[..7].to_vec();
        header[3] = header[3] & !3 | (length >> 11) as u8;
        header[4] = (length >> 3) as u8;
        header[5] = header[5] & 0x1f | (length << 5) as u8;
        filled.extend(header);
        filled.extend(
            payload.chunks(8).map(|byte| byte.iter().fold(0, |n, &bit| n << 1 | u8::from(bit))),
        );
    }
    filled
}

#[test]
fn aac_whose_upper_half_would_be_lost_is_refused_by_its_name() {
    let plain = fixture("aac_raw.aac");
    for (kind, bytes, then) in [
        (13, 9, &[][..]),
        (13, 40, &[]),
        (14, 15, &[]),
        (14, 14, &[(0, 3)]),
        (13, 120, &[(0, 40), (0, 0)]),
    ] {
        let message = refused("radio.aac", &with_filling(&plain, kind, bytes, then));
        assert!(message.contains("holds HE-AAC"), "{kind}, {bytes}, {then:?}: {message}");
    }
    // Filling of other kinds is nothing but filling.
    let before = decoded("radio.aac", &plain).unwrap().0;
    for (kind, bytes) in [(0, 9), (0, 40), (11, 5), (0, 0)] {
        let (after, warnings) =
            decoded("radio.aac", &with_filling(&plain, kind, bytes, &[])).unwrap();
        assert!(after.channels() == before.channels(), "{kind}, {bytes}");
        assert!(warnings.is_empty(), "{kind}, {bytes}: {warnings:?}");
    }
}

#[test]
fn an_m4a_header_that_says_high_efficiency_is_refused_by_its_name() {
    // The configuration of low complexity, in place: five bits of object type come first.
    for (object_type, name) in [(5_u8, "HE-AAC"), (29, "HE-AAC v2"), (23, "AAC-LD")] {
        let mut file = fixture("aac.m4a");
        let esds = file.windows(4).position(|window| window == b"esds").unwrap();
        let at = esds + file[esds..].iter().position(|&byte| byte == 5).unwrap();
        let at = at + 1 + file[at + 1..].iter().take_while(|&&byte| byte & 0x80 != 0).count() + 1;
        assert_eq!(file[at] >> 3, 2, "low complexity");
        file[at] = object_type << 3 | file[at] & 7;
        let message = refused("a.m4a", &file);
        assert!(message.contains(&format!("holds {name},")), "{message}");
    }
}
