//! WAV files written here, read by hound and by the decoder.

use neural_composer::audio::{Audio, SampleFormat, Song, WavWriter};
use neural_composer::{Error, Result};

const FORMATS: [SampleFormat; 3] =
    [SampleFormat::Int16, SampleFormat::Int24, SampleFormat::Float32];

#[test]
fn integers_are_rounded_to_the_nearest_and_clipped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edges.wav");
    let steps = 32_768.0_f32;
    let samples = vec![
        0.0,
        0.4 / steps,
        0.6 / steps,
        -0.6 / steps,
        1.0,
        -1.0,
        1.5,
        -7.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        32_766.4 / steps,
        f32::MAX,
        f32::MIN_POSITIVE,
    ];
    let audio = Audio::mono(samples, 8000).unwrap();
    audio.save(&file).unwrap();
    let mut wav = hound::WavReader::open(&file).unwrap();
    assert_eq!((wav.spec().bits_per_sample, wav.spec().sample_rate), (16, 8000));
    let written: Vec<i32> = wav.samples().map(|s| s.unwrap()).collect();
    let wanted = [0, 0, 1, -1, 32767, -32768, 32767, -32768, 0, 32767, -32768, 32766, 32767, 0];
    assert_eq!(written, wanted);

    audio.save_as(&file, SampleFormat::Int24).unwrap();
    let mut wav = hound::WavReader::open(&file).unwrap();
    assert_eq!(wav.spec().bits_per_sample, 24);
    let written: Vec<i32> = wav.samples().map(|s| s.unwrap()).collect();
    assert_eq!(written[1..9], [102, 154, -154, 8_388_607, -8_388_608, 8_388_607, -8_388_608, 0]);

    audio.save_as(&file, SampleFormat::Float32).unwrap();
    let mut wav = hound::WavReader::open(&file).unwrap();
    assert_eq!(wav.spec().sample_format, hound::SampleFormat::Float);
    let written: Vec<f32> = wav.samples().map(|s| s.unwrap()).collect();
    assert_eq!(written[4..11], [1.0, -1.0, 1.5, -7.0, 0.0, 1.0, -1.0]);
    assert_eq!(written[12], f32::MAX);
}

#[test]
fn every_value_of_16_bits_survives_a_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<f32> = (-32_768..32_768).map(|n| n as f32 / 32_768.0).collect();
    let audio = Audio::new(vec![samples.clone(), samples.into_iter().rev().collect()], 44_100);
    let audio = audio.unwrap();
    for format in FORMATS {
        let file = folder.path().join("trip.wav");
        audio.save_as(&file, format).unwrap();
        assert!(Song::open(&file).unwrap().audio() == &audio, "{format:?}");
    }
}

#[test]
fn any_number_of_channels_survives_a_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    for count in [1, 2, 3, 8, 18, 19, 33, 64, 300] {
        let channels: Vec<Vec<f32>> =
            (0..count).map(|c| (0..50).map(|n| (c * 50 + n) as f32 / 32_768.0).collect()).collect();
        let audio = Audio::new(channels, 48_000).unwrap();
        for format in FORMATS {
            let file = folder.path().join("channels.wav");
            audio.save_as(&file, format).unwrap();
            let song = Song::open(&file).unwrap();
            assert!(song.audio() == &audio, "{count} {format:?}: {:?}", song.audio());
            assert!(song.warnings().is_empty(), "{:?}", song.warnings());
        }
    }
}

#[test]
fn the_bytes_in_memory_are_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("same.wav");
    let audio = Audio::new(vec![vec![0.25; 100], vec![-0.5; 100]], 22_050).unwrap();
    audio.save(&file).unwrap();
    assert!(audio.to_wav_bytes().unwrap() == std::fs::read(&file).unwrap());
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept.wav");
    let audio = Audio::mono(vec![0.5; 100], 8000)?;
    audio.save(&file)?;
    let before = std::fs::read(&file).unwrap();
    let broken = WavWriter::write_file(&file, 1, 8000, SampleFormat::Int16, |wav| {
        wav.write(&[vec![0.1; 50]])?;
        wav.write(&[vec![0.1; 50], vec![0.1; 50]])
    });
    assert!(matches!(broken, Err(Error::Argument { name: "chunk", .. })), "{broken:?}");
    assert!(std::fs::read(&file).unwrap() == before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing left lying about");

    let error = audio.save(folder.path().join("no/such/folder.wav")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("folder.wav"));
    assert!(matches!(audio.save(file.join("inside.wav")), Err(Error::Io { .. })));
    assert!(matches!(audio.save(folder.path()), Err(Error::Io { .. })));
    Ok(())
}

#[test]
fn shapes_that_no_header_can_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("never.wav");
    for (channels, rate) in [(0, 8000), (40_000, 8000), (1, 0), (2, u32::MAX)] {
        let result = WavWriter::write_file(&file, channels, rate, SampleFormat::Int16, |_| Ok(()));
        assert!(matches!(result, Err(Error::Argument { .. })), "{channels} {rate}: {result:?}");
    }
    assert!(!file.exists());
}
