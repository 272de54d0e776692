//! The form of a piece: which section it dwells on when.

use super::parts::{PlannedPart, parts};
use super::sections::{SECTION_SECONDS, Sections};
use crate::dataset::grains::GrainPool;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use std::ops::Range;

/// The plan of a piece: which section of the songs it dwells on when.
#[derive(Clone, Debug)]
pub(super) struct Form {
    sections: Vec<Planned>,
    /// The parts of a piece of minutes; none of a shorter one.
    pub(super) parts: Vec<PlannedPart>,
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
    /// The grains of all sections that the part it is in goes through; none in a piece without parts.
    pub(super) part: Vec<Range<usize>>,
    /// Whether a part begins with it, one after another.
    pub(super) begins_part: bool,
    /// Sections of one letter sound alike.
    pub(super) letter: usize,
}

impl Planned {
    /// Whether `grain` is of no section of the part; a piece without parts has no elsewhere.
    pub(super) fn is_elsewhere(&self, grain: usize) -> bool {
        !self.part.is_empty() && !self.is_of_part(grain)
    }

    /// Whether `grain` is of a section of the part.
    pub(super) fn is_of_part(&self, grain: usize) -> bool {
        self.part.iter().any(|section| section.contains(&grain))
    }
}

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
    /// sections are drawn, and some return. A piece of minutes has parts, which contrast and return. A
    /// short piece begins on a beat that `seed` chooses.
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
        let of_songs = Sections::of(pool, &wanted, song);
        let parts = parts(pool, &of_songs, seconds, random);
        let planned = |section: usize, part: &[usize]| Planned {
            from_seconds: 0.0,
            grains: of_songs.grains(section),
            part: part.iter().map(|section| of_songs.grains(*section)).collect(),
            begins_part: false,
            letter: section,
        };
        let mut sections: Vec<Planned> = match parts.is_empty() {
            true => {
                let count = (seconds / SECTION_SECONDS).round() as usize;
                let drawn = of_songs.drawn(count.max(1), random);
                drawn.into_iter().map(|section| planned(section, &[])).collect()
            }
            false => {
                let of_part = |part: &PlannedPart| -> Vec<Planned> {
                    let of_section = |section: &usize| planned(*section, &part.sections);
                    let mut sections: Vec<Planned> = part.sections.iter().map(of_section).collect();
                    sections[0].begins_part = part.from_seconds > 0.0;
                    sections
                };
                parts.iter().flat_map(of_part).collect()
            }
        };
        let count = sections.len();
        for (index, section) in sections.iter_mut().enumerate() {
            section.from_seconds = seconds * index as f64 / count as f64;
        }
        let first_grain = match seconds < SHORT_SECONDS {
            true => any_beat(pool, song, seconds, seed),
            false => sections[0].grains.start,
        };
        Self { sections, parts, first_grain, last_song: song }
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
