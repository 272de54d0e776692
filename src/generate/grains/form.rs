//! The form of a piece: which section it dwells on when.

use crate::dataset::grains::GrainPool;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::ops::Range;

/// The plan of a piece: which section of the songs it dwells on when.
#[derive(Clone, Debug)]
pub(super) struct Form {
    sections: Vec<Planned>,
    /// The grain that it begins with.
    pub(super) first_grain: usize,
    /// Where the piece ends: the song whose ending it takes.
    pub(super) last_song: usize,
}

/// A section of the piece.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) from_seconds: f64,
    /// The grains of the songs' section that it is made of.
    pub(super) grains: Range<usize>,
    /// Sections of one letter sound alike.
    pub(super) letter: usize,
}

/// About how long a section of the piece is.
const SECTION_SECONDS: f64 = 9.0;
/// How often a section returns rather than being new, and how often a new one is of the same song.
const RETURNS: f64 = 0.45;
const SAME_SONG: f64 = 0.7;
/// A shorter piece has no room for a choice between the beginning and the end of a song: it begins on any
/// of its beats.
pub(super) const SHORT_SECONDS: f64 = 8.0;

/// The grain that a short piece of a song begins with: seeds that follow each other are far apart.
fn any_beat(pool: &GrainPool, song: usize, seconds: f64, seed: u64) -> usize {
    let song = &pool.songs()[song];
    let fits =
        |grain: &usize| pool.grains()[*grain].start_seconds + seconds <= song.duration_seconds;
    let fitting: Vec<usize> = song.grains.clone().filter(fits).collect();
    let fitting = if fitting.is_empty() { song.grains.clone().collect() } else { fitting };
    let on_beat = |grain: &&usize| pool.grains()[**grain].phase.is_on_beat();
    let beats: Vec<usize> = fitting.iter().filter(on_beat).copied().collect();
    // Where they are few any grain will do.
    let from = if beats.len() < 16 { &fitting } else { &beats };
    // The golden section of all numbers.
    let place = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let index = (u128::from(place) * from.len() as u128) >> 64;
    from.get(index as usize).copied().unwrap_or(song.grains.start)
}

impl Form {
    /// Plans `seconds`: the first section is the first of a song, the last its last; in between,
    /// sections are drawn, and some return. A short piece begins on a beat that `seed` chooses.
    ///
    /// Songs with a share of 0 are left out.
    pub(super) fn plan(
        pool: &GrainPool,
        shares: Option<&[f64]>,
        (seconds, seed): (f64, u64),
        random: &mut ChaCha8Rng,
    ) -> Self {
        let wanted: Vec<usize> = (0..pool.own_songs().len())
            .filter(|song| shares.is_none_or(|shares| shares[*song] > 0.0))
            .collect();
        let song = wanted[random.random_range(0..wanted.len())];
        let all: Vec<(usize, Range<usize>)> = pool
            .own_songs()
            .iter()
            .enumerate()
            .filter(|(index, _)| wanted.contains(index))
            .flat_map(|(index, song)| song.sections.iter().map(move |s| (index, s.clone())))
            .collect();
        let of_song = |song: usize| all.iter().position(|(other, _)| *other == song).unwrap_or(0);
        let first = of_song(song);
        let last = all.iter().rposition(|(other, _)| *other == song).unwrap_or(first);
        let count = ((seconds / SECTION_SECONDS).round() as usize).max(1);
        let mut letters = vec![first];
        while letters.len() < count {
            let before = letters[letters.len() - 1];
            let known: Vec<usize> =
                letters.iter().copied().filter(|letter| *letter != before).collect();
            let unused: Vec<usize> = (0..all.len())
                .filter(|section| *section != last && !letters.contains(section))
                .collect();
            let same_song = random.random_bool(SAME_SONG);
            let fresh: Vec<usize> = unused
                .iter()
                .copied()
                .filter(|section| !same_song || all[*section].0 == all[before].0)
                .collect();
            let fresh = if fresh.is_empty() { unused } else { fresh };
            let returns = fresh.is_empty() || random.random_bool(RETURNS);
            let choices = if returns && !known.is_empty() { &known } else { &fresh };
            letters.push(match choices.len() {
                0 => before,
                count => choices[random.random_range(0..count)],
            });
        }
        if count > 1 {
            letters[count - 1] = last;
        }
        let sections = letters.iter().enumerate().map(|(index, letter)| Planned {
            from_seconds: seconds * index as f64 / count as f64,
            grains: all[*letter].1.clone(),
            letter: *letter,
        });
        let sections: Vec<Planned> = sections.collect();
        let first_grain = match seconds < SHORT_SECONDS {
            true => any_beat(pool, song, seconds, seed),
            false => sections[0].grains.start,
        };
        Self { sections, first_grain, last_song: song }
    }

    /// The number of the section at a time of the piece.
    pub(super) fn index_at(&self, seconds: f64) -> usize {
        let after = self.sections.partition_point(|section| section.from_seconds <= seconds);
        after.saturating_sub(1)
    }

    pub(super) fn section(&self, index: usize) -> &Planned {
        &self.sections[index]
    }

    /// The earlier sections of the same letter.
    pub(super) fn earlier_alike(&self, index: usize) -> HashSet<usize> {
        let letter = self.sections[index].letter;
        (0..index).filter(|other| self.sections[*other].letter == letter).collect()
    }
}
