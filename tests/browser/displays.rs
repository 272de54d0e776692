//! Writes a page with every display, of a song whose name, tags and title try to be markup.
//!
//! `cargo run --example displays -- FOLDER [SONG]` writes `displays.html`, which the browser tests open.
//! Without a song it is a minute of chords.

use neural_composer::audio::{Audio, Song};
use neural_composer::corpus::{BuildSettings, Corpus};
use neural_composer::dataset::{Dataset, DatasetSettings};
use neural_composer::display::{
    Bundle, Candidate, ChoiceStep, Choices, Destination, Html, LossChart, Output, Picture, Player,
    Progress, Show, chart, html,
};
use neural_composer::evaluate;
use neural_composer::model::{Device, Network, NetworkConfig, gru, lstm};
use neural_composer::notebook::{Listening, LiveTraining};
use neural_composer::sweep::{Plan, Sweep, SweepTable};
use neural_composer::train::{self, Training};
use neural_composer::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const HOSTILE: &str = "<img src=x onerror=alert(1)></script>\"'& \u{202e}שלום العربية 🎹🎻";

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let (folder, given) = match &arguments[..] {
        [folder] => (folder, None),
        [folder, song] => (folder, Some(song)),
        _ => return Err(Error::argument("arguments", "FOLDER [SONG]", format!("{arguments:?}"))),
    };
    let songs = folder.join("songs");
    std::fs::create_dir_all(&songs).map_err(Error::io(&songs, "create the folder"))?;
    let audio = match given {
        Some(path) => Song::open(path)?.audio().excerpt(0.0, 30.0),
        None => chords()?,
    };
    // A file name cannot hold a slash.
    let name = HOSTILE.replace('/', "\u{2215}");
    let path = songs.join(format!("{name}.wav"));
    save_with_tags(&audio, &path)?;
    let broken = songs.join(format!("broken {name}.wav"));
    std::fs::write(&broken, b"no sound").map_err(Error::io(&broken, "write the file"))?;
    let song = Song::open(&path)?;

    let data = Dataset::from_dir(&songs, DatasetSettings::fast())?;
    let config = NetworkConfig::stack(data.blocks().width(), [lstm(96), gru(64)]);
    let mut network = Network::new(config, &data, 1, &Device::cpu())?;
    let samples = samples_of_a_training(&mut network, &data)?;
    let history = train::run(&mut network, &data, &Training::epochs(4), &mut train::Silent)?;
    let piece =
        network.compose_to(silent(), 6.0, neural_composer::generate::Seed::training(&data, 1)?)?;
    let failure = Song::open(&broken).err().map_or(String::new(), |error| error.to_string());
    let corpus = Corpus::build(&songs, folder.join("corpus"), BuildSettings::default())?.corpus;
    let sweep = sweep(folder, &name)?;
    let progress = Progress { done: 1, total: 2, line: HOSTILE.to_owned() };

    let losses = history.epochs.iter().map(|epoch| epoch.train_loss).collect::<Vec<_>>();
    let displays: Vec<(&str, Bundle)> = vec![
        ("song", song.bundle()?),
        ("long song", Player::new(HOSTILE, &in_stereo(&chords()?)?).bundle()?),
        ("piece", piece.bundle()?),
        (
            "comparison",
            Player::new(HOSTILE, song.audio())
                .details(HOSTILE)
                .compared_with(&format!("{HOSTILE} again"), piece.audio())
                .bundle()?,
        ),
        ("spectrogram", song.spectrogram()?.bundle()?),
        ("dataset", data.bundle()?),
        ("network", network.bundle()?),
        ("history", history.bundle()?),
        ("runs", LossChart::new(vec![history.named(HOSTILE), history.named("another")]).bundle()?),
        ("hidden states", network.hidden_states(&song.audio().excerpt(0.0, 20.0))?.bundle()?),
        ("choices", choices(&song)?.bundle()?),
        ("similarity", piece.compare(&song)?.bundle()?),
        ("judgement", evaluate::judge(piece.audio(), &[song.audio()])?.bundle()?),
        ("tags", song.tags().bundle()?),
        ("failure", Bundle::from_text(&failure)),
        ("progress", Bundle::from_text(&progress.line)),
        ("low rate", Player::new(HOSTILE, &song.audio().resample(2_000)?).bundle()?),
        ("chart", chart(&losses).named(HOSTILE).with("ramp", 0..20).titled(HOSTILE).bundle()?),
        ("drawing", drawing()?.described(HOSTILE).bundle()?),
        ("corpus", corpus.bundle()?),
        ("sweep", sweep.bundle()?),
        ("own html", Html::new(format!("{HOSTILE}<b onclick=alert(1)>bold</b>")).bundle()?),
    ];
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title><body>",
        html::escape(HOSTILE)
    );
    for (name, bundle) in &displays {
        page += &format!(
            "<section data-display=\"{name}\"><h2>{name}</h2>{}</section>\n",
            bundle.html()
        );
    }
    for sample in samples {
        page += &format!("<section data-display=\"sample\"><h2>sample</h2>{sample}</section>\n");
    }
    let path = folder.join("displays.html");
    std::fs::write(&path, page).map_err(Error::io(&path, "write the file"))
}

/// Two networks on the songs below `folder`.
fn sweep(folder: &Path, name: &str) -> Result<SweepTable> {
    let plan = "songs = \"songs\"\nepochs = 2\n[grid]\ncell = [\"gru\", \"lstm\"]\nunits = [8]\n";
    let runs = folder.join(format!("runs {name}"));
    let sweep = Sweep::of(Plan::read(plan, folder)?, runs).device(Device::cpu());
    Ok(sweep.run_watched(&mut |_| ())?.table)
}

/// A drawing as a user would make it.
fn drawing() -> Result<Picture> {
    use neural_composer::plotters::prelude::*;
    Picture::draw(480, 240, |paper| {
        paper.fill(&WHITE)?;
        let mut axes = ChartBuilder::on(paper)
            .caption("a sine", ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(36)
            .build_cartesian_2d(0.0..10.0, -1.0..1.0)?;
        axes.configure_mesh().draw()?;
        let curve = (0..=100).map(|i| (f64::from(i) / 10.0, (f64::from(i) / 10.0).sin()));
        axes.draw_series(LineSeries::new(curve, BLUE.stroke_width(2)))?;
        Ok(())
    })
}

/// A minute of chords that come round, a second each.
fn chords() -> Result<Audio> {
    let rate = 22_050;
    let sample = |index: u32| {
        let time = f64::from(index) / f64::from(rate);
        let chord = [[220.0, 261.6, 329.6], [293.7, 349.2, 440.0], [329.6, 415.3, 493.9]]
            [time as usize % 3];
        let within = time.fract();
        let sound: f64 = chord.iter().map(|hz| (std::f64::consts::TAU * hz * time).sin()).sum();
        (0.25 * sound * (-3.0 * within).exp()) as f32
    };
    Audio::mono((0..60 * rate).map(sample).collect(), rate)
}

/// What one channel plays, and the same later and softer.
fn in_stereo(audio: &Audio) -> Result<Audio> {
    let left = &audio.channels()[0];
    let later = std::iter::repeat_n(0.0, 11_025).chain(left.iter().map(|sample| 0.7 * sample));
    Audio::new(vec![left.clone(), later.take(left.len()).collect()], audio.sample_rate_hz())
}

/// A WAV file with a title and an artist in its LIST chunk.
fn save_with_tags(audio: &Audio, path: &Path) -> Result<()> {
    audio.save(path)?;
    let mut file = std::fs::read(path).map_err(Error::io(path, "read the file"))?;
    let mut list = b"INFO".to_vec();
    for id in [b"INAM", b"IART"] {
        let mut text = HOSTILE.as_bytes().to_vec();
        text.push(0);
        text.resize(text.len().next_multiple_of(2), 0);
        list.extend_from_slice(id);
        list.extend_from_slice(&(text.len() as u32).to_le_bytes());
        list.extend(text);
    }
    let mut chunk = b"LIST".to_vec();
    chunk.extend_from_slice(&(list.len() as u32).to_le_bytes());
    chunk.extend(list);
    // Before the samples: what is behind them is not read.
    let data = file.windows(4).position(|w| w == b"data").unwrap_or(file.len());
    file.splice(data..data, chunk);
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    std::fs::write(path, file).map_err(Error::io(path, "write the file"))
}

fn silent() -> Output {
    Output::to(Destination::File, Box::new(std::io::sink()))
}

/// A stream whose text can be looked at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_err(|e| std::io::Error::other(e.to_string()))?.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The HTML of what can be heard while a network trains.
fn samples_of_a_training(network: &mut Network, data: &Dataset) -> Result<Vec<String>> {
    let written = Written::default();
    let output = Output::to(Destination::OwnKernel, Box::new(written.clone()));
    let listening = Listening { every_epochs: 2, seconds: 3.0, sequence: 0 };
    let mut live = LiveTraining::to(output).listening(data, listening)?;
    let history = train::run(network, data, &Training::epochs(10), &mut live)?;
    live.finish(&history);
    let bytes = written.0.lock().map(|bytes| bytes.clone()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let html = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
        event["data"]["text/html"].as_str().map(str::to_owned)
    };
    Ok(text.lines().filter_map(html).filter(|html| html.contains("<audio")).collect())
}

/// As a walk through a song would choose: most likely on along the song, now and then elsewhere.
fn choices(song: &Song) -> Result<Choices> {
    let seconds = song.audio().duration_seconds();
    let (mut at, mut steps) = (0.0, Vec::new());
    for step in 0..100 {
        let jump = step % 9 == 8;
        let share = |index: usize| 0.5f32.powi(index as i32 + 1);
        let elsewhere =
            |index: usize| (at + 7.3 * index as f64 + 1.7 * f64::from(step)) % (seconds - 1.0);
        let candidates: Vec<Candidate> = (0..8)
            .map(|index| {
                let song_seconds = if index == usize::from(jump) { at } else { elsewhere(index) };
                Candidate { song: 0, song_seconds, probability: share(index) }
            })
            .collect();
        let chosen = candidates[0];
        at = (chosen.song_seconds + 0.2) % (seconds - 1.0);
        let piece_seconds = 0.2 * f64::from(step);
        steps.push(ChoiceStep { piece_seconds, length_seconds: 0.2, candidates, chosen });
    }
    Choices::new(vec![(HOSTILE.to_owned(), seconds)], steps)
}
