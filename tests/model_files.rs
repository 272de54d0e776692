//! Model files that are cut, damaged, of others or of later: each error names the file, nothing panics.

mod songs;
mod unchecked;

use neural_composer::Error;
use neural_composer::audio::Audio;
use neural_composer::dataset::SongSource;
use neural_composer::generate::{
    BlockLearning, CodeLearning, GrainLearning, Learning, Model, ModelCard, Options,
};
use neural_composer::model::{Activation, Device, gru};
use neural_composer::recipe::Recipe;
use neural_composer::train::{Silent, Training};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use songs::{command, song};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Small models of every kind, as `blocks.safetensors` and so on, beside their song.
fn models(folder: &Path) -> Vec<PathBuf> {
    let sound = song(220.0).excerpt(0.0, 5.0);
    sound.save(folder.join("song.wav")).unwrap();
    let songs = [SongSource::File(folder.join("song.wav"))];
    let mut grains = GrainLearning::seeded(1);
    grains.training.descent.steps = 1;
    let mut codes = CodeLearning::seeded(1);
    codes.training.descent.steps = 1;
    codes.training.sequence_blocks = 8;
    let blocks = BlockLearning {
        dataset: Recipe::Fast.dataset(),
        layers: vec![gru(8)],
        dense_activation: Activation::Linear,
        recurrent_input: false,
        training: Box::new(|_| Ok(Training::epochs(1))),
        seed: 1,
        device: Device::cpu(),
    };
    [
        ("blocks", Learning::Blocks(blocks)),
        ("grains", Learning::Grains(grains)),
        ("codes", Learning::Codes(codes)),
    ]
    .map(|(name, learning)| {
        let path = folder.join(name).with_extension("safetensors");
        let learned = Model::learn(&songs, &learning, &mut Silent).unwrap();
        learned.model.save(&path).unwrap();
        path
    })
    .into()
}

/// Everything that reads a model does so, or says what is wrong with this file.
fn read(path: &Path, what: &str) {
    let card = catch_unwind(|| ModelCard::of(path).map(drop));
    let loaded = catch_unwind(|| Model::load(path, &Device::cpu()));
    let named = |outcome: Result<(), &Error>| match outcome {
        Ok(()) => {}
        Err(error) => {
            let words = error.to_string();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(words.contains(&*name), "{what}: {words}");
            assert!(words.len() < 2_000, "{what}: {words}");
        }
    };
    named(card.unwrap_or_else(|_| panic!("{what}: the card panics")).as_ref().map(|_| ()));
    let loaded = loaded.unwrap_or_else(|_| panic!("{what}: loading panics"));
    named(loaded.as_ref().map(|_| ()));
    if let Ok(model) = loaded {
        let composed = catch_unwind(AssertUnwindSafe(|| {
            model.compose(0.2, 1, &Options::default(), &mut |_, _| ()).map(drop)
        }));
        assert!(composed.is_ok(), "{what}: composing panics");
    }
}

/// The length of the header behind its own eight bytes.
fn header(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// Damage of which all readers must say so, as a name and what the file then holds.
fn damaged(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds = Vec::new();
    for (name, length) in [("empty", 0), ("a letter", 1), ("half a header", 100), ("cut", 5_000)] {
        kinds.push((name, bytes[..length].to_vec()));
    }
    kinds.push(("a byte short", bytes[..bytes.len() - 1].to_vec()));
    kinds.push(("a byte long", [bytes, b"x"].concat()));
    kinds.push(("huge header", [&(1u64 << 60).to_le_bytes()[..], &bytes[8..]].concat()));
    kinds.push(("endless header", [&u64::MAX.to_le_bytes()[..], &bytes[8..]].concat()));
    kinds.push(("not a number", [&bytes[..bytes.len() - 4], &[255, 255, 255, 127]].concat()));
    kinds.push(("infinite", [&bytes[..bytes.len() - 4], &[0, 0, 128, 127]].concat()));
    let text = String::from_utf8_lossy(&bytes[8..8 + header(bytes)]).into_owned();
    let with = |header: String| {
        let header = header + &" ".repeat(8);
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + text.len()..]]
            .concat()
    };
    for (name, from, to) in [
        ("later", "format_version\\\":", "format_version\\\":4"),
        ("much later", "format_version\\\":", "format_version\\\":99999999999999999999"),
        ("no version", "format_version", "format_versiom"),
        ("another program's", "\"neural-composer\":", "\"neural-compose\":"),
        ("no description", "\"neural-composer\":\"{", "\"neural-composer\":\"["),
        ("no tensor", "\"dtype\":\"F32\"", "\"dtype\":\"F99\""),
    ] {
        assert!(text.contains(from), "{name}: {text}");
        kinds.push((name, with(text.replacen(from, to, 1))));
    }
    kinds.push(("sound", Audio::mono(vec![0.1; 9_000], 8_000).unwrap().to_wav_bytes().unwrap()));
    kinds
}

#[test]
fn every_error_about_a_model_file_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let bad = folder.path().join("bad.safetensors");
    for model in models {
        let bytes = std::fs::read(&model).unwrap();
        // Found by the checksum, and without one by what is wrong.
        for (name, bytes) in damaged(&bytes).into_iter().chain(damaged(&unchecked::file(&bytes))) {
            std::fs::write(&bad, bytes).unwrap();
            let what = format!("{} of {}", name, model.file_name().unwrap().to_string_lossy());
            assert!(ModelCard::of(&bad).is_err() && Model::load(&bad, &Device::cpu()).is_err());
            read(&bad, &what);
        }
    }
}

#[test]
fn a_changed_byte_is_told_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(14);
    for model in models(folder.path()) {
        let checked = std::fs::read(&model).unwrap();
        let unchecked = unchecked::file(&checked);
        // Beside the song, as the model.
        let bad = folder.path().join("bad.safetensors");
        for bytes in [checked, unchecked.clone()] {
            let is_checked = bytes != unchecked;
            // A checksum finds all alike.
            let rounds = if is_checked { 60 } else { 180 };
            let whole = 8 + header(&bytes);
            for round in 0..rounds {
                let mut changed = bytes.clone();
                // Half of them in the header, where every byte means something.
                let at = random.random_range(0..if round % 2 == 0 { whole } else { bytes.len() });
                let change = match round % 3 {
                    0 => 1u8 << random.random_range(0..8),
                    _ => random.random_range(1..=255),
                };
                changed[at] ^= change;
                std::fs::write(&bad, &changed).unwrap();
                read(&bad, &format!("{} byte {at} ^ {change}", model.display()));
                if is_checked {
                    says_the_same(&bad, &bytes);
                }
            }
            // Digits of the header: sizes that are possible to write and impossible to have.
            let digits: Vec<usize> = (8..whole).filter(|at| bytes[*at].is_ascii_digit()).collect();
            for _ in 0..rounds / 2 {
                let mut changed = bytes.clone();
                let at = digits[random.random_range(0..digits.len())];
                changed[at] = b"0123456789-.e"[random.random_range(0..13)];
                std::fs::write(&bad, &changed).unwrap();
                read(&bad, &format!("{} digit {at} is {}", model.display(), changed[at] as char));
                if is_checked {
                    says_the_same(&bad, &bytes);
                }
            }
        }
    }
}

/// What is read at all is what was written.
fn says_the_same(path: &Path, whole: &[u8]) {
    if let Ok(model) = Model::load(path, &Device::cpu()) {
        let again = path.with_extension("again");
        model.save(&again).unwrap();
        assert!(std::fs::read(again).unwrap() == whole, "{} is another model", path.display());
    }
}

#[test]
fn files_of_version_2_have_no_checksum_and_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for model in models(folder.path()) {
        let bytes = std::fs::read(&model).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let words = &unchecked::metadata(&bytes)["neural-composer"];
        for version in [2, 3] {
            let words =
                words.replace("\"format_version\":2", &format!("\"format_version\":{version}"));
            let metadata = [("neural-composer".to_owned(), words)].into();
            let old = safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap();
            let path = folder.path().join("old.safetensors");
            std::fs::write(&path, old).unwrap();
            let loaded = Model::load(&path, &Device::cpu());
            assert_eq!(loaded.is_ok(), version == 2, "{}, version {version}", model.display());
        }
    }
}

/// A model of each kind: its file, the bytes without a checksum, and the header in them.
fn unchecked_models(folder: &Path) -> Vec<(PathBuf, Vec<u8>, String)> {
    let read = |model: PathBuf| {
        let bytes = unchecked::file(&std::fs::read(&model).unwrap());
        let text = String::from_utf8(bytes[8..8 + header(&bytes)].to_vec()).unwrap();
        (model, bytes, text)
    };
    models(folder).into_iter().map(read).collect()
}

#[test]
fn sizes_that_nobody_has_memory_for_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.safetensors");
    for (model, bytes, text) in unchecked_models(folder.path()) {
        for name in [
            "window_samples",
            "hop_samples",
            "frames_per_block",
            "components",
            "stages",
            "codes",
            "block_samples",
            "sequence_blocks",
            "stride_blocks",
            "width",
            "units",
            "dense_units",
            "layers",
            "query",
            "phases",
            "chapter_candidates",
        ] {
            let field = format!("\\\"{name}\\\":");
            let Some(at) = text.find(&field).map(|at| at + field.len()) else { continue };
            let digits = text[at..].chars().take_while(char::is_ascii_digit).count();
            if digits == 0 {
                continue;
            }
            // Twice as much as the last one is a small number again.
            for size in [1_u64 << 40, 1 << 61, (1 << 63) + 512] {
                if size > 1 << 61 && name != "block_samples" {
                    continue;
                }
                let changed = format!("{}{size}{}", &text[..at], &text[at + digits..]);
                let changed = changed + &" ".repeat((8 - (text.len() + 20 - digits) % 8) % 8);
                let length = (changed.len() as u64).to_le_bytes();
                std::fs::write(
                    &bad,
                    [&length, changed.as_bytes(), &bytes[8 + text.len()..]].concat(),
                )
                .unwrap();
                read(&bad, &format!("{} with {name} {size}", model.display()));
            }
        }
    }
}

#[test]
fn numbers_of_another_kind_are_refused_by_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.safetensors");
    for (model, bytes, text) in unchecked_models(folder.path()) {
        for (kind, other) in [("F32", "I32"), ("F32", "U32"), ("U32", "I32"), ("U32", "F32")] {
            for (at, _) in text.match_indices(&format!("\"dtype\":\"{kind}\"")) {
                let at = 8 + at + "\"dtype\":\"".len();
                let mut changed = bytes.clone();
                changed[at..at + 3].copy_from_slice(other.as_bytes());
                std::fs::write(&bad, changed).unwrap();
                // Codes as floating-point numbers of their bits, and the like, may be refused later.
                let Err(error) = Model::load(&bad, &Device::cpu()) else { continue };
                let words = error.to_string();
                let case = format!("{}, {kind} as {other} at {at}", model.display());
                assert!(words.contains("bad.safetensors"), "{case}: {words}");
                assert!(!words.contains("tensor computation"), "{case}: {words}");
            }
        }
    }
}

#[test]
fn commands_name_a_bad_model_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for model in models(path) {
        let bytes = std::fs::read(&model).unwrap();
        for (name, bytes) in damaged(&bytes) {
            std::fs::write(path.join("bad.safetensors"), bytes).unwrap();
            for arguments in [
                &["generate", "bad.safetensors", "--seconds", "1", "-o", "o.wav"][..],
                &["info", "bad.safetensors"],
                &["compose", "song.wav", "--continue", "bad.safetensors", "-o", "o.wav"],
            ] {
                // A recording whatever its name.
                if name == "sound" && arguments[0] == "compose" {
                    continue;
                }
                let done = command(path, arguments).output().unwrap();
                let told = String::from_utf8_lossy(&done.stderr).into_owned();
                assert_eq!(done.status.code(), Some(1), "{name}: {arguments:?}: {told}");
                assert!(told.contains("bad.safetensors"), "{name}: {arguments:?}: {told}");
                assert!(!told.contains("epoch") && !path.join("o.wav").exists(), "{told}");
            }
        }
    }
}
