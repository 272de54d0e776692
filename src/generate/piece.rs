//! A composed piece.

use super::grains::Placed;
use crate::audio::Audio;
use std::fmt;

/// A composed piece, and how it came about.
#[derive(Clone)]
pub struct Piece {
    audio: Audio,
    seed: String,
    network: String,
    placed: Vec<Placed>,
    joins_seconds: Vec<f64>,
    interrupted: bool,
    notes: Vec<String>,
}

impl Piece {
    pub(super) fn new(audio: Audio, words: (String, String), interrupted: bool) -> Self {
        Self::from_grains(audio, words, Vec::new(), Vec::new(), interrupted)
    }

    pub(super) fn from_grains(
        audio: Audio,
        (seed, network): (String, String),
        placed: Vec<Placed>,
        joins_seconds: Vec<f64>,
        interrupted: bool,
    ) -> Self {
        Self { audio, seed, network, placed, joins_seconds, interrupted, notes: Vec::new() }
    }

    /// The same piece, with more to say of it.
    pub(super) fn noted(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// What there is to mind about it, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The sound.
    pub fn audio(&self) -> &Audio {
        &self.audio
    }

    /// What the network heard before it went on by itself.
    pub fn seed(&self) -> &str {
        &self.seed
    }

    /// The network in words.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Which grains it is made of, and when, before tempo was changed; none when it was not made from
    /// grains.
    pub fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// When it jumps from one place of a song to another; never, when it was not made from grains.
    pub fn joins_seconds(&self) -> &[f64] {
        &self.joins_seconds
    }

    /// Whether the user stopped it before it had the length asked for.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} s composed after {}{}",
            self.audio.duration_seconds(),
            self.seed,
            if self.interrupted { " (stopped by the user)" } else { "" }
        )
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Piece({self})")
    }
}
