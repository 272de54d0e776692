//! A composed piece.

use super::grains::Placed;
use crate::Result;
use crate::audio::Audio;
use crate::evaluate::{Heard, Join, Origin};
use std::fmt;

/// A part of a piece of minutes.
///
/// Parts of one letter are made of the same sections of the songs, in another order of grains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// `A` is the first one, and what comes back of it.
    pub letter: char,
    /// When it begins.
    pub start_seconds: f64,
}

/// A composed piece, and how it came about.
#[derive(Clone)]
pub struct Piece {
    audio: Audio,
    seed: String,
    network: String,
    placed: Vec<Placed>,
    joins: Vec<Join>,
    /// The titles of the songs that its joins are numbered by; a guest comes after them.
    songs: Vec<String>,
    parts: Vec<Part>,
    interrupted: bool,
    notes: Vec<String>,
}

impl Piece {
    pub(super) fn new(audio: Audio, words: (String, String), interrupted: bool) -> Self {
        Self::from_grains(audio, words, Vec::new(), Vec::new(), Vec::new(), interrupted)
    }

    pub(super) fn from_grains(
        audio: Audio,
        (seed, network): (String, String),
        placed: Vec<Placed>,
        joins: Vec<Join>,
        songs: Vec<String>,
        interrupted: bool,
    ) -> Self {
        let (parts, notes) = (Vec::new(), Vec::new());
        Self { audio, seed, network, placed, joins, songs, parts, interrupted, notes }
    }

    /// The same piece, which has these parts as far as it goes.
    pub(super) fn with_parts(mut self, mut parts: Vec<Part>) -> Self {
        parts.retain(|part| part.start_seconds < self.audio.duration_seconds());
        self.parts = parts;
        self
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

    /// The parts that it was planned in, from the first to the last; none of a piece that is under a
    /// minute at the songs' tempo, or that was not made from grains.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// When it jumps from one place of a song to another; never, when it was not made from grains.
    pub fn joins_seconds(&self) -> Vec<f64> {
        self.joins.iter().map(|join| join.seconds).collect()
    }

    /// Where it jumps from song to song; from a guest, which is none, it goes on once.
    pub(super) fn joins(&self) -> Vec<Join> {
        let is_own = |join: &&Join| join.before.song.max(join.after.song) < self.songs.len();
        self.joins.iter().filter(is_own).copied().collect()
    }

    /// Where it jumps, in songs of these titles; none when it was not made from grains, or from other
    /// songs, or when two of them have one title.
    pub fn joins_among(&self, titles: &[String]) -> Option<Vec<Join>> {
        if self.songs.is_empty() {
            return None;
        }
        let numbers: Option<Vec<usize>> = self.songs.iter().map(|own| only(titles, own)).collect();
        let numbers = numbers?;
        let moved = |origin: Origin| Origin { song: numbers[origin.song], ..origin };
        let join = |join: Join| Join {
            seconds: join.seconds,
            before: moved(join.before),
            after: moved(join.after),
        };
        Some(self.joins().into_iter().map(join).collect())
    }

    /// What the judge keeps of it, its joins among songs of these titles.
    ///
    /// # Errors
    /// Those of [`Heard::of`].
    pub fn heard_among(&self, titles: &[String]) -> Result<Heard> {
        let heard = Heard::of(&self.audio)?;
        Ok(match self.joins_among(titles) {
            Some(joins) => heard.with_joins(joins),
            None => heard,
        })
    }

    /// Whether the user stopped it before it had the length asked for.
    pub fn was_interrupted(&self) -> bool {
        self.interrupted
    }
}

/// Where the only title like `title` stands.
fn only(titles: &[String], title: &String) -> Option<usize> {
    let mut alike = titles.iter().enumerate().filter(|(_, other)| *other == title);
    let (number, _) = alike.next()?;
    alike.next().is_none().then_some(number)
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s composed after {}", self.audio.duration_seconds(), self.seed)?;
        if !self.parts.is_empty() {
            let letters: Vec<String> = self.parts.iter().map(|part| part.letter.into()).collect();
            write!(f, ", in parts {}", letters.join(" "))?;
        }
        write!(f, "{}", if self.interrupted { " (stopped by the user)" } else { "" })
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Piece({self})")
    }
}
