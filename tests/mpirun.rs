//! `mpirun -n N neural-composer train`, with a real MPI where the command was built with feature `mpi`;
//! without it, what the command says there.
#![cfg(unix)]

#[cfg(feature = "mpi")]
mod corpora;
mod songs;

use songs::{command, song};
use std::path::Path;
use std::process::{Command, Output};

/// The command line as one of several processes that were not started by an MPI of ours.
fn as_one_of_two(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).env("OMPI_COMM_WORLD_SIZE", "2").output().unwrap()
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn what_one_process_does_is_refused_to_several() {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("song.wav")).unwrap();
    for arguments in [&["compose", "song.wav"][..], &["info", "song.wav"], &["corpus", "info", "."]]
    {
        let done = as_one_of_two(folder.path(), arguments);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        let words = said(&done);
        assert!(words.contains("mpirun started 2 processes"), "{words}");
        assert!(words.contains(&format!("start `{}` alone", arguments[0])), "{words}");
    }
    assert_eq!(songs::names(folder.path()), ["song.wav"]);
}

/// A process that was started alone needs no MPI, nor does one without others.
#[test]
fn one_process_is_alone_also_under_mpirun() {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("song.wav")).unwrap();
    let arguments = ["train", "song.wav", "--layers", "gru:8", "--epochs", "1"];
    let mut alone: Command = command(folder.path(), arguments);
    let done = alone.env("OMPI_COMM_WORLD_SIZE", "1").output().unwrap();
    assert!(done.status.success(), "{}", said(&done));
}

#[cfg(not(feature = "mpi"))]
#[test]
fn without_the_feature_nothing_is_trained_over_several_processes() {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("song.wav")).unwrap();
    let done = as_one_of_two(folder.path(), &["train", "song.wav"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("cargo build --release --features mpi"), "{}", said(&done));
    assert_eq!(songs::names(folder.path()), ["song.wav"]);
}

#[cfg(feature = "mpi")]
mod with_mpi {
    use super::*;
    use neural_composer::audio::SampleFormat;
    use serde_json::Value;
    use std::process::{Child, Stdio};
    use std::time::{Duration, Instant};

    /// Longer than the slowest end of all processes may take.
    const AT_ONCE: Duration = Duration::from_secs(30);

    fn mpirun(folder: &Path, count: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "-n", &count.to_string()]);
        command.arg(env!("CARGO_BIN_EXE_neural-composer")).args(arguments).current_dir(folder);
        // In a container everybody is root.
        command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
        command
    }

    fn arguments<'a>(model: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [&["train", "song.wav", "-o", "m.safetensors", "--restart", "--json"], model, more].concat()
    }

    /// Losses and model of a training over so many processes.
    fn trained(folder: &Path, count: usize, arguments: &[&str]) -> (Vec<f64>, Vec<u8>) {
        let done = match count {
            1 => command(folder, arguments).output().unwrap(),
            _ => mpirun(folder, count, arguments).output().unwrap(),
        };
        assert!(done.status.success(), "{count}, {arguments:?}: {}", said(&done));
        if count > 1 {
            let words = format!("{count} processes on 1 machine");
            assert_eq!(said(&done).matches(&words).count(), 1, "one tells: {}", said(&done));
        }
        let printed = String::from_utf8(done.stdout).unwrap();
        assert_eq!(printed.lines().count(), 1, "one tells: {printed}");
        let facts: Value = serde_json::from_str(&printed).unwrap();
        let losses = facts["losses"].as_array().unwrap().iter().map(|loss| loss.as_f64().unwrap());
        (losses.collect(), std::fs::read(folder.join("m.safetensors")).unwrap())
    }

    #[test]
    fn several_processes_have_the_losses_of_one_and_the_same_bytes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        song(220.0).save(path.join("song.wav")).unwrap();
        let blocks = ["--layers", "gru:24,lstm:16:norm", "--epochs", "8", "--batch", "3"];
        let noise = ["--dropout", "0.2", "--scheduled-sampling", "0.5", "--validation", "0.2"];
        let blocks = arguments(&[&["--model", "blocks"][..], &blocks, &noise].concat(), &[]);
        let grains = arguments(&["--model", "grains", "--steps", "24", "--batch", "6"], &[]);
        for (arguments, counts) in [(blocks, &[2, 4][..]), (grains, &[2])] {
            let (alone, _) = trained(path, 1, &arguments);
            for count in counts {
                let (losses, model) = trained(path, *count, &arguments);
                assert_eq!(losses.len(), alone.len());
                let far = losses.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(far < 1e-5, "{count}: {losses:?}, alone {alone:?}");
                let again = trained(path, *count, &arguments).1;
                assert!(again == model, "{count}: another run gives the same bytes");
            }
        }
    }

    /// The processes that mpirun started, once there is something in the folder `at` whose name is so.
    fn begun(at: &Path, is_it: impl Fn(&str) -> bool, program: &mut Child) -> Vec<i32> {
        let begun = Instant::now();
        let is_there = || at.is_dir() && songs::names(at).iter().any(|name| is_it(name));
        while !is_there() {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing in {}", at.display());
            assert!(program.try_wait().unwrap().is_none(), "it ended before it could be killed");
            std::thread::sleep(Duration::from_millis(5));
        }
        let children = format!("/proc/{0}/task/{0}/children", program.id());
        let children = std::fs::read_to_string(children).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    fn signal(pid: i32, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
        assert!(done.unwrap().success());
    }

    #[test]
    fn a_lost_process_ends_all_with_words_and_they_go_on_to_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        song(220.0).save(path.join("song.wav")).unwrap();
        let slow = ["--layers", "lstm:160,lstm:160", "--epochs", "60", "--batch", "4"];
        let kept = ["--dropout", "0.1", "--checkpoint-seconds", "0"];
        let training = [&slow[..], &kept].concat();
        let (_, expected) = trained(path, 3, &arguments(&training, &[]));
        for (name, lost) in [("KILL", Some(1)), ("KILL", Some(0)), ("INT", Some(2)), ("INT", None)]
        {
            for left in ["m.safetensors", "m.loss.svg"] {
                let _ = std::fs::remove_file(path.join(left));
            }
            let _ = std::fs::remove_dir_all(path.join("m.checkpoints"));
            let mut program = mpirun(path, 3, &arguments(&training, &[]));
            let program = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            let mut program = program.unwrap();
            let checkpoints = path.join("m.checkpoints");
            let processes = begun(&checkpoints, |name| name.starts_with("epoch-"), &mut program);
            assert_eq!(processes.len(), 3);
            signal(lost.map_or(program.id() as i32, |rank: usize| processes[rank]), name);
            let ended = Instant::now();
            let done = program.wait_with_output().unwrap();
            assert!(ended.elapsed() < AT_ONCE, "{name} {lost:?}: {:?}", ended.elapsed());
            let words = said(&done);
            // mpirun may take longer to pass a stop on than the training to end.
            let is_over = std::fs::read(path.join("m.safetensors")).is_ok_and(|m| m == expected);
            if name == "INT" && lost.is_none() && is_over {
                continue;
            }
            assert!(!done.status.success(), "{name} {lost:?}");
            if name == "KILL" {
                for rank in (0..3).filter(|rank| Some(*rank) != lost) {
                    let clear = format!("was lost, so process {rank} ends, too");
                    assert!(words.contains(&clear), "{name} {lost:?}: {words}");
                }
                assert!(words.contains(&format!("process {} of 3", lost.unwrap())), "{words}");
                assert!(!path.join("m.safetensors").exists(), "nothing half done is written");
            } else {
                assert!(words.contains("go on with: mpirun -n 3"), "{name} {lost:?}: {words}");
            }
            let mut resumed = arguments(&training, &["--resume"]);
            resumed.retain(|word| *word != "--restart");
            let (_, model) = trained(path, 3, &resumed);
            assert!(model == expected, "{name} {lost:?}: it went on to other bytes");
        }
    }

    #[test]
    fn a_corpus_is_built_together_and_a_lost_process_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let in_songs = path.join("songs");
        for seed in 0..16 {
            let manner = corpora::Manner { seconds: 40.0, rate_hz: 44_100, ..corpora::PLAIN };
            let piece = corpora::piece(seed, manner);
            corpora::write(&in_songs, &format!("{seed}.wav"), &piece, SampleFormat::Int16);
        }
        let build =
            |output| ["corpus", "build", "songs", "-o", output, "--shard-megabytes", "4", "--json"];
        let alone = command(path, build("alone")).output().unwrap();
        assert!(alone.status.success(), "{}", said(&alone));
        let facts = |done: &Output| -> Value {
            assert!(done.status.success(), "{}", said(done));
            serde_json::from_slice(&done.stdout).unwrap()
        };
        let done = mpirun(path, 2, &build("corpus")).output().unwrap();
        assert_eq!(said(&done).matches("2 processes on 1 machine").count(), 1, "{}", said(&done));
        assert_eq!(facts(&done)["decoded"], 16);
        corpora::assert_same(&path.join("alone"), &path.join("corpus"), "two processes");
        for (name, lost) in [("KILL", 1), ("KILL", 0), ("INT", 1)] {
            std::fs::remove_dir_all(path.join("corpus")).unwrap();
            let mut program = mpirun(path, 2, &build("corpus"));
            let program = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            let mut program = program.unwrap();
            let kept = path.join("corpus/.building/songs");
            let processes = begun(&kept, |name| name.ends_with(".json"), &mut program);
            signal(processes[lost], name);
            let ended = Instant::now();
            let done = program.wait_with_output().unwrap();
            let words = said(&done);
            assert!(ended.elapsed() < AT_ONCE, "{name} {lost}: {:?}", ended.elapsed());
            assert!(!done.status.success(), "{name} {lost}: {words}");
            let told = match name {
                "KILL" => format!("process {lost} of 2"),
                _ => "of 16 new songs are stored, and kept; the same command goes on".to_owned(),
            };
            assert_eq!(words.matches(&told).count(), 1, "{name} {lost}: {words}");
            assert!(!path.join("corpus/contents.parquet").exists(), "{name} {lost}");
            let again = facts(&mpirun(path, 2, &build("corpus")).output().unwrap());
            assert!(again["decoded"].as_u64().unwrap() < 16, "{name} {lost}: {again}");
            corpora::assert_same(&path.join("alone"), &path.join("corpus"), name);
        }
        let words = said(&mpirun(path, 2, &build("songs/..")).output().unwrap());
        assert_eq!(words.matches("neural-composer: ").count(), 1, "one tells: {words}");
    }

    /// No MPI is needed: each process takes the runs that no other has.
    #[test]
    fn the_runs_of_a_sweep_are_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        song(220.0).save(path.join("song.wav")).unwrap();
        let plan = "songs = \"song.wav\"\nepochs = 2\n[grid]\ncell = [\"gru\", \"lstm\"]\nunits = [4, 6, 8]\n";
        std::fs::write(path.join("plan.toml"), plan).unwrap();
        let done = mpirun(path, 2, &["sweep", "plan.toml", "--device", "cpu"]).output().unwrap();
        assert!(done.status.success(), "{}", said(&done));
        let runs = path.join("plan.runs");
        let log = |run: &String| std::fs::read_to_string(runs.join(run).join("log.txt"));
        let logs: Vec<String> =
            songs::names(&runs).iter().filter_map(|run| log(run).ok()).collect();
        assert_eq!(logs.len(), 6);
        assert!(logs.iter().all(|log| log.matches("begun").count() == 1), "{logs:?}");
        let table = std::fs::read_to_string(runs.join("sweep.csv")).unwrap();
        assert_eq!(table.lines().count(), 7, "{table}");
    }

    #[test]
    fn one_tells_what_is_wrong_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        song(220.0).save(path.join("song.wav")).unwrap();
        for (arguments, status, words) in [
            (&["train", "nothing.wav"][..], 1, "nothing.wav"),
            (&["train", "song.wav", "--batch", "0"], 2, "--batch: expected at least 1"),
            (&["train", "song.wav", "-o", "-"], 2, "standard input or output"),
            (&["train", "song.wav", "--resume"], 1, "nothing to go on from"),
        ] {
            let done = mpirun(path, 2, arguments).output().unwrap();
            let said = said(&done);
            assert_eq!(done.status.code(), Some(status), "{arguments:?}: {said}");
            assert_eq!(said.matches(words).count(), 1, "{arguments:?}: {said}");
        }
        // No song can be used: found while all are at work.
        std::fs::write(path.join("noise.wav"), b"RIFFnothing").unwrap();
        let done = mpirun(path, 2, &["train", "noise.wav"]).output().unwrap();
        assert_eq!(done.status.code(), Some(1), "{}", said(&done));
        assert_eq!(said(&done).matches("neural-composer: ").count(), 1, "{}", said(&done));
        assert_eq!(songs::names(path), ["noise.wav", "song.wav"]);
    }
}
