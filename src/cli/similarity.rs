//! `similarity`: how alike two sounds are.

use super::report::Report;
use clap::Args;
use neural_composer::audio::Song;
use neural_composer::{Result, evaluate};
use std::path::PathBuf;

/// Say how alike two sounds are
#[derive(Args)]
pub struct Similarity {
    /// The piece
    piece: PathBuf,
    /// What it is compared with
    song: PathBuf,
}

impl Similarity {
    pub fn run(self) -> Result<Report> {
        let (piece, song) = (Song::open(&self.piece)?, Song::open(&self.song)?);
        let alike = evaluate::similarity(piece.audio(), song.audio())?;
        Ok(Report::default()
            .line(alike.to_string())
            .fact("similarity", facts(&alike))
            .warn(piece.warnings().iter().chain(song.warnings()).cloned()))
    }
}

/// A similarity for machines.
pub fn facts(alike: &evaluate::Similarity) -> serde_json::Value {
    serde_json::json!({
        "balance": alike.balance,
        "moments": alike.moments,
        "coverage": alike.coverage,
    })
}
