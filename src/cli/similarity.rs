//! `similarity`: how alike two sounds are.

use super::report::Report;
use super::streams::Input;
use clap::Args;
use neural_composer::Result;
use neural_composer::audio::Decoder;
use neural_composer::evaluate::{self, Moments};
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
        let (mut piece, mut song) = (Decoder::open(&self.piece)?, Decoder::open(&self.song)?);
        let alike = Moments::read(&mut piece)?.compare(&Moments::read(&mut song)?);
        Ok(Report::default()
            .line(alike.to_string())
            .fact("similarity", facts(&alike))
            .warn(piece.warnings())
            .warn(song.warnings()))
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
