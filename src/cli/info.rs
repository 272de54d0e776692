//! `info`: what is in songs, folders and model files.

use super::report::Report;
use clap::Args;
use neural_composer::audio::{Decoder, find_songs, passed_over};
use neural_composer::generate::ModelCard;
use neural_composer::model::{Device, ModelKind};
use neural_composer::{Error, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Say what is in songs, folders of songs and model files
#[derive(Args)]
pub struct Info {
    /// Songs, folders or models [default: datasets/songs]
    paths: Vec<PathBuf>,
}

impl Info {
    pub fn run(self) -> Result<Report> {
        let paths = if self.paths.is_empty() { vec!["datasets/songs".into()] } else { self.paths };
        let mut report = Report::default().fact("device", Device::best().to_string());
        let mut entries = Vec::new();
        for path in &paths {
            if ModelKind::is_of(path) {
                let card = ModelCard::of(path)?;
                let notes = card.notes.iter().map(|note| format!("\n  note: {note}"));
                let notes: String = notes.collect();
                report = report.line(format!("{}: {card}{notes}", path.display()));
                entries.push(model(path, &card));
                continue;
            }
            let found = find_songs(path)?;
            report = report.warn(passed_over(path)?);
            for file in &found {
                match song(file) {
                    Ok((line, entry)) => {
                        report = report.line(line);
                        entries.push(entry);
                    }
                    // In a folder one bad file does not hide the others.
                    Err(error) if found.len() > 1 => {
                        entries.push(json!({ "path": file.display().to_string(), "error": error.to_string() }));
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

fn model(path: &Path, card: &ModelCard) -> Value {
    let mut entry = json!({
        "path": path.display().to_string(),
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

/// A name without line breaks.
fn one_line(name: &dyn std::fmt::Display) -> String {
    name.to_string().replace('\n', "\\n").replace('\r', "\\r")
}

fn song(path: &Path) -> Result<(String, Value)> {
    let mut decoder = Decoder::open(path)?;
    while decoder.next_chunk()?.is_some() {}
    let (largest, channels) = (decoder.peak(), decoder.channel_count());
    let peak = if largest < 1e3 { format!("{largest:.3}") } else { format!("{largest:.1e}") };
    let seconds = decoder.frames_read() as f64 / f64::from(decoder.sample_rate_hz());
    let line = format!(
        "{}: \"{}\", {seconds:.2} s, {} Hz, {channels} channel{}, {}, peak {peak}{}",
        one_line(&path.display()),
        one_line(&decoder.title()),
        decoder.sample_rate_hz(),
        if channels == 1 { "" } else { "s" },
        decoder.codec(),
        decoder.warnings().iter().map(|w| format!("\n  note: {w}")).collect::<String>(),
    );
    let tags: serde_json::Map<_, _> =
        decoder.tags().iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let entry = json!({
        "path": path.display().to_string(),
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
