//! `info`: what is in songs, folders and model files.

use super::report::{self, Report};
use super::songs::FolderOptions;
use super::streams::Input;
use clap::Args;
use neural_composer::audio::Decoder;
use neural_composer::generate::ModelCard;
use neural_composer::model::{Device, DeviceFacts, Devices, ModelKind};
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Say what is in songs, folders of songs and model files
#[derive(Args)]
pub struct Info {
    /// Songs, folders or models; - is standard input [default: datasets/songs]
    paths: Vec<PathBuf>,
    /// Say what could compute here, and why no CUDA device if there is none; nothing else
    #[arg(long, conflicts_with = "paths")]
    devices: bool,
    #[command(flatten)]
    folders: FolderOptions,
}

impl Info {
    pub fn run(self) -> Result<Report> {
        if self.devices {
            return Ok(devices(&Devices::here()));
        }
        Input::check(&self.paths)?;
        let mut paths = self.paths;
        if paths.is_empty() {
            paths.push("datasets/songs".into());
        }
        let _input = Input::read(&mut paths)?;
        let mut report = Report::default().fact("device", Device::best().to_string());
        let mut entries = Vec::new();
        for path in &paths {
            if ModelKind::is_of(path) {
                let card = ModelCard::of(path)?;
                let notes = card.notes.iter().map(|note| format!("\n  note: {note}"));
                let notes: String = notes.collect();
                report = report.line(format!("{}: {card}{notes}", shown(path)));
                entries.push(model(path, &card));
                continue;
            }
            let found = self.folders.songs_and_pieces(path)?;
            report = report.warn(found.notes);
            for file in &found.files {
                match song(file) {
                    Ok((line, entry)) => {
                        report = report.line(line);
                        entries.push(entry);
                    }
                    // In a folder one bad file does not hide the others.
                    Err(error) if found.files.len() > 1 => {
                        entries.push(
                            json!({ "path": report::path(file), "error": error.to_string() }),
                        );
                        report = report.warn([error.to_string()]);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if entries.is_empty() {
            return Err(Error::Data("nothing to describe".into()));
        }
        Ok(report.fact("entries", entries))
    }
}

fn devices(devices: &Devices) -> Report {
    let facts = |device: &DeviceFacts| {
        json!({
            "device": device.option,
            "name": device.name,
            "memory_bytes": device.memory_bytes,
            "free_bytes": device.free_bytes,
        })
    };
    let found: Vec<Value> = devices.found.iter().map(facts).collect();
    let report = Report::default().line(devices.to_string()).fact("devices", found);
    report.fact("no_cuda", devices.no_cuda.clone())
}

fn model(path: &Path, card: &ModelCard) -> Value {
    let mut entry = json!({
        "path": report::path(path),
        "kind": "model",
        "model": card.kind.to_string(),
        "network": card.network,
        "parameters": card.parameters,
        "songs": card.songs,
        "warnings": card.notes,
    });
    if let Some(entry) = entry.as_object_mut() {
        entry.extend(card.details.clone());
    }
    entry
}

fn song(path: &Path) -> Result<(String, Value)> {
    let mut decoder = Decoder::open(path)?;
    while decoder.next_chunk()?.is_some() {}
    let (largest, channels) = (decoder.peak(), decoder.channel_count());
    let peak = if largest < 1e3 { format!("{largest:.3}") } else { format!("{largest:.1e}") };
    let seconds = decoder.frames_read() as f64 / f64::from(decoder.sample_rate_hz());
    let line = format!(
        "{}: \"{}\", {seconds:.2} s, {} Hz, {}, {}, peak {peak}{}",
        shown(path),
        shown(&decoder.title()),
        decoder.sample_rate_hz(),
        counted(channels, "channel"),
        decoder.codec(),
        decoder.warnings().iter().map(|w| format!("\n  note: {w}")).collect::<String>(),
    );
    let tags: serde_json::Map<_, _> =
        decoder.tags().iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let entry = json!({
        "path": report::path(path),
        "kind": "song",
        "title": decoder.title(),
        "seconds": seconds,
        "sample_rate_hz": decoder.sample_rate_hz(),
        "channels": decoder.channel_count(),
        "codec": decoder.codec(),
        "peak": largest,
        "tags": tags,
        "warnings": decoder.warnings(),
    });
    Ok((line, entry))
}
