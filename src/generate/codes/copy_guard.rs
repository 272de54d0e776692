//! Keeps a piece from following its songs in their own order for long.

use crate::dataset::codes::CodedSongs;

/// Entries that are so alike sound the same.
const SAME: f32 = 0.65;

/// Counts, for every place of the songs, for how many blocks the piece has followed them there.
pub(super) struct CopyGuard<'a> {
    blocks: &'a CodedSongs,
    /// How alike the first codes are, code by code.
    likeness: Vec<f32>,
    codes: usize,
    /// For each song and frame that a block starts at, blocks in a row that were like the song's.
    runs: Vec<Vec<u16>>,
    /// The same places: for how many blocks to come the song's order is not to be followed there.
    shunned: Vec<Vec<u16>>,
    longest: u16,
}

impl<'a> CopyGuard<'a> {
    /// Lets a piece follow its songs for `longest` blocks.
    pub fn new(blocks: &'a CodedSongs, longest: usize) -> Self {
        let stages = blocks.codebook().stages();
        let places = || blocks.songs().iter().map(|song| vec![0; song.starts(stages)]).collect();
        let likeness = blocks.codebook().likeness();
        let codes = (likeness.len() as f64).sqrt().round() as usize;
        let longest = longest.clamp(1, u16::MAX.into()) as u16;
        Self { likeness, codes, runs: places(), shunned: places(), longest, blocks }
    }

    fn same(&self, a: u32, b: u32) -> bool {
        self.likeness[a as usize * self.codes + b as usize] > SAME
    }

    /// Takes in the first code of the block that was drawn.
    pub fn drawn(&mut self, code: u32) {
        let (stages, frames) =
            (self.blocks.codebook().stages(), self.blocks.settings().frames_per_block);
        for (index, song) in self.blocks.songs().iter().enumerate() {
            // From the last frame to the first, so that the block before is still that of before.
            for frame in (0..song.starts(stages)).rev() {
                let (run, shunned) = match frame.checked_sub(frames) {
                    Some(before) => (self.runs[index][before], self.shunned[index][before]),
                    None => (0, 0),
                };
                let follows = self.same(code, song.codes_at(frame, stages)[0]);
                // One block that differs does not make another order.
                let run = if follows { run + 1 } else { run / 2 };
                let over = run >= self.longest;
                self.runs[index][frame] = if over { 0 } else { run };
                self.shunned[index][frame] =
                    if over { 2 * self.longest } else { shunned.saturating_sub(1) };
            }
        }
    }

    /// Takes likelihood from first codes that would follow a song for too long.
    pub fn shun(&self, logits: &mut [f32], by: f32) {
        let (stages, frames) =
            (self.blocks.codebook().stages(), self.blocks.settings().frames_per_block);
        let mut shunned = vec![false; self.codes];
        for (index, song) in self.blocks.songs().iter().enumerate() {
            for frame in frames..song.starts(stages) {
                if self.shunned[index][frame - frames] > 0 {
                    shunned[song.codes_at(frame, stages)[0] as usize] = true;
                }
            }
        }
        for (code, logit) in logits.iter_mut().enumerate().take(self.codes) {
            let is_like = |other: usize| shunned[other] && self.same(code as u32, other as u32);
            if (0..self.codes).any(is_like) {
                *logit -= by;
            }
        }
    }
}
