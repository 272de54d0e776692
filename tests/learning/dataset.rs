//! Songs become sequences: what is cut where, what is skipped and why.

use neural_composer::audio::Audio;
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::features::{Blocks, SpectrumLayout};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const RATE_HZ: u32 = 8_000;

fn settings(sequence_blocks: usize, stride_blocks: usize) -> DatasetSettings {
    let blocks =
        Blocks { sample_rate_hz: RATE_HZ, block_samples: 100, layout: SpectrumLayout::Half };
    DatasetSettings { blocks, sequence_blocks, stride_blocks }
}

/// A tone that changes all the time, so that no two blocks are alike.
fn song(blocks: usize) -> Audio {
    let sample = |i: usize| (i as f32 * i as f32 * 1e-5).sin() * 0.5;
    Audio::mono((0..blocks * 100).map(sample).collect(), RATE_HZ).unwrap()
}

fn titled(audio: Audio) -> [(String, Audio); 1] {
    [("song".to_owned(), audio)]
}

#[test]
fn the_target_is_the_input_one_block_later_and_zeros_after_the_end() {
    let data = Dataset::from_audio(&titled(song(8)), settings(4, 4)).unwrap();
    assert_eq!((data.len(), data.block_count()), (2, 8));
    let device = candle_core::Device::Cpu;
    let batches = data.batches(&[0, 1], 2, None);
    let batch = batches.on(&device).next().unwrap().unwrap();
    assert_eq!(batch.inputs.dims(), [2, 4, 100]);
    let inputs = batch.inputs.to_vec3::<f32>().unwrap();
    let targets = batch.targets.to_vec3::<f32>().unwrap();
    assert_eq!(targets[0][..3], inputs[0][1..]);
    assert_eq!(targets[0][3], inputs[1][0]);
    assert_eq!(targets[1][..3], inputs[1][1..]);
    // The closing block is silence, seen through the normalisation.
    let mut closing = targets[1][3].clone();
    data.normaliser().undo(&mut closing).unwrap();
    assert!(closing.iter().all(|number| number.abs() < 1e-4));
}

#[test]
fn sequences_start_every_stride_and_never_run_over_the_end() {
    for (blocks, sequence, stride, expected) in
        [(10, 4, 4, 2), (10, 4, 2, 4), (4, 4, 4, 1), (11, 4, 1, 8)]
    {
        let data = Dataset::from_audio(&titled(song(blocks)), settings(sequence, stride)).unwrap();
        assert_eq!(data.len(), expected, "{blocks} {sequence} {stride}");
        for index in 0..data.len() {
            assert_eq!(data.sequence(index).unwrap().len(), sequence * 100);
        }
        assert!(data.sequence(data.len()).is_err());
    }
}

#[test]
fn all_rows_together_have_mean_0_and_deviation_1() {
    let songs = [("a".to_owned(), song(20)), ("b".to_owned(), song(33))];
    let data = Dataset::from_audio(&songs, settings(1, 1)).unwrap();
    let rows: Vec<f32> =
        (0..data.len()).flat_map(|index| data.sequence(index).unwrap().to_vec()).collect();
    let column: Vec<f32> = rows.chunks(100).map(|row| row[7]).collect();
    let mean = column.iter().sum::<f32>() / column.len() as f32;
    let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / column.len() as f32;
    assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
}

#[test]
fn a_song_shorter_than_a_sequence_is_named_with_both_lengths() {
    let error = Dataset::from_audio(&titled(song(3)), settings(4, 4)).unwrap_err().to_string();
    assert!(
        error.contains("song") && error.contains("0.04 s") && error.contains("0.05 s"),
        "{error}"
    );
}

#[test]
fn a_folder_uses_what_it_can_and_reports_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    song(20).save(folder.path().join("good.wav")).unwrap();
    song(2).save(folder.path().join("short.wav")).unwrap();
    std::fs::write(folder.path().join("text.mp3"), "this is no music\n".repeat(100)).unwrap();
    std::fs::write(folder.path().join("empty.flac"), "").unwrap();
    let data = Dataset::from_dir(folder.path(), settings(4, 4)).unwrap();
    assert_eq!(data.songs().len(), 1);
    assert_eq!(data.songs()[0].title, "good");
    let skipped: Vec<String> = data.skipped().iter().map(|s| s.reason.clone()).collect();
    assert_eq!(skipped.len(), 3);
    for name in ["short.wav", "text.mp3", "empty.flac"] {
        assert!(skipped.iter().any(|reason| reason.contains(name)), "{name}: {skipped:?}");
    }
}

#[test]
fn a_folder_without_a_usable_song_is_an_error_that_lists_every_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Dataset::from_dir(folder.path(), settings(4, 4)).is_err());
    assert!(Dataset::from_dir(folder.path().join("missing"), settings(4, 4)).is_err());
    song(2).save(folder.path().join("short.wav")).unwrap();
    std::fs::write(folder.path().join("empty.ogg"), "").unwrap();
    let error = Dataset::from_dir(folder.path(), settings(4, 4)).unwrap_err().to_string();
    assert!(error.contains("short.wav") && error.contains("empty.ogg"), "{error}");
}

#[test]
fn files_and_open_audio_make_the_same_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("song.wav");
    song(20).save_as(&path, neural_composer::audio::SampleFormat::Float32).unwrap();
    let from_file = Dataset::from_files(&[path], settings(4, 2)).unwrap();
    let from_audio = Dataset::from_audio(&titled(song(20)), settings(4, 2)).unwrap();
    for index in 0..from_audio.len() {
        assert_eq!(from_file.sequence(index).unwrap(), from_audio.sequence(index).unwrap());
    }
}

#[test]
fn validation_sequences_are_spread_evenly_and_never_trained_on() {
    let data = Dataset::from_audio(&titled(song(80)), settings(4, 4)).unwrap();
    let (training, validation) = data.split(0.25).unwrap();
    assert_eq!((training.len(), validation.len()), (15, 5));
    assert_eq!(validation, [3, 7, 11, 15, 19]);
    assert!(training.iter().all(|index| !validation.contains(index)));
    assert_eq!(data.split(0.0).unwrap().1.len(), 0);
    for impossible in [-0.1, 1.0, 0.01, f64::NAN] {
        assert!(data.split(impossible).is_err(), "{impossible}");
    }
}

#[test]
fn no_block_of_a_validation_sequence_is_in_a_training_sequence() {
    let data = Dataset::from_audio(&titled(song(80)), settings(8, 2)).unwrap();
    let (training, validation) = data.split(0.1).unwrap();
    assert!(!training.is_empty() && validation.len() == 3);
    // Blocks that overlapping sequences share hold the very same numbers.
    let blocks = |indices: &[usize]| -> Vec<Vec<u32>> {
        let sequences: Vec<_> =
            indices.iter().map(|index| data.sequence(*index).unwrap()).collect();
        let rows = sequences.iter().flat_map(|sequence| sequence.chunks(100));
        rows.map(|row| row.iter().map(|number| number.to_bits()).collect()).collect()
    };
    let trained = blocks(&training);
    assert!(blocks(&validation).iter().all(|block| !trained.contains(block)));
}

#[test]
fn batches_cover_every_sequence_once_in_an_order_the_seed_decides() {
    let data = Dataset::from_audio(&titled(song(44)), settings(4, 4)).unwrap();
    let all: Vec<usize> = (0..data.len()).collect();
    let device = candle_core::Device::Cpu;
    let first_numbers = |seed: u64| -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let batches = data.batches(&all, 4, Some(&mut random));
        assert_eq!(batches.len(), 3);
        batches
            .on(&device)
            .flat_map(|batch| {
                let rows = batch.unwrap().inputs.to_vec3::<f32>().unwrap();
                rows.into_iter().map(|sequence| sequence[0][3]).collect::<Vec<_>>()
            })
            .collect()
    };
    let (a, again, b) = (first_numbers(1), first_numbers(1), first_numbers(2));
    assert_eq!(a, again);
    assert_ne!(a, b);
    let sorted = |mut numbers: Vec<f32>| {
        numbers.sort_by(f32::total_cmp);
        numbers
    };
    let expected = all.iter().map(|index| data.sequence(*index).unwrap()[3]).collect();
    assert_eq!(sorted(a), sorted(expected));
}

#[test]
fn impossible_settings_are_refused_by_name() {
    for (settings, name) in [(settings(0, 1), "sequence_blocks"), (settings(1, 0), "stride_blocks")]
    {
        let error = Dataset::from_audio(&titled(song(8)), settings).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}
