//! What each part of the grain composer is good for: composes with parts of it taken away, and judges.
//!
//! `cargo run --release --example ablations -- FOLDER SECONDS SEEDS SONG...` learns each song once,
//! composes SEEDS pieces of SECONDS in four ways, and one by a rule without a network (`jumper.rs`),
//! prints a row of a Markdown table for each way (means over the seeds), and leaves the first piece of
//! each and a picture of it in FOLDER.

mod jumper;

use jumper::Jumper;
use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::SongSource;
use neural_composer::display::{self, SpectrogramView};
use neural_composer::evaluate::{Heard, Join, Judgement, judge_heard};
use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions};
use neural_composer::train::Silent;
use neural_composer::{Error, Result, atomic_file};
use std::io::Write;
use std::path::Path;

/// A piece, and where it jumps.
type Jumping = (Audio, Vec<Join>);

/// The ways, least first.
fn ways() -> [(&'static str, GrainOptions); 4] {
    let usual = GrainOptions::default();
    let nothing = GrainOptions {
        temperature: 1.0,
        top_k: usize::MAX,
        continuity: 0.0,
        variety: 0.0,
        key: 0.0,
        form: 0.0,
        network: 0.0,
        beat: 0.0,
        copy_limit: 1.0,
        drafts: 1,
        keep_key: true,
        ..usual.clone()
    };
    let continuity = GrainOptions {
        top_k: usual.top_k,
        continuity: usual.continuity,
        temperature: usual.temperature,
        variety: usual.variety,
        beat: usual.beat,
        ..nothing.clone()
    };
    let unguarded =
        GrainOptions { copy_limit: 1.0, longest_run_seconds: 1e9, drafts: 1, ..usual.clone() };
    [
        ("random order", nothing),
        ("continuity only", continuity),
        ("network, no guard", unguarded),
        ("all of it", usual),
    ]
}

fn draw(audio: &Audio, path: &Path) -> Result<()> {
    let spectrogram = audio.spectrogram()?;
    let picture = display::spectrogram(&SpectrogramView {
        power_db: spectrogram.power_db(),
        bins: spectrogram.bins(),
        hop_seconds: spectrogram.hop_seconds(),
        bin_hz: spectrogram.bin_hz(),
        start_seconds: 0.0,
    })?;
    atomic_file::write(path, |file| {
        file.write_all(picture.png()).map_err(Error::io(path, "write the picture"))
    })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seconds, seeds, songs @ ..] = &arguments[..] else {
        return Err(Error::argument("arguments", "FOLDER SECONDS SEEDS SONG...", "fewer"));
    };
    let number = |text: &String, name| {
        text.parse::<u32>().map_err(|_| Error::argument(name, "a whole number", text))
    };
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "make the folder"))?;
    let (seconds, seeds) = (f64::from(number(seconds, "SECONDS")?), number(seeds, "SEEDS")?);
    println!(
        "| song | way | style (excerpts) | copied | longest run | joins | spectral change | repeats (song) \
         | returns (song) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for path in songs {
        let song = Song::open(path)?;
        let source = SongSource::File(path.into());
        let composer = GrainComposer::learn(&[source], &GrainLearning::default(), &mut Silent)?;
        let name =
            Path::new(path).file_stem().map_or(path.as_str().into(), |s| s.to_string_lossy());
        draw(&song.audio().excerpt(0.0, seconds), &Path::new(folder).join(format!("{name}.png")))?;
        let jumper = Jumper::of(song.audio())?;
        let mut rows: Vec<(&str, Vec<Jumping>)> = Vec::new();
        for (way, options) in ways() {
            let options = GrainOptions { pieces: 1, ..options };
            let compose = |seed: u32| -> Result<Jumping> {
                let piece = composer.compose(seconds, seed.into(), &options, &mut |_, _| ())?;
                let titles: Vec<String> =
                    composer.pool().own_songs().iter().map(|song| song.title.clone()).collect();
                let joins = piece.joins_among(&titles).unwrap_or_default();
                Ok((piece.audio().clone(), joins))
            };
            rows.push((way, (1..=seeds).map(compose).collect::<Result<_>>()?));
        }
        let jumped = (1..=seeds).map(|seed| jumper.compose(seconds, seed.into()));
        rows.push(("jumps of a rule", jumped.collect::<Result<_>>()?));
        for (index, (way, pieces)) in rows.iter().enumerate() {
            let file = |kind: &str| Path::new(folder).join(format!("{name}-{index}.{kind}"));
            pieces[0].0.save(file("wav"))?;
            draw(&pieces[0].0, &file("png"))?;
            let judged = |(piece, joins): &Jumping| {
                let heard = Heard::of(piece)?.with_joins(joins.clone());
                judge_heard(&heard, vec![Heard::of(song.audio())?])
            };
            let judged = pieces.iter().map(judged).collect::<Result<Vec<_>>>()?;
            println!("| {name} | {way} | {} |", cells(&judged));
        }
    }
    Ok(())
}

/// The means of some judgements, with what the song has.
fn cells(judged: &[Judgement]) -> String {
    let mean = |value: &dyn Fn(&Judgement) -> f64| {
        judged.iter().map(value).sum::<f64>() / judged.len() as f64
    };
    let of_song = |judgement: &Judgement| {
        judgement.song_forms.first().and_then(|form| form.returns()).unwrap_or(0.0)
    };
    [
        format!(
            "{:.1} ({:.1})",
            mean(&|judged| judged.style.distance),
            mean(&|judged| judged.style.excerpts.median)
        ),
        format!("{:.0} %", 100.0 * mean(&|judged| judged.copies.share)),
        format!("{:.1} s", mean(&|judged| judged.copies.longest_run_seconds)),
        format!("{:.0}", mean(&|judged| judged.joins.seconds.len() as f64)),
        format!("{:.2}", mean(&|judged| judged.joins.spectral_change.unwrap_or(1.0))),
        format!(
            "{:.1} s ({:.1})",
            mean(&|judged| judged.repeats.longest_run_seconds),
            mean(&|judged| judged.copies.mel.own_run_seconds)
        ),
        format!(
            "{:.2} ({:.2})",
            mean(&|judged| judged.form.returns().unwrap_or(0.0)),
            mean(&of_song)
        ),
    ]
    .join(" | ")
}
