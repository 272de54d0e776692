//! Sweeps: what a plan may say, runs that are finished once, the table, and the command.
#![cfg(unix)]

mod songs;

use neural_composer::display::Show;
use neural_composer::model::Device;
use neural_composer::sweep::{Plan, RunState, Sweep, SweepTable, Value};
use neural_composer::{Error, interrupt};
use songs::{command, names, song};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Twelve runs.
const PLAN: &str = "songs = \"song.wav\"\nepochs = 3\nbatch = 2\n[grid]\ncell = [\"simple-rnn\", \"gru\", \
                    \"lstm\"]\nunits = [8, 12]\nloss = [\"mse\", \"mae\"]\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    song(220.0).save(folder.path().join("song.wav")).unwrap();
    fs::write(folder.path().join("plan.toml"), PLAN).unwrap();
    folder
}

fn sweep(folder: &Path, text: &str) -> Sweep {
    let plan = Plan::read(text, folder).unwrap();
    Sweep::of(plan, folder.join("runs")).device(Device::cpu())
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut program =
        command(folder, [&["sweep", "plan.toml", "--device", "cpu"], arguments].concat());
    program.output().unwrap()
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&[&done.stdout[..], &done.stderr].concat()).into_owned()
}

/// The folders of finished runs.
fn finished(runs: &Path) -> Vec<String> {
    let all = if runs.is_dir() { names(runs) } else { Vec::new() };
    all.into_iter().filter(|name| runs.join(name).join("result.json").exists()).collect()
}

/// Every file of a folder with its bytes and when it was written; locks aside, and the folder of
/// checkpoints that a kill may leave behind.
fn state_of(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let is_file = |name: &String| !name.starts_with('.') && folder.join(name).is_file();
    let files = names(folder).into_iter().filter(is_file);
    let state = |name: String| {
        let path = folder.join(&name);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        (name, (fs::read(path).unwrap(), written))
    };
    files.map(state).collect()
}

fn log(runs: &Path, signature: &str) -> String {
    fs::read_to_string(runs.join(signature).join("log.txt")).unwrap()
}

/// The table as CSV without what is measured.
fn lasting(runs: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(runs.join("sweep.csv")).unwrap();
    let head: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let measured = |at: usize| matches!(head[at], "seconds" | "memory_bytes");
    let row = |line: &str| {
        let cells = line.split(',').enumerate().filter(|(at, _)| !measured(*at));
        cells.map(|(_, cell)| cell.to_owned()).collect()
    };
    text.lines().map(row).collect()
}

#[test]
fn a_grid_is_every_combination_and_a_signature_all_that_changes_the_result() {
    let folder = folder();
    let path = folder.path();
    let plan = Plan::read(PLAN, path).unwrap();
    let words: Vec<String> = plan.runs().iter().map(|run| run.words()).collect();
    assert_eq!(words.len(), 12);
    assert_eq!(words[0], "cell simple-rnn, units 8, loss mse");
    assert_eq!(words[1], "cell simple-rnn, units 8, loss mae");
    assert_eq!(words[11], "cell lstm, units 12, loss mae");
    let signatures = |text: &str, folder: &Path| -> Vec<String> {
        let plan = Plan::read(text, folder).unwrap();
        plan.runs().iter().map(|run| run.signature().to_owned()).collect()
    };
    let own = signatures(PLAN, path);
    assert_eq!(own.iter().collect::<HashSet<_>>().len(), 12);
    assert_eq!(own, signatures(PLAN, path));
    // The usual said aloud, the same layers in other words, another name for the song.
    let aloud = PLAN.replace(
        "epochs",
        "seed = 1\noptimizer = \"rmsprop\"\nschedule = \"constant\"\nprecision = \"f32\"\nepochs",
    );
    assert_eq!(own, signatures(&aloud, path));
    let layers =
        "songs = \"song.wav\"\nepochs = 3\nbatch = 2\n[grid]\nlayers = [\"gru:8\", \"1*lstm:12\"]";
    let of_layers = signatures(layers, path);
    assert_eq!(of_layers, [own[4].clone(), own[10].clone()]);
    fs::copy(path.join("song.wav"), path.join("b.wav")).unwrap();
    assert_eq!(own, signatures(&PLAN.replace("song.wav", "b.wav"), path));
    // What changes the result.
    song(330.0).save(path.join("b.wav")).unwrap();
    let others = [
        PLAN.replace("song.wav", "b.wav"),
        PLAN.replace("epochs = 3", "epochs = 4"),
        PLAN.replace("epochs = 3", "epochs = 3\nseed = 2"),
        PLAN.replace("epochs = 3", "epochs = 3\nvalidation = 0.2"),
        PLAN.replace("epochs = 3", "epochs = 3\ncompare = \"mae\""),
        PLAN.replace("epochs = 3", "epochs = 3\nprecision = \"bf16\""),
        PLAN.replace("\"song.wav\"", "[\"song.wav\", \"b.wav\"]"),
    ];
    let mut all: HashSet<String> = own.into_iter().collect();
    for (count, text) in others.iter().enumerate() {
        all.extend(signatures(text, path));
        assert_eq!(all.len(), 12 * (count + 2), "{text}");
    }
}

#[test]
fn draws_depend_on_seed_number_and_setting_alone() {
    let folder = folder();
    let path = folder.path();
    let text = |more: &str| {
        format!(
            "songs = \"song.wav\"\nepochs = 1\n[random]\n{more}\nlearning-rate = {{ log = [1e-4, 1e-2] }}\n\
             units = {{ uniform = [4, 9] }}\n"
        )
    };
    let drawn = |text: &str, name: &str| -> Vec<Value> {
        let plan = Plan::read(text, path).unwrap();
        let value = |run: &neural_composer::sweep::PlannedRun| {
            run.settings().iter().find(|(own, _)| own == name).unwrap().1.clone()
        };
        plan.runs().iter().map(value).collect()
    };
    let rates = drawn(&text("count = 60"), "learning-rate");
    assert_eq!(rates.len(), 60);
    assert_eq!(rates[..20], drawn(&text("count = 20"), "learning-rate"));
    let more = text("count = 60\ndropout = { uniform = [0, 0.5] }");
    assert_eq!(rates, drawn(&more, "learning-rate"), "another setting moves nothing");
    assert_ne!(rates, drawn(&text("count = 60\nseed = 2"), "learning-rate"));
    let numbers: Vec<f64> = rates.iter().map(|rate| rate.number().unwrap()).collect();
    assert!(numbers.iter().all(|rate| (1e-4..=1e-2).contains(rate)));
    let low = numbers.iter().filter(|rate| **rate < 1e-3).count();
    assert!((18..=42).contains(&low), "even ratios: {low} of 60 below the middle");
    let units: HashSet<String> =
        drawn(&text("count = 60"), "units").iter().map(ToString::to_string).collect();
    assert_eq!(units.len(), 6, "whole numbers, both ends: {units:?}");
    // Draws that repeat are left out, and told; the grid comes to each draw.
    let few = "songs = \"song.wav\"\n[random]\ncount = 30\nunits = [4, 5]\n[grid]\nseed = [1, 2]";
    let plan = Plan::read(few, path).unwrap();
    assert_eq!(plan.runs().len(), 4);
    assert!(plan.notes()[0].contains("56 runs of 60"), "{:?}", plan.notes());
}

/// Plans that cannot be, and what is said of each.
const BAD: &[(&str, &[&str])] = &[
    ("", &["songs"]),
    ("songs = ", &["line 1", "TOML"]),
    ("songs = \"song.wav\"", &["[grid] or [random]", "train"]),
    ("songs = \"song.wav\"\n[grid]", &["line 2", "grid", "an empty section"]),
    ("songs = \"song.wav\"\n[grid]\nunits = []", &["line 3", "grid.units", "an empty list"]),
    ("songs = \"song.wav\"\n[grid]\nunits = 8", &["line 3", "grid.units", "a list", "found 8"]),
    ("songs = \"song.wav\"\n[grid]\nunits = [8, \"9\"]", &["line 3", "whole number", "\"9\""]),
    ("songs = \"song.wav\"\n[grid]\nunits = [\n8,\n0]", &["line 5", "from 1", "found 0"]),
    ("songs = \"song.wav\"\n[grid]\nunits = [8.5]", &["a whole number", "8.5"]),
    ("songs = \"song.wav\"\n[grid]\nunits = [8, 8]", &["line 3", "differ", "the same"]),
    (
        "songs = \"song.wav\"\n[grid]\nlayers = [\"gru:8\", \"1*gru:8\"]",
        &["line 3", "differ", "1*gru:8"],
    ),
    ("songs = \"song.wav\"\n[grid]\nlayers = [\"gru\"]", &["line 3", "grid.layers", "KIND:UNITS"]),
    ("songs = \"song.wav\"\n[grid]\ncell = [\"gru\", \"drum\"]", &["line 3", "grid.cell", "drum"]),
    ("songs = \"song.wav\"\n[grid]\nloss = [\"l3\"]", &["line 3", "grid.loss", "l3"]),
    ("songs = \"song.wav\"\n[grid]\nschedule = [\"x\"]", &["line 3", "grid.schedule", "constant"]),
    ("songs = \"song.wav\"\n[grid]\ndropout = [0.1, 1.5]", &["line 3", "grid.dropout", "1.5"]),
    ("songs = \"song.wav\"\n[grid]\ndropout = [nan]", &["line 3", "a number", "nan"]),
    ("songs = \"song.wav\"\n[grid]\ndepth = [1001]", &["line 3", "grid.depth", "1,000"]),
    ("songs = \"song.wav\"\n[grid]\nlearning_rate = [0.1]", &["line 3", "perhaps learning-rate"]),
    ("songs = \"song.wav\"\n[grid]\nlr = [0.1]", &["perhaps learning-rate"]),
    ("songs = \"song.wav\"\n[grid]\nwater = [1]", &["line 3", "a setting", "dropout", "\"water\""]),
    ("songs = \"song.wav\"\n[grid]\nmodel = [\"grains\"]", &["line 3", "the same in all runs"]),
    ("songs = \"song.wav\"\n[grid]\nsteps = [5]", &["line 3", "blocks", "grains and codes"]),
    (
        "songs = \"song.wav\"\nmodel = \"grains\"\n[grid]\nlayers = [\"gru:8\"]",
        &["line 4", "blocks"],
    ),
    ("songs = \"song.wav\"\nmodel = \"drums\"\n[grid]\nseed = [1]", &["line 2", "codes", "drums"]),
    (
        "songs = \"song.wav\"\nmodel = \"codes\"\ncompare = \"mae\"\n[grid]\nseed = [1]",
        &["compare"],
    ),
    ("songs = \"song.wav\"\ncompare = \"l3\"\n[grid]\nseed = [1]", &["line 2", "compare", "mse"]),
    ("songs = \"song.wav\"\nunits = [8]\n[grid]\nseed = [1]", &["line 2", "units", "[grid]"]),
    ("songs = \"song.wav\"\nseed = 1\n[grid]\nseed = [1]", &["line 4", "grid.seed", "line 2"]),
    (
        "songs = \"song.wav\"\nlayers = \"gru:8\"\n[grid]\nunits = [1]",
        &["line 4", "line 2", "either"],
    ),
    ("songs = \"song.wav\"\nseed = 1\nseed = 2\n[grid]\nunits = [1]", &["line 3", "TOML"]),
    ("songs = \"song.wav\"\nseed = 99999999999999999999\n[grid]\nunits = [1]", &["line 2", "seed"]),
    ("songs = \"song.wav\"\ndevice = \"cpu\"\n[grid]\nunits = [1]", &["line 2", "--device"]),
    ("songs = \"gone.wav\"\n[grid]\nunits = [1]", &["line 1", "songs", "gone.wav"]),
    ("songs = [\"song.wav\",\n\"gone\"]\n[grid]\nunits = [1]", &["line 2", "songs", "gone"]),
    ("songs = \"empty\"\n[grid]\nunits = [1]", &["line 1", "songs", "an empty folder"]),
    ("songs = 5\n[grid]\nunits = [1]", &["line 1", "quotation marks", "found 5"]),
    ("songs = []\n[grid]\nunits = [1]", &["line 1", "songs", "an empty list"]),
    ("songs = \"song.wav\"\ngrid = 5", &["line 2", "[grid]", "found 5"]),
    ("songs = \"song.wav\"\nrecursive = 1\n[grid]\nunits = [1]", &["line 2", "true or false"]),
    ("songs = \"song.wav\"\n[random]\nunits = [8]", &["line 2", "count"]),
    ("songs = \"song.wav\"\n[random]\ncount = 3", &["line 2", "at least one setting"]),
    ("songs = \"song.wav\"\n[random]\ncount = 0\nunits = [8]", &["line 3", "random.count", "0"]),
    (
        "songs = \"song.wav\"\n[random]\ncount = 2\nseed = [1]\nunits = [8]",
        &["line 4", "random.seed"],
    ),
    ("songs = \"song.wav\"\n[random]\ncount = 2\nunits = { uniform = [8] }", &["[LOW, HIGH]"]),
    (
        "songs = \"song.wav\"\n[random]\ncount = 2\nunits = { uniform = [9, 8] }",
        &["below", "[9, 8]"],
    ),
    (
        "songs = \"song.wav\"\n[random]\ncount = 2\ndropout = { log = [0, 0.5] }",
        &["above 0 for log"],
    ),
    ("songs = \"song.wav\"\n[random]\ncount = 2\ndropout = { normal = [0, 1] }", &["\"normal\""]),
    (
        "songs = \"song.wav\"\n[random]\ncount = 2\nloss = { log = [1, 2] }",
        &["random.loss", "a list"],
    ),
    (
        "songs = \"song.wav\"\n[random]\ncount = 9\ndropout = { uniform = [1, 2] }",
        &["random.dropout"],
    ),
    (
        "songs = \"song.wav\"\n[random]\ncount = 20000\nunits = { uniform = [1, 9] }",
        &["10000 runs"],
    ),
];

#[test]
fn what_is_wrong_with_a_plan_is_told_with_its_line_and_key() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("empty")).unwrap();
    for (text, expected) in BAD {
        fs::write(path.join("plan.toml"), text).unwrap();
        let error = Plan::open(path.join("plan.toml")).map(drop).unwrap_err();
        assert!(matches!(error, Error::Sweep { .. }), "{text}: {error:?}");
        let words = error.to_string();
        assert!(words.contains("plan.toml: "), "{text}: {words}");
        for expected in *expected {
            assert!(words.contains(expected), "{text}: expected \"{expected}\": {words}");
        }
        assert!(words.contains("expected ") && words.contains("found "), "{text}: {words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
    fs::write(path.join("plan.toml"), b"songs = \"\xff\"").unwrap();
    assert!(Plan::open(path.join("plan.toml")).unwrap_err().to_string().contains("UTF-8"));
    assert!(matches!(Plan::open(path.join("gone.toml")), Err(Error::Io { .. })));
    let done = run(path, &[]);
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(names(path), ["empty", "plan.toml", "song.wav"], "nothing was made");
}

#[test]
fn a_sweep_killed_halfway_finishes_without_redoing_what_is_finished() {
    let folder = folder();
    let path = folder.path();
    // What an undisturbed sweep comes to.
    assert!(run(path, &["-o", "whole"]).status.success());
    let runs = path.join("plan.runs");
    let mut kills = 0;
    for wanted in [2, 6] {
        let arguments = ["sweep", "plan.toml", "--device", "cpu", "--checkpoint-seconds", "0"];
        let mut program = command(path, arguments);
        let mut program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while finished(&runs).len() < wanted && program.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no run was finished");
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += usize::from(program.try_wait().unwrap().is_none());
        program.kill().unwrap();
        program.wait().unwrap();
    }
    assert_eq!(kills, 2, "it was over before it could be killed");
    let before: Vec<_> =
        finished(&runs).into_iter().map(|run| (run.clone(), state_of(&runs.join(run)))).collect();
    assert!((6..12).contains(&before.len()), "{}", before.len());
    let done = run(path, &["--json"]);
    assert!(done.status.success(), "{}", said(&done));
    let facts: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(facts["trained"], 12 - before.len());
    for (run, files) in &before {
        assert!(state_of(&runs.join(run)) == *files, "{run} was done again");
    }
    for run in finished(&runs) {
        let log = log(&runs, &run);
        let epochs = log.lines().filter(|line| line.starts_with("epoch ")).count();
        assert!(epochs == 3 || log.matches("begun").count() > 1, "{log}");
        assert!(!runs.join(&run).join("checkpoints").exists(), "{run}");
    }
    assert_eq!(lasting(&runs), lasting(&path.join("whole")));
    // Nothing is left to do, and nothing is written.
    let table = state_of_tables(&runs);
    assert!(run(path, &[]).status.success());
    assert_eq!(state_of_tables(&runs), table);
}

fn state_of_tables(runs: &Path) -> Vec<(Vec<u8>, SystemTime)> {
    let of = |name: &str| {
        let path = runs.join(name);
        (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap())
    };
    ["sweep.parquet", "sweep.csv"].map(of).into()
}

#[test]
fn processes_at_once_and_tasks_of_an_array_do_every_run_once() {
    let folder = folder();
    let path = folder.path();
    let spawn = |more: &[&str]| {
        let arguments = [&["sweep", "plan.toml", "--device", "cpu"], more].concat();
        let mut program = command(path, arguments);
        program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let once = |runs: &Path| {
        let all = finished(runs);
        assert_eq!(all.len(), 12);
        for run in all {
            let log = log(runs, &run);
            assert_eq!(log.matches("begun").count(), 1, "{log}");
            assert_eq!(log.lines().filter(|line| line.starts_with("epoch ")).count(), 3, "{log}");
        }
        assert_eq!(SweepTable::open(runs).unwrap().rows().len(), 12);
    };
    let programs: Vec<_> = (0..3).map(|_| spawn(&[])).collect();
    for mut program in programs {
        assert!(program.wait().unwrap().success());
    }
    once(&path.join("plan.runs"));
    // From 1 on; each does its own.
    for task in ["1", "2", "3"] {
        let done = run(path, &["-o", "array", "--task", task, "--tasks", "3"]);
        assert!(done.status.success(), "{}", said(&done));
        let count = task.parse::<usize>().unwrap() * 4;
        assert_eq!(finished(&path.join("array")).len(), count);
    }
    once(&path.join("array"));
    assert_eq!(lasting(&path.join("array")), lasting(&path.join("plan.runs")));
    let sweep = sweep(path, PLAN);
    assert!(sweep.clone().task(4, 3).is_err() && sweep.clone().task(0, 0).is_err());
    let numbers = |task| -> Vec<usize> {
        sweep.clone().task(task, 5).unwrap().runs().iter().map(|run| run.number()).collect()
    };
    assert_eq!((numbers(0), numbers(5)), (vec![1, 6, 11], vec![1, 6, 11]));
}

#[test]
fn what_is_damaged_is_told_and_done_again() {
    let folder = folder();
    let path = folder.path();
    let text = "songs = \"song.wav\"\nepochs = 1\n[grid]\ncell = [\"gru\", \"lstm\"]\nunits = [8]";
    let own = sweep(path, text);
    let swept = own.run_watched(&mut |_| ()).unwrap();
    assert_eq!((swept.trained, swept.failed, swept.left), (2, 0, 0));
    let table = SweepTable::open(own.output()).unwrap();
    assert_eq!(table.rows(), swept.table.rows());
    let run = own.output().join(own.plan().runs()[0].signature());
    let result = fs::read_to_string(run.join("result.json")).unwrap();
    let model = fs::read(run.join("model.safetensors")).unwrap();
    for damage in [
        "",
        "{}",
        "null",
        &result[..40],
        &result.replace("\"epochs_trained\": 1", "\"epochs_trained\": 2"),
    ] {
        fs::write(run.join("result.json"), damage).unwrap();
        assert_eq!(own.states()[0], RunState::Waiting);
        let swept = own.run_watched(&mut |_| ()).unwrap();
        assert_eq!(swept.trained, 1, "{damage}");
        assert!(swept.notes[0].contains("result.json: expected"), "{:?}", swept.notes);
    }
    fs::write(run.join("model.safetensors"), &model[..100]).unwrap();
    let swept = own.run_watched(&mut |_| ()).unwrap();
    assert!(
        swept.trained == 1 && swept.notes[0].contains("model.safetensors"),
        "{:?}",
        swept.notes
    );
    // A table is only what the runs say.
    let file = own.output().join("sweep.parquet");
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    let place = whole.windows(4).position(|four| four == b"lstm").unwrap();
    flipped[place] = b'L';
    for damage in [&b""[..], b"PAR1", &whole[..whole.len() / 2], &flipped] {
        fs::write(&file, damage).unwrap();
        let error = SweepTable::open(own.output()).unwrap_err();
        assert!(matches!(error, Error::Sweep { .. }), "{error:?}");
        assert!(error.to_string().contains("run the sweep again"), "{error}");
    }
    own.run_watched(&mut |_| ()).unwrap();
    assert!(SweepTable::open(&file).is_ok());
    assert!(matches!(SweepTable::open(path.join("gone")), Err(Error::Io { .. })));
}

#[test]
fn other_things_are_left_alone_and_what_cannot_be_written_is_refused() {
    let folder = folder();
    let path = folder.path();
    let text = "songs = \"song.wav\"\nepochs = 1\n[grid]\ncell = [\"gru\"]\nunits = [8]";
    let own = sweep(path, text);
    // A folder with other things is not taken.
    fs::create_dir(own.output()).unwrap();
    fs::write(own.output().join("sweep.csv"), "mine").unwrap();
    let error = own.run_watched(&mut |_| ()).unwrap_err();
    assert!(matches!(error, Error::Argument { name: "output", .. }), "{error:?}");
    assert_eq!(names(own.output()), ["sweep.csv"]);
    fs::remove_file(own.output().join("sweep.csv")).unwrap();
    // What is put into a sweep's folder stays.
    own.run_watched(&mut |_| ()).unwrap();
    let signature = own.plan().runs()[0].signature().to_owned();
    fs::create_dir(own.output().join("notes")).unwrap();
    fs::write(own.output().join("notes/a.txt"), "mine").unwrap();
    fs::write(own.output().join(&signature).join("mine.txt"), "mine").unwrap();
    fs::remove_file(own.output().join(&signature).join("result.json")).unwrap();
    own.run_watched(&mut |_| ()).unwrap();
    assert_eq!(fs::read(own.output().join("notes/a.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(own.output().join(&signature).join("mine.txt")).unwrap(), b"mine");
    // A folder of a run's name that is none.
    let other = Sweep::of(own.plan().clone(), path.join("other")).device(Device::cpu());
    fs::create_dir_all(other.output().join(&signature)).unwrap();
    fs::write(other.output().join(".sweep-lock"), "").unwrap();
    fs::write(other.output().join(&signature).join("mine.txt"), "mine").unwrap();
    let error = other.run_watched(&mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("found another folder"), "{error}");
    assert_eq!(names(&other.output().join(&signature)), ["mine.txt"]);
    // A file in the way.
    let file = Sweep::of(own.plan().clone(), path.join("song.wav"));
    assert!(matches!(file.run_watched(&mut |_| ()), Err(Error::Argument { name: "output", .. })));
}

#[test]
fn a_run_that_fails_is_told_and_does_not_stop_the_others() {
    let folder = folder();
    let path = folder.path();
    let text = "songs = \"song.wav\"\nepochs = 2\nbatch = 1\noptimizer = \"sgd\"\n[grid]\nlearning-rate = \
                [0.001, 1e30]\nunits = [8]\ncell = [\"gru\"]";
    fs::write(path.join("plan.toml"), text).unwrap();
    for _ in 0..2 {
        let done = run(path, &[]);
        let words = said(&done);
        assert_eq!(done.status.code(), Some(1), "{words}");
        assert!(words.contains("1 run finished, 1 failed"), "{words}");
        assert!(words.contains("failed: run 2, learning-rate 1e30"), "{words}");
    }
    let table = SweepTable::open(path.join("plan.runs")).unwrap();
    let error = table.rows()[1].error.clone().unwrap();
    assert!(table.rows()[1].result.is_none() && error.contains("diverged"), "{error}");
    let failed = path.join("plan.runs").join(&table.rows()[1].signature);
    assert!(!failed.join("result.json").exists() && !failed.join("checkpoints").exists());
    assert_eq!(
        log(&path.join("plan.runs"), &table.rows()[1].signature).matches("begun").count(),
        2
    );
    let done = run(path, &["--list"]);
    let words = said(&done);
    assert!(
        done.status.success() && words.contains("failed: ") && words.contains("finished"),
        "{words}"
    );
}

#[test]
fn a_stop_says_how_to_go_on_and_what_goes_on_is_the_same() {
    let folder = folder();
    let path = folder.path();
    let text = PLAN.replace("epochs = 3", "epochs = 40");
    fs::write(path.join("plan.toml"), &text).unwrap();
    let mut program =
        command(path, ["sweep", "plan.toml", "--device", "cpu", "--task", "0", "--tasks", "6"]);
    let program = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let (runs, first) =
        (path.join("plan.runs"), Plan::read(&text, path).unwrap().runs()[0].signature().to_owned());
    while !runs.join(&first).join("log.txt").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no run began");
        std::thread::sleep(Duration::from_millis(1));
    }
    let process = program.id().to_string();
    std::process::Command::new("kill").args(["-INT", &process]).status().unwrap();
    let done = program.wait_with_output().unwrap();
    let words = said(&done);
    assert_eq!(done.status.code(), Some(130), "{words}");
    assert!(words.contains("go on with: ") && words.contains("--tasks 6"), "{words}");
    let done = run(path, &["--task", "0", "--tasks", "6", "--json"]);
    let facts: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(facts["runs"].as_array().unwrap().len(), 2, "{facts}");
    assert_eq!(facts["runs"][0]["result"]["epochs_trained"], 40);
    // In a program: a handle.
    let own = sweep(path, &text);
    let stop = interrupt::Handle::new();
    let swept = stop.during(|| own.run_watched(&mut |_| stop.request())).unwrap();
    assert!(swept.interrupted && swept.trained == 0 && swept.left == 12, "{swept:?}");
}

#[test]
fn networks_are_compared_by_one_loss_and_all_models_can_be_swept() {
    let folder = folder();
    let path = folder.path();
    let text = format!("validation = 0.2\n{}", PLAN.replace("epochs = 3", "epochs = 1"));
    let table = sweep(path, &text).run_watched(&mut |_| ()).unwrap().table;
    for row in table.rows() {
        let result = row.result.as_ref().unwrap();
        assert_eq!(result.final_loss_is, "mse of the validation sequences");
        let own = result.validation_loss.unwrap();
        let is_same = (own - result.final_loss).abs() < 1e-6;
        assert_eq!(is_same, *row.setting("loss").unwrap() == Value::from("mse"), "{row:?}");
        assert_eq!(table.history(row).unwrap().epochs.len(), 1);
    }
    let best = table.best().unwrap();
    assert!(table.rows().iter().all(|row| row.loss() >= best.loss()));
    assert!(table.model(best, &Device::cpu()).is_ok());
    let effects = table.effects();
    assert_eq!(effects.len(), 3);
    assert!(effects.windows(2).all(|pair| pair[0].explained >= pair[1].explained));
    assert!(effects.iter().all(|effect| {
        effect.explained.is_some_and(|share| (0.0..=1.0).contains(&share))
            && effect.groups.iter().map(|group| group.losses.len()).sum::<usize>() == 12
    }));
    let bundle = table.bundle().unwrap();
    assert!(bundle.picture().is_some_and(|picture| picture.description().contains("explains")));
    assert!(bundle.html().contains("<table") && bundle.plain().contains("best run"));
    // With one run for each value chance cannot be told.
    let one = PLAN.replace("[8, 12]", "[8]").replace("[\"mse\", \"mae\"]", "[\"mse\"]");
    let table = sweep(path, &one).run_watched(&mut |_| ()).unwrap().table;
    assert!(table.effects().len() == 1 && table.effects()[0].explained.is_none());
    assert!(!table.bundle().unwrap().plain().contains("explains"));
    for (model, units) in [("grains", "steps"), ("codes", "steps")] {
        let text = format!(
            "songs = \"song.wav\"\nmodel = \"{model}\"\n{units} = 2\n[grid]\nbatch = [2, 3]\n"
        );
        let own = Sweep::of(Plan::read(&text, path).unwrap(), path.join(model));
        let table = own.run_watched(&mut |_| ()).unwrap().table;
        assert_eq!(table.ranked().len(), 2, "{table:?}");
        assert_eq!(table.best().unwrap().result.as_ref().unwrap().final_loss_is, "training loss");
        let model = table.model(table.best().unwrap(), &Device::cpu()).unwrap();
        assert!(model.compose(1.0, 1, &Default::default(), &mut |_, _| ()).is_ok());
    }
}
