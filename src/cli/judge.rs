//! `judge`: what the judge says of a piece.

use super::outputs::{self, Kind, Output};
use super::report::Report;
use clap::Args;
use neural_composer::audio::{Decoder, find_songs, passed_over};
use neural_composer::evaluate::{self, Heard, Judgement};
use neural_composer::notebook::Verdict;
use neural_composer::{Error, Result};
use serde_json::json;
use std::path::PathBuf;

/// Judge a piece against the songs it was made from
///
/// Says how far it is from their style, what it copies from where (as it is, transposed or at
/// another speed), where it jumps, and whether it stands still, hisses or clicks.
#[derive(Args)]
pub struct Judge {
    /// The songs or folders of songs, and last the piece
    #[arg(required = true, num_args = 2.., value_names = ["SONGS", "PIECE"])]
    files: Vec<PathBuf>,
    /// Draw the judgement into a file, PNG or (by its ending) SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

impl Judge {
    pub fn run(self) -> Result<Report> {
        let [songs @ .., piece] = self.files.as_slice() else {
            return Err(Error::Argument {
                name: "files",
                expected: "songs and a piece".into(),
                found: "nothing".into(),
            });
        };
        let (mut files, mut passed) = (Vec::new(), Vec::new());
        for path in songs {
            files.extend(find_songs(path)?);
            passed.extend(passed_over(path)?);
        }
        if let Some(path) = &self.picture {
            let inputs = [&files[..], std::slice::from_ref(piece)].concat();
            outputs::check(&[Output::named("--picture", path, Kind::Picture)], &inputs, false)?;
        }
        let mut warnings = Vec::new();
        let mut hear = |path: &PathBuf| -> Result<(String, Heard)> {
            let mut decoder = Decoder::open(path)?;
            let heard = Heard::read(&mut decoder)?;
            warnings.extend(decoder.warnings());
            Ok((decoder.title(), heard))
        };
        // What is too long is refused before the others are read.
        for path in files.iter().chain([piece]) {
            Decoder::open(path)?.check(Heard::NEED)?;
        }
        let (_, piece) = hear(piece)?;
        let songs = files.iter().map(&mut hear).collect::<Result<Vec<_>>>()?;
        let verdict = Verdict::of_heard(&piece, songs)?;
        let mut report = Report::default()
            .line(verdict.to_string())
            .fact("judgement", facts(&verdict))
            .warn(passed)
            .warn(warnings);
        if let Some(path) = &self.picture {
            verdict.picture()?.save(path)?;
            report = report
                .line(format!("{}: the judgement drawn", path.display()))
                .fact("picture", path.display().to_string());
        }
        Ok(report)
    }
}

/// A judgement for machines.
pub fn facts(judgement: &Judgement) -> serde_json::Value {
    let Judgement { style, copies, joins, texture: piece, song_texture: songs, .. } = judgement;
    let passages: Vec<_> = copies
        .passages
        .iter()
        .map(|p| {
            json!({
                "piece_seconds": p.piece_seconds,
                "duration_seconds": p.duration_seconds,
                "song": p.song,
                "song_seconds": p.song_seconds,
                "semitones": p.semitones,
                "speed": p.speed,
                "correlation": p.correlation,
            })
        })
        .collect();
    let texture = |t: &evaluate::Texture| {
        json!({
            "stillness": t.stillness,
            "flatness_db": t.flatness_db,
            "silence": t.silence,
            "largest_step": t.largest_step,
        })
    };
    json!({
        "style": { "distance": style.distance, "between_halves": style.between_halves },
        "copies": {
            "share": copies.share,
            "longest_run_seconds": copies.longest_run_seconds,
            "passages": passages,
        },
        "joins": {
            "count": joins.seconds.len(),
            "seconds": joins.seconds,
            "traced": joins.traced,
            "spectral_change": joins.spectral_change,
            "loudness_step_db": joins.loudness_step_db,
            "natural_loudness_step_db": joins.natural_loudness_step_db,
        },
        "texture": { "piece": texture(piece), "songs": texture(songs) },
        "form": {
            "returns": judgement.form.returns(),
            "song_returns":
                judgement.song_forms.iter().map(|form| form.returns()).collect::<Vec<_>>(),
        },
        "faults": judgement.faults(),
    })
}
