//! The sections of songs that a piece may dwell on.

use crate::dataset::grains::GrainPool;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// About how long a section of the piece is.
pub(super) const SECTION_SECONDS: f64 = 9.0;
/// How often a section returns rather than being new, and how often a new one is of the same song.
const RETURNS: f64 = 0.45;
const SAME_SONG: f64 = 0.7;

/// The sections of songs that a form may take, with the song of each.
pub(super) struct Sections {
    all: Vec<(usize, Range<usize>)>,
    /// The first and the last one of the song that the piece begins and ends with.
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Sections {
    pub(super) fn of(pool: &GrainPool, songs: &[usize], main: usize) -> Self {
        let of = |song: &usize| {
            let (song, sections) = (*song, &pool.songs()[*song].sections);
            sections.iter().map(move |section| (song, section.clone()))
        };
        let all: Vec<(usize, Range<usize>)> = songs.iter().flat_map(of).collect();
        let first = all.iter().position(|(song, _)| *song == main).unwrap_or(0);
        let last = all.iter().rposition(|(song, _)| *song == main).unwrap_or(first);
        Self { all, first, last }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn song(&self, section: usize) -> usize {
        self.all[section].0
    }

    pub(super) fn grains(&self, section: usize) -> Range<usize> {
        self.all[section].1.clone()
    }

    /// `count` sections drawn one after the other: some return, and the last is the last one of its
    /// song.
    pub(super) fn drawn(&self, count: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        let mut drawn = vec![self.first];
        while drawn.len() < count {
            let before = drawn[drawn.len() - 1];
            let known: Vec<usize> =
                drawn.iter().copied().filter(|section| *section != before).collect();
            let unused: Vec<usize> = (0..self.count())
                .filter(|section| *section != self.last && !drawn.contains(section))
                .collect();
            let same_song = random.random_bool(SAME_SONG);
            let fresh: Vec<usize> = unused
                .iter()
                .copied()
                .filter(|section| !same_song || self.song(*section) == self.song(before))
                .collect();
            let fresh = if fresh.is_empty() { unused } else { fresh };
            let returns = fresh.is_empty() || random.random_bool(RETURNS);
            let choices = if returns && !known.is_empty() { &known } else { &fresh };
            drawn.push(match choices.len() {
                0 => before,
                count => choices[random.random_range(0..count)],
            });
        }
        if count > 1 {
            drawn[count - 1] = self.last;
        }
        drawn
    }
}
