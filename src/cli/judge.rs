//! `judge`: what the judge says of a piece.

use super::given::Given;
use super::outputs::{self, Kind, Output};
use super::report::{self, Report};
use super::songs::FolderOptions;
use super::streams::{Input, Target};
use clap::Args;
use neural_composer::audio::{Decoder, is_composed};
use neural_composer::evaluate::{self, Heard, Judgement};
use neural_composer::notebook::Verdict;
use neural_composer::words::{counted, shown};
use neural_composer::{Error, Result};
use serde_json::json;
use std::path::PathBuf;

/// Judge a piece against the songs it was made from
///
/// Says how far it is from their style, what it copies from where (as it is, transposed or at
/// another speed), where it jumps, and whether it stands still, hisses or clicks.
#[derive(Args)]
pub struct Judge {
    /// The songs or folders of songs, and last the piece; - is standard input
    #[arg(required = true, value_name = "SONGS and PIECE")]
    files: Vec<PathBuf>,
    /// Draw the judgement into a file, PNG or (by its ending) SVG; - is standard output, PNG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    folders: FolderOptions,
}

impl Judge {
    pub fn run(self, given: &Given) -> Result<Report> {
        Input::check(&self.files)?;
        let (piece, songs) = match self.files.as_slice() {
            [songs @ .., piece] if !songs.is_empty() => (piece, songs),
            files => {
                let found = counted(files.len(), "file");
                return Err(Error::argument("SONGS and PIECE", "songs, and last a piece", found));
            }
        };
        let songs = self.folders.songs(songs)?;
        let mut inputs = songs.files;
        inputs.push(piece.clone());
        let target = match &self.picture {
            Some(path) => Some(Target::of("--picture", path, given)?),
            None => None,
        };
        if let Some(Target { path, .. }) = &target {
            outputs::check(&[Output::named("--picture", path, Kind::Picture)], &inputs, false)?;
        }
        let _input = Input::read(&mut inputs)?;
        let mut warnings = Vec::new();
        let mut hear = |path: &PathBuf| -> Result<(String, Heard)> {
            let mut decoder = Decoder::open(path)?;
            let heard = Heard::read(&mut decoder)?;
            warnings.extend(decoder.warnings());
            Ok((decoder.title(), heard))
        };
        // What is too long is refused before the others are read.
        for path in &inputs {
            Decoder::open(path)?.check(Heard::NEED)?;
        }
        let last = inputs.pop().unwrap_or_default();
        let turned_round =
            inputs.iter().find(|song| is_composed(song)).filter(|_| !is_composed(&last));
        let order = turned_round.map(|song| {
            let (song, last) = (shown(song), shown(&last));
            format!("{song} is a piece of neural-composer's, judged as a song; the piece comes last, here {last}")
        });
        let (_, piece) = hear(&last)?;
        let opened = inputs.iter().map(&mut hear).collect::<Result<Vec<_>>>()?;
        let verdict = Verdict::of_heard(&piece, opened)?;
        let mut report = Report::default()
            .line(verdict.to_string())
            .fact("judgement", facts(&verdict))
            .warn(songs.notes)
            .warn(order)
            .warn(warnings);
        let Some(target) = target else { return Ok(report) };
        verdict.picture()?.save(&target.path)?;
        report = report
            .line(format!("{}: the judgement drawn", shown(&target.path)))
            .fact("picture", report::path(&target.path));
        target.deliver(report)
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
    let spread = |s: &evaluate::Spread| json!({ "least": s.least, "median": s.median, "most": s.most, "count": s.count });
    let texture = |t: &evaluate::Texture| {
        json!({
            "stillness": t.stillness,
            "flatness_db": t.flatness_db,
            "silence": t.silence,
            "sharpest_step": t.sharpest_step,
        })
    };
    json!({
        "style": {
            "distance": style.distance,
            "excerpts": spread(&style.excerpts),
            "kernel": style.kernel,
            "kernel_excerpts": spread(&style.kernel_excerpts),
            "within": style.is_within(),
        },
        "copies": {
            "share": copies.share,
            "longest_run_seconds": copies.longest_run_seconds,
            "passages": passages,
            "mel": {
                "share": copies.mel.share,
                "longest_run_seconds": copies.mel.longest_run_seconds,
                "own_share": copies.mel.own_share,
                "own_run_seconds": copies.mel.own_run_seconds,
            },
            "taken": {
                "found": copies.taken.is_found(),
                "excess": copies.taken.excess,
                "lead": copies.taken.lead,
                "semitones": copies.taken.semitones,
                "speed": copies.taken.speed,
            },
        },
        "repeats": {
            "share": judgement.repeats.share,
            "longest_run_seconds": judgement.repeats.longest_run_seconds,
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
