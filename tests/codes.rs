//! Codes: phases are found, codes tell spectra, and a piece is made of them.

mod unchecked;

use neural_composer::Result;
use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::SongSource;
use neural_composer::dataset::codes::{Codebook, CodebookSettings, CodedSongs};
use neural_composer::display::Show;
use neural_composer::evaluate::{judge, style_distance};
use neural_composer::features::{
    GriffinLim, LogMel, MelSettings, PrincipalComponents, StftSettings, magnitudes,
};
use neural_composer::generate::{CodeComposer, CodeLearning, CodeOptions, GrainComposer};
use neural_composer::model::{Device, ModelKind, Network};
use neural_composer::train::Silent;
use neural_composer::train::optimizer::{AdamW, Rule};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn numbers(value: &serde_json::Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn song(name: &str, from: f64, to: f64) -> Audio {
    let path = format!("{}/datasets/songs/{name}", env!("CARGO_MANIFEST_DIR"));
    Song::open(path).unwrap().audio().to_mono().resample(22_050).unwrap().excerpt(from, to)
}

/// How far the magnitudes of `samples` are from those wanted, as a share.
fn off(samples: &[f32], wanted: &[f32], settings: StftSettings) -> f64 {
    let got = magnitudes(samples, settings).unwrap();
    let squares = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
    };
    squares(&mut got.iter().zip(wanted).map(|(a, b)| a - b)) / squares(&mut wanted.iter().copied())
}

#[test]
fn phases_are_found_as_librosa_finds_them() {
    let text = include_str!("vectors/griffin_lim.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let settings = StftSettings {
        window_samples: vectors["window"].as_u64().unwrap() as usize,
        hop_samples: vectors["hop"].as_u64().unwrap() as usize,
    };
    let wanted = numbers(&vectors["magnitudes"]);
    for (iterations, samples) in vectors["samples"].as_object().unwrap() {
        let expected = numbers(samples);
        let method = GriffinLim::new(settings).iterations(iterations.parse().unwrap());
        let found = method.samples(&wanted).unwrap();
        assert_eq!(found.len(), expected.len());
        // Rounding grows from iteration to iteration where a bin is next to nothing.
        let length =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
        let apart = length(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
        let share = apart / length(&mut expected.iter().copied());
        assert!(share < 1e-3, "{iterations} iterations: {share}");
    }
}

#[test]
fn every_iteration_brings_the_magnitudes_nearer_and_sixty_are_enough() {
    let music = song("greensleeves.flac", 10.0, 14.0);
    let settings = StftSettings::default();
    let wanted = magnitudes(&music.channels()[0], settings).unwrap();
    let after = |iterations: usize, momentum: f32| {
        let method = GriffinLim { momentum, ..GriffinLim::new(settings).seed(3) };
        off(&method.iterations(iterations).samples(&wanted).unwrap(), &wanted, settings)
    };
    // The method of 1984 never gets worse, which its authors prove.
    let plain: Vec<f64> = [0, 1, 2, 5, 10, 30].map(|n| after(n, 0.0)).to_vec();
    assert!(plain.windows(2).all(|pair| pair[1] <= pair[0] + 1e-6), "{plain:?}");
    // The fast one is nearer after as many.
    assert!(after(60, 0.99) < after(60, 0.0));
    assert!(after(60, 0.99) < 0.15, "{}", after(60, 0.99));
}

#[test]
fn what_are_no_magnitudes_is_refused() {
    let method = GriffinLim::new(StftSettings { window_samples: 8, hop_samples: 2 });
    let refused = |values: &[f32]| method.samples(values).unwrap_err().to_string();
    assert!(refused(&[]).contains("frames of 5 numbers"));
    assert!(refused(&[1.0; 7]).contains("frames of 5 numbers"));
    assert!(refused(&[f32::NAN; 5]).contains("from 0"));
    assert!(refused(&[-1.0; 5]).contains("from 0"));
    assert!(method.samples(&[1.0; 5]).unwrap().is_empty());
    assert!(magnitudes(&[0.0; 8], StftSettings { window_samples: 1, hop_samples: 1 }).is_err());
}

#[test]
fn components_lead_there_and_back() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let rows: Vec<f32> = (0..40 * 6).map(|_| random.random_range(-1.0..1.0)).collect();
    let components = PrincipalComponents::fit(&rows, 6, 6).unwrap();
    let again = components.restore(&components.project(&rows).unwrap()).unwrap();
    assert!(rows.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(components.restore(&[0.0; 7]).is_err());
}

/// Five places in the plane, each with a few points about it.
fn clusters(random: &mut ChaCha8Rng, spread: f32) -> Vec<f32> {
    let centres = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0], [5.0, 20.0]];
    (0..200)
        .flat_map(|index| centres[index % 5].map(|at| at + random.random_range(-spread..spread)))
        .collect()
}

#[test]
fn a_codebook_finds_what_is_there() -> Result<()> {
    let rows = clusters(&mut ChaCha8Rng::seed_from_u64(2), 0.5);
    let settings = CodebookSettings { stages: 1, codes: 5, seed: 4 };
    let book = Codebook::fit(&rows, 2, settings)?;
    let codes = book.encode(&rows)?;
    // Rows of one cluster have one code, and its entry is their mean.
    for cluster in 0..5 {
        let members: Vec<usize> = (cluster..200).step_by(5).collect();
        assert!(members.iter().all(|row| codes[*row] == codes[cluster]));
        let entry = book.decode(&codes[cluster..=cluster])?;
        for axis in 0..2 {
            let mean = members.iter().map(|row| rows[2 * row + axis]).sum::<f32>() / 40.0;
            assert!((entry[axis] - mean).abs() < 1e-3);
        }
    }
    assert_eq!(book, Codebook::fit(&rows, 2, settings)?, "the same seed, the same entries");
    Ok(())
}

#[test]
fn each_stage_tells_more() -> Result<()> {
    let rows = clusters(&mut ChaCha8Rng::seed_from_u64(5), 2.0);
    let error = |stages: usize| -> Result<f32> {
        let book = Codebook::fit(&rows, 2, CodebookSettings { stages, codes: 8, seed: 1 })?;
        let again = book.decode(&book.encode(&rows)?)?;
        Ok(rows.iter().zip(&again).map(|(a, b)| (a - b).powi(2)).sum())
    };
    let (one, two, three) = (error(1)?, error(2)?, error(3)?);
    assert!(two < 0.5 * one && three < 0.5 * two, "{one}, {two}, {three}");
    // As many entries as rows tell everything.
    let few = &rows[..16];
    let book = Codebook::fit(few, 2, CodebookSettings { stages: 1, codes: 99, seed: 1 })?;
    assert_eq!(book.codes(), 8);
    assert_eq!(book.decode(&book.encode(few)?)?, few);
    Ok(())
}

#[test]
fn a_codebook_refuses_what_makes_no_sense() {
    let settings = CodebookSettings { stages: 1, codes: 4, seed: 1 };
    assert!(Codebook::fit(&[], 2, settings).is_err());
    assert!(Codebook::fit(&[1.0; 3], 2, settings).is_err());
    assert!(Codebook::fit(&[1.0; 4], 2, CodebookSettings { codes: 0, ..settings }).is_err());
    // Rows that are all alike need one entry.
    let book = Codebook::fit(&[1.0; 8], 2, settings).unwrap();
    assert_eq!(book.codes(), 1);
    assert!(book.decode(&[7]).is_err() && book.encode(&[1.0]).is_err());
}

/// Small enough for a test.
fn quick() -> CodeLearning {
    let mut learning = CodeLearning::seeded(3);
    learning.blocks.components = 24;
    learning.blocks.codebook.codes = 48;
    learning.blocks.codebook.stages = 2;
    learning.training.descent.steps = 12;
    learning.training.descent.batch_size = 8;
    learning.training.sequence_blocks = 16;
    learning
}

fn source(title: &str, audio: Audio) -> SongSource {
    SongSource::Audio { title: title.into(), audio }
}

#[test]
fn the_same_seed_gives_the_same_piece_and_another_another() -> Result<()> {
    let songs = [source("song", song("prelude.mp3", 5.0, 20.0))];
    let options = CodeOptions { iterations: 4, ..CodeOptions::default() };
    let made = |seed: u64| -> Result<Audio> {
        let composer = CodeComposer::learn(&songs, &quick(), &mut Silent)?;
        assert_eq!(composer.history().epochs.len(), 1);
        Ok(composer.compose(3.0, seed, &options, &mut |_, _| ())?.audio().clone())
    };
    let piece = made(1)?;
    assert!((piece.duration_seconds() - 3.0).abs() < 1e-3, "{piece:?}");
    assert!(piece == made(1)? && piece != made(2)?);
    Ok(())
}

#[test]
fn a_model_file_holds_all_that_composing_needs() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.safetensors");
    let songs = [
        source("with a beat", song("lantern-street.mp3", 5.0, 20.0)),
        source("another", song("still-water.wav", 5.0, 15.0)),
    ];
    let composer = CodeComposer::learn(&songs, &quick(), &mut Silent)?;
    composer.save(&path)?;
    assert_eq!(ModelKind::of(&path)?, ModelKind::Codes);
    let again = CodeComposer::load(&path)?;
    let options = CodeOptions { iterations: 4, ..CodeOptions::default() };
    for seed in 1..4 {
        let piece = |composer: &CodeComposer| -> Result<Audio> {
            Ok(composer.compose(2.0, seed, &options, &mut |_, _| ())?.audio().clone())
        };
        assert!(piece(&composer)? == piece(&again)?, "seed {seed}");
    }
    let refused = Network::load(&path, &Device::cpu()).unwrap_err().to_string();
    assert!(refused.contains("a code composer, not a network of blocks"), "{refused}");
    let refused = GrainComposer::load(&path).unwrap_err().to_string();
    assert!(refused.contains("`CodeComposer::load`"), "{refused}");
    Ok(())
}

#[test]
fn a_damaged_model_file_is_refused_and_named() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.safetensors");
    let songs = [source("song", song("prelude.mp3", 5.0, 15.0))];
    CodeComposer::learn(&songs, &quick(), &mut Silent)?.save(&path)?;
    let whole = std::fs::read(&path).unwrap();
    let cpu = candle_core::Device::Cpu;
    let tensors = candle_core::safetensors::load_buffer(&whole, &cpu).unwrap();
    let metadata = unchecked::metadata(&whole);
    // Each tensor of the blocks and of the network: missing, and one number too short or too large.
    for name in [
        "bands.largest",
        "bands.left",
        "components.left.correlations",
        "components.axes",
        "codebook.1",
        "song.0.codes",
        "stage.0.weight",
    ] {
        let changed = |tensor: Option<candle_core::Tensor>| {
            let mut tensors = tensors.clone();
            tensors.remove(name);
            tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
            let bytes = safetensors::serialize(&tensors, Some(metadata.clone())).unwrap();
            std::fs::write(&path, bytes).unwrap();
            CodeComposer::load(&path).unwrap_err().to_string()
        };
        let flat = tensors[name].flatten_all().unwrap();
        let short = flat.narrow(0, 0, flat.elem_count() - 1).unwrap();
        for problem in [changed(None), changed(Some(short))] {
            assert!(problem.contains("codes.safetensors"), "{name}: {problem}");
        }
    }
    // Files from before octaves were kept are read; octaves that do not fit are refused.
    let octaves = tensors["octaves.largest"].clone();
    for (tensor, is_read) in [(None, true), (Some(octaves.narrow(0, 0, 3).unwrap()), false)] {
        let mut tensors = tensors.clone();
        tensors.remove("octaves.largest");
        tensors.extend(tensor.map(|tensor| ("octaves.largest".to_owned(), tensor)));
        std::fs::write(&path, safetensors::serialize(&tensors, Some(metadata.clone())).unwrap())
            .unwrap();
        assert_eq!(CodeComposer::load(&path).is_ok(), is_read);
    }
    // Codes that no codebook has, deviations below 0, correlations above 1.
    for (name, value) in
        [("song.0.codes", 1e6), ("bands.left", -1.0), ("components.left.correlations", 1.5)]
    {
        let mut wrong = tensors.clone();
        wrong.insert(name.into(), (tensors[name].ones_like().unwrap() * value).unwrap());
        let bytes = safetensors::serialize(&wrong, Some(metadata.clone())).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let problem = CodeComposer::load(&path).unwrap_err().to_string();
        assert!(problem.contains("not fit"), "{name}: {problem}");
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(CodeComposer::load(&path).is_err());
    Ok(())
}

/// The first song as its own codes, block after block, and what it is played with.
fn own_codes(coded: &CodedSongs) -> (Vec<u32>, StftSettings) {
    let (song, frames) = (&coded.songs()[0], coded.settings().frames_per_block);
    let stages = coded.codebook().stages();
    let blocks = 0..song.starts(stages).div_ceil(frames);
    let codes = blocks.flat_map(|block| song.codes_at(block * frames, stages).to_vec()).collect();
    (codes, StftSettings { hop_samples: song.hop_samples(), ..StftSettings::default() })
}

#[test]
fn codes_keep_what_a_song_sounds_like() -> Result<()> {
    let audio = song("prelude.mp3", 5.0, 25.0);
    let blocks = CodedSongs::of(&[source("song", audio.clone())], quick().blocks)?;
    let (codes, settings) = own_codes(&blocks);
    let samples = GriffinLim::new(settings).seed(1).samples(&blocks.magnitudes(&codes, 0)?[0])?;
    let again = Audio::mono(samples, 44_100)?;
    assert!((again.duration_seconds() - audio.duration_seconds()).abs() < 1.0, "{again:?}");
    let near = style_distance(&again, &[&audio])?;
    let (other, noise) = (song_of_another_kind(), hiss());
    assert!(near.distance < 0.7 * style_distance(&other, &[&audio])?.distance, "{near}");
    assert!(near.distance < 0.2 * style_distance(&noise, &[&audio])?.distance, "{near}");
    assert!(blocks.magnitudes(&codes, 1).is_err() && blocks.magnitudes(&[999, 0], 0).is_err());
    Ok(())
}

/// Ten seconds of clicks and noise: on the left at one time, on the right at another, up to 20 kHz.
fn clicks_left_and_right() -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut channels = vec![vec![0.0f32; 441_000]; 2];
    for click in 0..40 {
        let loud = if click % 4 < 2 { [1.0, 0.25] } else { [0.25, 1.0] };
        for after in 0..4_410 {
            let decay = (-(after as f32) / 800.0).exp();
            let noise: f32 = random.random_range(-0.5..0.5) * decay;
            for (channel, loud) in channels.iter_mut().zip(loud) {
                channel[click * 11_025 + after] += noise * loud;
            }
        }
    }
    Audio::new(channels, 44_100).unwrap()
}

/// Levels of two channels in the same tenth of a second after the start of each click.
fn levels(audio: &Audio, click: usize) -> [f32; 2] {
    let of = |channel: &Vec<f32>| {
        let part = &channel[click * 11_025..][..4_410];
        (part.iter().map(|s| s * s).sum::<f32>() / 4_410.0).sqrt()
    };
    [of(&audio.channels()[0]), of(&audio.channels()[1])]
}

#[test]
fn two_channels_are_found_again_from_magnitudes() -> Result<()> {
    let audio = clicks_left_and_right();
    let settings = StftSettings::default();
    let of = |samples: &[f32]| magnitudes(samples, settings);
    let mix = audio.to_mono();
    let (left, right) = (&audio.channels()[0], &audio.channels()[1]);
    let views = [of(&mix.channels()[0])?, of(left)?, of(right)?];
    let method = GriffinLim::new(settings).seed(1);
    let found = method.stereo([&views[0], &views[1], &views[2]])?;
    for (samples, wanted) in found.iter().zip(&views[1..]) {
        assert!(off(samples, wanted, settings) < 0.25, "{}", off(samples, wanted, settings));
    }
    // Together they are the mix: nothing in them cancels that did not.
    let together: Vec<f32> = found[0].iter().zip(&found[1]).map(|(l, r)| (l + r) / 2.0).collect();
    assert!(off(&together, &views[0], settings) < 0.3, "{}", off(&together, &views[0], settings));
    assert!(method.stereo([&views[0], &views[1], &views[2][..1_025]]).is_err());
    // Channels that are each other's negative have no mix, and stay so.
    let negative: Vec<f32> = left.iter().map(|sample| -sample).collect();
    let nothing = vec![0.0; views[1].len()];
    let [left, right] = method.stereo([&nothing, &views[1], &of(&negative)?])?;
    let rest: f32 = left.iter().zip(&right).map(|(l, r)| (l + r).powi(2)).sum();
    assert!(rest < 0.5 * left.iter().map(|l| l * l).sum::<f32>(), "{rest}");
    Ok(())
}

#[test]
fn codes_keep_two_channels_and_the_whole_band() -> Result<()> {
    let audio = clicks_left_and_right();
    let mut settings = quick().blocks;
    settings.codebook.stages = 4;
    let coded = CodedSongs::of(&[source("clicks", audio.clone())], settings)?;
    assert_eq!(coded.views(), 3);
    let (codes, settings) = own_codes(&coded);
    let views = coded.magnitudes(&codes, 0)?;
    let method = GriffinLim::new(settings).seed(1);
    let channels = method.stereo([&views[0], &views[1], &views[2]])?.to_vec();
    let again = Audio::new(channels, 44_100)?;
    // A share of the level that lies above 11 kHz, where it was not told before.
    let treble = |audio: &Audio| {
        let rows = magnitudes(&audio.to_mono().channels()[0], StftSettings::default()).unwrap();
        let sum = |from: usize| -> f32 {
            rows.chunks_exact(1_025).flat_map(|row| &row[from..]).map(|v| v * v).sum()
        };
        sum(512) / sum(0)
    };
    assert!((treble(&again) / treble(&audio) - 1.0).abs() < 0.2, "{}", treble(&again));
    if coded.songs()[0].place_at(0).is_none() {
        for click in 1..30 {
            let ([l, r], [left, right]) = (levels(&again, click), levels(&audio, click));
            assert_eq!(l > r, left > right, "click {click}");
            assert!((l + r) / (left + right) > 0.6, "click {click}: {l} {r}, {left} {right}");
        }
    }
    // One channel among songs in stereo sounds alike on both sides.
    let mono = source("mono", song_of_another_kind());
    let both = CodedSongs::of(&[source("clicks", audio), mono], quick().blocks)?;
    assert_eq!((both.views(), both.songs().len()), (3, 2));
    Ok(())
}

/// The largest step from one sample to the next, in deviations.
fn largest_step(samples: &[f32]) -> f32 {
    let deviation = (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max) / deviation
}

#[test]
fn hiss_in_codes_stays_hiss() -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    // Nearly normal, as most noise is.
    let mut sample = || (0..12).map(|_| random.random_range(-0.1f32..0.1)).sum();
    let noise: Vec<f32> = (0..441_000).map(|_| sample()).collect();
    let audio = Audio::mono(noise.clone(), 44_100)?;
    let coded = CodedSongs::of(&[source("hiss", audio)], quick().blocks)?;
    let (codes, settings) = own_codes(&coded);
    let again = GriffinLim::new(settings).seed(1).samples(&coded.magnitudes(&codes, 0)?[0])?;
    // What is even over the bands may not become a train of clicks.
    let (own, found) = (largest_step(&noise), largest_step(&again));
    assert!(found < 1.2 * own, "{found} deviations, of the song {own}");
    Ok(())
}

/// How much bands rise from one frame to the next, in the mean, in dB: how strong onsets are.
fn onset_strength(audio: &Audio) -> Result<f64> {
    let bands = LogMel::of(audio, MelSettings::default())?;
    let rows: Vec<&[f32]> = bands.rows().collect();
    let rises = rows.windows(2).flat_map(|pair| pair[1].iter().zip(pair[0]).map(|(b, a)| b - a));
    let rises: Vec<f64> = rises.map(|rise| f64::from(rise.max(0.0))).collect();
    Ok(rises.iter().sum::<f64>() / rises.len() as f64)
}

/// How strong the onsets of the first song are as its own codes, in units of those of `audio`.
fn onsets_in_codes(coded: &CodedSongs, audio: &Audio) -> Result<f64> {
    let (codes, settings) = own_codes(coded);
    let again = GriffinLim::new(settings).seed(1).samples(&coded.magnitudes(&codes, 0)?[0])?;
    Ok(onset_strength(&Audio::mono(again, 44_100)?)? / onset_strength(audio)?)
}

#[test]
fn onsets_in_codes_are_as_strong_as_in_the_song() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.safetensors");
    let mut learning = quick();
    learning.training.descent.steps = 1;
    // Bows, whose onsets are mostly noise; strings that are struck; drums.
    for name in ["canon.ogg", "prelude.mp3", "lantern-street.mp3"] {
        let audio = song(name, 5.0, 20.0).resample(44_100)?;
        let songs = [source(name, audio.clone())];
        let composer = CodeComposer::learn(&songs, &learning, &mut Silent)?;
        let found = onsets_in_codes(composer.blocks(), &audio)?;
        composer.save(&path)?;
        // A model from before it was kept what codes leave out has the means alone.
        let whole = std::fs::read(&path).unwrap();
        let mut tensors =
            candle_core::safetensors::load_buffer(&whole, &candle_core::Device::Cpu).unwrap();
        assert!(tensors.remove("bands.rises").is_some());
        let metadata = Some(unchecked::metadata(&whole));
        std::fs::write(&path, safetensors::serialize(&tensors, metadata).unwrap()).unwrap();
        let means = onsets_in_codes(CodeComposer::load(&path)?.blocks(), &audio)?;
        println!("{name}: {found:.2}, of the means alone {means:.2}");
        assert!((0.8..1.1).contains(&found), "{name}: {found}");
        assert!(found > means + 0.08, "{name}: {found}, of the means alone {means}");
    }
    Ok(())
}

/// A song whose notes are low for ten seconds, then high for ten.
fn low_then_high() -> Audio {
    let samples = (0..20 * 44_100).map(|at| {
        let seconds = at as f32 / 44_100.0;
        let note = (seconds * 2.0) as usize % 4;
        let hertz = [110.0, 147.0, 131.0, 165.0][note] * if seconds < 10.0 { 1.0 } else { 8.0 };
        0.4 * (std::f32::consts::TAU * hertz * seconds).sin() * (-(seconds * 2.0).fract()).exp()
    });
    Audio::mono(samples.collect(), 44_100).unwrap()
}

/// The share of power above 500 Hz.
fn high(audio: &Audio) -> f32 {
    let rows = magnitudes(&audio.channels()[0], StftSettings::default()).unwrap();
    let power = |from: usize| -> f32 {
        rows.chunks_exact(1_025).flat_map(|row| &row[from..]).map(|bin| bin * bin).sum()
    };
    power(23) / power(0)
}

#[test]
fn a_piece_goes_through_the_course_of_its_song() -> Result<()> {
    let mut learning = quick();
    learning.training.descent.steps = 60;
    let composer = CodeComposer::learn(&[source("song", low_then_high())], &learning, &mut Silent)?;
    // The song repeats itself, which the piece may, too.
    let options =
        CodeOptions { iterations: 4, longest_run_seconds: 20.0, ..CodeOptions::default() };
    for seed in 1..=6 {
        let piece = composer.compose(10.0, seed, &options, &mut |_, _| ())?;
        let third = |from: f64| high(&piece.audio().excerpt(from, from + 10.0 / 3.0));
        let (first, last) = (third(0.0), third(20.0 / 3.0));
        println!("seed {seed}: {first:.2}, at its end {last:.2}");
        assert!(first < 0.1 && last > 0.9, "seed {seed}: {first}, at its end {last}");
    }
    Ok(())
}

#[test]
fn no_codes_are_louder_than_the_songs() -> Result<()> {
    let audio = song("lantern-street.mp3", 5.0, 15.0).resample(44_100)?;
    let coded = CodedSongs::of(&[source("song", audio.clone())], quick().blocks)?;
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let book = coded.codebook();
    let codes: Vec<u32> =
        (0..400 * book.stages()).map(|_| random.random_range(0..book.codes() as u32)).collect();
    let power_of = |magnitudes: &[f32]| {
        let mut most = [0.0f32; 11];
        for frame in magnitudes.chunks_exact(1_025) {
            let mut powers = [0.0f32; 11];
            for (bin, magnitude) in frame.iter().enumerate() {
                powers[bin.max(1).ilog2() as usize] += magnitude * magnitude;
            }
            most.iter_mut().zip(powers).for_each(|(most, power)| *most = most.max(power));
        }
        most
    };
    // Looked at everywhere: the codes' own frames are some of these, about.
    let everywhere = StftSettings { hop_samples: 32, ..StftSettings::default() };
    let own = power_of(&magnitudes(&audio.channels()[0], everywhere)?);
    let found = power_of(&coded.magnitudes(&codes, 0)?[0]);
    for (octave, (found, own)) in found.into_iter().zip(own).enumerate() {
        assert!(found <= 1.02 * own, "octave {octave}: {found}, of the song {own}");
    }
    Ok(())
}

#[test]
fn models_from_before_stereo_are_read() -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.safetensors");
    let mut learning = quick();
    let blocks = &mut learning.blocks;
    (blocks.sample_rate_hz, blocks.frames_per_block) = (22_050, 4);
    (blocks.stereo, blocks.single_bins_to_hz) = (false, None);
    let songs = [source("song", song("prelude.mp3", 5.0, 15.0))];
    CodeComposer::learn(&songs, &learning, &mut Silent)?.save(&path)?;
    let whole = std::fs::read(&path).unwrap();
    let mut tensors =
        candle_core::safetensors::load_buffer(&whole, &candle_core::Device::Cpu).unwrap();
    assert!(tensors.remove("bands.largest").is_some());
    assert!(tensors.remove("octaves.largest").is_some());
    let left = ["left", "left.correlations"].map(|left| format!("bands.{left}"));
    let more = left.iter().map(|name| name.replace("bands", "components"));
    for name in more.chain(left.iter().cloned()).chain(["bands.rises".into()]) {
        assert!(tensors.remove(&name).is_some(), "{name}");
    }
    let mut metadata = unchecked::metadata(&whole);
    for text in metadata.values_mut() {
        let Ok(mut told) = serde_json::from_str::<serde_json::Value>(text) else { continue };
        let Some(blocks) = told.pointer_mut("/blocks").and_then(|b| b.as_object_mut()) else {
            continue;
        };
        assert!(blocks.remove("views").is_some());
        let settings = blocks["settings"].as_object_mut().unwrap();
        assert!(settings.remove("stereo").is_some());
        assert!(settings.remove("single_bins_to_hz").is_some());
        *text = told.to_string();
    }
    let bytes = safetensors::serialize(&tensors, Some(metadata)).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("single_bins_to_hz"));
    std::fs::write(&path, bytes).unwrap();
    let options = CodeOptions { iterations: 2, ..CodeOptions::default() };
    let piece = CodeComposer::load(&path)?.compose(2.0, 1, &options, &mut |_, _| ())?;
    let audio = piece.audio();
    assert_eq!((audio.sample_rate_hz(), audio.channel_count()), (22_050, 1));
    Ok(())
}

fn song_of_another_kind() -> Audio {
    song("lantern-street.mp3", 5.0, 25.0)
}

fn hiss() -> Audio {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let samples = (0..20 * 22_050).map(|_| random.random_range(-0.3..0.3)).collect();
    Audio::mono(samples, 22_050).unwrap()
}

#[test]
fn learning_lowers_the_loss_and_is_shown() -> Result<()> {
    let mut learning = quick();
    learning.training.descent.steps = 60;
    let songs = [source("<b>song</b>", song("canon.ogg", 5.0, 20.0))];
    let composer = CodeComposer::learn(&songs, &learning, &mut Silent)?;
    let losses: Vec<f64> = composer.history().epochs.iter().map(|e| e.train_loss).collect();
    assert!(losses.len() == 3 && losses[2] < 0.9 * losses[0], "{losses:?}");
    let bundle = composer.bundle()?;
    assert!(bundle.plain().contains("blocks of 8 spectra from 1 song"), "{}", bundle.plain());
    let piece = composer.compose(8.0, 1, &CodeOptions::default(), &mut |_, _| ())?;
    assert!(piece.seed().contains("song") && !piece.was_interrupted());
    let judgement = judge(piece.audio(), &[&song("canon.ogg", 5.0, 20.0)])?;
    assert!(judgement.texture.stillness < 0.9, "{judgement}");
    Ok(())
}

#[test]
fn bad_songs_and_settings_are_told() {
    let learn = |audio: Audio, learning: &CodeLearning| {
        CodeComposer::learn(&[source("one", audio)], learning, &mut Silent)
    };
    let silent = || Audio::mono(vec![0.0; 220_500], 22_050).unwrap();
    let error = |audio: Audio| learn(audio, &quick()).unwrap_err().to_string();
    assert!(error(silent()).contains("one: is silent"), "{}", error(silent()));
    let hum = |n: i32| 0.1 * (n as f32 * 0.1).sin();
    let short = || Audio::mono((0..9_000).map(hum).collect(), 22_050).unwrap();
    assert!(error(short()).contains("one: 0.41 s is too short"), "{}", error(short()));
    let nothing = CodeComposer::learn(&[], &quick(), &mut Silent).unwrap_err();
    assert!(nothing.to_string().contains("at least one song"));
    // Noise and one note: a piece all the same.
    let tone = (0..220_500).map(|n| (n as f32 * 0.06).sin() * 0.3).collect();
    for audio in [hiss(), Audio::mono(tone, 22_050).unwrap()] {
        let composer = learn(audio, &quick()).unwrap();
        let options = CodeOptions { iterations: 2, ..CodeOptions::default() };
        let piece = composer.compose(2.0, 1, &options, &mut |_, _| ()).unwrap();
        assert!(piece.audio().channels()[0].iter().all(|sample| sample.abs() <= 1.0));
        let cold = CodeOptions { temperature: 0.0, ..CodeOptions::default() };
        assert!(composer.compose(2.0, 1, &cold, &mut |_, _| ()).is_err());
        let none = CodeOptions { top: 0, ..CodeOptions::default() };
        assert!(composer.compose(2.0, 1, &none, &mut |_, _| ()).is_err());
        assert!(composer.compose(-1.0, 1, &options, &mut |_, _| ()).is_err());
    }
    for change in [
        |l: &mut CodeLearning| l.training.descent.steps = 0,
        |l: &mut CodeLearning| l.training.descent.learning_rate = f64::NAN,
        |l: &mut CodeLearning| {
            let rule = AdamW { weight_decay: -1.0, ..AdamW::default() };
            l.training.descent.rule = Rule::AdamW(rule);
        },
        |l: &mut CodeLearning| l.training.descent.validation = 0.999,
        |l: &mut CodeLearning| l.training.descent.patience = Some(0),
        |l: &mut CodeLearning| l.training.descent.dropout = 1.0,
        |l: &mut CodeLearning| l.training.scheduled_sampling = 2.0,
        |l: &mut CodeLearning| l.blocks.compression = 0.0,
        |l: &mut CodeLearning| l.blocks.frames_per_block = 0,
        |l: &mut CodeLearning| l.blocks.stft.hop_samples = 0,
        |l: &mut CodeLearning| l.blocks.codebook.codes = 0,
    ] {
        let mut learning = quick();
        change(&mut learning);
        assert!(learn(hiss(), &learning).is_err(), "{learning:?}");
    }
}
