//! `similarity`: how alike two sounds are.

use super::report::Report;
use super::streams::Input;
use clap::Args;
use neural_composer::audio::Song;
use neural_composer::{Result, evaluate};
use std::path::PathBuf;

/// Say how alike two sounds are
#[derive(Args)]
pub struct Similarity {
    /// The piece; - is standard input
    piece: PathBuf,
    /// What it is compared with; - is standard input
    song: PathBuf,
}

impl Similarity {
    pub fn run(mut self) -> Result<Report> {
        Input::check([&self.piece, &self.song])?;
        let _input = Input::read([&mut self.piece, &mut self.song])?;
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
