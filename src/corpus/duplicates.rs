//! The same recording under two names.
//!
//! Files are looked at in an order that depends on nothing but themselves: lossless before lossy, more
//! bits, a higher rate, more channels, longer, then by path. A file that is the same recording as one
//! that was kept is its duplicate; all others are kept. The same samples are the same recording; else the
//! fingerprints decide, which are looked up by their words, not one by one.

use super::entry::SongFacts;
use super::fingerprint::WORDS_PER_SECOND;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// Recordings that differ more in length are two versions.
const MOST_SECONDS_APART: f64 = 1.0;
/// Two files may begin so many words apart: what encoders put in front.
const MOST_WORDS_APART: i64 = 5;
/// Of all bits so many may differ. Of nine lossy copies of each of the shipped songs (MP3 from 48 kbit/s,
/// Vorbis, Opus, AAC, mono, half the rate) it is 0.2 to 13 %, at another tempo from 1 % on 20 % and more.
const MOST_BITS_APART: f64 = 0.15;
/// And so many of each passage, so that another phrase, which has about half, is another version. A quiet
/// passage in 8 bits has up to 33 %.
const MOST_BITS_APART_IN_PASSAGE: f64 = 0.36;
/// Words in a passage: 4 s.
const PASSAGE: usize = (4.0 * WORDS_PER_SECOND) as usize;
/// With fewer different words there is nothing to know a recording by.
const LEAST_WORDS: usize = 20;
/// Of each kept song so many words can be looked up.
const LOOKED_UP: usize = 64;

/// A file that may be a duplicate.
pub(super) struct Candidate<'a> {
    pub(super) path: &'a str,
    pub(super) facts: &'a SongFacts,
    pub(super) fingerprint: &'a [u32],
}

impl Candidate<'_> {
    fn rank(&self) -> impl Ord {
        let facts = self.facts;
        let quality =
            (facts.lossless, facts.bits, facts.sample_rate_hz, facts.channels, facts.frames);
        (Reverse(quality), self.path)
    }

    /// The same for the same samples.
    fn samples(&self) -> (&str, u32, u32, u64) {
        let facts = self.facts;
        (&facts.samples_sha256, facts.sample_rate_hz, facts.channels, facts.scale.to_bits())
    }

    /// Without that of silence, which many have.
    fn different_words(&self) -> BTreeSet<u32> {
        self.fingerprint.iter().copied().filter(|word| *word != 0).collect()
    }
}

/// For each candidate, the index of the one that it is a duplicate of.
pub(super) fn find(candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| candidates[*a].rank().cmp(&candidates[*b].rank()));
    let mut duplicate_of = vec![None; candidates.len()];
    let mut by_samples = HashMap::new();
    let mut index: HashMap<u32, Vec<usize>> = HashMap::new();
    for (rank, at) in order.iter().copied().enumerate() {
        let candidate = &candidates[at];
        if let Some(kept) = by_samples.get(&candidate.samples()) {
            duplicate_of[at] = Some(*kept);
            continue;
        }
        let words = candidate.different_words();
        if words.len() >= LEAST_WORDS {
            // By their ranks, so that the best one is found first.
            let near: BTreeSet<usize> =
                words.iter().filter_map(|word| index.get(word)).flatten().copied().collect();
            let same = near
                .into_iter()
                .map(|rank| order[rank])
                .find(|kept| is_same(candidate, &candidates[*kept]));
            if same.is_some() {
                duplicate_of[at] = same;
                continue;
            }
            for word in looked_up(&words) {
                index.entry(word).or_default().push(rank);
            }
        }
        by_samples.insert(candidate.samples(), at);
    }
    duplicate_of
}

/// Words that are chosen in the same way in every file: those whose product with a large odd number is
/// least.
fn looked_up(words: &BTreeSet<u32>) -> Vec<u32> {
    let mut mixed: Vec<(u32, u32)> =
        words.iter().map(|word| (word.wrapping_mul(0x9e37_79b1).rotate_left(16), *word)).collect();
    mixed.sort_unstable();
    mixed.truncate(LOOKED_UP);
    mixed.into_iter().map(|(_, word)| word).collect()
}

fn is_same(a: &Candidate, b: &Candidate) -> bool {
    if (a.facts.seconds - b.facts.seconds).abs() > MOST_SECONDS_APART {
        return false;
    }
    let overlaps = (-MOST_WORDS_APART..=MOST_WORDS_APART)
        .map(|shift| overlap(a.fingerprint, b.fingerprint, shift))
        .map(|(a, b)| (share_apart(a, b), a, b));
    overlaps.min_by(|x, y| x.0.total_cmp(&y.0)).is_some_and(|(apart, a, b)| {
        apart <= MOST_BITS_APART
            && a.chunks(PASSAGE).zip(b.chunks(PASSAGE)).all(|(a, b)| {
                a.len() < PASSAGE / 2 || share_apart(a, b) <= MOST_BITS_APART_IN_PASSAGE
            })
    })
}

/// Both without what only one has, when `b` begins `shift` words later.
fn overlap<'a>(a: &'a [u32], b: &'a [u32], shift: i64) -> (&'a [u32], &'a [u32]) {
    let skip = |words: &'a [u32], by: i64| &words[(by.max(0) as usize).min(words.len())..];
    let (a, b) = (skip(a, shift), skip(b, -shift));
    let length = a.len().min(b.len());
    (&a[..length], &b[..length])
}

/// The share of bits that differ; all where there are none.
fn share_apart(a: &[u32], b: &[u32]) -> f64 {
    let apart: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
    if a.is_empty() { 1.0 } else { f64::from(apart) / (32 * a.len()) as f64 }
}
