//! Prints the beats of songs, for other programs: a line of JSON for each.
//!
//! `cargo run --example beats -- SONG...` tells of each its beats (in seconds, with the beat of the bar
//! from 1), beats in a bar, beats in a minute, confidence, and whether the beat is clear; the tests
//! compare them with how the songs were made.

use neural_composer::audio::Song;
use neural_composer::features::{Beats, LogMel, MelSettings};
use neural_composer::{Error, Result, serde_json};
use std::io::Write;

fn main() -> Result<()> {
    let songs: Vec<String> = std::env::args().skip(1).collect();
    if songs.is_empty() {
        return Err(Error::argument("arguments", "SONG...", "none"));
    }
    let mut out = std::io::stdout().lock();
    for song in songs {
        let mel = LogMel::of(Song::open(&song)?.audio(), MelSettings::default())?;
        let beats = Beats::of(&mel)?;
        let places = beats.places_in_bar().iter().map(|place| place + 1);
        let told = serde_json::json!({
            "song": song,
            "beats": beats.times_seconds().iter().zip(places).collect::<Vec<_>>(),
            "beats_in_bar": beats.beats_in_bar(),
            "beats_per_minute": beats.per_minute(),
            "confidence": beats.confidence(),
            "is_clear": beats.is_clear(),
        });
        writeln!(out, "{told}").map_err(Error::io("standard output", "write to"))?;
    }
    Ok(())
}
