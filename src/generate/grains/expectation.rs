//! What the network expected at each step of a piece that is there.

use super::listener::Listener;
use super::placed::Placed;
use super::terrain::Terrain;
use crate::Result;

/// Candidates that an [`Expectation`] names, at most.
const NAMED: usize = 24;

/// What the network expected at a step of a piece, and what the piece took.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What was taken, and when.
    pub taken: Placed,
    /// How likely the network thought it.
    pub probability: f32,
    /// The likeliest candidates, each with its probability, the likeliest first.
    pub likeliest: Vec<(usize, f32)>,
}

/// What the network of `terrain` expects at every step of `placed` but the first.
pub(super) fn expectations(terrain: &Terrain, placed: &[Placed]) -> Result<Vec<Expectation>> {
    let mut listener = Listener::default();
    let mut found = Vec::new();
    for pair in placed.windows(2) {
        let query = listener.hear(terrain, pair[0].candidate)?;
        let candidates = 0..terrain.pool.candidates();
        let logits: Vec<f32> = candidates.map(|c| terrain.logit(c, &query)).collect();
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let probability = |candidate: usize| (logits[candidate] - largest).exp() / sum;
        let mut likeliest: Vec<usize> = (0..logits.len()).collect();
        likeliest.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        likeliest.truncate(NAMED);
        // A guest's grains are no candidates.
        if pair[1].candidate < logits.len() {
            found.push(Expectation {
                taken: pair[1],
                probability: probability(pair[1].candidate),
                likeliest: likeliest.into_iter().map(|c| (c, probability(c))).collect(),
            });
        }
    }
    Ok(found)
}
