//! Pieces of several seeds of each song, judged: a row of a table for each song.
//!
//! `cargo run --release --example pieces -- FOLDER SECONDS SEEDS SONG...` learns each song once,
//! composes SEEDS pieces of SECONDS with the usual options, leaves them in FOLDER as NAME-SEED.wav and
//! prints a row of a Markdown table for each song: by the worst piece, distances by their means, too,
//! with what real excerpts have. Joins are all of them, as the piece itself says where they are; beside
//! each piece NAME-SEED.joins.csv has them. `tests/campaigns/outside_copies.py SONG FOLDER/NAME-*.wav`
//! says what another detector of copies finds, `tests/campaigns/joins.py` what another measure of joins,
//! `tests/campaigns/repeats.py` how much pieces play twice.

use neural_composer::audio::Song;
use neural_composer::dataset::SongSource;
use neural_composer::evaluate::{Heard, Join, Joins, Judgement, Spread, judge_heard};
use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions};
use neural_composer::train::Silent;
use neural_composer::{Error, Result};
use std::path::Path;

/// How much more a loudness step may be than the song's own, in dB.
const STEP_LIMIT_DB: f64 = 1.0;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds, seeds, songs @ ..] = &arguments[..] else {
        return Err(Error::argument("arguments", "FOLDER SECONDS SEEDS SONG...", "fewer"));
    };
    let number = |text: &String, name| {
        text.parse::<u32>().map_err(|_| Error::argument(name, "a whole number", text))
    };
    let (seconds, seeds) = (f64::from(number(seconds, "SECONDS")?), number(seeds, "SEEDS")?);
    println!(
        "| song | beat | style: mean, worst (excerpts) | timbre: mean, worst (excerpts) | joins: median, \
         worst | step of loudness within 1 dB of the song's | taken | faults |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for path in songs {
        let song = Song::open(path)?;
        let source = SongSource::File(path.into());
        let composer = GrainComposer::learn(&[source], &GrainLearning::seeded(1), &mut Silent)?;
        let pool = composer.pool();
        let titles: Vec<String> = pool.own_songs().iter().map(|song| song.title.clone()).collect();
        let name =
            Path::new(path).file_stem().map_or(path.as_str().into(), |s| s.to_string_lossy());
        let mut judged = Vec::new();
        for seed in 1..=seeds {
            let options = GrainOptions::default();
            let piece = composer.compose(seconds, seed.into(), &options, &mut |_, _| ())?;
            let path = Path::new(folder).join(format!("{name}-{seed}.wav"));
            piece.audio().save(&path)?;
            let joins = piece.joins_among(&titles).unwrap_or_default();
            save(&joins, &path.with_extension("joins.csv"))?;
            let heard = Heard::of(piece.audio())?.with_joins(joins);
            judged.push(judge_heard(&heard, vec![Heard::of(song.audio())?])?);
        }
        let beat = pool.own_songs().first().and_then(|song| song.beats_per_minute);
        let beat = beat.map_or("none".into(), |tempo| format!("{tempo:.0}"));
        println!("| {name} | {beat} | {} |", cells(&judged).join(" | "));
    }
    Ok(())
}

/// Writes when the joins are, and what times of the song they join.
fn save(joins: &[Join], path: &Path) -> Result<()> {
    let mut rows = String::from("seconds,before_seconds,after_seconds\n");
    for Join { seconds, before, after } in joins {
        rows += &format!("{seconds},{},{}\n", before.seconds, after.seconds);
    }
    std::fs::write(path, rows).map_err(Error::io(path, "write"))
}

fn cells(judged: &[Judgement]) -> Vec<String> {
    let distance = |value: fn(&Judgement) -> f64, excerpts: fn(&Judgement) -> &Spread| {
        let values = judged.iter().map(value);
        let mean = values.clone().sum::<f64>() / judged.len().max(1) as f64;
        let worst = values.fold(f64::NEG_INFINITY, f64::max);
        let real = judged.first().map(excerpts);
        let real = real.map(|real| format!(" ({:.1} to {:.1})", real.least, real.most));
        format!("{mean:.1}, {worst:.1}{}", real.unwrap_or_default())
    };
    let mut changes: Vec<f64> = judged.iter().filter_map(|it| it.joins.spectral_change).collect();
    changes.sort_by(f64::total_cmp);
    let change = |at: usize| changes.get(at).map_or("none".into(), |value| format!("{value:.2}"));
    let steps_within =
        |joins: &Joins| match (joins.loudness_step_db, joins.natural_loudness_step_db) {
            (Some(step), Some(natural)) => step - natural <= STEP_LIMIT_DB,
            _ => true,
        };
    let within = judged.iter().filter(|it| steps_within(&it.joins)).count();
    let taken = judged.iter().filter(|it| it.copies.taken.is_found()).count();
    let faults: Vec<String> = judged.iter().flat_map(Judgement::faults).collect();
    vec![
        distance(|it| it.style.distance, |it| &it.style.excerpts),
        distance(|it| it.style.kernel, |it| &it.style.kernel_excerpts),
        format!("{}, {}", change(changes.len() / 2), change(changes.len().saturating_sub(1))),
        format!("{within} of {}", judged.len()),
        format!("{taken} of {}", judged.len()),
        if faults.is_empty() { "none".into() } else { faults.join("; ") },
    ]
}
