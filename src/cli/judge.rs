use super::report::Report;
use clap::Args;
use neural_composer::audio::{Audio, Song, find_songs};
use neural_composer::evaluate::{self, CopiedPassage, Judgement};
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
        let piece = Song::open(piece)?;
        let mut opened = Vec::new();
        for path in songs {
            for path in find_songs(path)? {
                opened.push(Song::open(path)?);
            }
        }
        let audio: Vec<&Audio> = opened.iter().map(Song::audio).collect();
        let judgement = evaluate::judge(piece.audio(), &audio)?;
        let mut report = Report::default().line(judgement.to_string());
        for passage in judgement.copies.passages.iter().take(5) {
            report = report.line(sentence(passage, opened[passage.song].title()));
        }
        Ok(report
            .fact("judgement", facts(&judgement))
            .warn(piece.warnings().iter().cloned())
            .warn(opened.iter().flat_map(Song::warnings).cloned()))
    }
}

fn sentence(passage: &CopiedPassage, song: &str) -> String {
    let from = passage.piece_seconds;
    let mut text = format!(
        "  copy: {from:.1} to {:.1} s is {song} from {:.1} s",
        from + passage.duration_seconds,
        passage.song_seconds
    );
    if passage.semitones != 0 {
        text += &format!(", {:+} semitones", passage.semitones);
    }
    if (passage.speed - 1.0).abs() > 0.005 {
        text += &format!(", at {:.2} times the speed", passage.speed);
    }
    text
}

/// A judgement for machines.
pub fn facts(judgement: &Judgement) -> serde_json::Value {
    let Judgement { style, copies, joins, texture: piece, song_texture: songs } = judgement;
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
        },
        "texture": { "piece": texture(piece), "songs": texture(songs) },
        "faults": judgement.faults(),
    })
}
