//! `corpus build` under kills, stops, full disks and other builders: the same command ends with the same
//! bytes.
#![cfg(unix)]

mod corpora;
mod songs;

use corpora::{Chance, PLAIN, assert_same, contents, piece, write};
use neural_composer::audio::SampleFormat::{Float32, Int16};
use neural_composer::corpus::Corpus;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Songs enough for a build of a moment, and things that are none.
fn write_songs(folder: &Path) {
    for seed in 0..12 {
        let manner = corpora::Manner { seconds: 30.0, rate_hz: 44_100, ..PLAIN };
        let format = if seed % 3 == 0 { Float32 } else { Int16 };
        write(folder, &format!("{}/{seed}.wav", seed % 2), &piece(seed, manner), format);
    }
    std::fs::copy(folder.join("0/0.wav"), folder.join("copy.wav")).unwrap();
    std::fs::write(folder.join("broken.mp3"), "no song").unwrap();
}

/// The command line in `folder`, whose memory of files is there, too.
fn corpus(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = songs::command(folder, ["corpus"].iter().chain(arguments));
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    command
}

const BUILD: [&str; 6] = ["build", "songs", "-o", "corpus", "--shard-megabytes", "4"];

fn build(folder: &Path) -> Command {
    let mut command = corpus(folder, &BUILD);
    command.arg("--json");
    command
}

fn json(done: &Output) -> Value {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    serde_json::from_slice(&done.stdout).unwrap()
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    let number = child.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &number]).status().unwrap().success());
}

/// Songs, and the corpus that is built of them at once, in `at-once`.
fn prepared() -> (tempfile::TempDir, Duration) {
    let folder = tempfile::tempdir().unwrap();
    write_songs(&folder.path().join("songs"));
    let begun = Instant::now();
    let facts = json(&build(folder.path()).output().unwrap());
    let took = begun.elapsed();
    assert_eq!((facts["songs"].as_u64(), facts["decoded"].as_u64()), (Some(12), Some(12)));
    std::fs::rename(folder.path().join("corpus"), folder.path().join("at-once")).unwrap();
    (folder, took)
}

#[test]
fn a_build_that_is_killed_at_any_moment_goes_on_to_the_same_bytes() {
    let (folder, took) = prepared();
    let path = folder.path();
    let mut chance = Chance(21);
    for round in 0..6 {
        let mut kills = 0;
        // Again and again, until one is quicker than its end.
        let done = loop {
            let mut running =
                build(path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let moment = took.mul_f64(f64::from(chance.unit()) * 0.7);
            std::thread::sleep(moment);
            if kills < 3 && running.try_wait().unwrap().is_none() {
                running.kill().unwrap();
                running.wait().unwrap();
                kills += 1;
                continue;
            }
            break running.wait_with_output().unwrap();
        };
        json(&done);
        assert_same(
            &path.join("at-once"),
            &path.join("corpus"),
            &format!("round {round}, {kills}"),
        );
        std::fs::remove_dir_all(path.join("corpus")).unwrap();
    }
}

#[test]
fn the_old_corpus_is_readable_until_the_new_one_is_whole() {
    let (folder, took) = prepared();
    let path = folder.path();
    json(&build(path).output().unwrap());
    let entries = Corpus::open(path.join("corpus")).unwrap().entries().to_vec();
    let manner = corpora::Manner { seconds: 30.0, rate_hz: 44_100, ..PLAIN };
    for seed in 40..46 {
        write(&path.join("songs"), &format!("{seed}.wav"), &piece(seed, manner), Int16);
    }
    std::fs::remove_file(path.join("songs/1/1.wav")).unwrap();
    let mut chance = Chance(4);
    for _ in 0..5 {
        let mut running = started(&mut build(path));
        std::thread::sleep(took.mul_f64(f64::from(chance.unit()) * 0.4));
        running.kill().unwrap();
        running.wait().unwrap();
        let corpus = Corpus::open(path.join("corpus")).unwrap();
        assert!(corpus.check().unwrap().damage.is_empty());
        if corpus.entries() != entries {
            break;
        }
    }
    let facts = json(&build(path).output().unwrap());
    assert_eq!(facts["songs"], 17);
    std::fs::rename(path.join("corpus"), path.join("step-by-step")).unwrap();
    json(&build(path).output().unwrap());
    assert_same(&path.join("corpus"), &path.join("step-by-step"), "old and new");
}

#[test]
fn two_builders_do_no_harm_and_the_second_one_is_told() {
    let (folder, _) = prepared();
    let path = folder.path();
    let mut first = started(&mut build(path));
    let lock = path.join("corpus/.corpus-lock");
    let begun = Instant::now();
    while std::fs::read_to_string(&lock).unwrap_or_default().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    send(&first, "STOP");
    let second = build(path).output().unwrap();
    send(&first, "CONT");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    let holder = format!("process {} is building this corpus", first.id());
    assert!(said.contains(&holder), "{said}");
    assert!(first.wait().unwrap().success());
    assert_same(&path.join("at-once"), &path.join("corpus"), "two builders");
    // Many at once: one or the other has it, and it is whole.
    std::fs::remove_dir_all(path.join("corpus")).unwrap();
    let many: Vec<Child> = (0..4).map(|_| started(&mut build(path))).collect();
    let ended = many.into_iter().map(|mut child| child.wait().unwrap().code());
    let codes: Vec<Option<i32>> = ended.collect();
    assert!(
        codes.contains(&Some(0)) && codes.iter().all(|c| matches!(c, Some(0 | 1))),
        "{codes:?}"
    );
    assert_same(&path.join("at-once"), &path.join("corpus"), "four builders");
}

#[test]
fn a_name_that_is_no_text_is_a_problem_of_its_file_alone() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(&path.join("songs"), "good.wav", &piece(1, PLAIN), Int16);
    let name = std::ffi::OsStr::from_bytes(b"bad\xff.wav");
    if std::fs::copy(path.join("songs/good.wav"), path.join("songs").join(name)).is_err() {
        // A file system that takes text alone.
        return;
    }
    let facts = json(&build(path).output().unwrap());
    assert_eq!((&facts["songs"], &facts["decoded"]), (&1.into(), &1.into()));
    let problem = facts["problems"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("a name in UTF-8"), "{facts}");
}

#[test]
fn a_stop_keeps_what_is_done() {
    let (folder, took) = prepared();
    let path = folder.path();
    let running = build(path).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // It is listening, and has stored something.
    let begun = Instant::now();
    let is_stored = || {
        let songs = std::fs::read_dir(path.join("corpus/.building/songs"));
        songs.is_ok_and(|songs| {
            songs.flatten().any(|song| song.path().extension().is_some_and(|e| e == "json"))
        })
    };
    while !is_stored() {
        assert!(begun.elapsed() < took * 20 + Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    send(&running, "INT");
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.status.code() == Some(130) {
        assert!(said.contains("the same command goes on"), "{said}");
        assert!(!path.join("corpus/contents.parquet").exists());
    }
    let facts = json(&build(path).output().unwrap());
    assert!(facts["decoded"].as_u64().unwrap() < 12, "{facts}");
    assert_same(&path.join("at-once"), &path.join("corpus"), "stopped");
}

#[test]
fn a_full_disk_is_told_and_the_same_command_goes_on() {
    let (folder, _) = prepared();
    let path = folder.path();
    // The limit for a file's size stands in for a full disk; songs fit, shards do not.
    let program = env!("CARGO_BIN_EXE_neural-composer");
    let limited = |blocks: u32| {
        Command::new("sh")
            .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" corpus \"$@\""), program])
            .args(BUILD)
            .current_dir(path)
            .env("XDG_CACHE_HOME", path.join("cache"))
            .output()
            .unwrap()
    };
    for blocks in [100, 5_000] {
        let done = limited(blocks);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("corpus/.building/"), "{said}");
        assert!(!path.join("corpus/contents.parquet").exists());
    }
    json(&build(path).output().unwrap());
    assert_same(&path.join("at-once"), &path.join("corpus"), "a full disk");
}

#[test]
fn all_is_told_to_people_and_machines() {
    let (folder, _) = prepared();
    let path = folder.path();
    std::fs::rename(path.join("at-once"), path.join("corpus")).unwrap();
    std::fs::rename(path.join("songs/1/5.wav"), path.join("songs/five.wav")).unwrap();
    std::fs::remove_file(path.join("songs/1/7.wav")).unwrap();
    let told = corpus(path, &BUILD).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(said.contains("renamed: 1/5.wav is five.wav now"), "{said}");
    assert!(said.contains("removed: 1/7.wav"), "{said}");
    assert!(said.contains("copy.wav is the same recording as 0/0.wav"), "{said}");
    let noted = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(noted.contains("broken.mp3: not stored: expected"), "{noted}");
    let info = json(&corpus(path, &["info", "corpus", "--json"]).output().unwrap());
    assert_eq!((&info["songs"], &info["duplicates"][0]["path"]), (&11.into(), &"copy.wav".into()));
    assert_eq!(info["problems"][0]["path"], "broken.mp3");
    assert_eq!(info["entries"].as_array().unwrap().len(), 11);
    let said = corpus(path, &["info", "corpus"]).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("11 songs, 5.5 min") && said.contains("44100 (11)"), "{said}");
    let check = || corpus(path, &["check", "corpus"]).output().unwrap();
    assert!(check().status.success());
    let shards = contents(&path.join("corpus/shards"));
    let (name, bytes) = shards.iter().next().unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 3] ^= 4;
    std::fs::write(path.join("corpus/shards").join(name), &damaged).unwrap();
    let done = check();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains(&*name.to_string_lossy()), "{said}");
    // Options and folders by the names that were typed.
    for (arguments, words) in [
        (vec!["build", "songs", "-o", "songs"], "--output: expected"),
        (vec!["build", "songs", "--shard-megabytes", "0"], "--shard-megabytes: expected 0.1 to"),
        (vec!["build", "songs", "--shard-megabytes", "-1"], "--shard-megabytes: expected 0.1 to"),
        (vec!["build", "songs/five.wav"], "folder: expected a folder of songs"),
    ] {
        let done = corpus(path, &arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let done = corpus(path, &["info", "songs"]).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("without contents.parquet"));
}
