//! The parts of a piece of minutes: they return, contrast, and come to an end.

use super::sections::{SECTION_SECONDS, Sections};
use crate::dataset::grains::GrainPool;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A shorter piece has sections only.
const LEAST_SECONDS: f64 = 60.0;
/// About how long a part is.
const PART_SECONDS: f64 = 24.0;
/// How many different parts there are, at most.
const MOST_LETTERS: usize = 5;
/// How often a part returns rather than being new, where both can be.
const RETURNS: f64 = 0.5;
/// A new part is drawn from so much of what there is, of what is least like the parts before.
const CONTRASTING: f64 = 0.5;

/// A part of a piece that is to be composed.
#[derive(Clone, Debug)]
pub(super) struct PlannedPart {
    /// Parts of one letter are made of the same sections: 0 is the first one.
    pub(super) letter: usize,
    pub(super) from_seconds: f64,
    /// The sections of the songs that it goes through.
    pub(super) sections: Vec<usize>,
}

/// The parts of a piece of `seconds`: the first one comes back at the end, no two that follow each other
/// are the same, and new ones are unlike those before. None for a short piece, or where the songs have
/// one section only.
pub(super) fn parts(
    pool: &GrainPool,
    of_songs: &Sections,
    seconds: f64,
    random: &mut ChaCha8Rng,
) -> Vec<PlannedPart> {
    if seconds < LEAST_SECONDS || of_songs.count() < 2 {
        return Vec::new();
    }
    let count = ((seconds / PART_SECONDS).round() as usize).max(3);
    let most = MOST_LETTERS.min(of_songs.count());
    // Of two parts, only an odd number ends as it begins without one that follows itself.
    let count = if most == 2 { count - (count + 1) % 2 } else { count };
    let letters = letters(count, most, random);
    let different = letters.iter().max().map_or(1, |letter| letter + 1);
    let slots = ((seconds / count as f64 / SECTION_SECONDS).round() as usize).max(1);
    let each = slots.min(of_songs.count() / different).max(1);
    let material = material(pool, of_songs, (different, each), random);
    let part = |(index, letter): (usize, &usize)| PlannedPart {
        letter: *letter,
        from_seconds: seconds * index as f64 / count as f64,
        sections: material[*letter].iter().copied().cycle().take(slots).collect(),
    };
    let mut parts: Vec<PlannedPart> = letters.iter().enumerate().map(part).collect();
    if let Some(ending) = parts.last_mut().and_then(|part| part.sections.last_mut()) {
        *ending = of_songs.last;
    }
    parts
}

/// The letters of `count` parts, three or more, of `most` different ones.
fn letters(count: usize, most: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut letters = vec![0, 1];
    let mut different = 2;
    while letters.len() < count - 1 {
        let before = letters[letters.len() - 1];
        // The first part comes at the end, and so not right before.
        let is_second_last = letters.len() == count - 2;
        let known: Vec<usize> =
            (usize::from(is_second_last)..different).filter(|letter| *letter != before).collect();
        let is_new = different < most && (known.is_empty() || !random.random_bool(RETURNS));
        letters.push(match known.len() {
            _ if is_new => different,
            0 => before,
            known_count => known[random.random_range(0..known_count)],
        });
        different += usize::from(is_new);
    }
    letters.push(0);
    letters
}

/// The sections of each letter: the first one has those that the song begins with, each other one
/// sections in a row that are least like those of the letters before.
fn material(
    pool: &GrainPool,
    of_songs: &Sections,
    (letters, each): (usize, usize),
    random: &mut ChaCha8Rng,
) -> Vec<Vec<usize>> {
    let sounds: Vec<Vec<f32>> =
        (0..of_songs.count()).map(|section| mean(pool, of_songs.grains(section))).collect();
    let mut used = vec![false; of_songs.count()];
    let mut all: Vec<Vec<usize>> = Vec::new();
    for letter in 0..letters {
        let start = match letter {
            0 => of_songs.first,
            _ => {
                let unlike = |section: &usize| -> f32 {
                    let taken =
                        all.iter().flatten().map(|other| apart(&sounds[*section], &sounds[*other]));
                    taken.fold(f32::INFINITY, f32::min)
                };
                let mut free: Vec<usize> =
                    (0..used.len()).filter(|section| !used[*section]).collect();
                free.sort_by(|a, b| unlike(b).total_cmp(&unlike(a)).then(a.cmp(b)));
                let among = ((free.len() as f64 * CONTRASTING).ceil() as usize).max(1);
                match free.len() {
                    0 => of_songs.first,
                    _ => free[random.random_range(0..among)],
                }
            }
        };
        let song = of_songs.song(start);
        let in_a_row = (start..used.len())
            .take_while(|section| {
                *section == start || (!used[*section] && of_songs.song(*section) == song)
            })
            .take(each);
        let sections: Vec<usize> = in_a_row.collect();
        sections.iter().for_each(|section| used[*section] = true);
        all.push(sections);
    }
    all
}

/// What some grains sound like on average, as far as the ear tells.
fn mean(pool: &GrainPool, grains: std::ops::Range<usize>) -> Vec<f32> {
    let (width, weights, count) = (pool.width(), pool.weights(), grains.len().max(1) as f32);
    let mut mean = vec![0.0; width];
    for grain in grains {
        let sound = &pool.embeddings()[pool.candidate(grain, 0) * width..][..width];
        let parts = mean.iter_mut().zip(sound).zip(&weights);
        parts.for_each(|((mean, value), weight)| *mean += value * weight / count);
    }
    mean
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
