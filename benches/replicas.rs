//! What the second detector of copies finds, for `tests/campaigns/replication.py`.
//!
//! `cargo run --release --example replicas` reads lines from standard input, each a song's file and a
//! piece's with a tab between them, and answers each with a line of JSON.

use neural_composer::audio::Song;
use neural_composer::evaluate::mel_copies;
use neural_composer::{Error, Result};
use std::io::BufRead;

fn main() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(Error::io("standard input", "read a line"))?;
        let Some((song, piece)) = line.split_once('\t') else {
            return Err(Error::argument("a line", "two files with a tab between them", line));
        };
        let found = mel_copies(Song::open(piece)?.audio(), &[Song::open(song)?.audio()])?;
        println!(
            "{}",
            serde_json::json!({
                "share": found.share,
                "longest_run_seconds": found.longest_run_seconds,
                "own_share": found.own_share,
                "own_run_seconds": found.own_run_seconds,
                "excess": found.excess,
                "semitones": found.semitones,
                "speed": found.speed,
                "taken": found.is_taken(),
            })
        );
    }
    Ok(())
}
