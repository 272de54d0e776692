//! Decoding against ffmpeg's, on files that `tests/fixtures/make_audio.py` made.

use crate::audio_fixtures::{all, path, rms_difference};
use neural_composer::audio::{Audio, Decoder, SampleFormat, Song, WavWriter};
use neural_composer::{Error, Result};
use std::path::{Path, PathBuf};

#[test]
fn lossless_files_decode_to_ffmpegs_samples_bit_for_bit() {
    let mut checked = 0;
    for fixture in all().iter().filter(|f| f.is_lossless()) {
        let song = Song::open(&fixture.path).unwrap();
        assert_eq!(song.audio().sample_rate_hz(), fixture.sample_rate_hz, "{}", fixture.name);
        assert_eq!(Some(song.audio().frames()), fixture.source_frames, "{}", fixture.name);
        assert!(song.audio().channels() == fixture.reference(), "{} differs", fixture.name);
        assert!(song.warnings().is_empty(), "{}: {:?}", fixture.name, song.warnings());
        checked += 1;
    }
    assert!(checked >= 12, "only {checked}");
}

#[test]
fn lossy_files_decode_to_ffmpegs_samples_and_the_length_before_encoding() {
    let mut checked = 0;
    for fixture in all().iter().filter(|f| !f.is_lossless()) {
        let song = Song::open(&fixture.path).unwrap();
        let reference = fixture.reference();
        let frames = song.audio().frames();
        assert_eq!(song.audio().sample_rate_hz(), fixture.sample_rate_hz, "{}", fixture.name);
        if let Some(source_frames) = fixture.source_frames {
            assert_eq!(frames, source_frames, "{}", fixture.name);
        }
        let surplus = reference[0].len() - frames;
        if fixture.name.ends_with(".m4a") || fixture.name.ends_with(".mp4") {
            // ffmpeg before version 8 drops what the encoder put in front, but not the padding
            // that fills the last packet.
            assert!(surplus < 1024, "{}: {surplus}", fixture.name);
        } else {
            assert_eq!(surplus, 0, "{}", fixture.name);
        }
        let rms = rms_difference(song.audio().channels(), &reference);
        // The reference is rounded to 16 bits, which alone makes a difference of 1e-5.
        assert!(rms < 1e-4, "{}: {rms}", fixture.name);
        assert!(song.warnings().is_empty(), "{}: {:?}", fixture.name, song.warnings());
        checked += 1;
    }
    assert!(checked >= 10, "only {checked}");
}

#[test]
fn a_stream_of_chunks_is_the_whole_file() {
    for fixture in all() {
        let whole = Song::open(&fixture.path).unwrap();
        let mut decoder = Decoder::open(&fixture.path).unwrap();
        let mut channels = vec![Vec::new(); decoder.channel_count()];
        while let Some(chunk) = decoder.next_chunk().unwrap() {
            assert!(!chunk[0].is_empty() && chunk[0].len() <= 8192, "{}", fixture.name);
            for (channel, new) in channels.iter_mut().zip(chunk) {
                channel.extend_from_slice(new);
            }
        }
        assert!(channels == whole.audio().channels(), "{}", fixture.name);
        assert_eq!(decoder.frames_read(), channels[0].len() as u64);
        assert_eq!(decoder.next_chunk().unwrap(), None, "the end stays the end");
        if let Some(frames) = fixture.source_frames {
            assert_eq!(decoder.expected_frames(), Some(frames as u64), "{}", fixture.name);
            let seconds = frames as f64 / f64::from(fixture.sample_rate_hz);
            assert_eq!(decoder.expected_seconds(), Some(seconds));
        }
    }
}

#[test]
fn reading_as_mono_at_a_rate_is_mixing_and_resampling() {
    for name in ["flac_16.flac", "vorbis_stereo.ogg", "wav_six.wav"] {
        for rate in [8000, 22_050, 48_000] {
            let streamed = Decoder::open(path(name)).unwrap().read_mono_at(rate).unwrap();
            let song = Song::open(path(name)).unwrap();
            let whole = song.audio().to_mono().resample(rate).unwrap();
            assert_eq!(streamed.sample_rate_hz(), rate);
            assert_eq!(streamed.frames(), whole.frames());
            assert!(rms_difference(streamed.channels(), whole.channels()) < 1e-6, "{name} {rate}");
        }
    }
}

#[test]
fn tags_and_codecs_are_told() {
    for (name, codec) in [
        ("mp3_stereo.mp3", "MP3"),
        ("flac_16.flac", "FLAC"),
        ("vorbis_stereo.ogg", "Vorbis"),
        ("aac.m4a", "AAC"),
        ("wav_s24.wav", "PCM, 24-bit integer"),
    ] {
        let song = Song::open(path(name)).unwrap();
        assert_eq!(song.codec(), codec);
        assert_eq!(song.title(), "Night & Day", "{name}");
        assert_eq!(song.tags().artist(), Some("Someone <b>"), "{name}");
        assert_eq!(song.tags().album(), Some("Tests"), "{name}");
        assert_eq!(song.tags().get("track"), Some("3"), "{name}");
        let names: Vec<_> = song.tags().iter().map(|(name, _)| name).collect();
        assert_eq!(names[..4], ["title", "artist", "album", "track"], "{name}");
    }
    for (name, codec) in [
        ("wav_u8.wav", "PCM, 8-bit integer"),
        ("wav_f64.wav", "PCM, 64-bit floating-point"),
        ("alac.m4a", "ALAC"),
    ] {
        let song = Song::open(path(name)).unwrap();
        assert_eq!(song.codec(), codec);
        assert_eq!(song.title(), Path::new(name).file_stem().unwrap().to_str().unwrap());
    }
}

#[test]
fn the_content_decides_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let disguised = folder.path().join("really-a-flac.mp3");
    std::fs::copy(path("flac_16.flac"), &disguised).unwrap();
    assert_eq!(Song::open(&disguised).unwrap().codec(), "FLAC");
}

/// The first `bytes` of a fixture, in a file of the same ending.
fn cut(folder: &Path, name: &str, bytes: usize) -> PathBuf {
    let whole = std::fs::read(path(name)).unwrap();
    let cut = folder.join(name);
    std::fs::write(&cut, &whole[..bytes]).unwrap();
    cut
}

#[test]
fn a_truncated_file_gives_what_is_there_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for fixture in all() {
        let bytes = std::fs::metadata(&fixture.path).unwrap().len() as usize;
        // These have their index at the end: without it nothing can be found.
        let index_last = ["m4a", "mp4", "mov"].iter().any(|ending| fixture.name.ends_with(ending));
        let index_last = index_last && !fixture.name.contains("faststart");
        let file = cut(folder.path(), &fixture.name, bytes * 3 / 4);
        if index_last {
            let message = Song::open(&file).unwrap_err().to_string();
            assert!(message.contains("without its index"), "{message}");
            continue;
        }
        let song = Song::open(&file).unwrap();
        let (found, whole) = (song.audio().channels(), fixture.reference());
        let share = found[0].len() as f64 / whole[0].len() as f64;
        assert!((0.2..0.95).contains(&share), "{}: {share}", fixture.name);
        if fixture.is_lossless() {
            assert!(found.iter().zip(&whole).all(|(f, w)| w.starts_with(f)), "{}", fixture.name);
        } else {
            assert!(rms_difference(found, &whole) < 1e-4, "{}", fixture.name);
        }
        // A raw MPEG stream that is cut between two frames cannot be told from a whole one.
        if fixture.source_frames.is_some() || !song.warnings().is_empty() {
            let warnings = song.warnings().join("; ");
            assert!(warnings.contains("truncated"), "{}: {warnings:?}", fixture.name);
        }
    }
}

#[test]
fn a_wav_file_of_unknown_length_is_read_to_its_last_sample() {
    let folder = tempfile::tempdir().unwrap();
    for length in [0_u32, 0x7fff_ffff, u32::MAX] {
        let mut bytes = std::fs::read(path("wav_s16.wav")).unwrap();
        let data = bytes.windows(4).position(|w| w == b"data").unwrap();
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[data + 4..data + 8].copy_from_slice(&length.to_le_bytes());
        let piped = folder.path().join("piped.wav");
        std::fs::write(&piped, bytes).unwrap();
        let song = Song::open(&piped).unwrap();
        assert!(
            song.audio().channels() == Song::open(path("wav_s16.wav")).unwrap().audio().channels()
        );
        assert!(song.warnings().is_empty(), "{:?}", song.warnings());
    }
}

#[test]
fn samples_that_are_no_numbers_become_silence_with_a_warning() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.wav");
    WavWriter::write_file(&file, 1, 8000, SampleFormat::Float32, |wav| wav.write(&[vec![0.5; 8]]))?;
    let mut bytes = std::fs::read(&file).unwrap();
    let start = bytes.len() - 32;
    for (frame, bad) in [(1, f32::NAN), (3, f32::INFINITY), (4, f32::NEG_INFINITY)] {
        bytes[start + 4 * frame..][..4].copy_from_slice(&bad.to_le_bytes());
    }
    std::fs::write(&file, bytes).unwrap();
    let song = Song::open(&file)?;
    assert_eq!(song.audio().channels()[0], [0.5, 0.0, 0.5, 0.0, 0.0, 0.5, 0.5, 0.5]);
    assert_eq!(song.warnings(), ["3 samples not a finite number, replaced by silence"]);
    Ok(())
}

#[test]
fn what_is_no_audio_file_is_refused_with_its_name_and_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let prose = "The OggS of the fLaC said RIFF to the ID3. ".repeat(2000);
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(prose.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    // Latin-1 text with many a ÿ, and a table of all bytes: sync words of MPEG audio by chance.
    let latin =
        "pa\u{ff}\u{fb}\u{90}d \u{ff}\u{e2} ".chars().map(|c| c as u8).cycle().take(300_000);
    let table: Vec<u8> = (0..1_500_000_u64).map(|n| ((n * n) >> 7) as u8).collect();
    for (file, expected) in [
        (write("empty.mp3", b""), "empty one (0 bytes)"),
        (write("text.mp3", prose.as_bytes()), "expected an MP3, WAV, FLAC"),
        (write("wide.mp3", &wide), "expected an MP3, WAV, FLAC"),
        (write("latin.mp3", &latin.collect::<Vec<_>>()), "expected an MP3, WAV, FLAC"),
        (write("table.mp3", &table), "expected an MP3, WAV, FLAC"),
        (write("short.wav", b"RIFF"), "expected a whole WAV file"),
        (write("half.ogg", &std::fs::read(path("vorbis_mono.ogg")).unwrap()[..60]), "expected"),
        (folder.path().to_path_buf(), "found a folder"),
    ] {
        let error = Song::open(&file).unwrap_err();
        assert!(matches!(error, Error::Audio { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.starts_with(&file.display().to_string()), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    for missing in [folder.path().join("missing.mp3"), folder.path().join("empty.mp3/inside")] {
        let error = Song::open(&missing).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert!(error.to_string().contains("could not open the file"), "{error}");
    }
}

#[test]
fn a_wav_file_without_a_sample_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nothing.wav");
    Audio::mono(vec![], 8000).unwrap().save(&file).unwrap();
    let message = Song::open(&file).unwrap_err().to_string();
    assert!(message.contains("not one sample"), "{message}");
}

#[test]
fn damage_in_the_middle_costs_little_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["mp3_stereo.mp3", "flac_16.flac", "aac_raw.aac", "aac.m4a"] {
        let mut bytes = std::fs::read(path(name)).unwrap();
        // Past the tags and padding that some files begin with.
        let middle = bytes.len() * 3 / 5;
        bytes[middle..middle + 600].fill(0x55);
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let damaged = Song::open(&file).unwrap();
        let sound = Song::open(path(name)).unwrap();
        assert!(damaged.audio().frames() * 10 > sound.audio().frames() * 4, "{name}");
        let intact = damaged.audio().channels() == sound.audio().channels();
        assert!(!intact && !damaged.warnings().is_empty(), "{name}: {damaged:?}");
    }
}

#[test]
fn mp3_files_that_were_joined_play_on_after_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let joined = folder.path().join("joined.mp3");
    let part = std::fs::read(path("mp3_vbr.mp3")).unwrap();
    std::fs::write(&joined, [&part[..], &part[..]].concat()).unwrap();
    let (one, both) = (Song::open(path("mp3_vbr.mp3")).unwrap(), Song::open(&joined).unwrap());
    let (one, both) = (&one.audio().channels()[0], &both.audio().channels()[0]);
    // The second part keeps what its encoder added: its header is no longer the file's.
    assert!(both.len() >= 2 * one.len() && both.len() < 2 * one.len() + 4 * 1152);
    assert!(both.starts_with(one));
}
