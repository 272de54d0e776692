//! The course of a piece: through its songs from their beginning to their end.

use crate::dataset::codes::CodedSongs;

/// Places along the songs at which it is known what sounds there.
const PLACES: usize = 32;
/// How far around a place its sounds reach, as a share of a song: the deviation of a bell curve.
const REACH: f64 = 0.06;
/// The share of what sounds at a place that might as well sound anywhere.
const ANYWHERE: f64 = 0.02;

/// Where in its songs' course a piece is, and how much each code belongs there.
///
/// A network of blocks forgets where in a song it is within seconds. By Bayes' rule, what it says of the next
/// code is multiplied with how likely the place is for that code; so a piece begins as its songs do, has
/// their sections in their order, and ends as they end.
pub(super) struct Course {
    /// For each place and first code, how much likelier it is there than anywhere: a logarithm.
    belonging: Vec<f32>,
    codes: usize,
    /// From 0 at the songs' beginning to 1 at their end.
    at: f64,
    per_block: f64,
}

impl Course {
    /// From `at` on, so much with each block.
    pub fn new(blocks: &CodedSongs, at: f64, per_block: f64) -> Self {
        let (stages, codes) = (blocks.codebook().stages(), blocks.codebook().codes());
        let mut counts = vec![0.0; PLACES * codes];
        for song in blocks.songs() {
            let frames = song.starts(stages);
            for frame in 0..frames {
                let code = song.codes_at(frame, stages)[0] as usize;
                let at = (frame as f64 + 0.5) / frames as f64;
                for (place, counts) in counts.chunks_exact_mut(codes).enumerate() {
                    let off = ((place as f64 + 0.5) / PLACES as f64 - at) / REACH;
                    counts[code] += (-0.5 * off * off).exp();
                }
            }
        }
        let of_code = |code: usize| counts.iter().skip(code).step_by(codes).sum::<f64>();
        let anywhere: Vec<f64> = (0..codes).map(of_code).collect();
        let all: f64 = anywhere.iter().sum();
        let of_place = |here: &[f64]| -> Vec<f32> {
            let sum: f64 = here.iter().sum();
            let shares = here.iter().zip(&anywhere).map(|(here, anywhere)| {
                // A code that no song has is as likely here as anywhere.
                if *anywhere > 0.0 { here / sum / (anywhere / all) } else { 1.0 }
            });
            shares.map(|times| ((1.0 - ANYWHERE) * times + ANYWHERE).ln() as f32).collect()
        };
        let belonging = counts.chunks_exact(codes).flat_map(of_place).collect();
        Self { belonging, codes, at, per_block }
    }

    /// Makes first codes likelier that belong where the piece is, and goes on by a block.
    pub fn lead(&mut self, logits: &mut [f32]) {
        let place = ((self.at * PLACES as f64) as usize).min(PLACES - 1);
        let belonging = &self.belonging[place * self.codes..][..self.codes];
        logits.iter_mut().zip(belonging).for_each(|(logit, belonging)| *logit += belonging);
        self.at += self.per_block;
    }
}
