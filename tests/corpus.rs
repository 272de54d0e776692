//! A corpus holds what its songs hold, whatever way it came about.

mod audio_fixtures;
mod corpora;

use corpora::{Chance, Manner, PLAIN, as_if_lossy, assert_same, contents, piece, write};
use neural_composer::audio::{Audio, SampleFormat, Song};
use neural_composer::corpus::{BuildSettings, Built, Corpus, Entry};
use neural_composer::display::Show;
use neural_composer::{Error, Result};
use std::path::Path;

use SampleFormat::{Float32, Int16, Int24};

/// Few songs fit into a shard.
const SMALL: BuildSettings = BuildSettings { shard_bytes: 400_000 };

fn build(songs: &Path, output: &Path) -> Built {
    Corpus::build(songs, output, SMALL).unwrap()
}

fn entry<'a>(corpus: &'a Corpus, path: &str) -> &'a Entry {
    corpus.entries().iter().find(|entry| entry.path == path).unwrap()
}

/// Which song of the corpus has this path.
fn number(corpus: &Corpus, path: &str) -> usize {
    corpus.songs().position(|entry| entry.path == path).unwrap()
}

fn stereo(seed: u64) -> Audio {
    let voice = |seed| piece(seed, PLAIN).channels()[0].clone();
    Audio::new(vec![voice(seed), voice(seed + 50)], PLAIN.rate_hz).unwrap()
}

fn louder(audio: &Audio, by: f32) -> Audio {
    let louder = |channel: &Vec<f32>| channel.iter().map(|sample| sample * by).collect();
    let channels = audio.channels().iter().map(louder).collect();
    Audio::new(channels, audio.sample_rate_hz()).unwrap()
}

#[test]
fn stored_samples_are_the_songs() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write(&songs, "mono.wav", &piece(1, PLAIN), Int16);
    write(&songs, "deep/er/stereo 24.wav", &stereo(2), Int24);
    write(&songs, "float.wav", &stereo(3), Float32);
    let loud = louder(&stereo(4), 5.0);
    write(&songs, "loud.wav", &loud, Float32);
    let eight: Vec<Vec<f32>> =
        (0..8).map(|seed| piece(seed + 20, PLAIN).channels()[0].clone()).collect();
    write(&songs, "eight.wav", &Audio::new(eight, 96_000).unwrap(), Int24);
    let mut chance = Chance(1);
    let noise = (0..30_000).map(|_| chance.unit() * 2.0 - 1.0).collect();
    write(&songs, "noise.wav", &Audio::mono(noise, 11_025).unwrap(), Int24);
    let full_scale = (0..30_000).map(|n| if n / 50 % 2 == 0 { 1.0 } else { -1.0 }).collect();
    write(&songs, "square.wav", &Audio::mono(full_scale, 44_100).unwrap(), Float32);
    for name in ["flac_16.flac", "flac_24.flac", "alac.m4a", "vorbis_stereo.ogg", "aac.m4a"] {
        if audio_fixtures::path(name).exists() {
            std::fs::copy(audio_fixtures::path(name), songs.join(name)).unwrap();
        }
    }
    let corpus = build(&songs, &output).corpus;
    assert!(corpus.len() >= 11, "{corpus}");
    let mut chance = Chance(3);
    for (index, entry) in corpus.songs().enumerate() {
        let song = Song::open(songs.join(&entry.path)).unwrap();
        let facts = entry.facts.as_ref().unwrap();
        let stored = corpus.song(index).unwrap().read_all().unwrap();
        assert_eq!(stored.sample_rate_hz(), song.audio().sample_rate_hz(), "{}", entry.path);
        assert_eq!(stored.frames() as u64, facts.frames, "{}", entry.path);
        let exact = facts.lossless && !song.codec().contains("float");
        let half_a_step = facts.scale as f32 * 0.5f32.powi(facts.bits as i32) * 1.001;
        let pairs = stored.channels().iter().zip(song.audio().channels());
        assert_eq!(stored.channel_count(), song.audio().channel_count());
        for (stored, own) in pairs {
            assert_eq!(stored.len(), own.len(), "{}", entry.path);
            let apart = stored.iter().zip(own).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let most = if exact { 0.0 } else { half_a_step };
            assert!(apart <= most, "{}: {apart} > {most}", entry.path);
        }
        // Any part of it, the first and the last frame too.
        let all = facts.frames;
        let mut parts = vec![0..1, all - 1..all, 0..all, all.min(4_097) - 2..all.min(4_097)];
        parts.extend((0..6).map(|_| {
            let start = chance.below(all - 1);
            start..start + 1 + chance.below(all - start)
        }));
        for part in parts {
            let sound = corpus.part_of_song(index, part.clone()).unwrap().read_all().unwrap();
            let range = part.start as usize..part.end as usize;
            for (channel, of_all) in sound.channels().iter().zip(stored.channels()) {
                assert!(channel == &of_all[range.clone()], "{}: {part:?}", entry.path);
            }
        }
    }
    let bits = |path: &str| entry(&corpus, path).facts.as_ref().unwrap().bits;
    assert_eq!(["mono.wav", "deep/er/stereo 24.wav", "float.wav"].map(bits), [16, 24, 24]);
    let loud_facts = entry(&corpus, "loud.wav").facts.as_ref().unwrap();
    let peak = loud.channels().iter().flatten().fold(0f32, |peak, s| peak.max(s.abs()));
    assert!(peak > 1.0 && loud_facts.scale > 1.0, "{loud_facts:?}");
    assert!((loud_facts.peak - f64::from(peak)).abs() < 1e-6);
    assert!(loud_facts.warnings[0].contains("beyond full scale"), "{loud_facts:?}");
    let outside = corpus.part_of_song(0, 0..u64::MAX).map(drop);
    assert!(matches!(outside, Err(Error::Argument { name: "frames", .. })));
    assert!(matches!(corpus.song(99).map(drop), Err(Error::Argument { name: "song", .. })));
    assert!(corpus.check().unwrap().damage.is_empty());
}

#[test]
fn what_cannot_be_stored_is_a_row_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write(&songs, "good.wav", &piece(1, PLAIN), Int16);
    write(&songs, "nine.wav", &Audio::new(vec![vec![0.1; 20_000]; 9], 22_050).unwrap(), Int16);
    std::fs::write(songs.join("text.mp3"), "this is no song").unwrap();
    std::fs::write(songs.join("empty.wav"), "").unwrap();
    let whole = std::fs::read(songs.join("good.wav")).unwrap();
    std::fs::write(songs.join("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(songs.join("notes.txt"), "passed over").unwrap();
    std::fs::write(songs.join("<img src=x>\u{202e}.mp3"), "no song either").unwrap();
    std::fs::create_dir(songs.join("folder.wav")).unwrap();
    let corpus = build(&songs, &output).corpus;
    let problem = |path: &str| entry(&corpus, path).problem.clone().unwrap_or_default();
    assert!(problem("nine.wav").contains("9 channels, and FLAC takes up to 8"));
    assert!(problem("text.mp3").contains("expected"), "{}", problem("text.mp3"));
    assert!(problem("empty.wav").contains("0 bytes"));
    assert_eq!((corpus.len(), corpus.entries().len()), (2, 6));
    let warnings = &entry(&corpus, "cut.wav").facts.as_ref().unwrap().warnings;
    assert!(warnings[0].contains("truncated"), "{warnings:?}");
    // Told without the folder, which is no part of the contents.
    let said = corpus.to_string();
    assert!(!said.contains(&*songs.to_string_lossy()), "{said}");
    // Nothing is tried again that stays as it is.
    assert_eq!(build(&songs, &output).decoded, 0);
    let bundle = corpus.bundle().unwrap();
    for form in [bundle.plain(), bundle.html()] {
        assert!(form.contains("nine.wav") && form.contains("2"), "{form}");
        assert!(!form.contains('\u{202e}'), "{form}");
    }
    assert!(!bundle.html().contains("<img") && bundle.html().contains("&lt;img src=x"));
    assert!(bundle.picture().is_none());
}

/// Five pieces in two folders, one of them twice, and something that is no song.
fn write_songs(songs: &Path) {
    for seed in 0..5 {
        write(songs, &format!("{}/{seed}.wav", seed % 2), &stereo(10 * seed), Int16);
    }
    write(songs, "again.wav", &stereo(20), Int16);
    std::fs::write(songs.join("broken.flac"), "fLaC").unwrap();
}

#[test]
fn the_bytes_depend_on_nothing_but_the_songs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let songs = path("songs");
    write_songs(&songs);
    let with_threads = |threads: usize, name: &str| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| build(&songs, &path(name)));
    };
    with_threads(1, "one");
    with_threads(4, "four");
    assert_same(&path("one"), &path("four"), "threads");
    assert!(contents(&path("one")).len() > 4, "several shards");
    // The same songs in a folder of another name, with other times.
    let moved = path("moved");
    std::fs::create_dir(&moved).unwrap();
    for (name, bytes) in contents(&songs) {
        std::fs::create_dir_all(moved.join(&name).parent().unwrap()).unwrap();
        std::fs::write(moved.join(name), bytes).unwrap();
    }
    build(&moved, &path("of-moved"));
    assert_same(&path("one"), &path("of-moved"), "another folder");
    // Once more, and with other options and back.
    assert_eq!(build(&songs, &path("one")).decoded, 0);
    assert_same(&path("one"), &path("four"), "once more");
    let large = BuildSettings::default();
    assert_eq!(Corpus::build(&songs, path("one"), large).unwrap().decoded, 0);
    assert!(contents(&path("one")).len() < contents(&path("four")).len());
    build(&songs, &path("one"));
    assert_same(&path("one"), &path("four"), "options there and back");
}

#[test]
fn songs_that_come_and_go_leave_the_corpus_that_is_built_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (songs, output) = (path("songs"), path("corpus"));
    write_songs(&songs);
    let first = build(&songs, &output);
    assert_eq!((first.changes.added.len(), first.decoded), (7, 5));
    let mut round = 0;
    let mut same_as_at_once = |when: &str| {
        round += 1;
        let at_once = path(&format!("at-once-{round}"));
        build(&songs, &at_once);
        assert_same(&output, &at_once, when);
    };

    write(&songs, "new.wav", &stereo(90), Int16);
    let before = contents(&output.join("shards"));
    let built = build(&songs, &output);
    assert_eq!((built.changes.added, built.decoded), (vec!["new.wav".to_owned()], 1));
    let after = contents(&output.join("shards"));
    let kept = before.keys().filter(|name| after.contains_key(*name)).count();
    assert!(kept + 1 >= before.len(), "one shard of {} may change, {kept} stayed", before.len());
    same_as_at_once("added");

    write(&songs, "new.wav", &stereo(91), Int16);
    let built = build(&songs, &output);
    assert_eq!((built.changes.changed, built.decoded), (vec!["new.wav".to_owned()], 1));
    same_as_at_once("changed");

    // Another content of the same length under the same time.
    let time = std::fs::metadata(songs.join("new.wav")).unwrap().modified().unwrap();
    write(&songs, "new.wav", &stereo(92), Int16);
    let file = std::fs::File::options().write(true).open(songs.join("new.wav")).unwrap();
    file.set_modified(time).unwrap();
    drop(file);
    let built = build(&songs, &output);
    assert_eq!((built.changes.changed, built.decoded), (vec!["new.wav".to_owned()], 1));
    same_as_at_once("changed behind the time's back");

    std::fs::rename(songs.join("new.wav"), songs.join("1/old.wav")).unwrap();
    let built = build(&songs, &output);
    let renamed = vec![("new.wav".to_owned(), "1/old.wav".to_owned())];
    assert_eq!((built.changes.renamed, built.decoded), (renamed, 0));
    assert!(built.changes.added.is_empty() && built.changes.removed.is_empty());
    same_as_at_once("renamed");

    // The stored one of two goes: the other one takes its place.
    std::fs::remove_file(songs.join("0/2.wav")).unwrap();
    assert_eq!(entry(&built.corpus, "again.wav").duplicate_of.as_deref(), Some("0/2.wav"));
    let built = build(&songs, &output);
    assert_eq!(built.changes.removed, ["0/2.wav"]);
    assert_eq!(entry(&built.corpus, "again.wav").duplicate_of, None);
    same_as_at_once("removed");

    // What is said of a broken file may depend on its name: on that of the first one.
    std::fs::copy(songs.join("broken.flac"), songs.join("a broken.mp3")).unwrap();
    std::fs::copy(songs.join("broken.flac"), songs.join("z broken.wma.wav")).unwrap();
    build(&songs, &output);
    same_as_at_once("broken under other names");

    // A better copy comes, and goes again.
    let better = louder(&stereo(10), 1.0);
    write(&songs, "better.wav", &better, Float32);
    let built = build(&songs, &output);
    assert_eq!(entry(&built.corpus, "1/1.wav").duplicate_of.as_deref(), Some("better.wav"));
    same_as_at_once("a better copy");
    std::fs::remove_file(songs.join("better.wav")).unwrap();
    let built = build(&songs, &output);
    assert_eq!((built.decoded, entry(&built.corpus, "1/1.wav").duplicate_of.as_ref()), (1, None));
    same_as_at_once("a better copy that went");
    // Touched, not changed.
    for name in contents(&songs).keys() {
        let bytes = std::fs::read(songs.join(name)).unwrap();
        std::fs::write(songs.join(name), bytes).unwrap();
    }
    let built = build(&songs, &output);
    assert_eq!((built.decoded, built.changes.unchanged), (0, built.corpus.entries().len()));
}

#[test]
fn a_recording_is_stored_once_and_its_variations_all() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    let tune = |change: fn(&mut Manner)| {
        let mut manner = Manner { seconds: 20.0, ..PLAIN };
        change(&mut manner);
        piece(7, manner)
    };
    let original = tune(|_| ());
    write(&songs, "b 16.wav", &original, Int16);
    write(&songs, "c 24.wav", &original, Int24);
    write(&songs, "a lossy.wav", &as_if_lossy(&original), Int16);
    write(&songs, "d other rate.wav", &original.resample(16_000).unwrap(), Int16);
    write(&songs, "e quieter.wav", &louder(&original, 0.5), Int16);
    write(&songs, "faster.wav", &tune(|manner| manner.tempo = 1.03), Int16);
    write(&songs, "higher.wav", &tune(|manner| manner.semitones = 1.0), Int16);
    write(&songs, "longer.wav", &tune(|manner| manner.seconds = 24.0), Int16);
    write(&songs, "second part.wav", &piece(8, Manner { seconds: 20.0, ..PLAIN }), Int16);
    // Another phrase in the middle of the same tune, which is little of the whole.
    let mut changed = original.channels()[0].clone();
    let phrase = piece(9, Manner { seconds: 20.0, ..PLAIN });
    let middle = 8 * 22_050..25 * 22_050 / 2;
    changed[middle.clone()].copy_from_slice(&phrase.channels()[0][middle]);
    write(&songs, "other phrase.wav", &Audio::mono(changed, 22_050).unwrap(), Int16);
    for n in 0..3 {
        let silence = Audio::mono(vec![0.0; 22_050 * (20 + 3 * n)], 22_050).unwrap();
        write(&songs, &format!("silence {n}.wav"), &silence, Int16);
    }
    let corpus = build(&songs, &output).corpus;
    let summary = corpus.summary();
    let of: Vec<(&str, &str)> =
        summary.duplicates.iter().map(|(path, of)| (path.as_str(), of.as_str())).collect();
    let best = "c 24.wav";
    let copies = ["a lossy.wav", "b 16.wav", "d other rate.wav", "e quieter.wav"];
    assert_eq!(of, copies.map(|copy| (copy, best)), "{corpus}");
}

#[test]
fn songs_keep_their_tags_and_measures() {
    let folder = tempfile::tempdir().unwrap();
    let songs = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/songs");
    let output = folder.path().join("corpus");
    let corpus = Corpus::build(songs, &output, BuildSettings::default()).unwrap().corpus;
    assert_eq!(corpus.len(), 5);
    let canon = entry(&corpus, "canon.ogg");
    let facts = canon.facts.as_ref().unwrap();
    assert_eq!(canon.title(), "Canon in D (the opening entries)");
    assert_eq!(facts.artist.as_deref(), Some("NeuralComposer"));
    assert_eq!((facts.codec.as_str(), facts.lossless, facts.bits), ("Vorbis", false, 16));
    assert!((-30.0..-10.0).contains(&facts.loudness_lufs.unwrap()), "{facts:?}");
    // The key and the JSON file are in the shard under the name that the table says.
    let shard = std::fs::read(output.join("shards").join(&canon.stored.as_ref().unwrap().shard));
    let mut archive = tar::Archive::new(shard.as_ref().unwrap().as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|member| member.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 10);
    assert!(names.contains(&format!("{}.json", facts.key())), "{names:?}");
    let stored = canon.stored.as_ref().unwrap();
    let flac = &shard.as_ref().unwrap()[stored.offset as usize..][..stored.size as usize];
    assert_eq!(&flac[..4], b"fLaC");
}

#[test]
fn every_flipped_bit_of_a_shard_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write_songs(&songs);
    let corpus = build(&songs, &output).corpus;
    let checked = corpus.check().unwrap();
    assert_eq!((checked.songs, checked.damage.len()), (5, 0));
    let song = number(&corpus, "1/3.wav");
    let stored = corpus.songs().nth(song).unwrap().stored.clone().unwrap();
    let path = output.join("shards").join(&stored.shard);
    let whole = std::fs::read(&path).unwrap();
    let mut chance = Chance(11);
    let mut places: Vec<usize> =
        (0..12).map(|_| chance.below(whole.len() as u64) as usize).collect();
    // A head, the first and the last byte of the sound, the text behind it, the end.
    let sound = stored.offset as usize..(stored.offset + stored.size) as usize;
    places.extend([sound.start - 500, sound.start, sound.end - 1, sound.end + 1_100]);
    places.push(whole.len() - 1);
    for place in places {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << chance.below(8);
        std::fs::write(&path, &damaged).unwrap();
        let found = corpus.check().unwrap().damage;
        assert!(!found.is_empty(), "byte {place} of {}", whole.len());
        assert!(found.iter().all(|words| words.contains(&stored.shard)), "{found:?}");
        if sound.contains(&place) {
            assert!(found.iter().any(|words| words.contains("1/3.wav")), "{found:?}");
        }
    }
    std::fs::write(&path, &whole[..whole.len() - 2_000]).unwrap();
    assert!(!corpus.check().unwrap().damage.is_empty());
    std::fs::remove_file(&path).unwrap();
    assert!(corpus.check().unwrap().damage[0].contains("could not open"));
    // The others are as they were, and the next build mends it.
    let other = (0..corpus.len())
        .find(|n| corpus.songs().nth(*n).unwrap().stored.as_ref().unwrap().shard != stored.shard);
    assert!(corpus.song(other.unwrap()).unwrap().read_all().is_ok());
    assert!(corpus.song(song).is_err());
    let mended = build(&songs, &output);
    assert!(mended.decoded > 0 && mended.corpus.check().unwrap().damage.is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}

#[test]
fn a_damaged_table_is_an_error_and_never_other_songs() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write_songs(&songs);
    let corpus = build(&songs, &output).corpus;
    let entries = corpus.entries().to_vec();
    let table = output.join("contents.parquet");
    let whole = std::fs::read(&table).unwrap();
    let mut chance = Chance(5);
    for _ in 0..300 {
        let mut damaged = whole.clone();
        match chance.below(3) {
            0 => damaged.truncate(chance.below(whole.len() as u64) as usize),
            _ => {
                let place = chance.below(whole.len() as u64) as usize;
                damaged[place] ^= 1 << chance.below(8);
            }
        }
        std::fs::write(&table, &damaged).unwrap();
        match Corpus::open(&output) {
            // Statistics and the like are not needed.
            Ok(opened) => assert_eq!(opened.entries(), entries),
            Err(Error::Corpus { path, .. }) => assert_eq!(path, table),
            Err(other) => panic!("{other}"),
        }
    }
}

fn refused(result: Result<Built>) -> (&'static str, String) {
    match result {
        Err(Error::Argument { name, expected, found }) => (name, format!("{expected}: {found}")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_peoples_files_are_never_harmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let songs = path("songs");
    write_songs(&songs);
    std::fs::create_dir(path("other")).unwrap();
    std::fs::create_dir(path("other/shards")).unwrap();
    std::fs::write(path("other/contents.parquet"), "PAR1 mine PAR1").unwrap();
    std::fs::write(path("other/shards/00000-0123456789abcdef.tar"), "mine").unwrap();
    std::fs::write(path("file"), "mine").unwrap();
    let before = contents(folder.path());
    let build = |songs: &Path, output: &Path| Corpus::build(songs, output, SMALL);
    for (output, words) in [
        (path("other"), "holds something else"),
        (path("file"), "is a file"),
        (songs.clone(), "holds the songs"),
        (folder.path().to_path_buf(), "holds the songs"),
        (path("no/such/folder"), "can be made"),
    ] {
        let (name, said) = refused(build(&songs, &output));
        assert_eq!(name, "output");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(refused(build(&path("file"), &path("new"))).0, "folder");
    let tiny = BuildSettings { shard_bytes: 1 };
    assert_eq!(refused(Corpus::build(&songs, path("new"), tiny)).0, "shard_bytes");
    assert!(matches!(build(&path("missing"), &path("new")), Err(Error::Io { .. })));
    std::fs::create_dir(path("empty")).unwrap();
    assert!(matches!(build(&path("empty"), &path("new")), Err(Error::Data(_))));
    assert!(contents(folder.path()) == before && !path("new").exists());
    for (place, words) in [("empty", "without contents.parquet"), ("missing", "found none")] {
        let error = Corpus::open(path(place)).unwrap_err();
        assert!(
            matches!(error, Error::Corpus { .. }) && error.to_string().contains(words),
            "{error}"
        );
    }
    // A file beside the shards of a corpus stays where it is.
    build(&songs, &path("new")).unwrap();
    std::fs::write(path("new/shards/mine.tar"), "mine").unwrap();
    std::fs::write(path("new/README"), "mine").unwrap();
    std::fs::remove_file(songs.join("0/0.wav")).unwrap();
    build(&songs, &path("new")).unwrap();
    assert_eq!(std::fs::read(path("new/shards/mine.tar")).unwrap(), b"mine");
    assert_eq!(std::fs::read(path("new/README")).unwrap(), b"mine");
    // The corpus may lie among the songs.
    build(&songs, &songs.join("corpus")).unwrap();
    assert_eq!(build(&songs, &songs.join("corpus")).unwrap().decoded, 0);
}
