//! A corpus that several processes build together is that of one.
//!
//! Threads stand in for processes here; the command under `mpirun` is in `tests/mpirun.rs`.

mod corpora;
mod group;

use corpora::{PLAIN, as_if_lossy, assert_same, piece, write};
use group::each_of;
use neural_composer::audio::SampleFormat::{Float32, Int16};
use neural_composer::corpus::{BuildProgress, BuildSettings, Built, Corpus};
use neural_composer::processes::Processes;
use neural_composer::{Error, Result, interrupt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

const SETTINGS: BuildSettings = BuildSettings { shard_bytes: BuildSettings::LEAST_SHARD_BYTES };

/// Songs in folders, a duplicate, a better copy of another one that comes later, two that are none.
fn write_songs(songs: &Path) {
    for seed in 0..9 {
        write(songs, &format!("{}/{seed}.wav", seed % 3), &piece(seed, PLAIN), Int16);
    }
    std::fs::copy(songs.join("0/0.wav"), songs.join("copy.wav")).unwrap();
    write(songs, "lossy.wav", &as_if_lossy(&piece(20, PLAIN)), Int16);
    write(songs, "zz.wav", &piece(20, PLAIN), Float32);
    std::fs::write(songs.join("broken.mp3"), "no song").unwrap();
    std::fs::write(songs.join("empty.ogg"), "").unwrap();
}

fn together(songs: &Path, output: &Path, processes: &Processes) -> Result<Built> {
    Corpus::build_together(songs, output, SETTINGS, processes, &|_| ())
}

#[test]
fn several_processes_build_the_corpus_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, alone) = (folder.path().join("songs"), folder.path().join("alone"));
    write_songs(&songs);
    let expected = Corpus::build(&songs, &alone, SETTINGS).unwrap();
    assert!(expected.corpus.summary().shards > 3, "there are shards to share");
    for count in [2, 3, 5, 20] {
        let output = folder.path().join(format!("by-{count}"));
        let seen = Mutex::new(Vec::new());
        let watch =
            |progress: &BuildProgress| seen.lock().unwrap().push((progress.done, progress.total));
        let built = each_of(count, |processes| {
            let first = processes.is_first();
            let own = |progress: &BuildProgress| {
                if first {
                    watch(progress)
                }
            };
            Corpus::build_together(&songs, &output, SETTINGS, &processes, &own).unwrap()
        });
        assert_same(&alone, &output, &format!("{count} processes"));
        for built in built {
            assert_eq!(built.decoded, expected.decoded);
            assert_eq!(built.changes, expected.changes);
            assert_eq!(built.corpus.entries(), expected.corpus.entries());
            assert!(built.shares.decode.as_nanos() > 0, "the time of all, in each");
        }
        let seen = seen.into_inner().unwrap();
        let steps: Vec<_> = seen.iter().filter(|(_, total)| *total == 13).collect();
        assert_eq!(steps.len(), 13, "the first one hears of the songs of all: {seen:?}");
    }
}

#[test]
fn songs_that_come_and_go_are_found_by_all() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write_songs(&songs);
    each_of(2, |processes| together(&songs, &output, &processes).unwrap());
    std::fs::remove_file(songs.join("1/4.wav")).unwrap();
    // What it was a copy of is gone: the copy is decoded now.
    std::fs::remove_file(songs.join("zz.wav")).unwrap();
    std::fs::rename(songs.join("2/5.wav"), songs.join("five.wav")).unwrap();
    write(&songs, "new.wav", &piece(31, PLAIN), Int16);
    let built = each_of(3, |processes| together(&songs, &output, &processes).unwrap());
    let changes = &built[2].changes;
    let counts = (changes.added.len(), changes.removed.len(), changes.renamed.len());
    assert_eq!((counts, built[1].decoded), ((1, 2, 1), 2), "{changes:?}");
    let alone = folder.path().join("alone");
    Corpus::build(&songs, &alone, SETTINGS).unwrap();
    assert_same(&alone, &output, "step by step");
}

#[test]
fn a_stop_of_one_ends_all_and_one_alone_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    for seed in 0..80 {
        let manner = corpora::Manner { seconds: 1.0, ..PLAIN };
        write(&songs, &format!("{seed}.wav"), &piece(seed, manner), Int16);
    }
    let is_asked = AtomicBool::new(false);
    let ended = each_of(2, |processes| {
        let stop = interrupt::Handle::new();
        let last = processes.rank() == 1;
        let watch = |_: &BuildProgress| {
            if last && !is_asked.swap(true, Ordering::Relaxed) {
                stop.request();
            }
        };
        stop.during(|| Corpus::build_together(&songs, &output, SETTINGS, &processes, &watch))
    });
    for ended in ended {
        let error = ended.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, Error::Interrupted(_)), "{words}");
        assert!(
            words.contains("of 80 new songs are stored") && words.contains("goes on"),
            "{words}"
        );
    }
    let built = Corpus::build(&songs, &output, SETTINGS).unwrap();
    assert!(built.decoded < 80, "{}", built.decoded);
    let alone = folder.path().join("alone");
    Corpus::build(&songs, &alone, SETTINGS).unwrap();
    assert_same(&alone, &output, "stopped");
}

#[test]
fn a_stop_of_one_before_the_beginning_ends_all() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write_songs(&songs);
    for asked in 0..3 {
        let ended = each_of(3, |processes| {
            let stop = interrupt::Handle::new();
            stop.during(|| {
                if processes.rank() == asked {
                    stop.request();
                }
                together(&songs, &output, &processes)
            })
        });
        for ended in ended {
            let error = ended.unwrap_err();
            assert!(matches!(error, Error::Interrupted(_)), "{asked}: {error}");
        }
        assert!(!output.exists());
    }
}

#[test]
fn processes_that_see_other_songs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    let other = folder.path().join("others");
    write_songs(&songs);
    write(&other, "one.wav", &piece(1, PLAIN), Int16);
    let ended = each_of(2, |processes| {
        together(if processes.is_first() { &songs } else { &other }, &output, &processes)
    });
    for ended in ended {
        let words = ended.unwrap_err().to_string();
        assert!(words.contains("the same songs in the folder: number 1 of 2"), "{words}");
    }
    // A folder that only one of them cannot find: the other one says what it says.
    let nowhere = folder.path().join("nowhere");
    let ended = each_of(2, |processes| {
        together(if processes.is_first() { &songs } else { &nowhere }, &output, &processes)
    });
    let words: Vec<String> = ended.into_iter().map(|e| e.unwrap_err().to_string()).collect();
    assert!(
        words[0].starts_with("number 1 of 2 failed: ") && words[0].contains("nowhere"),
        "{words:?}"
    );
    assert!(!words[1].starts_with("number"), "{words:?}");
    assert!(!output.join("contents.parquet").exists());
}

#[test]
fn processes_that_see_another_corpus_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let songs = folder.path().join("songs");
    write_songs(&songs);
    let here = |name: &str| folder.path().join(name);
    let apart = |first: &str, other: &str| {
        let output = |processes: &Processes| here(if processes.is_first() { first } else { other });
        let ended = each_of(2, |processes| together(&songs, &output(&processes), &processes));
        ended.into_iter().map(|ended| ended.unwrap_err().to_string()).collect::<Vec<_>>()
    };
    // A folder that is not there, one that looks like the same, one with another corpus.
    let words = apart("a", "b");
    assert!(words.iter().all(|words| words.contains("b/.building/songs")), "{words:?}");
    std::fs::create_dir_all(here("c/.building/songs")).unwrap();
    let words = apart("d", "c");
    assert!(words.iter().all(|words| words.contains("that all processes see")), "{words:?}");
    Corpus::build(&songs, here("e"), SETTINGS).unwrap();
    std::fs::create_dir_all(here("e/.building/songs")).unwrap();
    let words = apart("f", "e");
    assert!(words.iter().all(|words| words.contains("the same corpus so far")), "{words:?}");
}

#[test]
fn one_job_builds_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (songs, output) = (folder.path().join("songs"), folder.path().join("corpus"));
    write_songs(&songs);
    let asked = AtomicBool::new(false);
    let watch = |_: &BuildProgress| {
        if !asked.swap(true, Ordering::Relaxed) {
            for ended in each_of(2, |processes| together(&songs, &output, &processes)) {
                let words = ended.unwrap_err().to_string();
                assert!(words.contains("is building this corpus"), "{words}");
            }
        }
    };
    Corpus::build_watched(&songs, &output, SETTINGS, &watch).unwrap();
    assert!(asked.into_inner());
}
