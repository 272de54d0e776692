//! What a song looks like: its card, its spectrogram, its beat and its key.
//!
//! `cargo run --example see_a_song -- datasets/songs/prelude.mp3 target` writes `song.svg` and
//! `spectrogram.svg` into the folder `target`.

use neural_composer::Result;
use neural_composer::features::{Beats, Chroma, ChromaSettings, LogMel, MelSettings};
use neural_composer::prelude::*;
use std::path::Path;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [song, folder] = &arguments[..] else {
        eprintln!("usage: see_a_song SONG FOLDER");
        std::process::exit(2);
    };
    let song = Song::open(song)?;
    println!("{}: {:?}", song.title(), song.audio());

    // A notebook shows a cell's last value; a program asks for the same as a bundle of HTML, picture
    // and text.
    let spectrogram = song.spectrogram()?;
    for (name, bundle) in [("song.svg", song.bundle()?), ("spectrogram.svg", spectrogram.bundle()?)]
    {
        if let Some(picture) = bundle.picture() {
            picture.save(Path::new(folder).join(name))?;
            println!("{name}: {}", picture.description());
        }
    }

    // Features are matrices of numbers, from which beats, bars and key are estimated.
    let mel = LogMel::of(song.audio(), MelSettings::default())?;
    let beats = Beats::of(&mel)?;
    match beats.is_clear() {
        true => println!(
            "{:.1} beats a minute, {} to the bar",
            beats.per_minute(),
            beats.beats_in_bar()
        ),
        false => println!("no clear beat"),
    }
    let chroma = Chroma::of(song.audio(), ChromaSettings::default())?;
    match Key::of(&chroma) {
        Some(key) => println!("in {key}"),
        None => println!("in no key"),
    }
    Ok(())
}
