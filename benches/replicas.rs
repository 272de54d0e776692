//! What the judge says was taken from a song, for `tests/campaigns/replication.py`.
//!
//! `cargo run --release --example replicas` reads lines from standard input, each a song's file and a
//! piece's with a tab between them, and answers each with a line of JSON.

use neural_composer::audio::Song;
use neural_composer::evaluate::taken;
use neural_composer::{Error, Result};
use std::io::BufRead;

fn main() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(Error::io("standard input", "read a line"))?;
        let Some((song, piece)) = line.split_once('\t') else {
            return Err(Error::argument("a line", "two files with a tab between them", line));
        };
        let found = taken(Song::open(piece)?.audio(), &[Song::open(song)?.audio()])?;
        println!(
            "{}",
            serde_json::json!({
                "excess": found.excess,
                "lead": found.lead,
                "semitones": found.semitones,
                "speed": found.speed,
                "found": found.is_found(),
            })
        );
    }
    Ok(())
}
