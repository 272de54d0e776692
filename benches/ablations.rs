//! What each part of the grain composer is good for: composes with parts of it taken away, and judges.
//!
//! `cargo run --release --example ablations -- FOLDER SECONDS SEEDS SONG...` learns each song once,
//! composes SEEDS pieces of SECONDS in four ways, prints a row of a Markdown table for each way
//! (means over the seeds), and leaves the first piece of each and a picture of it in FOLDER.

use neural_composer::audio::{Audio, Song};
use neural_composer::dataset::SongSource;
use neural_composer::display::{self, SpectrogramView};
use neural_composer::evaluate;
use neural_composer::generate::{GrainComposer, GrainLearning, GrainOptions};
use neural_composer::train::Silent;
use neural_composer::{Error, Result, atomic_file};
use std::io::Write;
use std::path::Path;

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
    let (seconds, seeds) = (f64::from(number(seconds, "SECONDS")?), number(seeds, "SEEDS")?);
    println!("| song | way | style (excerpts) | copied | longest run | joins | spectral change |");
    println!("|---|---|---|---|---|---|---|");
    for path in songs {
        let song = Song::open(path)?;
        let source = SongSource::File(path.into());
        let composer = GrainComposer::learn(&[source], &GrainLearning::default(), &mut Silent)?;
        let name =
            Path::new(path).file_stem().map_or(path.as_str().into(), |s| s.to_string_lossy());
        draw(&song.audio().excerpt(0.0, seconds), &Path::new(folder).join(format!("{name}.png")))?;
        for (index, (way, options)) in ways().into_iter().enumerate() {
            let options = GrainOptions { pieces: 1, ..options };
            let mut sums = [0.0f64; 6];
            for seed in 1..=seeds {
                let piece = composer.compose(seconds, seed.into(), &options, &mut |_, _| ())?;
                let judged = evaluate::judge(piece.audio(), &[song.audio()])?;
                let values = [
                    judged.style.distance,
                    judged.style.excerpts.median,
                    100.0 * judged.copies.share,
                    judged.copies.longest_run_seconds,
                    piece.joins_seconds().len() as f64,
                    judged.joins.spectral_change.unwrap_or(1.0),
                ];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                if seed == 1 {
                    let file =
                        |kind: &str| Path::new(folder).join(format!("{name}-{index}.{kind}"));
                    piece.audio().save(file("wav"))?;
                    draw(piece.audio(), &file("png"))?;
                }
            }
            let [style, excerpts, copied, run, joins, change] =
                sums.map(|sum| sum / f64::from(seeds));
            println!(
                "| {name} | {way} | {style:.1} ({excerpts:.1}) | {copied:.0} % | {run:.1} s | {joins:.0} | \
                 {change:.2} |"
            );
        }
    }
    Ok(())
}
